"""What a page costs its user: time between frames, time from an input to the paint that shows it, memory that it holds on to.

Frames are counted by ``requestAnimationFrame``; a frame that the software renderer is late with delays the next one, so its cost is in
the interval. Inputs are measured by the browser's own Event Timing, in steps of 8 ms; those under 16 ms are counted, not timed.
"""

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playwright.async_api import Browser, CDPSession, Page

_FRAMES = """() => {
    const seen = [];
    window.__frames = seen;
    const step = (now) => { seen.push(now); window.__frames === seen && requestAnimationFrame(step); };
    requestAnimationFrame(step);
}"""
_FRAMES_END = "() => { const seen = window.__frames; window.__frames = null; return seen; }"
_INPUTS = """() => {
    const seen = [];
    window.__inputs = seen;
    const keep = (list) => list.getEntries().forEach((entry) => {
        seen.push([entry.name, entry.duration, entry.processingStart - entry.startTime, entry.processingEnd - entry.processingStart]);
    });
    window.__watcher = new PerformanceObserver(keep);
    window.__watcher.observe({type: 'event', durationThreshold: 16});
}"""
_INPUTS_END = "() => { window.__watcher.disconnect(); return window.__inputs; }"
_RENDERER = """() => {
    const gl = document.createElement('canvas').getContext('webgl2');
    const info = gl && gl.getExtension('WEBGL_debug_renderer_info');
    return info ? gl.getParameter(info.UNMASKED_RENDERER_WEBGL) : 'no WebGL2';
}"""
INPUT_NAMES = frozenset({"keydown", "keyup", "pointerdown", "pointerup", "click", "mousedown", "mouseup"})


@dataclass(frozen=True)
class Frames:
    """Intervals between frames, ms."""

    count: int
    p50_ms: float
    p95_ms: float
    max_ms: float


@dataclass(frozen=True)
class Inputs:
    """Inputs made, and how long the slowest of them and most of them took to the next paint, ms; 16 stands for less."""

    made: int
    timed: int
    p50_ms: float
    p95_ms: float
    max_ms: float
    slowest: str


async def frames_during(page: Page, work: Callable[[], Awaitable[None]]) -> Frames:
    """Give the intervals between the frames of ``page`` while ``work`` runs."""
    await page.evaluate(_FRAMES)
    await work()
    moments = await page.evaluate(_FRAMES_END)
    intervals = sorted(late - early for early, late in itertools.pairwise(moments))
    return Frames(len(intervals), share_of(intervals, 0.5), share_of(intervals, 0.95), intervals[-1] if intervals else math.inf)


async def inputs_during(page: Page, made: int, work: Callable[[], Awaitable[None]]) -> Inputs:
    """Give how long the ``made`` inputs of ``work`` took until they were painted."""
    await page.evaluate(_INPUTS)
    await work()
    await asyncio.sleep(0.2)  # the last entry is written after its paint
    entries = [entry for entry in await page.evaluate(_INPUTS_END) if entry[0] in INPUT_NAMES]
    times = sorted([entry[1] for entry in entries] + [16.0] * max(0, made - len(entries)))
    worst = max(entries, key=lambda entry: entry[1], default=None)
    told = "" if worst is None else f"{worst[0]}: waited {worst[2]:.0f}, handled {worst[3]:.0f}, painted after {worst[1]:.0f} ms"
    return Inputs(made, len(entries), share_of(times, 0.5), share_of(times, 0.95), times[-1], told)


async def heap_mb(session: CDPSession) -> float:
    """Give what JavaScript holds on to after the garbage was collected, MB."""
    for _ in range(2):  # the first round ends finalisers whose objects only the second one frees
        await session.send("HeapProfiler.collectGarbage")
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    used: float = next(metric["value"] for metric in metrics if metric["name"] == "JSHeapUsedSize")
    return used / 1e6


async def cpu_s(browser: Browser) -> float:
    """Give the CPU time that all processes of the browser have used, s: a cost that does not hang on what else the machine does."""
    session = await browser.new_browser_cdp_session()
    try:
        told = await session.send("SystemInfo.getProcessInfo")
        return sum(process["cpuTime"] for process in told["processInfo"])
    finally:
        await session.detach()


async def metering(page: Page) -> CDPSession:
    """Give the session that :func:`heap_mb` asks."""
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    await session.send("HeapProfiler.enable")
    return session


async def renderer_of(page: Page) -> str:
    """Give what paints WebGL, as the browser names it."""
    name: str = await page.evaluate(_RENDERER)
    return name


async def pan(page: Page, seconds: float, box: tuple[float, float, float, float]) -> None:
    """Drag to and fro inside ``box`` (x0, y0, x1, y1, CSS px) with the left button, as a hand does, for ``seconds``."""
    x0, y0, x1, y1 = box
    loop = asyncio.get_running_loop()
    began = loop.time()
    await page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2)
    await page.mouse.down()
    try:
        while (at := loop.time() - began) < seconds:
            await page.mouse.move(
                (x0 + x1) / 2 + (x1 - x0) * 0.4 * math.sin(at * 1.7), (y0 + y1) / 2 + (y1 - y0) * 0.3 * math.sin(at * 1.1)
            )
            await asyncio.sleep(1 / 90)
    finally:
        await page.mouse.up()


def share_of(ordered: list[float], share: float) -> float:
    """Give the value below which ``share`` of ``ordered`` lies, by nearest rank; infinite when there is none."""
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else math.inf
