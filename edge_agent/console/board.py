"""What a console knows of each scan: facts in, rows out. No terminal, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from edge_agent.console.catalogue import clean, sentence
from edge_agent.console.client import SeenFact
from edge_agent.wire.messages import (
    AssessmentBody,
    Body,
    DetectionPart,
    FindingPart,
    HeterogeneityPart,
    ProductPart,
    ReferralBody,
    SetAsideBody,
    VerdictBody,
)

_COMMISSIONED = "commissioned"
_RECENT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ScanRow:
    """One scan as shown. ``latency_s``: from accepted (or, when that is unknown, from judged) to seen; None for a replayed fact.

    ``since_taken_s``: from the exposure to seen, None when replayed or when the scanner's clock makes no sense of it.
    ``verdict``: the last officer's word; ``is_verdict_stale``: it was given for an older revision.
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

    @property
    def is_verdict_stale(self) -> bool:
        return bool(self.verdict) and self.verdict_revision < self.revision


class Board:
    """The newest scans of one site, newest first; older ones leave when there are more than ``capacity``."""

    def __init__(self, capacity: int = 200) -> None:
        self._capacity = capacity
        self._rows: dict[str, ScanRow] = {}

    @property
    def rows(self) -> Sequence[ScanRow]:
        return sorted(self._rows.values(), key=lambda row: row.seq, reverse=True)

    def find(self, scan_id: str) -> ScanRow | None:
        return self._rows.get(scan_id)

    def apply(self, fact: SeenFact) -> None:
        """Take one fact; kinds that say nothing about a scan change nothing."""
        body = fact.body
        if isinstance(body, AssessmentBody):
            self._judged(_assessed(fact, body))
        elif isinstance(body, SetAsideBody):
            self._judged(_set_aside(fact, body))
        elif isinstance(body, VerdictBody):
            self._decided(body, body.conclusion)
        elif isinstance(body, ReferralBody):
            self._decided(body, "refer")

    def _judged(self, row: ScanRow) -> None:
        before = self._rows.get(row.scan_id)
        if before is not None:
            if before.revision > row.revision:
                return
            row = replace(row, verdict=before.verdict, verdict_revision=before.verdict_revision)
        self._rows[row.scan_id] = row
        if len(self._rows) > self._capacity:
            del self._rows[min(self._rows.values(), key=lambda old: old.seq).scan_id]

    def _decided(self, body: Body, word: str) -> None:
        row = self._rows.get(body.scan_id or "")
        if row is not None:
            self._rows[row.scan_id] = replace(row, verdict=word, verdict_revision=body.revision)


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
    )


def _more(left_out: int) -> tuple[str, ...]:
    return (f"and {left_out} more",) if left_out else ()


def _finding(finding: FindingPart) -> str:
    match finding:
        case DetectionPart():
            return clean(f"{finding.label} {finding.score:.2f}")
        case HeterogeneityPart():
            return f"heterogeneity {finding.score:.2f}"
        case ProductPart():
            return (
                clean(f"looks like {finding.ranked[0][0]} ({finding.ranked[0][1]:.0%})") if finding.ranked else "looks like nothing known"
            )
        case _:
            return f"load {finding.mass_kg:.0f} kg ({finding.low_kg:.0f} to {finding.high_kg:.0f})"
