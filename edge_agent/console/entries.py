"""What a page sends to the console's server, as models. There is no field for the officer: that is the session's."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge_agent.console.views import OfficerWord
from edge_agent.wire.verbs import MAX_FINDING_WORDS, MAX_MISSED, FindingWord, MissedItem, Note, Revision, Uuid


class Entry(BaseModel):
    """Base of what a browser sends: an unknown field is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class VerdictEntry(Entry):
    """A decision. ``verdict_id``: made by the page once a decision, so that sending it again changes nothing.

    ``assessment``: fact_id of the machine's word that was shown, null when blind. ``reasons``: codes of ``verdict_reasons``; needed
    against an alert, one at most with ``refer``. ``findings``: agree or disagree by finding id. ``missed``: what the machine missed.
    """

    verdict_id: Uuid
    revision: Revision
    conclusion: OfficerWord
    assessment: Uuid | None = None
    reasons: Annotated[list[str], Field(max_length=8)] = []
    note: Note = ""
    findings: Annotated[list[FindingWord], Field(max_length=MAX_FINDING_WORDS)] = []
    missed: Annotated[list[MissedItem], Field(max_length=MAX_MISSED)] = []


class ControlEntry(Entry):
    """The result of an examination, by the form of ``GET /api/control-form``. ``control_id``: as ``verdict_id``.

    ``result``: answers by the names of the form's ``result`` fields; ``found``: for each thing found, answers to its ``find`` fields.
    """

    control_id: Uuid
    revision: Revision
    result: dict[str, Any]
    found: Annotated[list[dict[str, Any]], Field(max_length=32)] = []


class FaultEntry(Entry):
    """The AI is wrong in a systematic way: for the supervisor. ``what``: misses, false-alarms, wrong-place, wrong-goods or other."""

    fault_id: Uuid
    site: str
    scan_id: Uuid
    revision: Revision
    what: Literal["misses", "false-alarms", "wrong-place", "wrong-goods", "other"] = "other"
    note: Note = ""


class IdentifyEntry(Entry):
    """Ask for identifiers of some scans of one site, at most 50."""

    site: str
    scan_ids: Annotated[list[Uuid], Field(min_length=1, max_length=50)]
