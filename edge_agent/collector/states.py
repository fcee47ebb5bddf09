"""How all sites stand, as the running collector last wrote it: one small JSON file, for people, monitoring and the read API.

The collector is the only writer. A reader needs no lock and no archive: the file is replaced whole. Its age tells whether the collector
still lives.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from edge_agent.errors import StatesUnreadable

WRITE_EVERY_S = 2.0
"""The collector writes its file at least so often, whether or not anything changed."""
DEAD_AFTER_S = 15.0
"""A file older than this is the last word of a collector that runs no more."""


class Phase(StrEnum):
    """How it stands between headquarters and a site."""

    CONNECTING = "connecting"
    DRAINING = "draining"
    CURRENT = "current"
    SILENT = "silent"
    """No answer; tried again."""
    REFUSED = "refused"
    """The site refused, or answered what cannot be used; tried again."""
    HELD_UP = "held-up"
    """Headquarters itself cannot store now (disk full); tried again."""
    DIVERGED = "diverged"
    """Stopped: the site's journal is not the one whose rows are here. A person must look."""


class AlarmCode(StrEnum):
    """What somebody at headquarters must look at; sorted by how much."""

    DIVERGED = "diverged"
    """The site's journal contradicts the archive. An auditor compares both."""
    SILENT = "silent"
    """Not heard for longer than ``silent_after_s``."""
    REFUSED = "refused"
    """It answers, but not as it should: a key, another site's name, a message that cannot be read."""
    HELD_UP = "held-up"
    """Headquarters cannot store what the site has."""
    HEADS_STOPPED = "heads-stopped"
    """The site must sign its journal's heads, and rows came without one for longer than ``heads_after_s``."""
    FAILING = "failing"
    """The site's own word about its health."""
    CLOCK_SKEW = "clock-skew"
    """Its clock differs from ours by more than ``skew_s``."""
    POLICY_DRIFTED = "policy-drifted"
    """Another policy than expected is in force."""
    BUNDLES_DRIFTED = "bundles-drifted"
    """Other models than expected are in force."""


def said(text: str, longest: int = 200) -> str:
    """Give what a site said so that it can stand in a log, on a terminal and in this file: printable, and bounded."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:longest])


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


Moment = Annotated[AwareDatetime, Field(description="UTC, by headquarters' clock")]


class Alarm(_Part):
    """One thing to look at, since when, and a sentence with the figures."""

    code: AlarmCode
    since: Moment
    detail: str = ""


class SiteNow(_Part):
    """One site. Rows are numbered by its journal: ``durable`` is the last one stored here, ``head`` the last it is known to have.

    ``newest``: last row stored at all: beyond ``durable`` while a backlog drains, for then the newest rows come first. ``rows``: stored
    since the collector started. ``signed``: last stored row that the site's signature vouches for. ``oldest_unpulled_s``: age in seconds
    of the oldest row that is not on all of the site's durable readers' disks; ``backlog_unacked``: number of such rows.
    ``clock_skew_s``: the site's clock minus ours. ``health``: the site's word (healthy, degraded, failing) with the codes of its reasons.
    ``bundles``: ``name/version`` of what is in force there. None or empty: not known (yet).
    """

    site: str
    group: str = ""
    phase: Phase = Phase.CONNECTING
    phase_since: Moment
    code: str = ""
    detail: str = ""
    epoch: str = ""
    durable: int = 0
    head: int = 0
    newest: int = 0
    rows: int = 0
    signed: int = 0
    last_heard: Moment | None = None
    clock_skew_s: float | None = None
    health: str = ""
    health_reasons: tuple[str, ...] = ()
    disk_free: float | None = None
    backlog_unacked: int | None = None
    oldest_unpulled_s: float | None = None
    daemon: str = ""
    policy_digest: str = ""
    bundles: tuple[str, ...] = ()
    alarms: tuple[Alarm, ...] = ()

    @property
    def lag(self) -> int:
        """Rows that the site has and the verified prefix here has not."""
        return max(self.head - self.durable, 0)


class States(_Part):
    """All sites at one moment. ``started``: when this collector began; ``collector``: its name at the sites."""

    written_at: Moment
    started: Moment
    collector: str
    sites: tuple[SiteNow, ...]

    def age_s(self, now: datetime) -> float:
        """Give the seconds since the collector wrote this, never negative."""
        return max((now - self.written_at) / timedelta(seconds=1), 0.0)

    def is_dead(self, now: datetime) -> bool:
        """Tell whether the collector has stopped writing: then nothing here is known to be true any more."""
        return self.age_s(now) > DEAD_AFTER_S


def read_states(path: Path) -> States:
    """Read what the collector last wrote.

    Raises:
        StatesUnreadable: there is no such file (no collector has run here yet), or it is not one of ours.
    """
    try:
        return States.model_validate_json(path.read_bytes())
    except OSError as problem:
        raise StatesUnreadable(f"{path}: {problem.strerror}", {"file": str(path)}) from problem
    except ValidationError as problem:
        raise StatesUnreadable(f"{path}: not written by a collector of this version", {"file": str(path)}) from problem


def write_states(path: Path, states: States) -> None:
    """Replace the file as a whole. Not synchronised to the disk: after a power cut the next collector writes it anew.

    Raises:
        OSError: the folder does not take it.
    """
    part = path.with_name(path.name + ".part")
    part.write_bytes(states.model_dump_json(exclude_defaults=True).encode())
    part.replace(path)
