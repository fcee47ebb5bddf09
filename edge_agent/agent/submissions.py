"""What officers send to a site: verdicts. Each becomes a fact, once, before it is answered."""

from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.agent.ports import JournalStore
from edge_agent.domain.assessment import FactKind, MachineConclusion
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import FactId, ScanId, ScannerId, Seq, SiteId, fact_id
from edge_agent.errors import MalformedMessage, NotAllowed, ReasonRequired, UnknownScan
from edge_agent.ledger.records import Entry
from edge_agent.transport.keys import Consumer
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import (
    AnyBody,
    AssessmentBody,
    CodeParams,
    ControlBody,
    FindingWordPart,
    IdentityPart,
    MissedPart,
    ReferralBody,
    VerdictBody,
    decode,
    encode,
)
from edge_agent.wire.redaction import note_identity, officer_identity, refuse_free_text
from edge_agent.wire.verbs import MissedItem, VerdictRequest

PASSED_ON = "passed-on"
"""Reason code of a referral by an officer who gave none."""
BLIND_FIRST = "blind-first"
"""Order of a verdict by somebody who was not shown the machine's word yet: no reason can be asked for without telling it.

Against an alert, it does not stop the decision clock: a word with a reason must follow (``ledger.undecided``).
"""
_OF_NO_PICTURE = ("rescan", "refer")
"""What an officer can conclude of a scan that was set aside: nobody saw its picture."""


class Submissions:
    """Journals what people say of scans. ``verdict_id`` makes a resend a no-op, whatever was said since."""

    def __init__(self, store: JournalStore, site: SiteId, clock: Clock, committed: Callable[[], None]) -> None:
        """Take the journal, and whom to tell that a fact was committed."""
        self._store = store
        self._site = site
        self._clock = clock
        self._committed = committed

    async def verdict(self, sender: Consumer, asked: VerdictRequest) -> tuple[Seq, FactId]:
        """Give number and identity of the fact, which is committed.

        Raises:
            UnknownScan, ReasonRequired, FreeTextRefused, NotAllowed, MalformedMessage, TryLater.
        """
        scan = ScanId(asked.scan_id)
        known = await self.already(scan, asked.revision, asked.verdict_id, (FactKind.VERDICT, FactKind.REFERRAL))
        if known is not None:
            return known
        refuse_free_text(asked.reasons)
        kind = FactKind.REFERRAL if asked.conclusion == "refer" else FactKind.VERDICT
        if kind is FactKind.REFERRAL and len(asked.reasons) > 1:
            raise MalformedMessage("a referral has one reason")
        if asked.supervisor and not sender.supervisors:
            raise NotAllowed("this workstation may not say that its officer is a supervisor", {"consumer": sender.name})
        scanner = await self._judged(asked)
        values = [officer_identity(asked.officer), *([note_identity(asked.note)] if asked.note.strip() else [])]
        officer, *notes = await self._store.tokenise(values)
        note = IdentityPart(kind=notes[0].kind.value, token=notes[0].token, commitment=notes[0].commitment) if notes else None
        return await self.append(self._verdict_body(asked, _Said(sender.name, officer.token, note), scanner))

    async def append(self, body: VerdictBody | ReferralBody | ControlBody) -> tuple[Seq, FactId]:
        """Commit a fact about a scan; one that is there already is found."""
        where = topic(self._site, ScannerId(body.scanner) if body.scanner else None, body.kind)
        entry = Entry(FactId(body.fact_id), ScanId(body.scan_id or ""), FactKind(body.kind), where, encode(body))
        appended = await self._store.append(entry)
        self._committed()
        return appended.seq, appended.fact_id

    async def already(self, scan: ScanId, revision: int, cause: str, kinds: tuple[FactKind, ...]) -> tuple[Seq, FactId] | None:
        """Find an earlier commit of the same cause: a resend is answered as the first time, whatever was concluded since."""
        for kind in kinds:
            fact = fact_id(scan, kind, revision, cause)
            seq = await self._store.has_fact(fact)
            if seq is not None:
                return seq, fact
        return None

    async def _judged(self, asked: VerdictRequest) -> str | None:
        """Give the scanner of the scan that a verdict is about, if the officer may conclude so."""
        latest = await self._store.latest_assessment(ScanId(asked.scan_id))
        if latest is None or asked.revision > latest.revision:
            if asked.conclusion not in _OF_NO_PICTURE:
                raise _unknown(asked.scan_id, asked.revision)
            return await self._set_aside(ScanId(asked.scan_id), asked.revision)
        is_against = latest.conclusion == MachineConclusion.ALERT and asked.conclusion == "not-suspicious"
        if is_against and not asked.reasons and asked.order != BLIND_FIRST:
            raise ReasonRequired("deciding against an alert needs a reason", {"scan_id": asked.scan_id})
        body = decode(latest.body)
        _check_marks(asked, body)
        return body.scanner

    async def scanner_of(self, scan: ScanId, revision: int) -> str | None:
        """Give the scanner of a scan that was assessed or set aside.

        Raises:
            UnknownScan: it was neither, in this revision or a later one.
        """
        latest = await self._store.latest_assessment(scan)
        if latest is None or revision > latest.revision:
            return await self._set_aside(scan, revision)
        return decode(latest.body).scanner

    async def _set_aside(self, scan: ScanId, revision: int) -> str | None:
        """Give the scanner of a scan that was set aside in this revision or a later one."""
        raw = await self._store.latest_set_aside(scan)
        body = None if raw is None else decode(raw)
        if body is None or revision > body.revision:
            raise _unknown(scan, revision)
        return body.scanner

    def _verdict_body(self, asked: VerdictRequest, said: "_Said", scanner: str | None) -> VerdictBody | ReferralBody:
        scan = ScanId(asked.scan_id)
        if asked.conclusion == "refer":
            return ReferralBody(
                fact_id=fact_id(scan, FactKind.REFERRAL, asked.revision, asked.verdict_id),
                site=self._site,
                scanner=scanner,
                scan_id=scan,
                revision=asked.revision,
                cause=asked.verdict_id,
                produced_at=self._clock.now(),
                reason=asked.reasons[0] if asked.reasons else CodeParams(code=PASSED_ON),
                officer=said.officer,
                workstation=said.workstation,
                note=said.note,
            )
        return VerdictBody(
            fact_id=fact_id(scan, FactKind.VERDICT, asked.revision, asked.verdict_id),
            site=self._site,
            scanner=scanner,
            scan_id=scan,
            revision=asked.revision,
            cause=asked.verdict_id,
            produced_at=self._clock.now(),
            conclusion=asked.conclusion,
            officer=said.officer,
            workstation=said.workstation,
            is_supervisor=asked.supervisor,
            reasons=asked.reasons,
            decided_at=asked.at,
            assessment=asked.assessment,
            order=asked.order,
            findings=[FindingWordPart(id=word.id, agrees=word.agrees) for word in asked.findings],
            missed=[MissedPart(view=one.view, box=_box(one), label=one.label) for one in asked.missed],
            note=said.note,
        )


@dataclass(frozen=True, slots=True)
class _Said:
    """By which workstation and whom a verdict was given, and what was written beside it, as tokens."""

    workstation: str
    officer: str
    note: IdentityPart | None


def _check_marks(asked: VerdictRequest, body: AnyBody) -> None:
    """Refuse marks that lie in no view of the scan, or are no boxes, and words about findings given twice."""
    refuse_free_text(CodeParams(code=one.label) for one in asked.missed)
    frames = {frame.view: frame for frame in body.frames} if isinstance(body, AssessmentBody) else {}
    for one in asked.missed:
        x0, y0, x1, y1 = one.box
        frame = frames.get(one.view)
        if frame is None or not (x0 < x1 <= frame.width and y0 < y1 <= frame.height):
            raise MalformedMessage("a mark lies in no view of the scan", {"marks": len(asked.missed)})
    _check_words(asked, body)


def _check_words(asked: VerdictRequest, body: AnyBody) -> None:
    """Refuse words about findings that are given twice, or about what the officer was not shown. Those of an earlier assessment pass."""
    named = {word.id for word in asked.findings}
    if len(named) < len(asked.findings):
        raise MalformedMessage("two words about one finding", {"findings": len(asked.findings)})
    if named and asked.assessment is None:
        raise MalformedMessage("a word about a finding says which assessment was shown", {"findings": len(named)})
    if isinstance(body, AssessmentBody) and asked.assessment == body.fact_id and not named <= {part.id for part in body.findings}:
        raise MalformedMessage("a word about a finding that the assessment does not hold", {"findings": len(named)})


def _box(one: MissedItem) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = one.box
    return x0, y0, x1, y1


def _unknown(scan_id: str, revision: int) -> UnknownScan:
    return UnknownScan("there is no such scan here, or no picture of it to judge", {"scan_id": scan_id, "revision": revision})
