"""What people send to a site: verdicts of officers and results of examinations. Each becomes a fact, once, before it is answered."""

from collections.abc import Callable

from edge_agent.agent.ports import JournalStore
from edge_agent.domain.assessment import FactKind, MachineConclusion
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import FactId, ScanId, ScannerId, Seq, SiteId, fact_id
from edge_agent.errors import MalformedMessage, NotAllowed, ReasonRequired, UnknownScan
from edge_agent.ledger.records import Entry
from edge_agent.transport.keys import Consumer
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import CodeParams, ControlBody, FoundPart, ReferralBody, VerdictBody, decode, encode
from edge_agent.wire.redaction import officer_identity, refuse_free_text, refuse_free_text_found
from edge_agent.wire.verbs import ControlRequest, VerdictRequest

PASSED_ON = "passed-on"
"""Reason code of a referral by an officer who gave none."""
_OF_NO_PICTURE = ("rescan", "refer")
"""What an officer can conclude of a scan that was set aside: nobody saw its picture."""


class Submissions:
    """Journals verdicts and control results. ``verdict_id`` and ``control_id`` make a resend a no-op, whatever was said since."""

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
        known = await self._already(scan, asked.revision, asked.verdict_id, (FactKind.VERDICT, FactKind.REFERRAL))
        if known is not None:
            return known
        refuse_free_text(asked.reasons)
        kind = FactKind.REFERRAL if asked.conclusion == "refer" else FactKind.VERDICT
        if kind is FactKind.REFERRAL and len(asked.reasons) > 1:
            raise MalformedMessage("a referral has one reason")
        if asked.supervisor and not sender.supervisors:
            raise NotAllowed("this workstation may not say that its officer is a supervisor", {"consumer": sender.name})
        scanner = await self._judged(asked)
        (officer,) = await self._store.tokenise([officer_identity(asked.officer)])
        return await self._append(self._verdict_body(asked, sender.name, officer.token, scanner))

    async def control(self, sender: Consumer, asked: ControlRequest) -> tuple[Seq, FactId]:
        """Give number and identity of the fact, which is committed.

        Raises:
            UnknownScan, FreeTextRefused, MalformedMessage, TryLater.
        """
        scan = ScanId(asked.scan_id)
        known = await self._already(scan, asked.revision, asked.control_id, (FactKind.CONTROL,))
        if known is not None:
            return known
        refuse_free_text([CodeParams(code=asked.office)])
        found = [FoundPart(**item.model_dump()) for item in asked.found]
        refuse_free_text_found(found)
        if bool(found) != (asked.conclusion == "found"):
            raise MalformedMessage("things are listed exactly where something was found", {"found": len(found)})
        body = ControlBody(
            fact_id=fact_id(scan, FactKind.CONTROL, asked.revision, asked.control_id),
            site=self._site,
            scanner=await self._scanner_of(scan, asked.revision),
            scan_id=scan,
            revision=asked.revision,
            cause=asked.control_id,
            produced_at=self._clock.now(),
            conclusion=asked.conclusion,
            found=found,
            office=asked.office,
            submitted_by=sender.name,
            examined_at=asked.at,
        )
        return await self._append(body)

    async def _append(self, body: VerdictBody | ReferralBody | ControlBody) -> tuple[Seq, FactId]:
        where = topic(self._site, ScannerId(body.scanner) if body.scanner else None, body.kind)
        entry = Entry(FactId(body.fact_id), ScanId(body.scan_id or ""), FactKind(body.kind), where, encode(body))
        appended = await self._store.append(entry)
        self._committed()
        return appended.seq, appended.fact_id

    async def _already(self, scan: ScanId, revision: int, cause: str, kinds: tuple[FactKind, ...]) -> tuple[Seq, FactId] | None:
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
        if is_against and not asked.reasons:
            raise ReasonRequired("deciding against an alert needs a reason", {"scan_id": asked.scan_id})
        return decode(latest.body).scanner

    async def _scanner_of(self, scan: ScanId, revision: int) -> str | None:
        """Give the scanner of a scan that was assessed or set aside."""
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

    def _verdict_body(self, asked: VerdictRequest, workstation: str, officer: str, scanner: str | None) -> VerdictBody | ReferralBody:
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
                officer=officer,
                workstation=workstation,
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
            officer=officer,
            workstation=workstation,
            is_supervisor=asked.supervisor,
            reasons=asked.reasons,
            decided_at=asked.at,
        )


def _unknown(scan_id: str, revision: int) -> UnknownScan:
    return UnknownScan("there is no such scan here, or no picture of it to judge", {"scan_id": scan_id, "revision": revision})
