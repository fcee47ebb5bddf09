"""A storm: scans come in at two scanners and a third, poison among them, while the daemon is killed again and again.

``python -m benchmarks.storm --scans 1000 --kills 200 --seed 1``. Half of the kills fall at random moments, start-up included, half at armed
fault points (``benchmarks.armed_daemon``). The storm plays the service manager: it starts the daemon again at once and writes
``last-exit``. A console and headquarters' collector are attached from the beginning. At the end the books are compared
(``benchmarks.storm_books``); the last line gives the counts, and the exit code is 1 on any breach, with the folder kept.
"""

import argparse
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.armed_daemon import traps_of
from benchmarks.service import ARMED, Service
from benchmarks.site import Process, running
from benchmarks.small_site import SmallSite
from benchmarks.storm_books import Progress, Verdict, judge, progress, read_books
from benchmarks.storm_plan import Delivery, Plan, make_plan
from edge_agent.agent.ports import Point
from edge_agent.collector.archive.store import Archive
from edge_agent.domain.ids import SiteId
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.faults import Deed, Trap

_TICK_S = 0.03
_LOOK_S = 0.25
_SHOW_S = 10.0
_UNREACHED_S = 12.0
_MISSED_S = 90.0
"""How long a point is waited for that was not reached before: longer, for the machine may be busy."""
_STUCK_S = 120.0
_DECODE_DEADLINE_S = 10.0
_END_BY = {Deed.CRASH: "signal SEGV", Deed.RAISE: "exit-code 70"}


@dataclass(frozen=True)
class Kill:
    """How a life of the daemon ends: at the ``nth`` arrival at ``point``; without one, ``after_s`` seconds from READY or from its start.

    ``patience_s``: seconds from READY within which the point is to be reached.
    """

    point: Point | None
    nth: int = 1
    after_s: float = 0.0
    before_ready: bool = False
    patience_s: float = _UNREACHED_S


def schedule(kills: int, chance: random.Random) -> list[Kill]:
    """Give the kills: random and armed ones by turns, the points in shuffled rounds, the first round at first arrivals."""
    points: list[Point] = []
    plan: list[Kill] = []
    for number in range(kills):
        if number % 2:
            points = points or chance.sample(list(Point), len(Point))
            plan.append(Kill(points.pop(), 1 if number < 2 * len(Point) else chance.choice((1, 1, 2, 3))))
        elif chance.random() < 0.25:
            plan.append(Kill(None, 0, chance.uniform(0.05, 2.0), before_ready=True))
        else:
            plan.append(Kill(None, 0, chance.uniform(0.0, 1.2)))
    return plan


class Storm:
    """One storm over a small site in ``folder``."""

    def __init__(self, folder: Path, plan: Plan, kills: int, seed: int) -> None:
        self.small = SmallSite(folder)
        _patient_profiles(folder / "scanners-toml")
        self.plan = plan
        self.sprung: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._kills = schedule(kills, self._chance)
        self._done = 0
        self._left = deque(plan.deliveries)
        self._missed: list[Kill] = []
        site = self.small.site
        self._service = Service((*ARMED, "--config", str(site.agent_toml)), site.folder, site.state_dir, watchdog_s=20.0)
        self._progress = Progress()
        self._looked = self._shown = 0.0

    def run(self) -> Verdict:
        """Carry out the whole storm and give the verdict.

        Raises:
            SystemExit: a process ended by itself, or nothing moves any more.
        """
        site = self.small.site
        console, hq = site.console("console", "--json"), site.collector()
        with running(console, hq):
            try:
                for number, kill in enumerate(self._kills):
                    self._live_and_die(kill, self._share(number + 1))
                    self._done = number + 1
                    self._fail_if_ended(console, hq)
                for kill in tuple(self._missed):  # a life in which no scan came so far; what is left of the deliveries brings some
                    self._live_and_die(replace(kill, nth=1, patience_s=_MISSED_S), max(0, len(self._left) - 2))
                self._calm(console, hq)
            finally:
                self._service.close()
            console.stop()
            hq.stop()
        return judge(self.plan, read_books(site, _console_facts(console)))

    def _share(self, lives: int) -> int:
        """Give how many deliveries may still be left after so many lives."""
        total = len(self.plan.deliveries)
        return total - -(-total * lives // (len(self._kills) + 1))

    def _live_and_die(self, kill: Kill, left: int) -> None:
        """Have one life end as planned; deliver half of its share before it begins and the rest while it is up."""
        self._deliver((len(self._left) - left) // 2)
        trap = [] if kill.point is None else [Trap(kill.point, Deed.KILL, kill.nth)]
        self._start(trap)
        started, ready_at = time.monotonic(), 0.0
        while self._service.tend():
            now = time.monotonic()
            if self._service.is_ready and not ready_at:
                ready_at = now
            if _is_due(kill, now - started, now - ready_at if ready_at else None):
                self._service.kill()
                self.sprung["random" if kill.point is None else "not reached"] += 1
                if kill.point is not None:
                    self._missed.append(kill)
                return
            if ready_at and len(self._left) > left:
                self._deliver(1)
            self._tick()
        if self._ended_by_poison():
            self._live_and_die(kill, left)
            return
        self._expect_end("signal KILL")
        self.sprung[str(kill.point)] += 1

    def _calm(self, console: Process, hq: Process) -> None:
        """Let the daemon finish, then the console and headquarters; end when all are level."""
        states = {(one.scan_id, one.revision) for one in self.plan.outcomes}
        self._start([])
        self._wait(lambda: self._all_closed(len(states)), self._progressed, console, hq)
        self._wait(lambda: self._is_level(console), lambda: None, console, hq)
        if self._service.stop(60.0) != "success 0":
            raise SystemExit("the daemon did not stop cleanly")

    def _all_closed(self, states: int) -> bool:
        known = len({(one.scan_id, one.revision) for one in self._progress.accepted})
        return not self._left and known >= states and not self._progress.open_jobs and not self._progress.unpacked

    def _wait(self, condition: Callable[[], bool], moving: Callable[[], object], *alive: Process) -> None:
        """Wait, as long as something moves, delivering what is left; crashes by poison are part of the plan."""
        mark, until = moving(), time.monotonic() + _STUCK_S
        while not condition():
            if not self._service.tend():
                if not self._ended_by_poison():
                    self._expect_end("nothing")
                self._start([])
            self._fail_if_ended(*alive)
            if self._service.is_ready:
                self._deliver(1)
            if moving() != mark:
                mark, until = moving(), time.monotonic() + _STUCK_S
            if time.monotonic() > until:
                raise SystemExit(f"nothing moves any more: {self._progress.open_jobs} open jobs, {len(self._left)} undelivered")
            self._tick()

    def _progressed(self) -> tuple[int, int, int, int]:
        now = self._progress
        return len(now.accepted), now.open_jobs, now.unpacked, len(self._left)

    def _is_level(self, console: Process) -> bool:
        if time.monotonic() - self._looked < _TICK_S:  # only just after a look: reading the console's whole log is slow
            return len(_console_facts(console)) >= self._progress.rows and self._archived() >= self._progress.rows
        return False

    def _archived(self) -> int:
        """Give how far headquarters is."""
        path = self.small.site.folder / "archive.db"
        if not path.exists():
            return 0
        with Archive.read(path, SystemClock()) as archive:
            cursor = archive.newest(SiteId("demo"))
        return cursor.seq if cursor is not None else 0

    def _start(self, traps: list[Trap]) -> None:
        self._service.start("--sore-decoder", *traps_of([*traps, *self.plan.traps]))

    def _ended_by_poison(self) -> bool:
        word, deeds = self._service.results[-1], {trap.deed for trap in self.plan.traps}
        if word not in {_END_BY[deed] for deed in deeds}:
            return False
        self.sprung[f"poison ({word})"] += 1
        return True

    def _expect_end(self, word: str) -> None:
        if self._service.results[-1] != word:
            raise SystemExit(f"the daemon ended by itself ({self._service.results[-1]}):\n{self._service.tail()}")

    def _fail_if_ended(self, *processes: Process) -> None:
        for process in processes:
            process.fail_if_ended()

    def _deliver(self, count: int) -> None:
        """Write the next deliveries that may come now; those that would overtake what they follow keep their place in the line."""
        for _ in range(min(count, len(self._left))):
            place = next((n for n, one in enumerate(self._left) if one.after is None or one.after in self._progress.accepted), None)
            if place is None:
                return
            one = self._left[place]
            del self._left[place]
            self._write(one)

    def _write(self, delivery: Delivery) -> None:
        self.small.deliver_together(dict(delivery.files), delivery.scanner)

    def _tick(self) -> None:
        time.sleep(_TICK_S)
        now = time.monotonic()
        if now - self._looked > _LOOK_S:
            self._progress = progress(self.small.site.state_dir)
            self._looked = time.monotonic()
        self._show(now)

    def _show(self, now: float) -> None:
        """Draw a bar on a terminal, a line now and then elsewhere."""
        is_terminal = sys.stdout.isatty()
        if now - self._shown < (_LOOK_S if is_terminal else _SHOW_S):
            return
        self._shown = now
        total, given = len(self.plan.deliveries), len(self.plan.deliveries) - len(self._left)
        bar = "#" * (30 * self._done // max(1, len(self._kills)))
        line = f"[{bar:<30}] kill {self._done}/{len(self._kills)}, delivered {given}/{total}, accepted {len(self._progress.accepted)}"
        print(f"\r{line}, in flight {self._progress.open_jobs}   " if is_terminal else line, end="" if is_terminal else "\n", flush=True)


def _is_due(kill: Kill, lived_s: float, ready_s: float | None) -> bool:
    if kill.point is not None:
        return ready_s is not None and ready_s > kill.patience_s
    if kill.before_ready:
        return lived_s > kill.after_s
    return ready_s is not None and ready_s > kill.after_s


def _patient_profiles(folder: Path) -> None:
    """Give members time to come (this process may be held up between the files of one scan) and the decoder little."""
    for path in folder.glob("*.toml"):
        text = re.sub(r"deadline_s = [0-9.]+", "deadline_s = 8.0", path.read_text())
        path.write_text(f"{text}\n[limits]\ndeadline_s = {_DECODE_DEADLINE_S}\n")


def _console_facts(console: Process) -> list[tuple[int, str]]:
    facts = [line for line in console.json_lines() if line.get("event") == "fact"]
    return [(line["seq"], line["body"]["fact_id"] if line["body"] else "") for line in facts]  # type: ignore[index,misc]


def main() -> int:
    """Run a storm; 0 when nothing was lost, doubled or wrongly set aside."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=1000, help="scans that come in (default 1000)")
    parser.add_argument("--kills", type=int, default=200, help="SIGKILLs of the daemon (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same scans and the same kills (default 1)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep everything here (default: a temporary folder, kept on a breach only)")
    args = parser.parse_args()
    folder = (args.out or Path(tempfile.mkdtemp(prefix="storm-"))).resolve()
    started = time.monotonic()
    storm = Storm(folder, make_plan(args.scans, args.seed), args.kills, args.seed)
    again = f"everything is in {folder}; again: python -m benchmarks.storm --scans {args.scans} --kills {args.kills} --seed {args.seed}"
    try:
        verdict = storm.run()
    except BaseException:
        print(again)
        raise
    print(f"\n{time.monotonic() - started:.0f} s; ends: " + ", ".join(f"{name} {n}" for name, n in sorted(storm.sprung.items())))
    for breach in verdict.breaches:
        print(f"NOT TRUE: {breach}")
    if verdict.breaches:
        print(again)
    elif args.out is None:
        shutil.rmtree(folder)
    line = f"scans {args.scans}, kills {args.kills}, journalled {verdict.journalled}, lost {verdict.lost}"
    print(f"{line}, doubled {verdict.doubled}, set aside {verdict.set_aside}")
    return 1 if verdict.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
