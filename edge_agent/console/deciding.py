"""What officers decide: the handlers of verdicts, control results and reports of faults. The officer is the session's, never the page's."""

from pydantic import ValidationError

from edge_agent.console.blind import order_of
from edge_agent.console.catalogue import VERDICT_REASONS
from edge_agent.console.client import Submission
from edge_agent.console.desk import Desk
from edge_agent.console.entries import ControlEntry, FaultEntry, VerdictEntry
from edge_agent.console.outbox import Entered, Kind, Outbox
from edge_agent.console.views import SubmissionView
from edge_agent.domain.clock import Clock
from edge_agent.domain.control_form import document
from edge_agent.errors import ReasonRequired, RequestInvalid
from edge_agent.web.session import Officer
from edge_agent.wire.control import control_request
from edge_agent.wire.messages import CodeParams
from edge_agent.wire.verbs import FaultRequest, VerdictRequest

ANSWER_WITHIN_S = 1.5
"""How long a page waits for the site's OK before it is told that its decision is kept and not saved yet."""


class Deciding:
    """Turns what a page sends into what the site is sent, and keeps it until the site has answered."""

    def __init__(self, desk: Desk, outbox: Outbox, clock: Clock) -> None:
        self._desk = desk
        self._outbox = outbox
        self._clock = clock

    async def verdict(self, officer: Officer, site: str, scan_id: str, entry: VerdictEntry) -> SubmissionView:
        """Take a decision."""
        record = self._desk.record(site, scan_id)
        order = order_of(is_chosen=record.is_chosen, is_revealed=record.is_revealed)
        unknown = [code for code in entry.reasons if code not in VERDICT_REASONS]
        if unknown:
            raise RequestInvalid("no such reason for a verdict", {"reasons": len(unknown)})
        is_alert = record.judged is not None and record.judged.conclusion == "alert"
        if is_alert and order != "blind-first" and entry.conclusion == "not-suspicious" and not entry.reasons:
            raise ReasonRequired("deciding against an alert needs a reason", {"scan_id": scan_id})
        request = VerdictRequest(
            verdict_id=entry.verdict_id,
            scan_id=scan_id,
            revision=entry.revision,
            officer=officer.name,
            conclusion=entry.conclusion,
            reasons=[CodeParams(code=code) for code in entry.reasons],
            at=self._desk.site_time(site),
            supervisor=self._is_supervisor(officer, site),
            note=entry.note,
            assessment=entry.assessment if order != "blind-first" else None,
            order=order,
            findings=entry.findings,
            missed=entry.missed,
        )
        return await self._enter("verdict", entry.verdict_id, officer, site, request, entry.conclusion)

    async def control_form(self) -> dict[str, object]:
        """Give the form of an examination's result: what is asked, when, and which answers it takes."""
        return document()

    async def control(self, officer: Officer, site: str, scan_id: str, entry: ControlEntry) -> SubmissionView:
        """Take the result of an examination."""
        self._desk.record(site, scan_id)
        try:
            request = control_request(entry.control_id, scan_id, entry.result, entry.found, officer.name)
        except ValidationError as problem:
            raise RequestInvalid("the result holds an answer that no form takes", {"answers": problem.error_count()}) from problem
        request = request.model_copy(update={"revision": entry.revision})
        return await self._enter("control", entry.control_id, officer, site, request, request.conclusion)

    async def fault(self, officer: Officer, entry: FaultEntry) -> SubmissionView:
        """Take a report that the machine is wrong in a systematic way."""
        self._desk.record(entry.site, entry.scan_id)
        request = FaultRequest(
            fault_id=entry.fault_id,
            scan_id=entry.scan_id,
            revision=entry.revision,
            officer=officer.name,
            what=entry.what,
            note=entry.note,
        )
        return await self._enter("fault", entry.fault_id, officer, entry.site, request, entry.what)

    def _is_supervisor(self, officer: Officer, site: str) -> bool:
        """Tell whether the site takes the officer's word as a supervisor's: the login says so, and the workstation is enrolled for it."""
        you = self._desk.at(site).client.you
        return officer.is_supervisor and you is not None and you.supervisors

    async def _enter(self, kind: Kind, name: str, officer: Officer, site: str, request: Submission, conclusion: str) -> SubmissionView:
        scan_id = request.scan_id or ""
        entered = Entered(kind, name, site, officer.name, scan_id, conclusion, self._clock.now(), request)
        return await self._outbox.enter(entered, ANSWER_WITHIN_S)
