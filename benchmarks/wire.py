"""How long a committed fact takes to a console, over CURVE on loopback: ``python -m benchmarks.wire``.

A site with a real ledger and real sockets publishes facts at a steady rate to many consoles. Three rounds: all consoles listen; one is
stopped (SIGSTOP) and goes on after a minute; the site itself falls silent for some seconds. Moments are the machine's monotonic clock,
taken right after the commit on the ledger's own thread and when the row was decoded at the console, so consoles' work counts too.

Writes ``benchmarks/results/wire.json`` and prints the figures beside the floors; ``--check`` ends with 1 when a floor is missed.
"""

import argparse
import asyncio
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Entry
from edge_agent.testing.factories import a_scan_id, an_assessment
from edge_agent.testing.loopback import Keyring, LoopbackSite, Setting, loopback_site
from edge_agent.transport.context import open_context
from edge_agent.transport.keys import KeyPair
from edge_agent.transport.link import LiveLink, Retry, Silence, SyncLink
from edge_agent.transport.sockets import ClientSecurity, Context
from edge_agent.wire.catchup import Arrival, Cursor, after_batch, after_live, arrival
from edge_agent.wire.frames import LiveMessage
from edge_agent.wire.heartbeat import Heartbeat

RESULTS = Path(__file__).resolve().parent / "results" / "wire.json"
FLOOR_P99_MS = 10.0
FLOOR_CHANGE = 0.20
FLOOR_MEMORY_MB = 64.0
FLOOR_STALE_S = 3.5
FLOOR_REPAIR_S = 5.0


@dataclass(frozen=True)
class Plan:
    """What is measured: facts a second, consoles, seconds of the plain round, of the stopped console and of the silent site, and after."""

    rate: float
    consoles: int
    plain_s: float
    stopped_s: float
    silent_s: float
    settle_s: float = FLOOR_REPAIR_S + 1.0


# ------------------------------------------------------------------------------------------------------------------------ the site


def committed(ledger: Ledger, entry: Entry) -> tuple[int, float]:
    """Commit a fact; give its number and the moment after the commit."""
    return ledger.append(entry).seq, time.monotonic()


async def publish(site: LoopbackSite, rate: float, out: dict[int, float]) -> None:
    """Commit facts at a steady rate until cancelled."""
    due = time.monotonic()
    while True:
        seq, at = await site.ledger.call(committed, an_assessment(a_scan_id(f"{os.getpid()}-{len(out)}"), conclusion="alert"))
        site.feed.ring()
        out[seq] = at
        due = max(due + 1 / rate, time.monotonic() - 1.0)
        await asyncio.sleep(max(0.0, due - time.monotonic()))


def resident_mb() -> float:
    """Give the size of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


async def run_site(folder: Path, keys: Keyring, rate: float) -> None:
    """Publish; answer ``memory`` on standard input with our size, ``end`` with all moments of commits."""
    moments: dict[int, float] = {}
    async with loopback_site(folder, Setting(keys)) as site:
        say({"sync": site.sync, "live": site.live})
        publishing = asyncio.create_task(publish(site, rate, moments))
        while (word := await asyncio.to_thread(sys.stdin.readline)).strip() == "memory":
            say({"mb": resident_mb()})
        publishing.cancel()
        say({"moments": moments, "word": word.strip()})


# -------------------------------------------------------------------------------------------------------------------- the consoles


@dataclass
class Reader:
    """One console: follows LIVE, pulls what is missing, and notes when it had each row, ``moments`` live and ``pulled`` from a pull."""

    live: LiveLink
    sync: SyncLink
    cursor: Cursor
    moments: dict[int, float]
    pulled: dict[int, float]
    stale_at: list[float]

    async def follow(self) -> None:
        """Follow until cancelled."""
        async for heard in self.live:
            now = time.monotonic()
            match heard:
                case Silence():
                    self.stale_at.append(now)
                case Heartbeat():
                    if heard.head > self.cursor.seq:
                        await self.pull()
                case LiveMessage():
                    if arrival(self.cursor, heard) is Arrival.NEXT:
                        self.cursor = after_live(self.cursor, heard)
                        self.moments[heard.seq] = now
                    elif arrival(self.cursor, heard) is Arrival.GAP:
                        await self.pull()

    async def pull(self) -> None:
        """Repair a gap."""
        content = {"epoch": self.cursor.epoch.hex(), "after": self.cursor.seq, "hash": self.cursor.hash.hex()}
        while True:
            batch = await self.sync.request("PULL", {**content, "after": self.cursor.seq, "hash": self.cursor.hash.hex()})
            self.cursor = after_batch(self.cursor, batch.rows)
            self.pulled |= {row.seq: time.monotonic() for row in batch.rows}
            if self.cursor.seq >= batch.content["head"]:
                return


async def a_reader(context: Context, site: dict[str, str], security: ClientSecurity) -> Reader:
    """Give a console that stands at the present head."""
    live = LiveLink(context, site["live"], security, ["ei1/"])
    sync = SyncLink(context, site["sync"], security, Retry(attempts=5))
    head = (await sync.request("SNAP", {"last": 1})).content
    cursor = Cursor(bytes.fromhex(head["epoch"]), head["head"], bytes.fromhex(head["hash"]))
    return Reader(live, sync, cursor, {}, {}, [])


async def run_consoles(site: dict[str, str], security: ClientSecurity, count: int) -> None:
    """Listen with ``count`` consoles until a line comes on standard input; then tell everything."""
    with open_context() as context:
        readers = [await a_reader(context, site, security) for _ in range(count)]
        tasks = [asyncio.create_task(reader.follow()) for reader in readers]
        say({"ready": count})
        await asyncio.to_thread(sys.stdin.readline)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        told = [{"moments": r.moments, "pulled": r.pulled, "stale_at": r.stale_at} for r in readers]
        for reader in readers:
            reader.live.close()
            reader.sync.close()
        say({"readers": told})


# ----------------------------------------------------------------------------------------------------------------- the measurement


class Worker:
    """A process of this module, spoken to in JSON lines."""

    def __init__(self, role: str, setting: dict[str, Any]) -> None:
        command = (sys.executable, "-m", "benchmarks.wire", "--worker", role)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.tell(json.dumps(setting))

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        heard: dict[str, Any] = json.loads(self.process.stdout.readline() or '{"gone": true}')
        return heard

    def ask(self, word: str) -> dict[str, Any]:
        self.tell(word)
        return self.hear()

    def close(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


@contextmanager
def workers(plan: Plan, folder: Path) -> Iterator[tuple[Worker, Worker, Worker]]:
    """Give the site, the process of all consoles but one, and the one that will be stopped."""
    keys = Keyring()
    secrets = {name: asdict(pair) for name, pair in (("server", keys.server), ("console", keys.console), ("collector", keys.collector))}
    with ExitStack() as stack:

        def start(role: str, **setting: object) -> Worker:
            worker = Worker(role, {"keys": secrets, **setting})
            stack.callback(worker.close)
            return worker

        site = start("site", folder=str(folder), rate=plan.rate)
        endpoints = site.hear()
        most = start("consoles", site=endpoints, count=plan.consoles - 1)
        one = start("consoles", site=endpoints, count=1)
        assert most.hear() == {"ready": plan.consoles - 1}
        assert one.hear() == {"ready": 1}
        yield site, most, one


def measured(plan: Plan, folder: Path) -> dict[str, float]:
    """Run the three rounds."""
    with workers(plan, folder) as (site, most, one):
        time.sleep(2.0)
        before_mb, begun = site.ask("memory")["mb"], time.monotonic()
        time.sleep(plan.plain_s)
        stopped_at = time.monotonic()
        one.process.send_signal(signal.SIGSTOP)
        time.sleep(plan.stopped_s)
        after_mb, resumed_at = site.ask("memory")["mb"], time.monotonic()
        one.process.send_signal(signal.SIGCONT)
        time.sleep(plan.settle_s)
        silent_at = time.monotonic()
        site.process.send_signal(signal.SIGSTOP)
        time.sleep(plan.silent_s)
        site.process.send_signal(signal.SIGCONT)
        back_at = time.monotonic()
        time.sleep(plan.settle_s)
        readers = most.ask("end")["readers"]
        stopped = one.ask("end")["readers"][0]
        commits = {int(seq): at for seq, at in site.ask("end")["moments"].items()}
        plain = latencies_ms(commits, readers, begun, stopped_at)
        beside = latencies_ms(commits, readers, stopped_at, resumed_at)
        return {
            "consoles": plan.consoles,
            "facts_per_s": plan.rate,
            "facts": len(commits),
            "p50_ms": quantile(plain, 0.50),
            "p99_ms": quantile(plain, 0.99),
            "p99_beside_stopped_ms": quantile(beside, 0.99),
            "p99_change": quantile(beside, 0.99) / quantile(plain, 0.99) - 1.0,
            "memory_mb": after_mb - before_mb,
            "stopped_s": plan.stopped_s,
            "stopped_repair_s": level_at(commits, stopped, resumed_at) - resumed_at,
            "stopped_pulled": len(stopped["pulled"]),
            "stale_s": max(first_after(r["stale_at"], silent_at) for r in readers) - silent_at,
            "repair_s": max(level_at(commits, reader, back_at + 1.0) for reader in readers) - back_at - 1.0,
        }


def latencies_ms(commits: dict[int, float], readers: Sequence[dict[str, Any]], start: float, end: float) -> list[float]:
    """Give milliseconds from commit to console of every row committed within, over all readers."""
    return [
        (at - commits[int(seq)]) * 1000.0
        for reader in readers
        for seq, at in reader["moments"].items()
        if int(seq) in commits and start <= commits[int(seq)] < end
    ]


def first_after(moments: Sequence[float], at: float) -> float:
    """Give the first moment after another; infinity without one."""
    return min((moment for moment in moments if moment > at), default=float("inf"))


def level_at(commits: dict[int, float], reader: dict[str, Any], at: float) -> float:
    """Give when a reader had the last row that was committed before ``at``; infinity if never."""
    last = str(max(seq for seq, moment in commits.items() if moment <= at))
    moment: float = reader["moments"].get(last) or reader["pulled"].get(last) or float("inf")
    return max(moment, at)


def quantile(values: list[float], share: float) -> float:
    """Give a quantile; infinity where there are no two values."""
    if len(values) < 2:
        return float("inf")
    return statistics.quantiles(values, n=1000, method="inclusive")[min(998, round(share * 1000) - 1)]


def floors(figures: dict[str, float]) -> list[tuple[str, float, float, bool]]:
    """Give name, figure, floor and whether it holds."""
    rows = [
        ("commit to console p99, ms", figures["p99_ms"], FLOOR_P99_MS),
        ("change of p99 beside a stopped console", figures["p99_change"], FLOOR_CHANGE),
        ("growth of the site's memory meanwhile, MB", figures["memory_mb"], FLOOR_MEMORY_MB),
        ("stopped console level again, s", figures["stopped_repair_s"], FLOOR_REPAIR_S),
        ("stale after silence of the site, s", figures["stale_s"], FLOOR_STALE_S),
        ("level again after the site's return, s", figures["repair_s"], FLOOR_REPAIR_S),
    ]
    return [(name, figure, floor, figure <= floor) for name, figure, floor in rows]


def say(content: dict[str, Any]) -> None:
    """Tell the parent process."""
    print(json.dumps(content), flush=True)


def work(role: str) -> None:
    """Be one of the processes."""
    setting = json.loads(sys.stdin.readline())
    pairs = {name: KeyPair(**pair) for name, pair in setting["keys"].items()}
    if role == "site":
        asyncio.run(run_site(Path(setting["folder"]), Keyring(**pairs), setting["rate"]))
    else:
        security = ClientSecurity(pairs["console"], pairs["server"].public)
        asyncio.run(run_consoles(setting["site"], security, setting["count"]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wire", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rate", type=float, default=50.0, help="facts a second (default: 50)")
    parser.add_argument("--consoles", type=int, default=20, help="consoles, one of which is stopped (default: 20)")
    parser.add_argument("--plain-s", type=float, default=60.0, help="seconds of the plain round (default: 60)")
    parser.add_argument("--stopped-s", type=float, default=60.0, help="seconds for which the console is stopped (default: 60)")
    parser.add_argument("--silent-s", type=float, default=6.0, help="seconds for which the site is silent (default: 6)")
    parser.add_argument("--check", action="store_true", help="end with 1 when a floor is missed; writes nothing")
    parser.add_argument("--worker", choices=["site", "consoles"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.worker)
        return
    with TemporaryDirectory(prefix="bench-wire-") as folder:
        figures = measured(Plan(args.rate, args.consoles, args.plain_s, args.stopped_s, args.silent_s), Path(folder))
    table = Table("figure", "measured", "floor", "holds")
    for name, figure, floor, holds in floors(figures):
        table.add_row(name, f"{figure:.2f}", f"{floor:g}", "yes" if holds else "no")
    Console().print(table)
    if not args.check:
        RESULTS.write_text(json.dumps({name: round(value, 4) for name, value in figures.items()}, indent=1) + "\n")
    elif not all(holds for *_, holds in floors(figures)):
        sys.exit(1)


if __name__ == "__main__":
    main()
