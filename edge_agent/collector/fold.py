"""All facts of one scan, folded into the one row that figures count. Pure, and total: no body that can be decoded makes it raise."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from edge_agent.domain.assessment import Assessment, BundleState, Fact, MachineAssessment, MachineConclusion, Provenance, Referral
from edge_agent.domain.ids import FactId, ScanId
from edge_agent.domain.standing import in_force, standing
from edge_agent.kpi.case import SEPARATOR, Case
from edge_agent.kpi.eligible import UNKNOWN_KIND
from edge_agent.kpi.rates import Outcome
from edge_agent.wire.facts import fact_of
from edge_agent.wire.frames import NO_SCANNER
from edge_agent.wire.messages import AnyBody, AssessmentBody, AuditBody, ControlBody, ReferralBody, SetAsideBody, VerdictBody

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NOT_EXAMINED = "not-examined"
_OPENED = "opened"
"""Code of the audit fact that an officer opened a scan; its parameters name the officer's token and the revision."""
_PIXELS_READ = "decode"
"""Stage that only an assessment from pixels has: one that was concluded anew from findings at hand waited for nothing."""
_TOTAL = "total"
_COUNTRY = re.compile(r"([A-Z]{2})(?:[ -][A-Z0-9]{3})?")
"""A country's code, alone or at the head of a UN/LOCODE. That without its space would be taken for a name: CHINA is not in CH."""
_NO_PROVENANCE = Provenance("", "", "", "", (), "", "")
_MOST_SIGNS = 80
_LONGEST_MS = 1e10
"""Some four months."""

_Kind = TypeVar("_Kind", bound=AnyBody)


def fold(facts: Iterable[AnyBody]) -> Case | None:
    """Give the row of one scan from its facts in the order of the site's journal; None while the machine has said nothing of it.

    The order counts. Whoever stores facts as they come (a live row before older ones) sorts all facts of the scan and folds again
    whenever one is added.
    """
    story = list(facts)
    outcomes = [fact for fact in story if isinstance(fact, AssessmentBody | SetAsideBody)]
    if not outcomes:
        return None
    newest = max(enumerate(outcomes), key=lambda item: (item[1].revision, item[0]))[1]
    case = _of_set_aside(newest) if isinstance(newest, SetAsideBody) else _of_assessment(newest, _first_look(outcomes, newest.revision))
    if len(story) == len(outcomes):
        return case
    return _with_standing(_with_examinations(_with_officers(case, story), story), story)


def _of_set_aside(body: SetAsideBody) -> Case:
    return Case(
        site=body.site,
        scanner=body.scanner or NO_SCANNER,
        scan_id=body.scan_id or "",
        revision=body.revision,
        kind=_word(body.capture_kind or "") or UNKNOWN_KIND,
        selection=_word(body.selection or "") or UNKNOWN_KIND,
        subject="",
        outcome=Outcome.SET_ASIDE.value,
        reason=_word(body.reason.code),
        produced_us=_microseconds(body.produced_at) or 0,
    )


def _of_assessment(body: AssessmentBody, look: "_Look") -> Case:
    provenance = body.provenance
    return Case(
        site=body.site,
        scanner=body.scanner or NO_SCANNER,
        scan_id=body.scan_id or "",
        revision=body.revision,
        kind=_word(body.capture.kind),
        selection=_word(body.selection),
        subject=_word(body.subject),
        outcome=body.conclusion,
        produced_us=_microseconds(body.produced_at) or 0,
        taken_us=_microseconds(body.capture.taken_at),
        tz_assumed=body.capture.tz_assumed,
        alerted=_alerted(body),
        models=_joined(bundle.ref for bundle in provenance.bundles),
        provider=_word(provenance.provider),
        policy_digest=_word(provenance.policy_digest),
        is_advisory=any(bundle.state != BundleState.COMMISSIONED for bundle in provenance.bundles),
        commodity=_commodity(body),
        origin=_origin(body),
        latency_ms=look.latency_ms,
        queue_ms=look.queue_ms,
        decode_ms=look.decode_ms,
        stands=body.conclusion,  # as long as nobody else has spoken
        stands_by="machine",
        stands_us=_microseconds(body.produced_at),
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """How long the machine took, in milliseconds, from acceptance on."""

    latency_ms: float | None = None
    queue_ms: float | None = None
    decode_ms: float | None = None


def _first_look(outcomes: Sequence[AssessmentBody | SetAsideBody], revision: int) -> _Look:
    """Give the times of the first assessment of a revision that read its pixels."""
    for body in outcomes:
        if body.revision == revision and isinstance(body, AssessmentBody) and _PIXELS_READ in body.timings_ms:
            took = body.timings_ms
            total = took.get(_TOTAL, sum(took.values()))
            return _Look(_milliseconds(total), _milliseconds(took.get("queue")), _milliseconds(took[_PIXELS_READ]))
    return _Look()


def _milliseconds(took: float | None) -> float | None:
    """Give a duration that can be one; a site's clock may jump while it measures."""
    return took if took is not None and 0.0 <= took <= _LONGEST_MS else None


def _alerted(body: AssessmentBody) -> str:
    if body.conclusion != "alert":
        return ""
    labels = (reason.params.get("label") for reason in body.reasons)
    return _joined(label if isinstance(label, str) else reason.code for reason, label in zip(body.reasons, labels, strict=True))


def _commodity(body: AssessmentBody) -> str:
    goods = body.declared.goods if body.declared is not None else []
    digits = "".join(sign for sign in goods[0].hs if sign in "0123456789") if goods else ""
    return digits[:4] if len(digits) >= 4 else digits[:2] if len(digits) >= 2 else ""


def _origin(body: AssessmentBody) -> str:
    found = _COUNTRY.fullmatch(body.consignment.origin.strip().upper()) if body.consignment is not None else None
    return found[1] if found else ""


def _with_officers(case: Case, story: Sequence[AnyBody]) -> Case:
    verdicts = _all(story, VerdictBody)
    referrals = _all(story, ReferralBody)
    case = replace(
        case,
        referred_by_clock=any(referral.officer is None for referral in referrals),
        referred_by_officer=any(referral.officer is not None for referral in referrals),
    )
    if not verdicts:
        return case
    first, shown = verdicts[0], _judged_before(story, verdicts[0])
    case = replace(
        case,
        first_conclusion=first.conclusion,
        first_decided_us=_microseconds(first.decided_at),
        first_officer=_word(first.officer),
        decision_s=_seconds_between(shown.produced_at if shown else None, first.decided_at),
        look_s=_seconds_between(_opened_at(story, first), first.decided_at),
    )
    return _with_last_words(case, story, verdicts)


def _with_last_words(case: Case, story: Sequence[AnyBody], verdicts: Sequence[VerdictBody]) -> Case:
    for verdict in verdicts:
        at = _microseconds(verdict.decided_at)
        if verdict.is_supervisor:
            case = replace(case, supervisor=verdict.conclusion, supervisor_us=at)
            continue
        judged = _judged_before(story, verdict)
        on = judged.conclusion if judged is not None else ""
        order, officer = _word(verdict.order or ""), _word(verdict.officer)
        case = replace(case, analyst=verdict.conclusion, analyst_us=at, analyst_on=on, analyst_order=order, officer=officer)
    return case


def _with_examinations(case: Case, story: Sequence[AnyBody]) -> Case:
    results = _all(story, ControlBody)
    if not results:
        return case
    made = in_force([result for result in results if result.conclusion != _NOT_EXAMINED])
    last = (made or results)[-1]
    return replace(
        case,
        control=last.conclusion,
        is_disputed=len({result.conclusion for result in made}) > 1,
        control_us=_microseconds(last.examined_at or last.produced_at),
        found=_joined(item.what for item in last.found),
    )


def _with_standing(case: Case, story: Sequence[AnyBody]) -> Case:
    now = standing(said for said in map(_said, story) if said is not None)
    if now is None or case.outcome == Outcome.SET_ASIDE:
        return case
    spoken = next(body for body in story if body.fact_id == now.fact_id)
    at = spoken.produced_at
    match spoken:
        case VerdictBody():
            at = spoken.decided_at
        case ControlBody():
            at = spoken.examined_at or spoken.produced_at
    return replace(case, stands=now.conclusion.value, stands_by=now.voice.value, stands_us=_microseconds(at))


def _said(body: AnyBody) -> Assessment | Referral | None:
    """Give what a body says; of the machine's only the conclusion, for a newer site's findings may be none that we know."""
    if not isinstance(body, AssessmentBody):
        return fact_of(body)
    fact = Fact(FactId(body.fact_id), ScanId(body.scan_id or ""), body.revision, body.cause, body.produced_at)
    return MachineAssessment(fact, MachineConclusion(body.conclusion), (), (), (), _NO_PROVENANCE, {}, ())


def is_opening(body: AnyBody) -> bool:
    """Tell whether a fact says that an officer opened a scan."""
    return isinstance(body, AuditBody) and body.event.code == _OPENED


def _opened_at(story: Sequence[AnyBody], verdict: VerdictBody) -> datetime | None:
    """Give when the officer last opened what the verdict is about, before it; None where the site did not journal that.

    A site journals an officer's openings of a scan once an hour: whoever comes back within it looked from the first one on.
    """
    who = {"officer": verdict.officer, "revision": verdict.revision}
    for fact in reversed(_before(story, verdict)):
        if isinstance(fact, AuditBody) and is_opening(fact) and who.items() <= fact.event.params.items():
            return fact.produced_at
    return None


def _before(story: Sequence[AnyBody], verdict: VerdictBody) -> Sequence[AnyBody]:
    return story[: next(place for place, fact in enumerate(story) if fact is verdict)]


def _judged_before(story: Sequence[AnyBody], verdict: VerdictBody) -> AssessmentBody | None:
    """Give the assessment that the officer had: the one that the verdict names, else the last before it, of the revision it is about."""
    before = _before(story, verdict)
    seen = [fact for fact in before if isinstance(fact, AssessmentBody) and fact.revision == verdict.revision]
    named = [fact for fact in seen if fact.fact_id == verdict.assessment]
    shown = named or seen
    return shown[-1] if shown else None


def _all(story: Sequence[AnyBody], kind: type[_Kind]) -> list[_Kind]:
    return [fact for fact in story if isinstance(fact, kind)]


def _joined(texts: Iterable[str]) -> str:
    return SEPARATOR.join(sorted({_word(text) for text in texts} - {""}))


def _word(text: str) -> str:
    """Give a site's word as it may stand in a row: printable, of bounded length, without the separator."""
    word = text[:_MOST_SIGNS]
    if not word.isprintable() or SEPARATOR in word:
        word = "".join(sign if sign.isprintable() and sign != SEPARATOR else " " for sign in word)
    return word.strip()


def _microseconds(at: datetime) -> int | None:
    if at.tzinfo is None or not _EPOCH <= at <= _LATEST:
        return None
    return (at - _EPOCH) // _MICROSECOND


def _seconds_between(begin: datetime | None, end: datetime) -> float | None:
    """Give the seconds from one moment to a later one; None where one is missing or the clocks contradict each other."""
    begin_us, end_us = None if begin is None else _microseconds(begin), _microseconds(end)
    if begin_us is None or end_us is None or end_us < begin_us:
        return None
    return (end_us - begin_us) / 1e6
