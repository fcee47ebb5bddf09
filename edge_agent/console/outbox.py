"""Decisions on their way to a site: on this console's disk before they are sent, until the site has committed or refused them.

So a decision that was entered is never lost with the link or the console, and never called saved before the site's OK. The identity that
the page gave it makes every resend a no-op. The files hold the officer's login name and note in clear, which is why only this user can
read them and why they go as soon as the site has answered.
"""

import asyncio
import json
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from edge_agent.console.client import Submission
from edge_agent.console.views import SubmissionView
from edge_agent.domain.ids import FactId, Seq
from edge_agent.errors import DiskLow, MalformedMessage, PeerError, PeerFailed, PeerSilent, StateUnusable, TryLater
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


class _File(BaseModel):
    """One waiting submission as it lies on the disk."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    id: str
    site: str
    officer: str
    scan_id: str
    conclusion: str
    entered_at: AwareDatetime
    content: dict[str, Any]


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
        self._news = asyncio.Event()
        self._done = asyncio.Event()
        self._entering = asyncio.Lock()

    def open(self) -> None:
        """Take up what an earlier run left.

        Raises:
            StateUnusable: the folder cannot be used, or a file in it is none of ours.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            left = [_read(path.read_bytes()) for path in sorted(self._folder.glob("*.json"))]
            left.sort(key=lambda entered: entered.entered_at)  # the site takes the last word on a scan for the one that holds
            self._waiting.update((entered.id, entered) for entered in left)
        except OSError as problem:
            raise StateUnusable(f"the outbox {self._folder} cannot be used: {problem.strerror}") from problem
        except (ValidationError, ValueError, MalformedMessage) as problem:
            raise StateUnusable(f"a file in the outbox {self._folder} is not one of this console's") from problem

    def waiting(self, officer: str) -> list[SubmissionView]:
        """Give what an officer entered and no site has answered yet, and what was refused late."""
        refused = [view for name, view in self._answered.values() if name == officer and view.state == "refused"]
        return [one.waits for one in self._waiting.values() if one.officer == officer] + refused

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
        _, view = self._answered.get(entered.id, (entered.officer, entered.waits))
        return view

    async def _keep(self, entered: Entered) -> None:
        """Put it on the disk, unless it waits already or was taken."""
        known = self._waiting.get(entered.id)
        answered = self._answered.get(entered.id)
        if (known and known.officer != entered.officer) or (answered and answered[0] != entered.officer):
            raise MalformedMessage("that identity was given to something else")
        if known is None and (answered is None or answered[1].state == "refused"):
            self._answered.pop(entered.id, None)
            await asyncio.to_thread(_write, self._folder, entered)
            self._waiting[entered.id] = entered
            self._forget_refusals(entered)

    def _forget_refusals(self, entered: Entered) -> None:
        """Tell no more of what was refused: the officer has entered it anew."""
        anew = (entered.officer, entered.kind, entered.site, entered.scan_id)
        for name, (officer, view) in list(self._answered.items()):
            if view.state == "refused" and (officer, view.kind, view.site, view.scan_id) == anew:
                del self._answered[name]

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

    async def _try(self, entered: Entered) -> None:
        answer: dict[str, object]
        try:
            seq, fact = await self._send(entered.site, entered.request)
        except _NOT_ANSWERED:
            return
        except PeerError as problem:
            answer = {"state": "refused", "code": problem.code, "detail": problem.detail, "hint": problem.hint}
        else:
            answer = {"state": "saved", "seq": seq, "fact_id": fact}
        await asyncio.to_thread(_forget, self._folder, entered.id)
        del self._waiting[entered.id]
        view = entered.waits.model_copy(update=answer)
        self._answered[entered.id] = (entered.officer, view)
        while len(self._answered) > _MOST_REMEMBERED:
            self._answered.popitem(last=False)
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


def _write(folder: Path, entered: Entered) -> None:
    """Put a file in place, whole and on the disk, readable by this user only."""
    file = _File(
        kind=entered.kind,
        id=entered.id,
        site=entered.site,
        officer=entered.officer,
        scan_id=entered.scan_id,
        conclusion=entered.conclusion,
        entered_at=entered.entered_at,
        content=content(entered.request),
    )
    path, unfinished = folder / f"{entered.id}.json", folder / f"{entered.id}.new"
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(file.model_dump_json().encode())
            out.flush()
            os.fsync(out.fileno())
        unfinished.rename(path)
        _sync(folder)
    except OSError as problem:
        raise DiskLow("the decision cannot be kept on this console's disk, so it was not sent", {"errno": problem.errno or 0}) from problem


def _forget(folder: Path, name: str) -> None:
    try:
        (folder / f"{name}.json").unlink(missing_ok=True)
    except OSError as problem:  # the next start sends it again, which is a no-op at the site
        events.console_file_left(problem.errno or 0)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(raw: bytes) -> Entered:
    file = _File.model_validate(json.loads(raw))
    request: Submission = read(_KINDS[file.kind], file.content)
    return Entered(file.kind, file.id, file.site, file.officer, file.scan_id, file.conclusion, file.entered_at, request)
