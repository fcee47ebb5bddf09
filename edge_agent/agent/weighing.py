"""Weighing certificates: one scanner's own correction of the weight estimate, how good it is, and until when it counts.

``weight-<scanner>.json`` beside the commissioning certificates. It counts for exactly the weight bundle, the site and the scanner that
it names. It changes estimates, never the state of a bundle.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, Field

from edge_agent.agent.certificate import CoveredBundle, Document, Part, read_document
from edge_agent.domain.assessment import BundleUse, Reason
from edge_agent.domain.ids import ScannerId
from edge_agent.errors import CertificateUnusable, WeighingRefused
from edge_agent.inference.weight import FEWEST_WEIGHED, ScaleReading, SiteFit, fit_site
from edge_agent.signing.detached import Trust

LIGHTEST_KG = 1000.0
"""Relative errors of lighter loads are shares of this."""
_LEAST_SCALE, _MOST_SCALE = 0.5, 2.0
_MOST_FOLDS = 20

Finite = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class FitPart(Part):
    """The four numbers of ``inference.weight.SiteFit``."""

    scale: Annotated[float, Field(ge=_LEAST_SCALE, le=_MOST_SCALE)]
    dark: Finite
    constant_kg: Finite
    widening: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]

    @property
    def fit(self) -> SiteFit:
        return SiteFit(self.scale, self.dark, self.constant_kg, self.widening)


class ErrorsPart(Part):
    """Errors over ``n`` weighed loads: median and 90th percentile, as shares of the true mass; ``inside``: loads in their interval."""

    median: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
    p90: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
    inside: Count
    n: Annotated[int, Field(gt=0)]


class WeighingCertificate(Document):
    """A scanner's correction, and what it was made from.

    ``plain``: errors of the graph alone. ``held_out``: errors on loads that had no part in the correction they were judged by; absent
    when there were too few. ``unmatched``: rows of the list without a scan of their own; ``unweighable``: scans that tell no mass.
    """

    format: Literal["weighing/1"] = "weighing/1"
    site: str
    scanner: str
    bundle: CoveredBundle
    made_at: AwareDatetime
    not_after: AwareDatetime
    n: Count
    fit: FitPart
    plain: ErrorsPart
    held_out: ErrorsPart | None
    unmatched: Count
    unweighable: Count


@dataclass(frozen=True, slots=True)
class Weighed:
    """A load whose mass is known: ``reading`` of its scan, ``true_kg`` from the weighbridge."""

    reading: ScaleReading
    true_kg: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row or scan that could not be used; ``why`` is a code."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class WeighedScans:
    """The loads of a list that were found and could be read, and what was left out."""

    loads: tuple[Weighed, ...]
    unmatched: tuple[LeftOut, ...]
    unweighable: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Scale:
    """What is corrected: the weight bundle in force, behind one scanner of one site."""

    site: str
    scanner: ScannerId
    bundle: BundleUse


def certify_weighing(scale: Scale, scans: WeighedScans, now: datetime, days: int) -> WeighingCertificate:
    """Fit the correction, measure it on loads that it was not fitted on, and give the certificate.

    Raises:
        WeighingRefused: fewer than ten loads, or a correction that no scanner needs.
    """
    loads = scans.loads
    if len(loads) < FEWEST_WEIGHED:
        left_out = f"{len(scans.unmatched)} rows had no scan, {len(scans.unweighable)} scans could not be weighed"
        raise WeighingRefused(f"{len(loads)} weighed loads, {FEWEST_WEIGHED} are needed; {left_out}", {"weighed": len(loads)})
    fit = _fit(loads)
    if not _LEAST_SCALE <= fit.scale <= _MOST_SCALE:
        raise WeighingRefused(f"the loads would weigh {fit.scale:.3g} times what the pictures show", {"scale": round(fit.scale, 3)})
    use, unseen = scale.bundle, held_out_intervals(loads)
    return WeighingCertificate(
        site=scale.site,
        scanner=scale.scanner,
        bundle=CoveredBundle(name=use.name, version=use.version, sha256=use.sha256),
        made_at=now,
        not_after=now + timedelta(days=days),
        n=len(loads),
        fit=FitPart(scale=fit.scale, dark=fit.dark, constant_kg=fit.constant_kg, widening=fit.widening),
        plain=_errors(loads, intervals(loads, SiteFit())),
        held_out=None if unseen is None else _errors(loads, unseen),
        unmatched=len(scans.unmatched),
        unweighable=len(scans.unweighable),
    )


def intervals(loads: Sequence[Weighed], fit: SiteFit) -> NDArray[np.float64]:
    """Give (n, 3) low, middle, high in kg under a correction."""
    return np.array([fit.interval(load.reading.mass_kg, load.reading.dark_share) for load in loads])


def held_out_intervals(loads: Sequence[Weighed]) -> NDArray[np.float64] | None:
    """Give (n, 3) low, middle, high in kg, each by a correction made without the load; None when too few would be left to make one.

    One load is left out at a time, from 21 loads on a twentieth of them.
    """
    folds = min(len(loads), _MOST_FOLDS)
    found = np.zeros((len(loads), 3))
    for fold in range(folds):
        rest = [load for place, load in enumerate(loads) if place % folds != fold]
        if len(rest) < FEWEST_WEIGHED:
            return None
        found[fold::folds] = intervals(loads[fold::folds], _fit(rest))
    return found


def _fit(loads: Sequence[Weighed]) -> SiteFit:
    seen = np.array([load.reading.mass_kg for load in loads])
    dark, true = np.array([load.reading.dark_share for load in loads]), np.array([load.true_kg for load in loads])
    return fit_site(seen, dark, true)


def _errors(loads: Sequence[Weighed], found: NDArray[np.float64]) -> ErrorsPart:
    true = np.array([load.true_kg for load in loads])
    share = np.abs(found[:, 1] - true) / np.maximum(true, LIGHTEST_KG)
    inside = int(((found[:, 0] <= true) & (true <= found[:, 2])).sum())
    median, p90 = float(np.median(share)), float(np.percentile(share, 90))
    return ErrorsPart(median=round(median, 5), p90=round(p90, 5), inside=inside, n=len(loads))


@dataclass(frozen=True, slots=True)
class Weighing:
    """The weighing certificates that fit this site, and what is wrong with the others."""

    certificates: tuple[WeighingCertificate, ...] = ()
    problems: tuple[Reason, ...] = ()

    def valid(self, now: datetime) -> Mapping[ScannerId, WeighingCertificate]:
        """Give the certificates that have not expired, by scanner."""
        return {ScannerId(one.scanner): one for one in self.certificates if now < one.not_after}

    def fits(self, now: datetime) -> Mapping[ScannerId, SiteFit]:
        """Give the corrections that have not expired, by scanner."""
        return {scanner: certificate.fit.fit for scanner, certificate in self.valid(now).items()}

    def reasons(self, now: datetime) -> tuple[Reason, ...]:
        """Give why health is not better: certificates that expired, fit no more, or cannot be read."""
        expired = [Reason("weighing-expired", {"scanner": one.scanner}) for one in self.certificates if now >= one.not_after]
        return (*self.problems, *expired)


@dataclass(frozen=True, slots=True)
class Weighbridge:
    """Where certificates count: a site, its scanners, and the weight bundle in force, None where there is none."""

    site: str
    scanners: Iterable[ScannerId]
    bundle: BundleUse | None


def find_weighing(folder: Path, present: Weighbridge, trust: Trust, *, must_be_signed: bool = False) -> Weighing:
    """Read the weighing certificates of a site's scanners; with ``must_be_signed`` one without a signature is refused."""
    found: list[WeighingCertificate] = []
    problems: list[Reason] = []
    for scanner in sorted(present.scanners):
        try:
            certificate = read_document(weighing_path(folder, scanner), WeighingCertificate, trust, must_be_signed=must_be_signed)
        except CertificateUnusable:
            problems.append(Reason("weighing-unusable", {"scanner": scanner}))
            continue
        if certificate is None:
            continue
        in_force = None if present.bundle is None else present.bundle.sha256
        if (certificate.site, certificate.scanner, certificate.bundle.sha256) == (present.site, scanner, in_force):
            found.append(certificate)
        else:
            problems.append(Reason("weighing-mismatch", {"scanner": scanner}))
    return Weighing(tuple(found), tuple(problems))


def weighing_path(folder: Path, scanner: str) -> Path:
    """Give where a scanner's certificate lies."""
    return folder / f"weight-{scanner}.json"
