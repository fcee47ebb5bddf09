"""How far the alerts of a site can be trusted, by class, from the scans that the console holds. Pure.

Precision is counted among alerted scans only, so it needs no unbiased selection; but it says nothing of what the machine misses.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from edge_agent.console.record import ScanRecord
from edge_agent.console.trust_views import MyDecision, RateView, TrustRow
from edge_agent.domain.assessment import ControlOutcome, ControlResult, OfficerConclusion, Verdict
from edge_agent.domain.ids import Token
from edge_agent.domain.standing import in_force
from edge_agent.kpi.rates import Rate
from edge_agent.wire.messages import FoundPart, VerdictBody, decode

ALL = "*"


@dataclass(slots=True)
class _Tally:
    alerted: int = 0
    examined: list[bool] = field(default_factory=list)
    disputed: int = 0
    decided: list[bool] = field(default_factory=list)


def trust_rows(records: Iterable[ScanRecord], kind: str) -> list[TrustRow]:
    """Give one row for all alerts and one for each class, most alerts first. ``kind``: of the capture; only ``live`` makes a KPI."""
    tallies: dict[str, _Tally] = {}
    for record in records:
        if record.judged is None or record.judged.kind != kind or record.judged.conclusion != "alert":
            continue
        if record.is_blind:  # a count that grows as it arrives would tell what is withheld
            continue
        for label in (ALL, *record.judged.labels):
            _count(tallies.setdefault(label, _Tally()), record)
    rows = [_row(label, tally) for label, tally in tallies.items()]
    return sorted(rows, key=lambda row: (row.label != ALL, -row.alerted, row.label))


def _count(tally: _Tally, record: ScanRecord) -> None:
    tally.alerted += 1
    outcome = outcome_of(record)
    if outcome == "disputed":
        tally.disputed += 1
    elif outcome in (ControlOutcome.FOUND, ControlOutcome.NOTHING_FOUND):
        tally.examined.append(outcome == ControlOutcome.FOUND)
    words = [fact.conclusion for fact in record.story if isinstance(fact, Verdict)]
    if words and words[-1] in (OfficerConclusion.SUSPICIOUS, OfficerConclusion.NOT_SUSPICIOUS):
        tally.decided.append(words[-1] is OfficerConclusion.SUSPICIOUS)


def outcome_of(record: ScanRecord) -> str | None:
    """Give what examinations found: an outcome's word, ``disputed`` where offices differ, None before any."""
    results = [fact for fact in record.story if isinstance(fact, ControlResult)]
    told = {fact.outcome for fact in in_force([fact for fact in results if fact.outcome is not ControlOutcome.NOT_EXAMINED])}
    if len(told) > 1:
        return "disputed"
    return next(iter(told), results[-1].outcome if results else None)


def _row(label: str, tally: _Tally) -> TrustRow:
    return TrustRow(
        label=label,
        alerted=tally.alerted,
        pending=tally.alerted - len(tally.examined) - tally.disputed,
        disputed=tally.disputed,
        examined=_rate(tally.examined),
        officers=_rate(tally.decided),
    )


def _rate(outcomes: Sequence[bool]) -> RateView:
    rate = Rate(sum(outcomes), len(outcomes))
    return RateView(hits=rate.hits, n=rate.n, value=rate.value, low=rate.interval.low, high=rate.interval.high, is_too_few=rate.is_too_few)


def decisions_of(record: ScanRecord, token: str) -> list[MyDecision]:
    """Give the verdicts that the officer behind ``token`` gave on a scan, with what examinations found."""
    mine = [(one.seq, body) for one in record.said if isinstance(body := decode(one.raw), VerdictBody) and body.officer == Token(token)]
    return [
        MyDecision(
            site=record.site,
            scan_id=record.scan_id,
            seq=seq,
            revision=body.revision,
            at=body.decided_at,
            conclusion=body.conclusion,
            order=body.order or "",
            machine=None if record.judged is None else record.judged.conclusion,
            outcome=outcome_of(record),
            found=_found(record),
            is_superseded=seq != mine[-1][0],
        )
        for seq, body in mine
    ]


def _found(record: ScanRecord) -> list[FoundPart]:
    return [
        FoundPart(what=item.what, where=item.where, hs=item.hs, quantity=item.quantity, concealment=item.concealment, form=item.form)
        for fact in record.story
        if isinstance(fact, ControlResult)
        for item in fact.items
    ]
