"""Results of examinations that people send to a site: each becomes a fact, once, before it is answered.

The sender may not know the scan's identity: headquarters holds no container numbers, but the national system that it imports from does.
So a result may name a number instead; it is looked up in the site's own identity table and goes nowhere else.
"""

from datetime import timedelta

from edge_agent.agent.ports import JournalStore
from edge_agent.agent.submissions import Submissions
from edge_agent.domain.assessment import FactKind
from edge_agent.domain.clock import Clock
from edge_agent.domain.control_form import MAX_FINDS, check_here
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import FactId, ScanId, Seq, SiteId, fact_id
from edge_agent.domain.numbering import normalised
from edge_agent.errors import AmbiguousReference, FormRefused, MalformedMessage, NotAllowed, UnknownScan
from edge_agent.transport.keys import Consumer, Role
from edge_agent.wire.control import ControlRequest, ReferencePart, answers_of
from edge_agent.wire.messages import CodeParams, ControlBody, FoundPart, IdentityPart
from edge_agent.wire.redaction import note_identity, officer_identity, refuse_free_text, refuse_free_text_found

LOOKED_BACK = timedelta(days=60)
"""How long before an examination its scan may have been taken, where only a number names it: such numbers come back."""


class Examinations:
    """Journals results of examinations. ``control_id`` makes a resend a no-op, whatever was said or scanned since."""

    def __init__(self, store: JournalStore, site: SiteId, clock: Clock, submissions: Submissions) -> None:
        self._store = store
        self._site = site
        self._clock = clock
        self._submissions = submissions

    async def control(self, sender: Consumer, asked: ControlRequest) -> tuple[Seq, FactId]:
        """Give number and identity of the fact, which is committed.

        Raises:
            UnknownScan, AmbiguousReference, FormRefused, FreeTextRefused, NotAllowed, MalformedMessage, TryLater.
        """
        scans = await self._named(asked)
        for scan in scans:
            known = await self._store.control_of(scan, asked.control_id)
            if known is not None:
                return known
        if sender.role is Role.CONSOLE and asked.officer is None:
            raise NotAllowed("a console says which officer enters a result", {"consumer": sender.name})
        found = _checked(asked)
        scan = scans[-1]
        revision = await self._revision(scan) if asked.revision is None else asked.revision
        scanner = await self._submissions.scanner_of(scan, revision)
        officer, remarks = await self._tokens(asked)
        body = ControlBody(
            fact_id=fact_id(scan, FactKind.CONTROL, revision, asked.control_id),
            site=self._site,
            scanner=scanner,
            scan_id=scan,
            revision=revision,
            cause=asked.control_id,
            produced_at=self._clock.now(),
            conclusion=asked.conclusion,
            found=found,
            office=asked.office,
            submitted_by=sender.name,
            examined_at=asked.at,
            form=asked.form,
            methods=asked.methods,
            irregularity=asked.irregularity,
            disposal=asked.disposal,
            why_not=asked.why_not,
            officer=officer,
            remarks=remarks,
        )
        return await self._submissions.append(body)

    async def _named(self, asked: ControlRequest) -> list[ScanId]:
        """Give the scans that the result may be about, the one it is about last."""
        if (asked.scan_id is None) == (asked.reference is None):
            raise MalformedMessage("a result names its scan, or a number that the scan bears, and not both")
        if asked.scan_id is not None:
            return [ScanId(asked.scan_id)]
        if asked.reference is None or asked.revision is not None:
            raise MalformedMessage("a number names a scan, not a revision of it")
        found = await self._store.bearers(_number(asked.reference), asked.at - LOOKED_BACK, asked.at)
        if not found:
            raise UnknownScan(f"no live scan of the {LOOKED_BACK.days} days before bears this number", {"kind": asked.reference.kind})
        if asked.reference.kind == "declaration" and len({one.subject for one in found}) > 1:
            raise AmbiguousReference("scans of several containers or parcels belong to this declaration", {"scans": len(found)})
        return [one.scan_id for one in found]

    async def _revision(self, scan: ScanId) -> int:
        """Give the newest revision that was assessed; 1 where none was, which is checked like one that was given."""
        latest = await self._store.latest_assessment(scan)
        return 1 if latest is None else latest.revision

    async def _tokens(self, asked: ControlRequest) -> tuple[str | None, IdentityPart | None]:
        """Give the token of the officer, and the token and commitment that stand for the remarks."""
        named = [] if asked.officer is None else [officer_identity(asked.officer)]
        text = note_identity(asked.remarks or "").value
        said = [IdentityValue(IdentityClass.REMARK, text)] if text else []
        rows = await self._store.tokenise([*named, *said]) if named or said else ()
        parts = [IdentityPart(kind=row.kind, token=row.token, commitment=row.commitment) for row in rows]
        return (parts[0].token if named else None), (parts[-1] if said else None)


def _number(reference: ReferencePart) -> IdentityValue:
    """Give a number as the identity table has it."""
    kind = IdentityClass(reference.kind)
    is_plain = kind in (IdentityClass.CONTAINER, IdentityClass.PARCEL)
    return IdentityValue(kind, normalised(reference.value) if is_plain else reference.value)


def _checked(asked: ControlRequest) -> list[FoundPart]:
    """Give what was found, once nothing in the result is free text, and the form, where it names one, is answered.

    Raises:
        FreeTextRefused, FormRefused, MalformedMessage.
    """
    if asked.form is not None:
        wrong = check_here(asked.form, *answers_of(asked))
        if wrong:
            raise FormRefused(f"wrong answers: {len(wrong)}", {name: fault.value for name, fault in list(wrong.items())[:MAX_FINDS]})
    words = [asked.office, *asked.methods, asked.irregularity, asked.disposal, asked.why_not]
    refuse_free_text([CodeParams(code=word) for word in words if word is not None])
    refuse_free_text([CodeParams(code="found", params=dict(item.details)) for item in asked.found])
    found = [FoundPart(**item.model_dump()) for item in asked.found]
    refuse_free_text_found(found)
    if bool(found) != (asked.conclusion == "found"):
        raise MalformedMessage("things are listed exactly where something was found", {"found": len(found)})
    return found
