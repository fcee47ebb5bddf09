"""What headquarters has to tell a site, and how far it has come. Pure.

A submission is ``entered`` when it lies in the outbox, ``sent`` when the site has answered that its fact is committed, and ``at-site``
when that fact has come back in the site's journal: only then does it count anywhere. The sender's own identity for it makes every repeat
a no-op at the site, so whatever dies between two steps, the step is taken again; and what was ``sent`` and stays away is sent again, for
a site that was restored from a backup may have lost it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from edge_agent.domain.ids import FactId, SiteId
from edge_agent.errors import PeerError, PeerSilent


class State(StrEnum):
    """How far a submission has come."""

    ENTERED = "entered"
    """Here only: not yet at the site."""
    SENT = "sent"
    """Committed at the site, and not yet back in its journal."""
    AT_SITE = "at-site"
    """Back in the site's journal."""
    REFUSED = "refused"
    """The site will not take it as it is; its reason is kept. Entered anew, it is tried again."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The site answered OK."""

    fact_id: FactId


@dataclass(frozen=True, slots=True)
class Returned:
    """The fact is in the archive."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The site refused (``is_final``: asking again would change nothing), or could not be asked."""

    code: str
    detail: str
    is_final: bool


Event: TypeAlias = Committed | Returned | Failed

FINAL = frozenset({"malformed", "unknown-scan", "ambiguous-reference", "form-refused", "free-text", "too-large", "reason-required"})
"""Refusals of the content itself. Any other may pass: a key that is not enrolled yet, a full disk, an older version."""
_SILENT = "peer-silent"


@dataclass(frozen=True, slots=True)
class Submission:
    """One control result for one site. ``record``: the national system's number of it; ``content``: the request, empty once settled.

    ``code``, ``detail``: why the last try failed. ``tries``: how often it was sent. ``number``: its place in the outbox, from 1.
    """

    control_id: str
    site: SiteId
    record: str
    content: Mapping[str, Any]
    entered_at: datetime
    changed_at: datetime
    state: State = State.ENTERED
    tries: int = 0
    fact_id: FactId | None = None
    code: str = ""
    detail: str = ""
    number: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing more is to be done."""
        return self.state in (State.AT_SITE, State.REFUSED)

    def __repr__(self) -> str:
        """Hide the content, which may hold a container's number or what somebody wrote."""
        return f"Submission({self.record!r}, {self.site}, {self.state})"


def failed(problem: PeerError) -> Failed:
    """Give what a site's refusal, or its silence, means for a submission."""
    code = str(problem.fields.get("code", problem.code))
    faults = " ".join(f"{name}={value}" for name, value in problem.fields.items() if name != "code")
    detail = problem.detail if isinstance(problem, PeerSilent) or not faults else f"{problem.detail} ({faults})"
    return Failed(code, detail[:500], code in FINAL)


def next_state(state: State, event: Event) -> State:
    """Give the state after an event; what cannot follow changes nothing, so that an answer that comes twice or late does no harm."""
    match event:
        case Committed():
            return State.SENT if state is State.ENTERED else state
        case Returned():
            return State.AT_SITE if state is State.SENT else state
        case Failed(is_final=is_final):
            return State.REFUSED if is_final and state is State.ENTERED else state
