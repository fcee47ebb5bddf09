"""What officers do besides judging, as the journal keeps it: who opened a scan, and who reports that the machine is wrong in a pattern.

Also tells a console the token of its officer, so that it can show the officer what is his or hers.
"""

from collections import OrderedDict
from collections.abc import Callable

from edge_agent.agent.ports import JournalStore
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import FactId, ScanId, ScannerId, Seq, SiteId, Token
from edge_agent.errors import UnknownScan
from edge_agent.ledger.audit import About, audit_entry
from edge_agent.transport.keys import Consumer
from edge_agent.wire.messages import CodeParams, decode
from edge_agent.wire.redaction import note_identity, officer_identity, refuse_free_text
from edge_agent.wire.verbs import FaultRequest, ViewRequest

OPENED = "opened"
FAULT = "systematic-fault"
_MOST_REMEMBERED = 4_096


class OfficerActs:
    """Journals acts as audit facts; a resend is a no-op."""

    def __init__(self, store: JournalStore, site: SiteId, clock: Clock, committed: Callable[[], None]) -> None:
        """Take the journal, and whom to tell that a fact was committed."""
        self._store = store
        self._site = site
        self._clock = clock
        self._committed = committed
        self._opened: OrderedDict[tuple[ScanId, str], tuple[Seq, FactId]] = OrderedDict()

    async def token_of(self, officer: str) -> Token:
        """Give the token that stands for an officer in this journal.

        Raises:
            MalformedMessage: that is no officer's reference.
        """
        (row,) = await self._store.tokenise([officer_identity(officer)])
        return row.token

    async def view(self, sender: Consumer, asked: ViewRequest) -> tuple[Seq, FactId]:
        """Journal, once an hour, that an officer opened a revision at a workstation.

        Raises:
            UnknownScan, MalformedMessage, TryLater.
        """
        scan, token = ScanId(asked.scan_id), await self.token_of(asked.officer)
        cause = f"{OPENED} {sender.name} {token} r{asked.revision} {self._clock.now():%Y-%m-%dT%H}"
        known = self._opened.get((scan, cause))
        if known is not None:
            return known
        event = CodeParams(code=OPENED, params={"workstation": sender.name, "officer": token, "revision": asked.revision})
        done = await self._append(event, cause, await self._about(scan, asked.revision))
        self._opened[scan, cause] = done
        while len(self._opened) > _MOST_REMEMBERED:
            self._opened.popitem(last=False)
        return done

    async def fault(self, sender: Consumer, asked: FaultRequest) -> tuple[Seq, FactId]:
        """Journal that an officer finds the machine wrong in a systematic way.

        Raises:
            UnknownScan, FreeTextRefused, MalformedMessage, TryLater.
        """
        refuse_free_text([CodeParams(code=asked.what)])
        about = await self._about(ScanId(asked.scan_id), asked.revision)
        values = [officer_identity(asked.officer), *([note_identity(asked.note)] if asked.note.strip() else [])]
        officer, *notes = await self._store.tokenise(values)
        params: dict[str, str | int | float | bool] = {
            "what": asked.what,
            "workstation": sender.name,
            "officer": officer.token,
            "revision": asked.revision,
        }
        if notes:
            params["note"] = notes[0].token
        return await self._append(CodeParams(code=FAULT, params=params), f"{FAULT} {asked.fault_id}", about)

    async def _append(self, event: CodeParams, cause: str, about: About) -> tuple[Seq, FactId]:
        appended = await self._store.append(audit_entry(self._site, event, cause, self._clock.now(), about))
        if appended.is_new:
            self._committed()
        return appended.seq, appended.fact_id

    async def _about(self, scan: ScanId, revision: int) -> About:
        latest = await self._store.latest_assessment(scan)
        raw = latest.body if latest is not None else await self._store.latest_set_aside(scan)
        body = None if raw is None else decode(raw)
        if body is None or revision > body.revision:
            raise UnknownScan("there is no such scan here", {"scan_id": scan, "revision": revision})
        return About(scan, revision, ScannerId(body.scanner) if body.scanner else None)
