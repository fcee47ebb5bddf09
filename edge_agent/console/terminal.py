"""The console in a terminal: a live table with keys for verdicts, or lines when there is no terminal to draw on."""

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edge_agent.console.board import Board, ScanRow
from edge_agent.console.catalogue import ADVISORY, VERDICT_REASONS, conclusion
from edge_agent.console.client import ConsoleClient, Decision, LinkState, Phase, SeenFact
from edge_agent.console.dialogue import Again, Dialogue, Draft, Quit, chosen_row, keys_in, needs_reason, press
from edge_agent.console.lines import SHORT_ID, Line, link_line
from edge_agent.errors import PeerError, PeerSilent
from edge_agent.wire.messages import AssessmentBody, SetAsideBody

_REDRAW_S = 0.25
_MARGIN_LINES = 16
_WIDE = 120
_LINK_STYLES = {
    Phase.CONNECTING: "yellow",
    Phase.CATCHING_UP: "yellow",
    Phase.LIVE: "green",
    Phase.STALE: "bold white on red",
    Phase.DIVERGED: "bold white on red",
}


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

    def after(self, event: SeenFact | LinkState) -> bool:
        """Tell whether ``event`` was the last one wanted."""
        if isinstance(event, LinkState):
            return self._until.seq is not None and event.seq >= self._until.seq
        self._outcomes += isinstance(event.body, AssessmentBody | SetAsideBody)
        by_seq = self._until.seq is not None and event.seq >= self._until.seq
        return by_seq or (self._until.count is not None and self._outcomes >= self._until.count)


async def print_lines(client: ConsoleClient, line: Line, until: Until, out: TextIO) -> None:
    """Print one line an event until ``until``, or until the reader of ``out`` leaves."""
    stop = Stop(until)
    async with aclosing(client.events()) as events:
        async for event in events:
            out.write(line(event) + "\n")
            out.flush()
            if stop.after(event):
                return


class Screen:
    """The live table of one site."""

    def __init__(self, client: ConsoleClient, officer: str, console: Console) -> None:
        self._client = client
        self._officer = officer
        self._console = console
        self._board = Board()
        self._dialogue = Dialogue()
        self._unconfirmed: Decision | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._left = asyncio.Event()

    async def run(self, until: Until) -> None:
        """Show the site until ``until``, or until the officer quits.

        Raises:
            PeerError: the site refuses this console, or its journal diverged.
        """
        follow = asyncio.create_task(self._follow(until))
        leave = asyncio.create_task(self._left.wait())
        try:
            with (
                _keys(self._pressed, self._left.set),
                Live(console=self._console, auto_refresh=False, screen=self._console.is_terminal) as live,
            ):
                while not (follow.done() or leave.done()):
                    live.update(self.picture(), refresh=True)
                    await asyncio.wait({follow, leave}, timeout=_REDRAW_S, return_when=asyncio.FIRST_COMPLETED)
            if follow.done():
                follow.result()
        finally:
            tasks = (follow, leave, *self._sending)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def picture(self) -> Group:
        """Give what is shown now."""
        room = max(self._console.height - _MARGIN_LINES, 3)
        rows = self._board.rows[:room]
        chosen = chosen_row(self._dialogue, rows)
        is_wide = self._console.width >= _WIDE
        parts: list[RenderableType] = [_link_text(self._client.state), _table(rows, chosen, is_wide=is_wide)]
        parts += [_detail(chosen)] if chosen is not None else []
        parts += [_prompt(self._dialogue.draft) if self._dialogue.draft is not None else _help(self._officer)]
        return Group(*parts, Text(self._dialogue.message, style="bold"))

    async def _follow(self, until: Until) -> None:
        stop = Stop(until)
        async with aclosing(self._client.events()) as events:
            async for event in events:
                if isinstance(event, SeenFact):
                    self._board.apply(event)
                if stop.after(event):
                    return

    def _pressed(self, text: str) -> None:
        for key in keys_in(text):
            self._dialogue, action = press(self._dialogue, key, self._board.rows, self._officer)
            if isinstance(action, Quit):
                self._left.set()
            elif isinstance(action, Decision):
                self._start(action)
            elif isinstance(action, Again) and self._unconfirmed is not None:
                self._start(self._unconfirmed)

    def _start(self, decision: Decision) -> None:
        if self._sending:
            self._say("the last verdict is still being sent")
            return
        task = asyncio.create_task(self._send(decision))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, decision: Decision) -> None:
        words = f"{conclusion(decision.conclusion)[0]} for {decision.scan_id[:SHORT_ID]}"
        try:
            seq, _ = await self._client.decide(decision)
        except PeerSilent:
            self._unconfirmed = decision
            self._say(f"not confirmed: {words}; press t to send the same verdict again")
        except PeerError as problem:
            self._say(f"refused: {words}: {problem.detail}. {problem.hint}")
        else:
            self._unconfirmed = None
            self._say(f"committed as #{seq}: {words}")

    def _say(self, message: str) -> None:
        self._dialogue = Dialogue(self._dialogue.chosen, self._dialogue.draft, message)


def _link_text(state: LinkState) -> Text:
    return Text(link_line(state), style=_LINK_STYLES[state.phase])


def _table(rows: Sequence[ScanRow], chosen: ScanRow | None, *, is_wide: bool) -> Table:
    """Draw the scans; on a narrow terminal the columns that the detail below repeats are left out."""
    headings = ("#", "scan", *(("scanner",) if is_wide else ()), "taken (UTC)", "machine", "officer")
    table = Table(expand=True, show_edge=False)
    for heading in (*headings, *(("findings", "seen after", "provider") if is_wide else ("seen after",))):
        table.add_column(heading, no_wrap=True, overflow="ellipsis", ratio=1 if heading == "findings" else None)
    for row in rows:
        words, style = conclusion(row.conclusion)
        machine = Text(words, style=style)
        if row.is_advisory:
            machine.append(" adv.", style="dim")
        verdict, verdict_style = conclusion(row.verdict) if row.verdict else ("", "")
        officer = Text(verdict + (" (stale)" if row.is_verdict_stale else ""), style=verdict_style)
        taken = f"{row.taken_at:{'%Y-%m-%d %H:%M:%S' if is_wide else '%H:%M:%S'}}" if row.taken_at else ""
        after = "replayed" if row.replayed else f"{row.latency_s:.2f} s" if row.latency_s is not None else ""
        cells = [str(row.seq), f"{row.scan_id[:SHORT_ID]} r{row.revision}", *((row.scanner,) if is_wide else ()), taken, machine, officer]
        cells += [Text(", ".join(row.findings)), after, row.provider] if is_wide else [after]
        table.add_row(*cells, style="reverse" if chosen is not None and row.scan_id == chosen.scan_id else "")
    return table


def _detail(row: ScanRow) -> Text:
    words, style = conclusion(row.conclusion)
    text = Text(f"{row.scan_id} r{row.revision}  ")
    text.append(words, style=style)
    if row.is_advisory:
        text.append(f"  {ADVISORY}", style="bold yellow")
    where = [row.scanner, *((f"judged on {row.provider}",) if row.provider else ())]
    where += [f"seen {row.since_taken_s:.1f} s after the exposure"] if row.since_taken_s is not None else []
    text.append("\n  " + "  ".join(where), style="dim")
    if row.findings:
        text.append("\n  found: " + ", ".join(row.findings))
    for reason in row.reasons:
        text.append(f"\n  {reason}")
    return text


def _prompt(draft: Draft) -> Text:
    words, style = conclusion(draft.word)
    text = Text("Send ")
    text.append(words, style=style)
    text.append(f" for {draft.scan.scan_id[:SHORT_ID]} r{draft.scan.revision}?  Enter sends, Esc cancels")
    text.append("  (a reason is required)" if needs_reason(draft) else "", style="bold yellow")
    for number, (code, meaning) in enumerate(VERDICT_REASONS.items(), start=1):
        text.append(f"\n  {number} {'[x]' if code in draft.reasons else '[ ]'} {meaning}")
    return text


def _help(officer: str) -> Text:
    verdicts = "s suspicious  n not suspicious  r rescan  f refer  " if officer else ""
    return Text(f"up/down choose  {verdicts}q quit", style="dim")


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
