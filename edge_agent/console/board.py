"""What a console knows of each scan: facts in, rows out. No terminal, no clock."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from edge_agent.console.catalogue import clean, conclusion, sentence
from edge_agent.console.events import SeenFact
from edge_agent.wire.findings import DetectionPart, FindingPart, HeterogeneityPart, ProductPart
from edge_agent.wire.messages import AssessmentBody, ControlBody, FoundPart, ReferralBody, SetAsideBody, VerdictBody

_COMMISSIONED = "commissioned"
_RECENT = timedelta(hours=1)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_SAID_KEPT = 20


@dataclass(frozen=True, slots=True)
class ScanRow:
    """One scan as shown. ``latency_s``: from accepted (or, when that is unknown, from judged) to seen; None for a replayed fact.

    ``since_taken_s``: from the exposure to seen, None when replayed or when the scanner's clock makes no sense of it.
    ``verdict``: the last officer's word; ``is_verdict_stale``: it was given for an older revision. ``said``: what people said of the
    scan, one line each, in the journal's order. ``body``: the assessment behind the row. ``at``: when it came about, for the order among
    sites.
    """

    scan_id: str
    scanner: str
    revision: int
    taken_at: datetime | None
    conclusion: str
    is_advisory: bool
    findings: tuple[str, ...]
    reasons: tuple[str, ...]
    provider: str
    latency_s: float | None
    since_taken_s: float | None
    replayed: bool
    seq: int
    verdict: str = ""
    verdict_revision: int = 0
    site: str = ""
    said: tuple[str, ...] = ()
    body: AssessmentBody | None = None
    at: datetime | None = None

    @property
    def is_verdict_stale(self) -> bool:
        return bool(self.verdict) and self.verdict_revision < self.revision


class Board:
    """The newest scans of one or several sites, newest first; older ones leave when there are more than ``capacity``.

    ``shown``: conclusions whose scans are listed; empty = all. Within a site the journal's order counts, among sites the time.
    """

    def __init__(self, capacity: int = 200, shown: Collection[str] = ()) -> None:
        self._capacity = capacity
        self._shown = frozenset(shown)
        self._rows: dict[str, ScanRow] = {}
        self._unplaced: dict[str, list[ScanWord]] = {}

    @property
    def rows(self) -> Sequence[ScanRow]:
        listed = [row for row in self._rows.values() if not self._shown or row.conclusion in self._shown]
        if len({row.site for row in listed}) <= 1:
            return sorted(listed, key=lambda row: row.seq, reverse=True)
        return sorted(listed, key=lambda row: (row.at or _LONG_AGO, row.seq), reverse=True)

    def find(self, scan_id: str) -> ScanRow | None:
        return self._rows.get(scan_id)

    def apply(self, fact: SeenFact) -> None:
        """Take one fact; kinds that say nothing about a scan change nothing."""
        body = fact.body
        if isinstance(body, AssessmentBody):
            self._judged(_assessed(fact, body))
        elif isinstance(body, SetAsideBody):
            self._judged(_set_aside(fact, body))
        elif isinstance(body, VerdictBody | ReferralBody | ControlBody):
            self._said(clean(body.scan_id or ""), _word(body))

    def _judged(self, row: ScanRow) -> None:
        before = self._rows.get(row.scan_id)
        if before is not None:
            if before.revision > row.revision:
                return
            row = replace(row, verdict=before.verdict, verdict_revision=before.verdict_revision, said=before.said)
        self._rows[row.scan_id] = row
        for word in self._unplaced.pop(row.scan_id, ()):
            self._said(row.scan_id, word)
        if len(self._rows) > self._capacity:
            del self._rows[min(self._rows.values(), key=lambda old: (old.at or _LONG_AGO, old.seq)).scan_id]

    def _said(self, scan_id: str, word: "ScanWord") -> None:
        row = self._rows.get(scan_id)
        if row is None:  # a filtered console may hear of a verdict before the scan
            self._unplaced.setdefault(scan_id, []).append(word)
            if len(self._unplaced) > self._capacity:
                del self._unplaced[next(iter(self._unplaced))]
            return
        row = replace(row, said=(*row.said, word.line)[-_SAID_KEPT:])
        if word.verdict:
            row = replace(row, verdict=word.verdict, verdict_revision=word.revision)
        self._rows[scan_id] = row


@dataclass(frozen=True, slots=True)
class ScanWord:
    """What a person said of a scan: as a line, and as the officer's word if it was an officer."""

    line: str
    revision: int
    verdict: str = ""


def _word(body: VerdictBody | ReferralBody | ControlBody) -> ScanWord:
    when = f"{body.produced_at:%m-%d %H:%M} UTC"
    if isinstance(body, ControlBody):
        found = "; ".join(_found(part) for part in body.found)
        return ScanWord(clean(f"examination: {conclusion(body.conclusion)[0]}{': ' + found if found else ''}, {when}"), body.revision)
    word, reasons = ("refer", [body.reason]) if isinstance(body, ReferralBody) else (body.conclusion, body.reasons)
    why = "; ".join(sentence(reason) for reason in reasons)
    where = f"from {body.workstation}" if body.workstation else "by the decision clock"
    who = "supervisor" if isinstance(body, VerdictBody) and body.is_supervisor else "officer"
    line = f"{who}: {conclusion(word)[0]}{': ' + why if why else ''}, r{body.revision}, {when} {where}"
    return ScanWord(clean(line), body.revision, word)


def _found(part: FoundPart) -> str:
    where, heading = f"in {part.where}" if part.where else "", f"HS {part.hs}" if part.hs else ""
    said = (part.quantity, part.what, where, heading, part.concealment, part.form)
    return " ".join(word for word in said if word)


def _assessed(fact: SeenFact, body: AssessmentBody) -> ScanRow:
    work_s = body.timings_ms.get("total", sum(body.timings_ms.values())) / 1000
    since_taken = fact.seen_at - body.capture.taken_at
    is_sound = not fact.replayed and timedelta(0) <= since_taken < _RECENT
    return ScanRow(
        scan_id=clean(body.scan_id or ""),
        scanner=clean(body.scanner or ""),
        revision=body.revision,
        taken_at=body.capture.taken_at,
        conclusion=body.conclusion,
        is_advisory=any(bundle.state != _COMMISSIONED for bundle in body.provenance.bundles),
        findings=(*(_finding(finding) for finding in body.findings), *_more(body.findings_left_out), *_third_party(body)),
        reasons=(*(sentence(part) for part in (*body.reasons, *body.obstacles)), *_more(body.reasons_left_out)),
        provider=clean(body.provenance.provider.removesuffix("ExecutionProvider")),
        latency_s=None if fact.replayed else max((fact.seen_at - body.produced_at).total_seconds(), 0.0) + work_s,
        since_taken_s=since_taken.total_seconds() if is_sound else None,
        replayed=fact.replayed,
        seq=fact.seq,
        site=clean(body.site),
        body=body,
        at=min(body.produced_at, fact.seen_at),
    )


def _third_party(body: AssessmentBody) -> tuple[str, ...]:
    """Give the vendor's own results that say something, marked as the vendor's."""
    said = (one for one in body.third_party if one.conclusion != "unknown")
    return tuple(clean(f"vendor's {one.algorithm or 'algorithm'}: {one.conclusion} (not ours)") for one in said)


def _set_aside(fact: SeenFact, body: SetAsideBody) -> ScanRow:
    return ScanRow(
        scan_id=clean(body.scan_id or ""),
        scanner=clean(body.scanner or ""),
        revision=body.revision,
        taken_at=None,
        conclusion="set-aside",
        is_advisory=False,
        findings=(),
        reasons=(sentence(body.reason),),
        provider="",
        latency_s=None,
        since_taken_s=None,
        replayed=fact.replayed,
        seq=fact.seq,
        site=clean(body.site),
        at=min(body.produced_at, fact.seen_at),
    )


def _more(left_out: int) -> tuple[str, ...]:
    return (f"and {left_out} more",) if left_out else ()


def _finding(finding: FindingPart) -> str:
    match finding:
        case DetectionPart():
            return clean(f"{finding.label} {finding.score:.2f}")
        case HeterogeneityPart():
            against = f"the declared {', '.join(finding.against)}" if finding.declared and finding.against else "the rest of the load"
            return clean(f"unlike {against}: {finding.score:.2f}")
        case ProductPart():
            return (
                clean(f"looks like {finding.ranked[0][0]} ({finding.ranked[0][1]:.0%})") if finding.ranked else "looks like nothing known"
            )
        case _:
            return f"load {finding.mass_kg:.0f} kg ({finding.low_kg:.0f} to {finding.high_kg:.0f})"
