"""What the browser console costs an officer at the busiest site: ``python -m benchmarks.console``.

A site with a real ledger and real sockets holds a long queue while more scans arrive each second; the console serves it to a real browser
whose WebGL is painted by software (the renderer's name stands in the result). Measured: an input until the paint that shows it, in the
queue and in the viewer; frames while the picture is panned; what the page holds on to after many scans were opened.

Writes ``benchmarks/results/console.json``; ``--check`` ends with 1 when a floor is missed. ``--opened 1000`` is ``make soak-console``.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.async_api import CDPSession
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import page_meter
from benchmarks.browser import Chromium, Stage, executable, started
from benchmarks.busy_site import BusyPlan, BusySite, named
from benchmarks.office import Office, Reached
from benchmarks.officer import Officer
from benchmarks.site import Process, running

RESULTS = Path(__file__).resolve().parent / "results" / "console.json"
FLOOR_INPUT_MS = 100.0
FLOOR_FRAME_MS = 50.0
FLOOR_HEAP = 0.10
HEAP_FIRST = 20
SITE = "gate"
_QUEUE_KEYS = ("j", "j", "k", "PageDown", "j", "PageUp", "End", "k", "Home", "j") * 4
_VIEWER_KEYS = ("b", "h", "i", "i", "b", "h", "1", "0") * 4
_PATIENCE_S = 120.0
_ARRIVING_S = 90.0


@dataclass(frozen=True)
class Plan:
    """How much is measured. ``queued`` scans at the start, ``rate`` more a second, ``opened`` one after the other, ``pan_s`` seconds."""

    queued: int = 10_000
    rate: float = 20.0
    opened: int = 100
    pan_s: float = 10.0

    @property
    def arriving(self) -> int:
        """How many arrive in all: while inputs and frames are measured. The memory is measured in a queue that stands still."""
        return int(self.rate * _ARRIVING_S)


class Round:
    """One officer's shift in the browser, measured."""

    def __init__(self, plan: Plan, progress: Callable[[str], None]) -> None:
        self._plan = plan
        self._told = progress

    async def __call__(self, stage: Stage, url: str) -> dict[str, Any]:
        """Play and measure the whole shift."""
        began = time.monotonic()
        officer = await Officer.logged_in(stage, url)
        page = officer.page
        await officer.sees_lines(self._plan.queued)
        result: dict[str, Any] = {"renderer": await page_meter.renderer_of(page), "queue_read_s": round(time.monotonic() - began, 2)}
        self._told("keys in the queue")
        result["queue_keys"] = await self._inputs(officer, _QUEUE_KEYS)
        self._told("frames while the queue scrolls")
        result["queue_frames"] = await self._frames(officer, lambda: _scroll(officer))
        self._told("keys in the viewer")
        await officer.opens(SITE, named(17))
        result["viewer_keys"] = await self._inputs(officer, _VIEWER_KEYS)
        for name, key in (("whole", "0"), ("true_size", "1")):
            self._told(f"panning, {name}")
            await page.keyboard.press(key)
            await officer.settled()
            result[f"pan_{name}"] = await self._frames(officer, lambda: self._pan(officer))
        result["heap"] = await self._heap(officer)
        return result

    async def _inputs(self, officer: Officer, keys: tuple[str, ...]) -> dict[str, Any]:
        before = await page_meter.cpu_s(officer.browser)
        inputs = await page_meter.inputs_during(officer.page, len(keys), _pressing(officer, keys))
        used = await page_meter.cpu_s(officer.browser) - before
        return {**asdict(inputs), "cpu_ms_an_input": round(1000 * used / len(keys), 1)}

    async def _frames(self, officer: Officer, work: Callable[[], Awaitable[None]]) -> dict[str, Any]:
        before = await page_meter.cpu_s(officer.browser)
        frames = await page_meter.frames_during(officer.page, work)
        used = await page_meter.cpu_s(officer.browser) - before
        return {**asdict(frames), "cpu_ms_a_frame": round(1000 * used / max(1, frames.count), 1)}

    async def _pan(self, officer: Officer) -> None:
        box = await officer.picture_box()
        await page_meter.pan(officer.page, self._plan.pan_s, box)

    async def _heap(self, officer: Officer) -> dict[str, Any]:
        """Open scans one after the other and give the heap after the first twenty and after all, with the rows of the queue beside it."""
        await officer.to_queue()
        await officer.sees_lines(self._plan.queued + self._plan.arriving)
        session = await page_meter.metering(officer.page)
        samples: dict[int, dict[str, float]] = {}
        moments: list[float] = []
        for count in range(1, self._plan.opened + 1):
            before = time.monotonic()
            await officer.opens(SITE, named(count % self._plan.opened + 1))
            moments.append(time.monotonic() - before)
            self._told(f"opening scans: {count} of {self._plan.opened}")
            if count in (HEAP_FIRST, self._plan.opened) or count % 100 == 0:
                await officer.to_queue()
                rows = await officer.page.evaluate("Number(document.querySelector('.grid').getAttribute('aria-rowcount')) - 1")
                samples[count] = {**await _weighed(session), "rows": rows}
        first, last = samples[HEAP_FIRST]["heap_mb"], samples[self._plan.opened]["heap_mb"]
        ordered = sorted(moments)
        opening = {"p50_s": round(page_meter.share_of(ordered, 0.5), 2), "p95_s": round(page_meter.share_of(ordered, 0.95), 2)}
        return {"samples": samples, "growth": round(last / first - 1, 4), "opening": opening}


async def _weighed(session: CDPSession) -> dict[str, float]:
    heap = await page_meter.heap_mb(session)
    metrics = {metric["name"]: metric["value"] for metric in (await session.send("Performance.getMetrics"))["metrics"]}
    return {"heap_mb": round(heap, 2), "nodes": metrics["Nodes"], "listeners": metrics["JSEventListeners"]}


def _pressing(officer: Officer, keys: tuple[str, ...]) -> Callable[[], Awaitable[None]]:
    async def press() -> None:
        for key in keys:
            await officer.page.keyboard.press(key, delay=30)
            await officer.page.wait_for_timeout(60)

    return press


async def _scroll(officer: Officer) -> None:
    box = await officer.rows.first.bounding_box()
    assert box is not None
    await officer.page.mouse.move(box["x"] + 200, box["y"] + 100)
    for step in itertools.chain([240] * 60, [-240] * 60):
        await officer.page.mouse.wheel(0, step)
        await officer.page.wait_for_timeout(30)


def measure(plan: Plan, chromium: Chromium, told: Callable[[str], None]) -> dict[str, Any]:
    """Start site and console, play a shift and give everything measured."""
    with TemporaryDirectory(prefix="console-") as name:
        site = BusySite(Path(name), BusyPlan(plan.queued, plan.rate, plan.arriving, plan.opened + 20))
        process = site.process()
        with running(process):
            told(f"filling a ledger with {plan.queued} scans")
            _until(lambda: process.has_event("agent_started"), process)
            extra = f"[queue]\nnewest = {plan.queued + plan.arriving}\n"
            office = Office(
                Path(name) / "office", [Reached(SITE, site.endpoint, site.keys["site"].public)], site.keys["console"], extra=extra
            )
            console = office.process()
            with running(console):
                _until(office.is_served, console)
                load = os.getloadavg()[0]
                found = chromium.run(lambda stage: Round(plan, told)(stage, office.url))
                return {
                    "plan": asdict(plan),
                    "browser": chromium.browser.version,
                    "load_before": round(load, 2),
                    "console_mb": _resident_mb(console),
                    **found,
                }


def _until(condition: Callable[[], bool], process: Process) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not condition():
        process.fail_if_ended()
        if time.monotonic() > until:
            raise SystemExit(f"{process.name} was not ready within {_PATIENCE_S:.0f} s; see {process.log}")
        time.sleep(0.1)


def _resident_mb(process: Process) -> float:
    pages = int(Path(f"/proc/{process.popen.pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGESIZE") / 1e6, 1)


def judged(result: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Give each figure that has a floor: its name, what was measured, what it may be at most."""
    return [
        ("key in the queue until painted, slowest, ms", result["queue_keys"]["max_ms"], FLOOR_INPUT_MS),
        ("key in the viewer until painted, slowest, ms", result["viewer_keys"]["max_ms"], FLOOR_INPUT_MS),
        ("frame while panning the whole picture, p95, ms", result["pan_whole"]["p95_ms"], FLOOR_FRAME_MS),
        ("frame while panning at true size, p95, ms", result["pan_true_size"]["p95_ms"], FLOOR_FRAME_MS),
        ("growth of the heap from 20 opened scans to all", result["heap"]["growth"], FLOOR_HEAP),
    ]


def main() -> int:
    """Measure, write the result, print it beside the floors."""
    parser = argparse.ArgumentParser(description="Inputs, frames and memory of the browser console at the busiest site.")
    parser.add_argument("--queued", type=int, default=Plan.queued, help="scans in the queue")
    parser.add_argument("--rate", type=float, default=Plan.rate, help="scans that arrive a second")
    parser.add_argument("--opened", type=int, default=Plan.opened, help=f"scans that are opened, more than {HEAP_FIRST}")
    parser.add_argument("--pan", type=float, default=Plan.pan_s, help="seconds of panning")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the result goes")
    parser.add_argument("--check", action="store_true", help="end with 1 when a floor is missed")
    args = parser.parse_args()
    path = executable()
    if path is None or args.opened <= HEAP_FIRST:
        raise SystemExit("no chromium on the path" if path is None else f"--opened must be above {HEAP_FIRST}")
    chromium = started(path)
    with Progress(transient=True) as progress:
        task = progress.add_task("starting", total=None)
        try:
            result = measure(
                Plan(args.queued, args.rate, args.opened, args.pan), chromium, lambda text: progress.update(task, description=text)
            )
        finally:
            chromium.close()
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    figures = judged(result)
    table = Table(title=f"{result['renderer']}\n{result['browser']}, load before {result['load_before']}")
    for column in ("figure", "measured", "floor", ""):
        table.add_column(column)
    for name, value, floor in figures:
        table.add_row(name, f"{value:.3g}", f"{floor:g}", "ok" if value <= floor else "MISSED")
    Console().print(table)
    return int(args.check and any(value > floor for _, value, floor in figures))


if __name__ == "__main__":
    sys.exit(main())
