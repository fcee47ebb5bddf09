"""Decisions on their way to a site: on this console's disk before they are sent, until the site has committed or refused them.

So a decision that was entered is never lost with the link or the console, and never called saved before the site's OK. The identity that
the page gave it makes every resend a no-op. The files hold the officer's login name and note in clear, which is why only this user can
read them and why they go as soon as the site has answered. Of what the site refused a file stays, without the note, until the officer has
entered it anew.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from edge_agent.console.client import Submission
from edge_agent.console.kept import drop, put, read_all
from edge_agent.console.views import SubmissionView
from edge_agent.domain.ids import FactId, Seq
from edge_agent.errors import AnswerUnreadable, DiskLow, MalformedMessage, PeerError, PeerFailed, PeerSilent, StateUnusable, TryLater
from edge_agent.telemetry import events
from edge_agent.wire.control import ControlRequest
from edge_agent.wire.verbs import FaultRequest, VerdictRequest, content, read

_KINDS: dict[str, type[VerdictRequest] | type[ControlRequest] | type[FaultRequest]] = {
    "verdict": VerdictRequest,
    "control": ControlRequest,
    "fault": FaultRequest,
}
_AGAIN_S = 1.0
_MOST_REMEMBERED = 1_000
_NOT_ANSWERED = (PeerSilent, PeerFailed, TryLater)

Send = Callable[[str, Submission], Awaitable[tuple[Seq, FactId]]]
"""Sends something to a site, by the site's name in the configuration."""
Kind = Literal["verdict", "control", "fault"]


class _Refusal(BaseModel):
    """Why a site would not take it."""

    model_config = ConfigDict(extra="forbid")

    code: str
    detail: str
    hint: str


class _File(BaseModel):
    """One submission as it lies on the disk: with ``content`` while it waits, with ``refused`` when the site would not take it."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    id: str
    site: str
    officer: str
    scan_id: str
    conclusion: str
    entered_at: AwareDatetime
    content: dict[str, Any] | None = None
    refused: _Refusal | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    """Something an officer entered. ``id``: made by the page; ``site``: the name in the configuration."""

    kind: Kind
    id: str
    site: str
    officer: str = field(repr=False)
    scan_id: str
    conclusion: str
    entered_at: datetime
    request: Submission = field(repr=False)

    @property
    def waits(self) -> SubmissionView:
        """Give what the officer is told until the site has answered."""
        return SubmissionView(
            id=self.id,
            kind=self.kind,
            site=self.site,
            scan_id=self.scan_id,
            conclusion=self.conclusion,
            entered_at=self.entered_at,
            state="waiting",
        )


class Outbox:
    """Keeps what was entered until its site has answered. To be used from one event loop."""

    def __init__(self, folder: Path, send: Send, told: Callable[[str, SubmissionView], None]) -> None:
        """``told`` hears of everything that was answered: officer, and what became of it."""
        self._folder = folder
        self._send = send
        self._told = told
        self._waiting: dict[str, Entered] = {}
        self._answered: OrderedDict[str, tuple[str, SubmissionView]] = OrderedDict()
        self._doubts: dict[str, PeerError] = {}
        self._news = asyncio.Event()
        self._done = asyncio.Event()
        self._entering = asyncio.Lock()

    def open(self) -> None:
        """Take up what an earlier run left.

        Raises:
            StateUnusable: the folder cannot be used, or a file in it is none of ours.
        """
        try:
            left = [_File.model_validate_json(raw) for raw in read_all(self._folder)]
            left.sort(key=lambda file: file.entered_at)  # the site takes the last word on a scan for the one that holds
            self._waiting.update((file.id, _waiting(file)) for file in left if file.refused is None)
            self._answered.update((file.id, (file.officer, _refused(file, file.refused))) for file in left if file.refused is not None)
        except OSError as problem:
            raise StateUnusable(f"the outbox {self._folder} cannot be used: {problem.strerror}") from problem
        except (ValidationError, ValueError, MalformedMessage) as problem:
            raise StateUnusable(f"a file in the outbox {self._folder} is not one of this console's") from problem

    def waiting(self, officer: str) -> list[SubmissionView]:
        """Give what an officer entered and no site has answered yet, and what was refused late."""
        refused = [view for name, view in self._answered.values() if name == officer and view.state == "refused"]
        return [self._waits(one) for one in self._waiting.values() if one.officer == officer] + refused

    async def enter(self, entered: Entered, within_s: float) -> SubmissionView:
        """Keep something, send it, and tell what became of it within so many seconds: later news comes by ``told``.

        Raises:
            DiskLow: it could not be kept; nothing was sent. MalformedMessage: the identity is another officer's.
            PeerError: the site refuses it.
        """
        async with self._entering:  # the same sent twice at once is written once
            await self._keep(entered)
        self._news.set()
        await self._settled(entered.id, within_s)
        _, view = self._answered.get(entered.id, (entered.officer, self._waits(entered)))
        return view

    async def _keep(self, entered: Entered) -> None:
        """Put it on the disk, unless it waits already or was taken."""
        known = self._waiting.get(entered.id)
        answered = self._answered.get(entered.id)
        if (known and known.officer != entered.officer) or (answered and answered[0] != entered.officer):
            raise MalformedMessage("that identity was given to something else")
        if known is None and (answered is None or answered[1].state == "refused"):
            await asyncio.to_thread(_write, self._folder, _file(entered))
            self._answered.pop(entered.id, None)
            self._waiting[entered.id] = entered
            await self._forget_refusals(entered)

    async def _forget_refusals(self, entered: Entered) -> None:
        """Tell no more of what was refused: the officer has entered it anew."""
        anew = (entered.officer, entered.kind, entered.site, entered.scan_id)
        for name, (officer, view) in list(self._answered.items()):
            if view.state == "refused" and (officer, view.kind, view.site, view.scan_id) == anew:
                await asyncio.to_thread(drop, self._folder, name)
                self._answered.pop(name, None)

    async def run(self) -> None:
        """Send what waits until cancelled, again and again where a site does not answer; no site holds up another."""
        sending: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._news.clear()
                for site in {entered.site for entered in self._waiting.values()}:
                    if site not in sending or sending[site].done():
                        sending[site] = tasks.create_task(self._send_all(site))
                await self._news.wait()

    async def _send_all(self, site: str) -> None:
        """Send what waits for one site until nothing does; of one scan in the order in which it was entered, for the last word holds."""
        while waiting := [entered for entered in self._waiting.values() if entered.site == site]:
            unanswered: set[str] = set()
            for entered in waiting:
                if entered.scan_id in unanswered:
                    continue
                await self._try(entered)
                if entered.id in self._waiting:
                    unanswered.add(entered.scan_id)
            if unanswered:
                await asyncio.sleep(_AGAIN_S)

    def _waits(self, entered: Entered) -> SubmissionView:
        """Give what the officer is told until the site has answered in a way that can be read."""
        doubt = self._doubts.get(entered.id)
        if doubt is None:
            return entered.waits
        return entered.waits.model_copy(update={"code": doubt.code, "detail": doubt.detail, "hint": doubt.hint})

    async def _try(self, entered: Entered) -> None:
        try:
            seq, fact = await self._send(entered.site, entered.request)
        except _NOT_ANSWERED:
            return
        except AnswerUnreadable as problem:  # neither saved nor refused: not known, so it is sent again under the same identity
            if self._doubts.setdefault(entered.id, problem) is problem:
                self._told(entered.officer, self._waits(entered))
        except PeerError as problem:
            refusal = _Refusal(code=problem.code, detail=problem.detail, hint=problem.hint)
            await asyncio.to_thread(_keep_refusal, self._folder, _file(entered, refusal))
            await self._answer(entered, _refused(_file(entered, refusal), refusal))
        else:
            await asyncio.to_thread(drop, self._folder, entered.id)
            await self._answer(entered, entered.waits.model_copy(update={"state": "saved", "seq": seq, "fact_id": fact}))

    async def _answer(self, entered: Entered, view: SubmissionView) -> None:
        """Tell what became of it, and remember that for a while."""
        del self._waiting[entered.id]
        self._doubts.pop(entered.id, None)
        self._answered[entered.id] = (entered.officer, view)
        while len(self._answered) > _MOST_REMEMBERED:
            name, (_, old) = self._answered.popitem(last=False)
            if old.state == "refused":
                await asyncio.to_thread(drop, self._folder, name)
        self._done, done = asyncio.Event(), self._done
        done.set()
        self._told(entered.officer, view)

    async def _settled(self, name: str, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                while name in self._waiting:
                    await self._done.wait()
        except TimeoutError:
            return


def _file(entered: Entered, refused: _Refusal | None = None) -> _File:
    """Give what is to lie on the disk."""
    return _File(
        kind=entered.kind,
        id=entered.id,
        site=entered.site,
        officer=entered.officer,
        scan_id=entered.scan_id,
        conclusion=entered.conclusion,
        entered_at=entered.entered_at,
        content=content(entered.request) if refused is None else None,
        refused=refused,
    )


def _keep_refusal(folder: Path, file: _File) -> None:
    """Put a refusal in the place of what was refused. Where the disk takes none the old file stays, and the next start is refused anew."""
    try:
        _write(folder, file)
    except DiskLow as problem:
        events.console_file_left(int(problem.fields.get("errno", 0)))


def _write(folder: Path, file: _File) -> None:
    try:
        put(folder, file.id, file.model_dump_json(exclude_none=True).encode())
    except DiskLow as problem:
        raise DiskLow("the decision cannot be kept on this console's disk, so it was not sent", problem.fields) from problem


def _waiting(file: _File) -> Entered:
    request: Submission = read(_KINDS[file.kind], file.content or {})
    return Entered(file.kind, file.id, file.site, file.officer, file.scan_id, file.conclusion, file.entered_at, request)


def _refused(file: _File, refusal: _Refusal) -> SubmissionView:
    return SubmissionView(
        id=file.id,
        kind=file.kind,
        site=file.site,
        scan_id=file.scan_id,
        conclusion=file.conclusion,
        entered_at=file.entered_at,
        state="refused",
        code=refusal.code,
        detail=refusal.detail,
        hint=refusal.hint,
    )
