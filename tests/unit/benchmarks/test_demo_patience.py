"""How long the demo waits: for a slow machine as long as facts come, for one that hangs no longer than its limit."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks import demo

LIMIT_S = 120.0


@dataclass
class Clock:
    """Stands for the module ``time``: each sleep takes a minute, and brings what is next of ``lines``."""

    log: Path
    lines: list[str]
    now: float = field(default=0.0)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _: float) -> None:
        self.now += 60.0
        if self.lines:
            self.log.write_text(self.log.read_text() + self.lines.pop(0))


@dataclass
class Console:
    """Stands for a console that runs."""

    log: Path

    def fail_if_ended(self) -> None:
        pass


def shown(monkeypatch: pytest.MonkeyPatch, log: Path, lines: list[str]) -> float:
    """Give the seconds that the demo waited for the last of ``lines``, which nothing follows."""
    log.write_text("")
    clock = Clock(log, list(lines))
    monkeypatch.setattr(demo, "time", clock)
    demo._show(Console(log), lambda: "last" in log.read_text(), LIMIT_S)  # type: ignore[arg-type]
    return clock.now


def test_as_long_as_facts_come_the_demo_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert shown(monkeypatch, tmp_path / "console.log", [f"#{number} a fact\n" for number in range(9)] + ["#9 the last\n"]) > 4 * LIMIT_S


@pytest.mark.parametrize("line", ["", "link STALE\n"])
def test_where_no_fact_comes_the_demo_gives_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str) -> None:
    with pytest.raises(SystemExit, match="nothing new for 120 s"):
        shown(monkeypatch, tmp_path / "console.log", [line] * 20)
