"""Drawing on a terminal without flicker: only lines that changed are sent, so an idle console sends nothing over its line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text


class Painter:
    """Keeps what is on the screen. One line of text is one line of the terminal: longer ones are cut."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: list[str] = []
        self._size = (0, 0)

    @contextmanager
    def screen(self) -> Iterator[None]:
        """Use the terminal's other screen, without cursor; on leaving the terminal looks as before."""
        self._console.set_alt_screen(enable=True)
        self._console.show_cursor(show=False)
        try:
            yield
        finally:
            self._console.show_cursor(show=True)
            self._console.set_alt_screen(enable=False)

    def paint(self, lines: Sequence[Text]) -> None:
        """Show ``lines`` from the top; whatever was below is wiped."""
        size = (self._console.width, self._console.height)
        out = []
        if size != self._size:  # a resized terminal has rearranged what it showed
            self._shown, self._size = [], size
            out.append("\x1b[0m\x1b[2J")
        drawn = [self._drawn(line) for line in lines[: size[1]]]
        drawn += [""] * (len(self._shown) - len(drawn))
        for number, line in enumerate(drawn):
            if number >= len(self._shown) or line != self._shown[number]:
                out.append(f"\x1b[{number + 1};1H{line}\x1b[0m\x1b[K")
        self._shown = drawn
        if out:
            self._console.file.write("".join(out))
            self._console.file.flush()

    def _drawn(self, line: Text) -> str:
        with self._console.capture() as captured:
            self._console.print(line, end="", no_wrap=True, overflow="crop", crop=True, soft_wrap=False)
        return captured.get()
