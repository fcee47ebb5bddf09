"""One scan as the console keeps it: what the journal said of it, small, and the row of the queue that follows from it. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from edge_agent.console.blind import is_chosen
from edge_agent.console.events import SeenFact
from edge_agent.console.views import QueueRow, RowState, StandingView
from edge_agent.domain.assessment import (
    Assessment,
    BundleState,
    ControlOutcome,
    ControlResult,
    FactKind,
    MachineAssessment,
    Referral,
    Verdict,
)
from edge_agent.domain.identity import IdentityClass
from edge_agent.domain.ids import Seq
from edge_agent.domain.standing import Standing, Voice, standing
from edge_agent.wire.facts import fact_of
from edge_agent.wire.findings import DetectionPart, HeterogeneityPart
from edge_agent.wire.messages import AnyBody, AssessmentBody, AuditBody, SetAsideBody, decode, encode
from edge_agent.wire.results import has_alerted

_MOST_SAID = 100
"""Rows about one scan that are kept, decisions longest. Somebody who talks without end must not fill the memory."""
_MOST_VOICES = 200
_MOST_GOODS = 120
_NUMBERS = (IdentityClass.CONTAINER, IdentityClass.PARCEL, IdentityClass.PLATE)
_BLIND_FIRST = "blind-first"

URGENT, WAITING, NOTHING_TO_DO, DONE = 3, 2, 1, 0
"""Ranks in the queue."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the queue needs of an assessment; the rest stays in ``raw``, its journalled form."""

    seq: Seq
    raw: bytes
    revision: int
    at: datetime
    produced_at: datetime
    conclusion: str
    is_advisory: bool
    labels: tuple[str, ...]
    top: tuple[str, float | None] | None
    obstacles: int
    goods: str
    number: str | None
    decide_by: datetime | None
    taken_at: datetime
    kind: str
    selection: str
    subject: str
    policy: str


@dataclass(frozen=True, slots=True)
class Said:
    """One row that a person, or the site, added to a scan. ``kind``: of the fact."""

    seq: Seq
    kind: str
    raw: bytes


class ScanRecord:
    """What is known of one scan; ``apply`` takes its facts in the order of the journal."""

    def __init__(self, site: str, scan_id: str, blind_share: float) -> None:
        """``site``: the name in the configuration."""
        self.site = site
        self.scan_id = scan_id
        self.is_chosen = is_chosen(scan_id, blind_share)
        self.scanner = ""
        self.judged: Judged | None = None
        self.set_aside: tuple[Seq, datetime, bytes, int] | None = None
        self.said: list[Said] = []
        self.said_left_out = 0
        self.story: list[Assessment | Referral] = []
        self.clock: timedelta | None = None
        """How long officers have for scans like this one, told while it is covered: whether it has a clock of its own is covered too."""
        self.is_over = False
        """That time was over before anybody spoke: the cover is lifted, alert or not."""
        self.is_older = False
        """It was asked for because somebody is still to decide; it is none of the newest, of which figures are counted."""

    def apply(self, fact: SeenFact, body: AnyBody) -> bool:
        """Take a fact; tell whether it can change the row of the queue."""
        self.scanner = body.scanner or self.scanner
        if isinstance(body, AssessmentBody):
            self._take_judged(fact, body)
        elif isinstance(body, SetAsideBody):
            self.set_aside = (fact.seq, min(body.produced_at, fact.seen_at), encode(body), body.revision)
        elif not self._take_said(Said(fact.seq, body.kind, encode(body))):
            return False
        told = fact_of(body)
        if told is not None:
            self.story = _in_force([*self.story, _small(told)])
        return not isinstance(body, AuditBody)

    def _take_said(self, said: Said) -> bool:
        """Keep a row; tell whether it is new: a scan of long ago is asked for whole, while its newest rows may still be on their way."""
        if any(one.raw == said.raw for one in self.said):
            return False
        self.said = [*self.said, said]
        if len(self.said) > _MOST_SAID:
            self.said, self.said_left_out = _kept(self.said), self.said_left_out + 1
        return True

    def _take_judged(self, fact: SeenFact, body: AssessmentBody) -> None:
        if self.judged is None or body.revision >= self.judged.revision:
            self.judged = _judged(fact, body)

    def facts(self) -> list[SeenFact]:
        """Give the rows that people added, as they came."""
        told = ((one.seq, decode(one.raw)) for one in self.said)
        return [SeenFact(seq, "", body, replayed=True, seen_at=body.produced_at) for seq, body in told]

    # ---- what follows

    @property
    def standing(self) -> Standing | None:
        """Give what holds for the scan now; None before anybody judged it."""
        return standing(self.story)

    @property
    def is_revealed(self) -> bool:
        """Tell whether the machine's word is no secret any more: somebody has spoken, the clock has referred the scan, or it is over."""
        return self.is_over or any(not isinstance(fact, MachineAssessment) for fact in self.story)

    @property
    def is_blind(self) -> bool:
        """Tell whether the machine's word is withheld."""
        return self.is_chosen and self.judged is not None and not self.is_revealed

    @property
    def covered_until(self) -> datetime | None:
        """Give when the cover is lifted by the site's clock if nobody has spoken; None while nobody knows."""
        return None if self.judged is None or self.clock is None else self.judged.produced_at + self.clock

    @property
    def wants_reason(self) -> bool:
        """Tell whether the last word was a blind one against an alert: a second one, with its reason, is due."""
        if not self.is_chosen or self.judged is None or self.judged.conclusion != "alert":
            return False
        spoken = [fact for fact in self.story if not isinstance(fact, MachineAssessment)]
        if not spoken or not isinstance(spoken[-1], Verdict) or spoken[-1].conclusion != "not-suspicious":
            return False
        last = next((one for one in reversed(self.said) if one.kind == FactKind.VERDICT), None)
        return last is not None and getattr(decode(last.raw), "order", None) == _BLIND_FIRST

    def body(self) -> AssessmentBody | None:
        """Give the newest assessment, read again."""
        body = decode(self.judged.raw) if self.judged is not None else None
        return body if isinstance(body, AssessmentBody) else None

    def row(self) -> QueueRow | None:
        """Give the row of the queue; None while nothing but words of people is known."""
        if self.set_aside is not None and (self.judged is None or self.set_aside[3] > self.judged.revision):
            return self._set_aside_row(self.set_aside)
        return None if self.judged is None else self._judged_row(self.judged)

    def _judged_row(self, judged: Judged) -> QueueRow:
        now = self.standing
        state, rank = self._urgency(judged, now)
        is_blind = self.is_blind
        return QueueRow(
            site=self.site,
            scan_id=self.scan_id,
            seq=judged.seq,
            revision=judged.revision,
            scanner=self.scanner,
            subject=judged.subject,
            kind=judged.kind,
            selection=judged.selection,
            at=judged.at,
            taken_at=judged.taken_at,
            state=state,
            rank=rank,
            is_blind=is_blind,
            conclusion=None if is_blind else judged.conclusion,
            is_advisory=judged.is_advisory and not is_blind,
            top=None if is_blind else judged.top,
            obstacles=0 if is_blind else judged.obstacles,
            goods=judged.goods,
            number=judged.number,
            decide_by=self.covered_until if is_blind else judged.decide_by if state == "open" else None,
            standing=None if is_blind or now is None else _standing_view(now),
        )

    def _urgency(self, judged: Judged, now: Standing | None) -> tuple[RowState, int]:
        """Say whether somebody has to decide, and how urgent it is."""
        if self.is_blind:
            return "open", URGENT
        if now is None or now.voice is Voice.MACHINE or now.is_stale or self.wants_reason:
            if now is not None and now.is_referred:
                return "referred", WAITING
            return self._asked(judged, is_stale=now is not None and now.is_stale)
        if now.is_referred:
            return "referred", WAITING
        if now.voice is Voice.EXAMINATION:
            return "examined", WAITING if now.is_disputed else DONE
        return "decided", DONE

    def _asked(self, judged: Judged, *, is_stale: bool) -> tuple[RowState, int]:
        if judged.conclusion == "alert":
            return "open", URGENT
        if judged.conclusion == "unassessable" or is_stale:
            return "open", WAITING
        return "clear", NOTHING_TO_DO

    def _set_aside_row(self, set_aside: tuple[Seq, datetime, bytes, int]) -> QueueRow:
        seq, at, _, revision = set_aside
        is_answered = any(one.seq > seq and one.kind != FactKind.AUDIT for one in self.said)
        return QueueRow(
            site=self.site,
            scan_id=self.scan_id,
            seq=seq,
            revision=revision,
            scanner=self.scanner,
            subject="",
            kind="",
            selection="",
            at=at,
            taken_at=None,
            state="decided" if is_answered else "set-aside",
            rank=DONE if is_answered else WAITING,
            is_blind=False,
            conclusion="set-aside",
            is_advisory=False,
            top=None,
            obstacles=0,
            goods="",
            number=None,
            decide_by=None,
            standing=None,
        )


def _kept(said: list[Said]) -> list[Said]:
    """Let the oldest row go: one of who looked before any decision."""
    oldest = next((at for at, one in enumerate(said) if one.kind == FactKind.AUDIT), 0)
    return [*said[:oldest], *said[oldest + 1 :]]


def _judged(fact: SeenFact, body: AssessmentBody) -> Judged:
    return Judged(
        seq=fact.seq,
        raw=encode(body),
        revision=body.revision,
        at=min(body.produced_at, fact.seen_at),
        produced_at=body.produced_at,
        conclusion=body.conclusion,
        is_advisory=any(bundle.state != BundleState.COMMISSIONED for bundle in body.provenance.bundles),
        labels=tuple(sorted({str(reason.params.get("label", reason.code)) for reason in body.reasons})),
        top=_top(body),
        obstacles=len(body.obstacles),
        goods=_goods(body),
        number=next((part.token for part in body.identities if part.kind in _NUMBERS), None),
        decide_by=body.decide_by,
        taken_at=body.capture.taken_at,
        kind=body.capture.kind,
        selection=body.selection,
        subject=body.subject,
        policy=body.provenance.policy_digest,
    )


def _top(body: AssessmentBody) -> tuple[str, float | None] | None:
    """Give what put the scan on alert: the strongest finding that does, with its score, else the reason. Without an alert, any finding."""
    scored = [part for part in body.findings if isinstance(part, DetectionPart | HeterogeneityPart)]
    alerting = [part for part in scored if has_alerted(part, body)]
    if body.conclusion == "alert" and not alerting and body.reasons:
        return body.reasons[0].code, None
    best = max(alerting or scored, key=lambda part: part.score, default=None)
    return None if best is None else (best.label if isinstance(best, DetectionPart) else best.type, best.score)


def _goods(body: AssessmentBody) -> str:
    lines: Sequence[str] = [f"{one.hs} {one.description}".strip() for one in body.declared.goods] if body.declared is not None else []
    return lines[0][:_MOST_GOODS] if lines else ""


def _in_force(story: list[Assessment | Referral]) -> list[Assessment | Referral]:
    """Keep of each voice what its last fact says, in the journal's order: what came before it changes no standing.

    A machine's word on an older revision than a known one is behind that one; of examinations the last of each office counts.
    """
    last: dict[tuple[str, ...], Assessment | Referral] = {}
    for fact in story:
        voice = _voice(fact)
        before = last.get(voice)
        is_behind = isinstance(fact, MachineAssessment) and before is not None and before.fact.revision > fact.fact.revision
        if not is_behind:
            last[voice] = fact
    kept = {id(fact) for fact in last.values()}
    return [fact for fact in story if id(fact) in kept][-_MOST_VOICES:]


def _voice(fact: Assessment | Referral) -> tuple[str, ...]:
    match fact:
        case MachineAssessment():
            return ("machine",)
        case Verdict():
            return ("supervisor" if fact.is_supervisor else "analyst",)
        case ControlResult():
            return ("office", fact.office, "" if fact.outcome is ControlOutcome.NOT_EXAMINED else "examined")
        case _:
            return ("referral",)


def _small(fact: Assessment | Referral) -> Assessment | Referral:
    """Leave out of a machine's word what a standing does not need."""
    if not isinstance(fact, MachineAssessment):
        return fact
    return replace(fact, reasons=(), obstacles=(), findings=(), timings_ms={}, blobs=())


def _standing_view(now: Standing) -> StandingView:
    return StandingView(
        conclusion=now.conclusion.value,
        voice=now.voice.value,
        is_stale=now.is_stale,
        is_disputed=now.is_disputed,
        is_referred=now.is_referred,
    )
