"""The sections ``[retention]`` and ``[space]`` of ``agent.toml``: how long things are kept, and what is done when the disk fills up."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from edge_agent.agent.section import Section
from edge_agent.domain.identity import IdentityClass
from edge_agent.ledger.retention import Kind, Periods

Days = Annotated[float, Field(gt=0)] | Literal["for-ever"]
Share = Annotated[float, Field(gt=0, lt=1)]


class RetentionSection(Section):
    """Days after the last thing that happened to a scan until something of it goes; ``"for-ever"`` keeps it.

    They count for ordinary scans. ``enforcement_days``: for all that belongs to a scan that was ever alerted, referred, suspicious or
    found to hold something. ``least_days``: when space is short, ordinary things go after so many days already. ``names_days``: file names
    in the ledger. ``identities_days``: values behind tokens, ``identities`` by class where another period counts.
    """

    blobs_days: Days = 365.0
    originals_days: Days = 365.0
    packages_days: Days = 365.0
    quarantine_days: Days = 365.0
    names_days: Days = 365.0
    journal_days: Days = 1095.0
    enforcement_days: Days = "for-ever"
    identities_days: Days = 365.0
    identities: Mapping[IdentityClass, Days] = {}
    least_days: Annotated[float, Field(gt=0)] = 30.0

    @model_validator(mode="after")
    def _least_is_least(self) -> "RetentionSection":
        for name, days in self:
            if name.endswith("_days") and days != "for-ever" and days < self.least_days:
                raise ValueError(f"{name} must not be below least_days")
        return self

    @property
    def periods(self) -> Periods:
        """Give the periods that plans are made by."""
        kept = {
            Kind.BLOBS: _period(self.blobs_days),
            Kind.ORIGINALS: _period(self.originals_days),
            Kind.PACKAGE: _period(self.packages_days),
            Kind.QUARANTINE: _period(self.quarantine_days),
            Kind.NAMES: _period(self.names_days),
        }
        return Periods(kept, _period(self.journal_days), _period(self.enforcement_days), timedelta(days=self.least_days))

    @property
    def values(self) -> dict[str, timedelta | None]:
        """Give how long the values of each class of identifiers are kept."""
        return {kind.value: _period(self.identities.get(kind, self.identities_days)) for kind in IdentityClass}


class SpaceSection(Section):
    """Shares of the state directory's file system, and what happens when less is free.

    Below ``warn_share`` health is degraded; below ``sparing_share`` no new pictures and packages are written and old ordinary ones go;
    below ``stop_share``, or ``stop_mb`` megabytes, no scan is accepted. ``ballast_mb``: file that is given up then, so that work in hand
    can be finished; at most a hundredth of the disk. ``budget_gb``: what packages, originals, blobs and quarantine may take together.
    """

    warn_share: Share = 0.10
    sparing_share: Share = 0.05
    stop_share: Share = 0.02
    stop_mb: Annotated[float, Field(ge=0)] = 64.0
    ballast_mb: Annotated[float, Field(ge=0)] = 256.0
    budget_gb: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "SpaceSection":
        if not self.stop_share <= self.sparing_share <= self.warn_share:
            raise ValueError("stop_share must not be above sparing_share, nor that above warn_share")
        return self


def _period(days: float | Literal["for-ever"]) -> timedelta | None:
    return None if days == "for-ever" else timedelta(days=days)
