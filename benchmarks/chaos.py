"""Chaos on the wire: ``python -m benchmarks.chaos --seeds 5 --scans 1500``.

Three sites commit scans; three consoles (one comes late, one is filtered, one hangs now and then and decides on every alert) and
headquarters' collector follow all of them, each over a bad line of its own that cuts, delays or swallows. Every process is killed with
SIGKILL again and again, and started again. Sites write their journals without inference; ledger, feed, desks, client and collector are the
daemon's own. At the end the books are compared: each console was handed each fact once and in order, in every life; headquarters' archive
equals the journals byte for byte; no row was acknowledged and is missing; each alert has one verdict; nobody ended but by our own kill.

The same seed gives the same plan; the moments are the machine's own. Exit 1 on a breach, and the folder is kept.
"""

import argparse
import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chaos_books import (
    Outage,
    breaches,
    has_written,
    histogram,
    is_live,
    lagging,
    measured,
    read_books,
    summary,
    unarchived,
)
from benchmarks.chaos_stage import COLLECTOR, CONSOLES, HANGING, LATE, SITES, Line, Stage
from benchmarks.site import Process

RESULTS = Path(__file__).resolve().parent / "results" / "chaos.json"
FLOOR_STALE_S = 3.5
"""Three seconds of silence, and what a busy machine adds."""
FLOOR_REPAIR_S = 5.0
_READY_S = 180.0
_BETWEEN_S = (0.4, 1.2)
_DEAD_S = (0.1, 2.0)
_SWALLOWED_S = (4.0, 8.0)
_HUNG_S = (4.0, 10.0)
_SLOW_S = (0.2, 0.8)
_SETTLE_S = 6.0  # after an outage nobody touches the line until the repair was due
_STUCK_S = 120.0
_SHOW_S = 10.0


@dataclass
class Outcome:
    """What a seed brought. ``deeds``: how often each was done; ``rows``: of all journals."""

    seed: int
    deeds: Counter[str]
    breaches: list[str]
    stale_s: list[float] = field(default_factory=list)
    repaired_s: list[float] = field(default_factory=list)
    facts: int = 0
    handed: int = 0
    seconds: float = 0.0


class Chaos:
    """One seed."""

    def __init__(self, folder: Path, seed: int, scans: int, rate: float) -> None:
        """Prepare ``scans`` scans in all, ``rate`` of them a second at each site."""
        self.stage = Stage(folder, scans // len(SITES), rate)
        self.deeds: Counter[str] = Counter()
        self._seed = seed
        self._random = random.Random(seed)
        self._processes: dict[str, Process] = {}
        self._taken: set[str] = set()
        self._disturbed: dict[tuple[str, ...], float] = {}
        """When a process, or a line, was last touched (monotonic, s)."""
        self._outages: list[Outage] = []
        self._breaches: list[str] = []
        self._lines: Sequence[Line] = ()
        self._round: list[Callable[[], Awaitable[bool]]] = []
        self._shown = 0.0

    async def run(self) -> Outcome:
        """Carry out the whole run and compare the books."""
        began = time.monotonic()
        async with self.stage.lines() as self._lines:
            try:
                await self._play()
            finally:
                for process in self._processes.values():
                    if process.popen.poll() is None:
                        process.kill()
        return self._judged(time.monotonic() - began)

    async def _play(self) -> None:
        early = [console for console in CONSOLES if console != LATE]
        for name in (*SITES, COLLECTOR, *early):
            self._start(name)
        async with asyncio.timeout(_READY_S):
            while not (self.stage.archive.exists() and all(is_live(self.stage, console) for console in early)):
                self._look()
                await asyncio.sleep(0.2)
        async with asyncio.TaskGroup() as deeds:
            half = self.stage.scans / self.stage.rate / 2
            late = deeds.create_task(self._come_late(half))
            while not (late.done() and all(has_written(self.stage, site) for site in SITES)):
                deeds.create_task(self._deed())
                await asyncio.sleep(self._random.uniform(*_BETWEEN_S))
                self._look()
        await self._calm()
        if not measured(self._outages, self.stage)[0]:  # in a short run chance may silence no line of a console that is live
            await self._silence(next(line for line in self._lines if line.client in CONSOLES))
            await self._calm()
        self._stop()

    async def _come_late(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self._start(LATE)

    async def _deed(self) -> None:
        """Do the next thing of a shuffled round; what cannot be done now, for its ends are in the middle of another, waits its turn."""
        self._round = self._round or self._shuffled_round()
        deed = self._round.pop(0)
        if not await deed():
            self._round.append(deed)

    def _shuffled_round(self) -> list[Callable[[], Awaitable[bool]]]:
        def kill(names: Sequence[str]) -> Callable[[], Awaitable[bool]]:
            return lambda: self._kill(self._random.choice(names))

        def hang(names: Sequence[str]) -> Callable[[], Awaitable[bool]]:
            return lambda: self._hang(self._random.choice(names))

        kills = [kill(SITES), kill(SITES), kill(CONSOLES), kill(CONSOLES), kill([COLLECTOR])]
        deeds = [*kills, hang([HANGING]), hang([COLLECTOR, *SITES]), *[self._cut] * 3, self._slow_down, *[self._swallow] * 3]
        self._random.shuffle(deeds)
        return deeds

    def _take(self, *names: str) -> bool:
        """Take processes for one deed; refused while one of them is in another, or does not run (yet)."""
        if self._taken.intersection(names) or not self._processes.keys() >= set(names):
            return False
        self._taken.update(names)
        return True

    def _let_go(self, *names: str) -> None:
        self._taken.difference_update(names)
        self._disturbed |= {(name,): time.monotonic() for name in names}

    def _some_line(self) -> Line:
        return self._random.choice(self._lines)

    async def _cut(self) -> bool:
        line = self._some_line()
        if self._taken & {line.client, line.site}:
            return False
        line.cut()
        self._disturbed[line.client, line.site] = time.monotonic()
        self.deeds["line cut"] += 1
        return True

    async def _slow_down(self) -> bool:
        line = self._some_line()
        if not self._take(line.client, line.site):
            return False
        line.slow(self._random.uniform(*_SLOW_S))
        await asyncio.sleep(self._random.uniform(*_SWALLOWED_S))
        line.slow(0.0)
        self._let_go(line.client, line.site)
        self.deeds["line delayed"] += 1
        return True

    async def _swallow(self) -> bool:
        return await self._silence(self._some_line())

    async def _silence(self, line: Line) -> bool:
        """Let a line carry nothing; leave it and both its ends alone for some seconds before, and until the repair was due."""
        if not self._take(line.client, line.site):
            return False
        touched = ((line.client,), (line.site,), (line.client, line.site))
        last = max(self._disturbed.get(one, 0.0) for one in touched)
        await asyncio.sleep(max(0.0, last + _SETTLE_S - time.monotonic()))
        since = time.monotonic()
        line.swallow(yes=True)
        await asyncio.sleep(self._random.uniform(*_SWALLOWED_S))
        until = time.monotonic()
        line.swallow(yes=False)
        await asyncio.sleep(_SETTLE_S)
        self._let_go(line.client, line.site)
        self.deeds["line silent"] += 1
        if line.client in CONSOLES:
            self._outages.append(Outage(line.client, line.site, since, until))
        return True

    async def _kill(self, name: str) -> bool:
        if not self._take(name):
            return False
        self._processes[name].fail_if_ended()
        self._processes[name].kill()
        if name == COLLECTOR:
            self._breaches.extend(await asyncio.to_thread(unarchived, self.stage))
        await asyncio.sleep(self._random.uniform(*_DEAD_S))
        self._start(name)
        self._let_go(name)
        self.deeds[f"{_kind(name)} killed"] += 1
        return True

    async def _hang(self, name: str) -> bool:
        if not self._take(name):
            return False
        self._processes[name].fail_if_ended()
        self._processes[name].popen.send_signal(signal.SIGSTOP)
        await asyncio.sleep(self._random.uniform(*_HUNG_S))
        self._processes[name].popen.send_signal(signal.SIGCONT)
        self._let_go(name)
        self.deeds[f"{_kind(name)} hung"] += 1
        return True

    async def _calm(self) -> None:
        """Wait until every reader is level with every journal, as long as something moves."""
        before, until = {"": 1}, time.monotonic() + _STUCK_S
        while before or not all(is_live(self.stage, console) for console in CONSOLES):
            if time.monotonic() > until:
                self._breaches.append(f"nothing moves any more: {before}")
                return
            await asyncio.sleep(1.0)
            self._look()
            now = await asyncio.to_thread(lagging, self.stage)
            if now != before:
                before, until = now, time.monotonic() + _STUCK_S

    def _start(self, name: str) -> None:
        self._processes[name] = self.stage.start(name)

    def _look(self) -> None:
        for name in self._processes.keys() - self._taken:
            self._processes[name].fail_if_ended()
        if time.monotonic() - self._shown > _SHOW_S:
            self._shown = time.monotonic()
            print(f"seed {self._seed}: {sum(self.deeds.values())} deeds, {len(self._outages)} outages of consoles", flush=True)

    def _stop(self) -> None:
        for process in self._processes.values():
            process.popen.send_signal(signal.SIGTERM)
        for name, process in self._processes.items():
            code = process.wait(120.0)
            if code not in (0, -signal.SIGTERM):  # a process that had only just been started again hears no signal in order yet
                self._breaches.append(f"{name} ended with {code} when it was told to stop")

    def _judged(self, seconds: float) -> Outcome:
        books = [read_books(self.stage, site) for site in SITES]
        found = [*self._breaches, *(what for each in books for what in breaches(each))]
        stale, repaired = measured(self._outages, self.stage)
        handed = sum("seq" in line for each in books for lines in each.consoles.values() for line in lines)
        return Outcome(self._seed, self.deeds, found, stale, repaired, sum(len(each.journal) for each in books), handed, seconds)


def _kind(name: str) -> str:
    if name in SITES:
        return "site"
    return "console" if name in CONSOLES else "collector"


def report(outcomes: Sequence[Outcome], scans: int) -> dict[str, object]:
    """Give what is kept of several seeds."""
    stale = [value for one in outcomes for value in one.stale_s]
    repaired = [value for one in outcomes for value in one.repaired_s]
    return {
        "seeds": [one.seed for one in outcomes],
        "scans_a_seed": scans,
        "seconds": round(sum(one.seconds for one in outcomes)),
        "facts": sum(one.facts for one in outcomes),
        "handed_to_consoles": sum(one.handed for one in outcomes),
        "deeds": dict(sorted(sum((one.deeds for one in outcomes), Counter()).items())),
        "breaches": [what for one in outcomes for what in one.breaches],
        "stale_after": {**summary(stale), "floor_s": FLOOR_STALE_S, "histogram_s": histogram(stale)},
        "repaired_after": {**summary(repaired), "floor_s": FLOOR_REPAIR_S, "histogram_s": histogram(repaired)},
    }


def late(outcome: Outcome) -> list[str]:
    """Name what took longer than its floor; how long something takes says nothing where other work shares the machine."""
    found = [f"a console was stale after {value:.1f} s only" for value in outcome.stale_s if value > FLOOR_STALE_S]
    return found + [f"live {value:.1f} s after the line's return only" for value in outcome.repaired_s if value > FLOOR_REPAIR_S]


def one_seed(folder: Path, seed: int, scans: int, rate: float) -> Outcome:
    """Run one seed in ``folder``; say where it is when something broke."""
    again = f"everything is in {folder}; again: python -m benchmarks.chaos --seed {seed} --scans {scans}"
    try:
        outcome = asyncio.run(Chaos(folder, seed, scans, rate).run())
    except BaseException:
        print(again)
        raise
    outcome.breaches.extend(late(outcome))
    for breach in outcome.breaches:
        print(f"NOT TRUE: {breach}")
    if outcome.breaches:
        print(again)
    return outcome


def main() -> int:
    """Run the seeds; 0 when nothing was lost, doubled or out of order."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, from 1 on (default 5)")
    parser.add_argument("--seed", type=int, help="this seed only; writes no result")
    parser.add_argument("--scans", type=int, default=1500, help="scans a seed, over three sites (default 1500)")
    parser.add_argument("--rate", type=float, default=5.0, help="scans a second at each site (default 5)")
    args = parser.parse_args()
    seeds = [args.seed] if args.seed is not None else list(range(1, args.seeds + 1))
    outcomes = []
    for seed in seeds:
        folder = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
        outcomes.append(one_seed(folder, seed, args.scans, args.rate))
        if not outcomes[-1].breaches:
            shutil.rmtree(folder)
    told = report(outcomes, args.scans)
    if args.seed is None:
        RESULTS.write_text(json.dumps(told, indent=2) + "\n")
    print(json.dumps(told, indent=2))
    count = sum(len(one.breaches) for one in outcomes)
    deeds = sum(sum(one.deeds.values()) for one in outcomes)
    line = (
        f"seeds {', '.join(map(str, seeds))}: {args.scans * len(seeds)} scans, {told['facts']} facts, {told['handed_to_consoles']} handed"
    )
    print(f"{line}, {deeds} deeds, breaches {count}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
