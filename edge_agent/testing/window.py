"""A terminal for tests: a pseudo-terminal with a program in it, and the screen that its user sees.

Knows the control sequences that the console sends, and fails on any other: what is not known here cannot be checked.
"""

import asyncio
import codecs
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

_SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])|\x1b(?:\[\??[0-9;]*)?$")


class Grid:
    """The letters on a screen. Colours are forgotten; ``reversed_lines`` are those with a cell in reverse video."""

    def __init__(self, columns: int, lines: int) -> None:
        self.resize(columns, lines)
        self.is_alternate = False
        self.has_cursor = True
        self._rest = ""

    def resize(self, columns: int, lines: int) -> None:
        """Wipe, as a terminal that is resized may."""
        self.columns, self.lines = columns, lines
        self._cells = [[" "] * columns for _ in range(lines)]
        self._x = self._y = 0

    def feed(self, text: str) -> None:
        """Take what a program wrote."""
        text = self._rest + text
        self._rest = ""
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                self._put(text[at])
                at += 1
                continue
            match = _SEQUENCE.match(text, at)
            if match is None:
                raise AssertionError(f"unknown control sequence {text[at : at + 12]!r}")
            if match[3] is None:
                self._rest = text[at:]
                return
            self._control(match[1], match[2], match[3])
            at = match.end()

    def shown(self) -> list[str]:
        """Give the lines as a person reads them."""
        return ["".join(line).rstrip() for line in self._cells]

    def _put(self, letter: str) -> None:
        if letter == "\n":
            self._y = min(self._y + 1, self.lines - 1)
        elif letter == "\r":
            self._x = 0
        elif self._x < self.columns:
            self._cells[self._y][self._x] = letter
            self._x += 1

    def _control(self, private: str, numbers: str, kind: str) -> None:
        if kind == "m":
            return
        if private:
            self.is_alternate = (kind == "h") if numbers == "1049" else self.is_alternate
            self.has_cursor = (kind == "h") if numbers == "25" else self.has_cursor
        elif kind == "H":
            line, _, column = numbers.partition(";")
            self._y, self._x = min(int(line or 1), self.lines) - 1, min(int(column or 1), self.columns) - 1
        elif kind == "K":
            self._cells[self._y][self._x :] = [" "] * (self.columns - self._x)
        elif kind == "J" and numbers == "2":
            self._cells = [[" "] * self.columns for _ in range(self.lines)]
        else:
            raise AssertionError(f"unknown control sequence {numbers}{kind}")


class Window:
    """A program in a pseudo-terminal. ``sent_bytes``: how much it has written so far."""

    def __init__(self, words: Sequence[str], columns: int = 80, lines: int = 24, term: str = "xterm-256color") -> None:
        self.grid = Grid(columns, lines)
        self.sent_bytes = 0
        self._master, self._slave = pty.openpty()
        self._set_size(columns, lines)
        self._before = termios.tcgetattr(self._slave)
        plain = ["env", "-u", "COLUMNS", "-u", "LINES", "-u", "COLORTERM", "-u", "NO_COLOR", f"TERM={term}", "LANG=C.UTF-8"]
        self.process = subprocess.Popen([*plain, *words], stdin=self._slave, stdout=self._slave, stderr=self._slave)  # noqa: S603
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Make the window another size, as a person dragging its corner does."""
        self.grid.resize(columns, lines)
        self._set_size(columns, lines)
        self.process.send_signal(signal.SIGWINCH)

    async def until(self, *texts: str, gone: str = "", within_s: float = 40.0) -> None:
        """Wait until every text stands on the screen, and ``gone`` does not.

        Raises:
            AssertionError: it never came so; with the screen as it is.
        """
        try:
            async with asyncio.timeout(within_s):
                while not self._shows(texts, gone):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            screen = "\n".join(self.grid.shown())
            raise AssertionError(f"never shown: {[text for text in texts if text not in screen]}; but:\n{screen}") from None

    async def left(self, within_s: float = 40.0) -> tuple[int, bool]:
        """Wait for the end; give the exit code, and whether the terminal is as it was before."""
        code = await asyncio.get_running_loop().run_in_executor(None, self.process.wait, within_s)
        is_back = termios.tcgetattr(self._slave) == self._before and self.grid.has_cursor and not self.grid.is_alternate
        return code, is_back

    def close(self) -> None:
        """End the program if it still runs."""
        asyncio.get_running_loop().remove_reader(self._master)
        self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)

    def _shows(self, texts: Sequence[str], gone: str) -> bool:
        screen = "\n".join(self.grid.shown())
        return all(text in screen for text in texts) and not (gone and gone in screen)

    def _read(self) -> None:
        sent = os.read(self._master, 65536)
        self.sent_bytes += len(sent)
        self.grid.feed(self._decoder.decode(sent))
        self._news.set()

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


@asynccontextmanager
async def window(words: Sequence[str], columns: int = 80, lines: int = 24, term: str = "xterm-256color") -> AsyncIterator[Window]:
    """Run a program in a window; it never outlives the block."""
    opened = Window(words, columns, lines, term)
    try:
        yield opened
    finally:
        opened.close()
