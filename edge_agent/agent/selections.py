"""What was selected for scanning, and what the scanner numbered, against what was accepted: what is missing becomes a fact.

Looks every few seconds at the lists and at the ledger, so nothing depends on a list having come before its scan, or on the process
having been up. A line that disappears from its list changes nothing, for customs systems rotate their files.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from edge_agent.agent.accepting import Intake
from edge_agent.agent.selection_lists import SelectionLists
from edge_agent.domain.assessment import FactKind
from edge_agent.domain.identity import IdentityValue
from edge_agent.domain.ids import ScannerId, SiteId, fact_id
from edge_agent.domain.profile import Profile
from edge_agent.domain.running_number import Gap, Numbers, came, fallen_due
from edge_agent.domain.selection import (
    REMEMBERED,
    Listed,
    ScanSeen,
    SelectionState,
    overdue,
    settled_by,
)
from edge_agent.errors import TryLater
from edge_agent.ledger import selections as stored
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Entry
from edge_agent.telemetry import events
from edge_agent.wire import messages
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import AuditBody, CodeParams

NOT_SCANNED, FOUND_LATE = "selected-not-scanned", "selected-found-late"
GAP, GAP_CLOSED = "numbering-gap", "numbering-gap-closed"
"""Codes of the audit facts."""

_LOOK_EVERY_S = 2.0
_PAGE = 200
_LOOK_BACK = timedelta(days=7)

Outcome = TypeVar("Outcome")


class Reconciliation:
    """Compares lists and numberings with the ledger, again and again."""

    def __init__(self, intake: Intake, profiles: Mapping[ScannerId, Profile], gap_after: timedelta) -> None:
        """``profiles``: of the site's scanners; ``gap_after``: how long a number that was passed over is awaited."""
        self._intake = intake
        self._lists = intake.selections
        self._profiles = profiles
        self._gap_after = gap_after
        self._numbers: dict[ScannerId, Numbers] = {scanner: Numbers() for scanner, profile in profiles.items() if profile.number}
        self._last_job = 0
        self._since: datetime | None = None
        """From when on scans are gone through; None before the first look."""

    async def run(self, ring: Callable[[], None]) -> None:
        """Look every two seconds until cancelled; ``ring`` is called after facts were journalled."""
        while True:
            try:
                if await self.look():
                    ring()
            except TryLater as problem:
                events.selections_postponed(problem.code)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def look(self) -> int:
        """Take in lists and scans, and say what is missing; give how many facts were journalled.

        Raises:
            TryLater: not now; what was not taken in is taken in at the next look.
        """
        if self._since is None:
            await self._begin()
        elif self._lists is not None:
            await self._take_in(self._lists)
        count = await self._match_scans()
        if self._lists is not None:
            for missed in overdue(self._lists.listed, self._intake.clock.now()):
                count += await self._settle(missed)
        return count + await self._gaps()

    async def _begin(self) -> None:
        """Take up what earlier processes took in; scans since the earliest open selection are gone through again."""
        now = self._intake.clock.now()
        self._since = now - _LOOK_BACK
        if self._lists is None:
            return
        listed = await self._transact(partial(stored.listed_since, since=now - REMEMBERED))
        self._lists.listed = listed
        await self._take_in(self._lists)
        await self._match_earlier(min((one.selected.since for one in listed), default=now))

    async def _take_in(self, lists: SelectionLists) -> None:
        """Read the lists if they have changed, and remember what is new; new lines may be about scans that came before them."""
        await self._intake.spool_lane.run(lists.refresh)
        new = lists.take_new()
        for start in range(0, len(new), _PAGE):
            page = new[start : start + _PAGE]
            rows = await self._intake.storage.ledger.tokenise([IdentityValue(one.kind, one.number) for one in page])
            await self._transact(partial(stored.take_in, listed=[Listed(one, row.token) for one, row in zip(page, rows, strict=True)]))
        if new:
            lists.listed = await self._transact(partial(stored.listed_since, since=self._intake.clock.now() - REMEMBERED))
            events.selections_taken_in(len(new))
            await self._match_earlier(min(one.since for one in new))

    async def _match_earlier(self, since: datetime) -> None:
        """Settle new selections with scans that were gone through before."""
        job = 0
        while page := await self._transact(partial(stored.accepted_after, job=job, since=since, limit=_PAGE)):
            for scan in page:
                await self._match(scan.seen)
            job = page[-1].job

    async def _match_scans(self) -> int:
        """Settle selections with scans accepted since the last look, and take in their numbers."""
        count = 0
        since = self._since or self._intake.clock.now()
        while page := await self._transact(partial(stored.accepted_after, job=self._last_job, since=since, limit=_PAGE)):
            for scan in page:
                count += await self._match(scan.seen)
                count += await self._numbered(scan)
            self._last_job = page[-1].job
        return count

    async def _match(self, scan: ScanSeen) -> int:
        if self._lists is None:
            return 0
        return sum([await self._settle(one) for one in settled_by(scan, self._lists.register)])

    async def _numbered(self, scan: stored.AcceptedScan) -> int:
        """Take in a scanner's running number; a scan that was gone through before changes nothing."""
        profile, numbers = self._profiles.get(scan.seen.scanner), self._numbers.get(scan.seen.scanner)
        number = profile.running_number(scan.drop_key) if profile is not None else None
        if number is None or numbers is None:
            return 0
        self._numbers[scan.seen.scanner], closed = came(numbers, number, scan.seen.scan_id, scan.seen.accepted_at)
        return 0 if closed is None else await self._journal(_gap_entry(self._intake, scan.seen.scanner, closed))

    async def _gaps(self) -> int:
        count, now = 0, self._intake.clock.now()
        for scanner, numbers in self._numbers.items():
            self._numbers[scanner], gaps = fallen_due(numbers, now, self._gap_after)
            count += sum([await self._journal(_gap_entry(self._intake, scanner, gap)) for gap in gaps])
        return count

    async def _settle(self, one: Listed) -> int:
        """Remember what became of a selection, with the fact that says so if something was amiss; both or neither."""
        entry = _selection_entry(self._intake, one) if one.state in (SelectionState.MISSED, SelectionState.LATE) else None
        await self._intake.storage.ledger.call(Ledger.transact, partial(stored.settle, one=one), lambda _: entry)
        assert self._lists is not None  # noqa: S101 - only a list has selections
        self._lists.replace(one)
        return int(entry is not None)

    async def _journal(self, entry: Entry) -> int:
        return int((await self._intake.storage.ledger.append(entry)).is_new)

    async def _transact(self, work: Callable[[Any], Outcome]) -> Outcome:
        return await self._intake.storage.ledger.call(Ledger.transact, work)


def _selection_entry(intake: Intake, one: Listed) -> Entry:
    """Say that a selected consignment was not scanned in time, or came late. Its number stays out: the token names it."""
    selected = one.selected
    code = NOT_SCANNED if one.state is SelectionState.MISSED else FOUND_LATE
    params: dict[str, messages.Scalar] = {
        "token": one.token,
        "reason": selected.reason.value,
        "since": selected.since.isoformat(),
        "due": selected.due.isoformat(),
    }
    params |= {"scanner": selected.scanner} if selected.scanner is not None else {}
    params |= {"campaign": selected.campaign} if selected.campaign else {}
    params |= {"scan_id": one.scan_id} if one.scan_id is not None else {}
    cause = f"{code}-{one.token}-{selected.since.isoformat()}-{selected.scanner or ''}"
    return _audit(intake, None, cause, CodeParams(code=code, params=params))


def _gap_entry(intake: Intake, scanner: ScannerId, gap: Gap) -> Entry:
    """Say that a number of the scanner's own numbering is missing, or came after all."""
    code = GAP if gap.closed_by is None else GAP_CLOSED
    params: dict[str, messages.Scalar] = {"number": gap.number, "passed_by": gap.passed_by}
    params |= {"scan_id": gap.closed_by} if gap.closed_by is not None else {}
    return _audit(intake, scanner, f"{code}-{gap.number}-{gap.passed_by}", CodeParams(code=code, params=params))


def _audit(intake: Intake, scanner: ScannerId | None, cause: str, event: CodeParams) -> Entry:
    subject = f"{intake.site}/{scanner}" if scanner is not None else intake.site
    fact = fact_id(SiteId(subject), FactKind.AUDIT.value, 0, cause)
    body = AuditBody(
        schema="audit/1.0",
        fact_id=fact,
        site=intake.site,
        scanner=scanner,
        scan_id=None,
        revision=0,
        cause=cause,
        produced_at=intake.clock.now(),
        event=event,
    )
    return Entry(fact, None, FactKind.AUDIT, topic(intake.site, scanner, FactKind.AUDIT.value), messages.encode(body))
