"""What a page hears without asking: rows that changed, the state of the sites, and what became of its officer's decisions.

The state of the sites comes each second, and at once when a link to one breaks or is mended.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from edge_agent.console.desk import Desk
from edge_agent.console.events import Phase
from edge_agent.console.views import SubmissionView
from edge_agent.domain.clock import Clock
from edge_agent.web.answers import Event

_STATE_EVERY_S = 1.0
_PAUSE_S = 0.1
"""Between two events of rows: what changes faster comes together."""
MOST_ROWS = 200
_MOST_UNHEARD = 200


class Hub:
    """Gives streams of events. ``boot``: tells this run of the console from any other in the ids."""

    def __init__(self, desk: Desk, clock: Clock, boot: str) -> None:
        self._desk = desk
        self._clock = clock
        self._boot = boot
        self._listeners: dict[int, tuple[str, deque[SubmissionView]]] = {}
        self._next = 0

    @property
    def place(self) -> str:
        """Give the place in the stream now, as an event's id."""
        return self._id(self._desk.queue.version)

    def tell(self, officer: str, view: SubmissionView) -> None:
        """Tell an officer's pages what became of something that was sent."""
        for name, unheard in self._listeners.values():
            if name == officer:
                unheard.append(view)
        self._desk.queue.ring()

    async def events(self, officer: str, after: str) -> AsyncGenerator[Event, None]:
        """Give events from the place ``after`` on (empty: from now on); never ends by itself."""
        self._next += 1
        number, unheard = self._next, deque[SubmissionView](maxlen=_MOST_UNHEARD)
        self._listeners[number] = (officer, unheard)
        try:
            async for event in self._told(unheard, after):
                yield event
        finally:
            del self._listeners[number]

    async def _told(self, unheard: deque[SubmissionView], after: str) -> AsyncGenerator[Event, None]:
        queue = self._desk.queue
        version = self._version(after) if after else queue.version
        due, phases = self._clock.monotonic(), self._phases()
        while True:
            turn = queue.turn()
            while unheard:
                yield Event(unheard.popleft().model_dump_json(), "submission")
            if version is None or not queue.is_known(version):
                version = queue.version
                yield Event("{}", "reset", self._id(version))
            changes = queue.since(version, MOST_ROWS)
            version = changes.version
            if changes.rows or changes.gone:
                yield Event(_rows(changes.rows, changes.gone), "rows", self._id(version))
            if self._clock.monotonic() >= due or phases != self._phases():
                due, phases = self._clock.monotonic() + _STATE_EVERY_S, self._phases()
                yield Event(self._desk.state().model_dump_json(), "state")
            await asyncio.sleep(_PAUSE_S)
            if changes.is_all:
                await _rung(turn, due - self._clock.monotonic())

    def _phases(self) -> list[Phase | None]:
        return [link.client.state.phase if link.problem is None else None for link in self._desk.sites]

    def _id(self, version: int) -> str:
        return f"{self._boot}-{version}"

    def _version(self, place: str) -> int | None:
        boot, _, version = place.rpartition("-")
        return int(version) if boot == self._boot and version.isdecimal() and len(version) < 20 else None


def _rows(rows: tuple[bytes, ...], gone: tuple[str, ...]) -> str:
    names = ",".join(f'"{name}"' for name in gone)  # names of sites and UUIDs: nothing in them needs escaping
    return f'{{"rows":[{b",".join(rows).decode()}],"gone":[{names}]}}'


async def _rung(turn: asyncio.Event, within_s: float) -> None:
    try:
        async with asyncio.timeout(max(within_s, 0.0)):
            await turn.wait()
    except TimeoutError:
        return
