"""An officer goes on while the line to the site is cut for a minute: ``python -m benchmarks.console_cut``.

Scans arrive at the site all the time, every sixteenth an alert. Everything between console and site goes through proxies; while they are
cut they swallow what comes, as a dead line does, and connections of before are worth nothing afterwards. The officer decides on scans
meanwhile. Measured: how soon the page says that it no longer knows, and that it does again; how long after its making an alert is on the
screen while the line is whole. Counted, from the site's own journal: scans that the page misses, decisions lost, decisions doubled.

Writes ``benchmarks/results/console_cut.json`` and prints the figures beside the floors; ``--check`` ends with 1 when one is missed.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.async_api import Page
from rich.console import Console
from rich.table import Table

from benchmarks import busy_scans
from benchmarks.browser import Chromium, Stage, Wish, executable, started, until
from benchmarks.busy_site import BusyPlan, BusySite, named
from benchmarks.office import Office, Reached
from benchmarks.officer import DECISIONS_WAITING, Officer
from benchmarks.page_meter import share_of
from benchmarks.site import Process, free_port, running
from edge_agent.testing.proxy import Proxy, tcp_proxy

RESULTS = Path(__file__).resolve().parent / "results" / "console_cut.json"
FLOOR_STATE_S = 3.0
FLOOR_STALE_S = 3.5
"""A site is held for silent 3 s after its last word, which may be the very last before the cut; the rest is the way to the page."""
FLOOR_SEEN_MS = 1000.0
SITE = "gate"
_QUEUED = 64
_PATIENCE_S = 120.0
_BROKEN_LINES = ("net::ERR_", "status of 50")
"""What the browser itself writes about requests whose answer is at the other end of the line."""
_WATCH = """() => {
    window.__seen ??= {};
    const look = () => document.querySelectorAll('.grid .space [role=row]').forEach((row) => {
        const id = row.querySelector('.cell.number')?.textContent;
        if (id && !row.hidden && !(id in window.__seen)) window.__seen[id] = Date.now();
    });
    new MutationObserver(look).observe(document.querySelector('.grid'), {subtree: true, childList: true, characterData: true});
    look();
}"""
_STALE = "() => (document.querySelector('.bars .bar.stale') !== null)"
_TRUE = "() => !document.querySelector('.bars .bar.stale, .bars .bar.catching-up')"
_TOTAL = "async (least) => (await (await fetch('/api/queue?limit=1')).json()).total >= least"
_ROWS = "async () => (await (await fetch('/api/queue?limit=20000')).json()).rows.map((row) => row.scan_id)"


@dataclass(frozen=True)
class Plan:
    """``rate``: scans a second that arrive; ``whole_s``: seconds before the cut, and after it; ``decisions``: so many while it lasts."""

    cut_s: float = 60.0
    whole_s: float = 20.0
    rate: float = 4.0
    decisions: int = 4


class Lines:
    """All lines between a console and its site."""

    def __init__(self, proxies: list[Proxy]) -> None:
        self._proxies = proxies

    def pass_on(self, is_whole: bool) -> None:  # noqa: FBT001
        """Cut all lines, or mend them."""
        for proxy in self._proxies:
            proxy.is_open = is_whole


class Shift:
    """One officer's shift with a cut in the middle. ``site``: its journal is the truth that the page is compared with."""

    def __init__(self, plan: Plan, site: BusySite, lines: Lines) -> None:
        self._plan = plan
        self._site = site
        self._lines = lines

    async def __call__(self, stage: Stage, url: str) -> dict[str, Any]:
        """Work before, during and after the cut; give everything measured and counted."""
        officer = await Officer.logged_in(stage, url)
        page = officer.page
        await _until_page(page, _TRUE)
        await page.evaluate(_WATCH)
        began = time.time()
        await asyncio.sleep(self._plan.whole_s)
        self._lines.pass_on(is_whole=False)
        cut_at, cut = time.time(), time.monotonic()
        result: dict[str, Any] = {"stale_after_s": await _until_page(page, _STALE)}
        decided = await self._decide(officer, cut + self._plan.cut_s)
        result["verdicts_while_cut"] = len(self._verdicts())
        self._lines.pass_on(is_whole=True)
        result["true_after_s"] = await _until_page(page, _TRUE)
        result["delivered_after_s"] = result["true_after_s"] + await _until_page(page, DECISIONS_WAITING, 0)
        await officer.to_queue()
        await page.evaluate(_WATCH)
        mended = time.time()
        await asyncio.sleep(self._plan.whole_s)
        ended = time.time()
        result["seen_ms"] = self._seen(await page.evaluate("window.__seen"), [(began, cut_at), (mended, ended)])
        return result | await self._counted(officer, decided)

    async def _decide(self, officer: Officer, until: float) -> list[str]:
        """Find alerts of the time before the cut suspicious, one after the other, evenly until ``until`` (monotonic, s)."""
        alerts = [named(number) for number in range(_QUEUED) if busy_scans.conclusion_of(number) == "alert"]
        chosen = alerts[: self._plan.decisions]
        pause_s = max(0.0, until - time.monotonic()) / (len(chosen) + 1)
        for count, scan in enumerate(chosen, 1):
            await asyncio.sleep(pause_s)
            await officer.page.evaluate("(place) => { location.hash = place; }", f"#/scan/{SITE}/{scan}")
            await officer.page.locator(f"main.scan h1 .id:text-is('{scan[:8]}')").wait_for()
            await officer.decides("s")
            await _until_page(officer.page, DECISIONS_WAITING, count)
        await asyncio.sleep(max(0.0, until - time.monotonic()))
        return chosen

    def _verdicts(self) -> list[str]:
        return [str(body.scan_id) for body in self._site.bodies("verdict")]

    def _seen(self, seen: dict[str, float], whole: list[tuple[float, float]]) -> dict[str, float]:
        """Give how long after its making an alert that was made while the line was whole was on the screen, ms."""
        took = []
        for body in self._site.bodies("assessment"):
            made = body.produced_at.timestamp()
            is_fair = any(start + 1 < made < end - 2 for start, end in whole)
            if is_fair and body.scan_id is not None and getattr(body, "conclusion", "") == "alert":
                took.append(seen.get(body.scan_id[:8], float("inf")) - 1000 * made)
        took.sort()
        return {"alerts": len(took), "p50": round(share_of(took, 0.5), 1), "max": round(took[-1], 1) if took else float("inf")}

    async def _counted(self, officer: Officer, decided: list[str]) -> dict[str, Any]:
        committed = {str(body.scan_id) for body in self._site.bodies("assessment")}
        await _until_page(officer.page, _TOTAL, len(committed))
        known = set(await officer.page.evaluate(_ROWS))
        verdicts = Counter(self._verdicts())
        return {
            "scans": len(committed),
            "scans_missing": len(committed - known),
            "decided": len(decided),
            "verdicts_lost": sum(scan not in verdicts for scan in decided),
            "verdicts_doubled": sum(count - 1 for count in verdicts.values()),
        }


async def _until_page(page: Page, condition: str, arg: object = None) -> float:
    """Wait until ``condition`` holds on the page; give after how many seconds."""
    since = time.monotonic()
    await until(page, condition, arg, _PATIENCE_S)
    return round(time.monotonic() - since, 2)


@asynccontextmanager
async def _lines(site: BusySite, ports: tuple[int, int]) -> AsyncIterator[tuple[Lines, str]]:
    """Proxies before SYNC, LIVE and BLOB of ``site``; gives them and where a console reaches SYNC."""
    async with AsyncExitStack() as stack:
        sync = await stack.enter_async_context(tcp_proxy())
        live, blob = [await stack.enter_async_context(tcp_proxy(port=port)) for port in ports]
        sync.target = site.endpoint
        live.target, blob.target = (f"tcp://127.0.0.1:{port}" for port in (site.live_port, site.blob_port))
        yield Lines([sync, live, blob]), sync.endpoint


def measure(plan: Plan, chromium: Chromium) -> dict[str, Any]:
    """Start site and console with proxies between them, play the shift and give what was measured."""
    with TemporaryDirectory(prefix="console-cut-") as name:
        ports = free_port(), free_port()
        live, blob = (f"tcp://127.0.0.1:{port}" for port in ports)
        arriving = int(plan.rate * (plan.cut_s + 2 * plan.whole_s + _PATIENCE_S))  # they come to the very end
        site = BusySite(Path(name), BusyPlan(_QUEUED, plan.rate, arriving, _QUEUED, live_shown=live, blob_shown=blob))

        async def law(stage: Stage) -> dict[str, Any]:
            async with _lines(site, ports) as (lines, sync):
                office = Office(Path(name) / "office", [Reached(SITE, sync, site.keys["site"].public)], site.keys["console"])
                process, console = site.process(), office.process()
                with running(process, console):
                    await asyncio.to_thread(_until_served, office, console, process)
                    return await Shift(plan, site, lines)(stage, office.url)

        load = round(os.getloadavg()[0], 2)
        return {"plan": asdict(plan), "load_before": load, **chromium.run(law, Wish(expects=_BROKEN_LINES))}


def _until_served(office: Office, *processes: Process) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not (office.is_served() and processes[-1].has_event("agent_started")):
        for process in processes:
            process.fail_if_ended()
        if time.monotonic() > until:
            raise SystemExit(f"not ready within {_PATIENCE_S:.0f} s; see {processes[0].log}")
        time.sleep(0.1)


def judged(result: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Give each figure that has a floor: its name, what was measured, what it may be at most."""
    return [
        ("page says that it is stale, s after the cut", result["stale_after_s"], FLOOR_STALE_S),
        ("page is true again, s after the cut ended", result["true_after_s"], FLOOR_STATE_S),
        ("an alert is on the screen, slowest, ms after its making", result["seen_ms"]["max"], FLOOR_SEEN_MS),
        ("scans missing", result["scans_missing"], 0),
        ("decisions called committed before they were", result["verdicts_while_cut"], 0),
        ("decisions lost", result["verdicts_lost"], 0),
        ("decisions doubled", result["verdicts_doubled"], 0),
    ]


def main() -> int:
    """Measure, write the result, print it beside the floors."""
    parser = argparse.ArgumentParser(description="The browser console while the line to its site is cut.")
    parser.add_argument("--cut", type=float, default=Plan.cut_s, help="seconds that the line is cut")
    parser.add_argument("--whole", type=float, default=Plan.whole_s, help="seconds that it is whole before and after")
    parser.add_argument("--rate", type=float, default=Plan.rate, help="scans that arrive a second")
    parser.add_argument("--decisions", type=int, default=Plan.decisions, help="decisions while it is cut, 4 at most")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the result goes")
    parser.add_argument("--check", action="store_true", help="end with 1 when a floor is missed")
    args = parser.parse_args()
    path = executable()
    if path is None:
        raise SystemExit("no chromium on the path")
    chromium = started(path)
    with Console().status(f"a cut of {args.cut:.0f} s"):
        try:
            result = measure(Plan(args.cut, args.whole, args.rate, args.decisions), chromium)
        finally:
            chromium.close()
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    table = Table(title=f"{result['scans']} scans, {result['decided']} decisions, load before {result['load_before']}")
    for column in ("figure", "measured", "floor", ""):
        table.add_column(column)
    for name, value, floor in (figures := judged(result)):
        table.add_row(name, f"{value:.3g}", f"{floor:g}", "ok" if value <= floor else "MISSED")
    Console().print(table)
    return int(args.check and any(value > floor for _, value, floor in figures))


if __name__ == "__main__":
    sys.exit(main())
