"""All facts of a scan together: the outcome that counts, and the case that figures are made of. Pure.

The facts may have come in any order, and ahead of the verified prefix; here they stand in the order of the site's journal.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, fields

from edge_agent.collector.archive.ingest import Line, Told
from edge_agent.collector.archive.port import ScanKey
from edge_agent.collector.explode import Exploded, OutcomeValues, microseconds, outcome_of
from edge_agent.collector.fold import fold, is_opening
from edge_agent.domain.ids import ScanId, Seq
from edge_agent.kpi.case import Case
from edge_agent.wire.frames import NO_SCANNER
from edge_agent.wire.messages import AnyBody

CASE_VERSION = "2"
"""To be raised when ``fold`` or ``Case`` changes: all cases are then folded anew when the archive is next opened for writing."""

CONCLUDING = frozenset({"assessment", "set-aside", "verdict", "control", "referral"})
"""Kinds of facts that a case is made of, besides the audit facts that somebody opened the scan; other ones about it may be many."""
MOST_CHAPTERS = 500
"""Facts of one scan that are folded, the first in the order of the journal, and as many audit facts: a site gone mad must not stop the
others, and looking at a scan again and again must not push a verdict out."""

_DEFAULTS = {field.name: field.default for field in fields(Case)}


@dataclass(frozen=True, slots=True)
class Chapter:
    """One fact of a scan and its place in the site's journal; ``received_us``: when headquarters first had it."""

    epoch: bytes
    seq: Seq
    received_us: int
    body: AnyBody


def gathered(told: Iterable[Told]) -> dict[ScanKey, list[Chapter]]:
    """Give what is told of each scan, as far as a case is made of it."""
    stories: dict[ScanKey, list[Chapter]] = {}
    for one in told:
        if isinstance(one.value, Exploded) and one.value.fact.scan_id is not None and tells(one.value.body):
            scan = ScanKey(one.site, ScanId(one.value.fact.scan_id))
            stories.setdefault(scan, []).append(Chapter(one.row.epoch, one.row.seq, one.received_us, one.value.body))
    return stories


def tells(body: AnyBody) -> bool:
    """Say whether a case is made of a fact of this kind."""
    return body.kind in CONCLUDING or is_opening(body)


def in_order(chapters: Iterable[Chapter], epochs: Sequence[bytes]) -> list[Chapter]:
    """Give the chapters as journalled, so many as are folded. ``epochs``: as the site began them; one that is not among them began last."""
    number = {epoch: place for place, epoch in enumerate(epochs)}
    ordered = sorted(chapters, key=lambda chapter: (number.get(chapter.epoch, len(epochs)), chapter.seq))
    left = {True: MOST_CHAPTERS, False: MOST_CHAPTERS}
    story = []
    for chapter in ordered:
        is_about = chapter.body.kind in CONCLUDING
        left[is_about] -= 1
        if left[is_about] >= 0:
            story.append(chapter)
    return story


def conclude(scan: ScanKey, story: Sequence[Chapter]) -> tuple[Line, Line] | None:
    """Give the scan's lines of the tables ``outcome`` and ``scan_case``; None while the machine has said nothing of it.

    The outcome is the last one of the newest revision.
    """
    case = fold(chapter.body for chapter in story)
    latest = _latest(story)
    if case is None or latest is None:
        return None
    chapter, values = latest
    body = chapter.body
    outcome = (
        *(scan.site, scan.scan_id, body.revision, body.fact_id, body.scanner or NO_SCANNER),
        *(values.capture_kind, values.selection, values.outcome.value, values.reason, microseconds(body.produced_at)),
        chapter.received_us,
    )
    return outcome, (scan.site, scan.scan_id, case.produced_us, case.scanner, case.kind, case.outcome, case_text(case))


def _latest(story: Sequence[Chapter]) -> tuple[Chapter, OutcomeValues] | None:
    latest: tuple[Chapter, OutcomeValues] | None = None
    for chapter in story:
        values = outcome_of(chapter.body)
        if values is not None and (latest is None or chapter.body.revision >= latest[0].body.revision):
            latest = (chapter, values)
    return latest


def case_text(case: Case) -> str:
    """Give a case as JSON; what has nothing to say is left out."""
    said = {name: value for name, default in _DEFAULTS.items() if (value := getattr(case, name)) != default or default is MISSING}
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False)


def case_of(text: str) -> Case:
    """Read a case back."""
    return Case(**json.loads(text))
