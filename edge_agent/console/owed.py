"""Views that sites' journals do not have yet: who opened which scan. On this console's disk until the site has taken them."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from edge_agent.console.client import ConsoleClient
from edge_agent.console.kept import drop, put, read_all
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import ScanId
from edge_agent.errors import AnswerUnreadable, DiskLow, PeerError, PeerFailed, PeerSilent, StateUnusable, TryLater
from edge_agent.telemetry import events

_MOST_OWED = 10_000
_MOST_NOTED = 10_000
_AGAIN_S = 1.0
_NOT_ANSWERED = (PeerSilent, PeerFailed, TryLater, AnswerUnreadable)


@dataclass(frozen=True, slots=True)
class Looked:
    """An officer opened a revision of a scan; the site's journal is to know. ``site``: the name in the configuration."""

    site: str
    scan_id: str
    revision: int
    officer: str


_ON_DISK = TypeAdapter(Looked)


class OwedViews:
    """Keeps views until their site has journalled them. To be used from one event loop."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._owed: OrderedDict[Looked, None] = OrderedDict()
        self._noted: OrderedDict[tuple[Looked, str], None] = OrderedDict()
        self._news = asyncio.Event()

    def open(self) -> None:
        """Take up what an earlier run left.

        Raises:
            StateUnusable: the folder cannot be used, or a file in it is none of ours.
        """
        try:
            self._owed.update((_ON_DISK.validate_json(raw), None) for raw in read_all(self._folder))
        except OSError as problem:
            raise StateUnusable(f"the folder {self._folder} cannot be used: {problem.strerror}") from problem
        except ValidationError as problem:
            raise StateUnusable(f"a file in {self._folder} is not one of this console's") from problem

    def __len__(self) -> int:
        return len(self._owed)

    async def note(self, looked: Looked) -> None:
        """Have the site's journal keep a view, at once or as soon as the site answers; within an hour it keeps one of the same."""
        hour = (looked, f"{self._clock.now():%Y-%m-%dT%H}")
        if hour in self._noted:
            return
        self._noted[hour] = None
        while len(self._noted) > _MOST_NOTED:
            self._noted.popitem(last=False)
        try:
            await asyncio.to_thread(put, self._folder, _name(looked), _ON_DISK.dump_json(looked))
        except DiskLow as problem:  # a full disk keeps no officer from looking; the view is lost only if this process dies first
            events.console_view_unkept(int(problem.fields.get("errno", 0)))
        self._owed[looked] = None
        while len(self._owed) > _MOST_OWED:
            oldest, _ = self._owed.popitem(last=False)
            events.console_view_lost(oldest.scan_id)
            await asyncio.to_thread(drop, self._folder, _name(oldest))
        self._news.set()

    async def run(self, clients: Mapping[str, ConsoleClient]) -> None:
        """Have views journalled until cancelled; those of a site that the configuration names no more wait for it on the disk."""
        while True:
            self._news.clear()
            for looked in [one for one in self._owed if one.site in clients]:
                await self._try(looked, clients[looked.site])
            try:
                async with asyncio.timeout(_AGAIN_S if self._owed else None):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _try(self, looked: Looked, client: ConsoleClient) -> None:
        if not client.state.is_current:
            return
        try:
            await client.opened(ScanId(looked.scan_id), looked.revision, looked.officer)
        except _NOT_ANSWERED:
            return  # views at other sites need not wait for this one
        except PeerError as problem:  # the site will never take it: the scan went, or the key was revoked
            events.console_question_failed(looked.site, problem.code)
        self._owed.pop(looked, None)  # it may have been given up meanwhile
        await asyncio.to_thread(drop, self._folder, _name(looked))


def _name(looked: Looked) -> str:
    return hashlib.sha256(repr(sorted(asdict(looked).items())).encode()).hexdigest()
