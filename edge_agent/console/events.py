"""What a console is told: facts and the state of the link; and what it may wish for."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from edge_agent.domain.ids import Seq
from edge_agent.errors import ConfigInvalid
from edge_agent.wire.catchup import Cursor
from edge_agent.wire.frames import NO_SCANNER, ROOT, is_name
from edge_agent.wire.messages import AnyBody, CodeParams
from edge_agent.wire.verbs import MAX_SNAP


class Phase(StrEnum):
    """What an officer must know about the link. Only LIVE means that what is shown is what the site knows."""

    CONNECTING = "connecting"
    CATCHING_UP = "catching-up"
    LIVE = "live"
    STALE = "stale"
    """Nothing from the site for three seconds, or it does not answer: what is shown may be old."""
    REFUSED = "refused"
    """The site does not let this key in: not enrolled (yet), expired or revoked."""
    DIVERGED = "diverged"
    """The site's journal is not the one this console has read: an auditor's case."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """The link now.

    ``head``: the site's last number as far as known; ``seq``: the last one handed out; ``health``: the site's word, with its
    ``reasons``; ``durable``: the site accepts scans. ``clock_offset``: the site's clock minus ours. ``malformed``: messages that could
    not be read so far; ``missed``: rows that the site had deleted by its retention before this console read them.
    """

    phase: Phase
    site: str = ""
    head: int = 0
    seq: int = 0
    health: str = ""
    reasons: tuple[CodeParams, ...] = ()
    durable: bool = True
    clock_offset: timedelta = timedelta(0)
    malformed: int = 0
    missed: int = 0
    detail: str = ""

    @property
    def lag(self) -> int:
        """Rows that the site has and this console has not."""
        return max(self.head - self.seq, 0)

    @property
    def is_current(self) -> bool:
        """Tell whether what is shown is what the site knows. A console that does not show the opposite misleads its officer."""
        return self.phase is Phase.LIVE


@dataclass(frozen=True, slots=True)
class SeenFact:
    """One row of the journal. ``body`` is None for a kind that a newer site invented. ``replayed``: pulled, not heard live.

    ``seen_at``: by the site's clock as its heartbeats tell it, so that it can be compared with the times in ``body``. ``at``: where to
    begin again after this fact (``Wish.start``); None for a live fact of a console that reads some scanners only.
    """

    seq: Seq
    topic: str
    body: AnyBody | None
    replayed: bool
    seen_at: datetime
    at: Cursor | None = None


Event: TypeAlias = SeenFact | LinkState


@dataclass(frozen=True, slots=True)
class Newest:
    """Begin with the newest ``last`` outcomes of each scanner, with everything said of these scans, instead of the whole journal."""

    last: int = 50

    def __post_init__(self) -> None:
        if not 1 <= self.last <= MAX_SNAP:
            raise ConfigInvalid(f"a console begins with 1 to {MAX_SNAP} outcomes of each scanner, not {self.last}")


@dataclass(frozen=True, slots=True)
class Recent:
    """Begin with the newest ``rows`` rows of the journal."""

    rows: int

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise ConfigInvalid("a console begins with one row at least")


Start: TypeAlias = Seq | Cursor | Newest | Recent
"""Where to begin: after a number (0 = with everything that the site has), after the very row of ``SeenFact.at``, with the newest outcomes,
or with the newest rows.

A console that was away keeps ``SeenFact.at``, never a mere number: a site that was restored from a backup gives old numbers to other rows.
With the cursor it is read again from its beginning, so facts come again that were handed out before (the same ``fact_id``); a journal that
was changed under the console's feet is DIVERGED.
"""


@dataclass(frozen=True, slots=True)
class Only:
    """Which facts are wanted; nothing given = all.

    ``scanners`` filters at the site, so that the others cost no line; ``~`` stands for facts about no scanner, such as health.
    ``kinds`` alone filters here: assessment, verdict, control, set-aside, referral, health, audit, shadow.
    """

    scanners: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        wrong = [name for name in (*self.scanners, *self.kinds) if not (is_name(name) or name == NO_SCANNER)]
        if wrong:
            raise ConfigInvalid(f"no scanner or kind can be called so: {wrong[0][:64]!r}")

    def topics(self, site: str) -> list[str]:
        """Give the beginnings of the topics to ask the site for; one, of the whole stream, when no scanner is named."""
        if not self.scanners:
            return [f"{ROOT}/{site}/"]
        kinds = [f"{kind}/" for kind in self.kinds] or [""]
        return [f"{ROOT}/{site}/{scanner}/{kind}" for scanner in self.scanners for kind in kinds]

    def wants(self, topic: str) -> bool:
        """Tell whether facts of ``topic`` are to be handed out."""
        return not self.kinds or topic.rstrip("/").rpartition("/")[2] in self.kinds
