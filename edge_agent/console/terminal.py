"""The terminal console: lines for a pipe, or a screen on which an officer looks and decides."""

import asyncio
import os
import sys
import termios
import tty
from collections import ChainMap
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import TextIO

from rich.console import Console

from edge_agent.console.board import Board, ScanRow
from edge_agent.console.catalogue import clean, conclusion
from edge_agent.console.client import ConsoleClient, Decision
from edge_agent.console.coarse import Palette
from edge_agent.console.dialogue import Again, Dialogue, Page, Quit, chosen_row, keys_in, press
from edge_agent.console.events import Event, LinkState, SeenFact
from edge_agent.console.gallery import Gallery, Shot
from edge_agent.console.lines import SHORT_ID, Line
from edge_agent.console.painter import Painter
from edge_agent.console.screen import Contents, Layout
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import Seq
from edge_agent.errors import PeerError, PeerSilent
from edge_agent.wire.messages import AssessmentBody, SetAsideBody

_TICK_S = 0.5
"""Longest time between two looks at the clocks; what is typed or heard is drawn at once."""
_SETTLE_S = 0.05
"""Shortest time between two drawings: a backlog of a thousand facts is not a thousand screens."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One site: what it is called before it answers, and the console at it."""

    name: str
    client: ConsoleClient


@dataclass(frozen=True, slots=True)
class Until:
    """When to stop by itself: after row ``seq``, or after ``count`` outcomes (assessments and set-asides); None = never."""

    seq: int | None = None
    count: int | None = None


class Stop:
    """Counts facts against an ``Until``."""

    def __init__(self, until: Until) -> None:
        self._until = until
        self._outcomes = 0

    def after(self, event: Event) -> bool:
        """Tell whether ``event`` was the last one wanted."""
        if isinstance(event, LinkState):
            return self._until.seq is not None and event.seq >= self._until.seq
        self._outcomes += isinstance(event.body, AssessmentBody | SetAsideBody)
        by_seq = self._until.seq is not None and event.seq >= self._until.seq
        return by_seq or (self._until.count is not None and self._outcomes >= self._until.count)


def is_shown(event: Event, shown: Collection[str]) -> bool:
    """Tell whether a line is wanted: ``shown`` names conclusions (``alert``) and kinds (``verdict``); empty = all."""
    if isinstance(event, LinkState) or not shown:
        return True
    body = event.body
    if isinstance(body, AssessmentBody):
        return body.conclusion in shown or body.kind in shown
    return body is not None and body.kind in shown


async def print_lines(sites: Sequence[Watched], line: Line, shown: Collection[str], until: Until, out: TextIO) -> None:
    """Print one line an event until ``until``, or until the reader of ``out`` leaves.

    Raises:
        PeerError: a site refuses this console, or its journal diverged.
    """
    stop = Stop(until)

    async def follow(watched: Watched) -> None:
        async with aclosing(watched.client.events()) as events:
            async for event in events:
                if is_shown(event, shown):
                    out.write(line(event) + "\n")
                    out.flush()
                if stop.after(event):
                    return

    await _until_one_ends([follow(watched) for watched in sites])


class Screen:
    """The live screen of one or several sites."""

    def __init__(self, sites: Sequence[Watched], officer: str, console: Console, clock: Clock, shown: Collection[str] = ()) -> None:
        """``officer``: who decides; empty = nobody, then no verdict can be sent. ``shown``: conclusions that are listed; empty = all."""
        self._sites = tuple(sites)
        self._officer = officer
        self._board = Board(shown=shown)
        self._dialogue = Dialogue()
        self._unconfirmed: Decision | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: set[str] = set()
        self._left = asyncio.Event()
        self._changed = asyncio.Event()
        self._gallery = Gallery(self._fetched, clock, self._changed.set)
        self._painter = Painter(console)
        self._layout = Layout(console, palette_of(console))

    async def run(self, until: Until) -> None:
        """Show the sites until ``until``, or until the officer quits.

        Raises:
            PeerError: the only site refuses this console, or its journal diverged. Of several sites the others go on.
        """
        stop = Stop(until)
        jobs = [self._follow(watched, stop) for watched in self._sites]
        try:
            with self._painter.screen(), _keys(self._pressed, self._left.set):
                await _until_one_ends([*jobs, self._draw(), _waited(self._left)])
        finally:
            await self._gallery.close()
            under_way = (*self._sending, *self._tasks)
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _draw(self) -> None:
        while True:
            self._changed.clear()
            self._painter.paint(self._layout.lines(self._contents()))
            await asyncio.sleep(_SETTLE_S)
            await _waited(self._changed, _TICK_S)

    def _contents(self) -> Contents:
        rows = self._board.rows
        chosen = chosen_row(self._dialogue, rows)
        looks = chosen is not None and self._dialogue.page is not Page.HELP
        shot = self._gallery.shot(chosen, self._dialogue.view, has_heat=self._dialogue.has_heat) if looks and chosen else Shot()
        links = [(watched.name, watched.client.state) for watched in self._sites]
        if chosen is not None and self._dialogue.page is Page.SCAN:
            self._identify(chosen)
        values = ChainMap(*(dict(watched.client.identities) for watched in self._sites))
        return Contents(links, rows, self._dialogue, self._officer, shot, values)

    def _identify(self, row: ScanRow) -> None:
        """Ask once for the identifiers of a scan whose page is open: each view is journalled, so nobody's is asked for unseen."""
        if row.body is None or not row.body.identities or row.body.fact_id in self._asked:
            return
        self._asked.add(row.body.fact_id)
        task = asyncio.create_task(self._identified(row))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _identified(self, row: ScanRow) -> None:
        try:
            await self._at(row.site).identify(Seq(row.seq), self._officer or None)
        except PeerError as problem:
            self._say(f"no identifiers: {problem.detail}")
        self._changed.set()

    async def _follow(self, watched: Watched, stop: Stop) -> None:
        try:
            async with aclosing(watched.client.events()) as events:
                async for event in events:
                    if isinstance(event, SeenFact):
                        self._board.apply(event)
                    self._changed.set()
                    if stop.after(event):
                        return
        except PeerError as problem:
            if len(self._sites) == 1:
                raise
            self._say(f"{watched.name}: {problem.detail}. {problem.hint}")
            await _waited(self._left)

    async def _fetched(self, site: str, sha256: str) -> bytes:
        return await self._at(site).blob(sha256)

    def _at(self, site: str) -> ConsoleClient:
        for watched in self._sites:
            if site and watched.client.state.site == site:  # a site that has not answered yet has no name either
                return watched.client
        raise PeerSilent("the site of this scan does not answer")

    def _pressed(self, text: str) -> None:
        for key in keys_in(text):
            self._dialogue, action = press(self._dialogue, key, self._board.rows, self._officer)
            if isinstance(action, Quit):
                self._left.set()
            elif isinstance(action, Decision):
                self._start(action)
            elif isinstance(action, Again) and self._unconfirmed is not None:
                self._start(self._unconfirmed)
        self._changed.set()

    def _start(self, decision: Decision) -> None:
        if self._sending:
            self._say("the last verdict is still being sent")
            return
        task = asyncio.create_task(self._send(decision))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, decision: Decision) -> None:
        words = f"{conclusion(decision.conclusion)[0]} for {decision.scan_id[:SHORT_ID]}"
        row = self._board.find(decision.scan_id)
        try:
            seq, _ = await self._at(row.site if row is not None else "").decide(decision)
        except PeerSilent:
            self._unconfirmed = decision
            self._say(f"not confirmed: {words}; press t to send the same verdict again")
        except PeerError as problem:
            self._say(f"refused: {words}: {problem.detail}. {problem.hint}")
        else:
            self._unconfirmed = None
            self._say(f"committed as #{seq}: {words}")

    def _say(self, message: str) -> None:
        """Show ``message``; what a site answered is among it, and must not move the cursor."""
        self._dialogue = replace(self._dialogue, message=clean(message))
        self._changed.set()


def palette_of(console: Console) -> Palette:
    """Say what a terminal can draw: half blocks need 256 colours and UTF-8."""
    has_colours = console.color_system in ("256", "truecolor")
    return Palette.BLOCKS if has_colours and console.encoding.lower().startswith("utf") else Palette.LETTERS


async def _until_one_ends(jobs: Sequence[Coroutine[None, None, None]]) -> None:
    """Run ``jobs`` until one ends, and end the others; what it raised is raised."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _waited(event: asyncio.Event, at_most_s: float | None = None) -> None:
    try:
        async with asyncio.timeout(at_most_s):
            await event.wait()
    except TimeoutError:
        return


@contextmanager
def _keys(pressed: Callable[[str], None], hung_up: Callable[[], None]) -> Iterator[None]:
    """Hand over keys as they are pressed; without a terminal there are none. The terminal is put back as it was."""
    stdin = sys.stdin.fileno()
    if not os.isatty(stdin):
        yield
        return
    before = termios.tcgetattr(stdin)
    loop = asyncio.get_running_loop()
    tty.setcbreak(stdin)

    def read() -> None:
        try:
            typed = os.read(stdin, 256)
        except OSError:  # the other end of the terminal is gone
            typed = b""
        if typed:
            pressed(typed.decode("utf-8", "replace"))
        else:
            loop.remove_reader(stdin)
            hung_up()

    loop.add_reader(stdin, read)
    try:
        yield
    finally:
        loop.remove_reader(stdin)
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)
