"""``python -m benchmarks.intake``: a scanner's folder at scale, and how little the daemon is in the way.

``--files N``: a real daemon starts beside a folder in which N scans lie already; how soon it is READY, when all are found (accepted, or
waiting with their next step known), how fast they are accepted meanwhile, and how long a PING takes. ``--latency``: from the closed
file to its acceptance, for a profile with rename and for one with a manifest. ``--writer``: how long the scanner's own writes take, with
the daemon working and without, in turns. Prints JSON.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.progress import track

from benchmarks.site import ROOT, Process, running
from benchmarks.small_site import SmallSite
from edge_agent.errors import PeerSilent
from edge_agent.formats.encode import jpeg_bytes
from edge_agent.ledger.reader import LedgerReader
from edge_agent.transport.context import open_context
from edge_agent.transport.keys import load_secret
from edge_agent.transport.link import Retry, SyncLink
from edge_agent.transport.sockets import ClientSecurity

_PATIENCE_S = 600.0


@dataclass(frozen=True)
class Overflow:
    """What became of a folder full of scans. Seconds from the start of the process; pings in milliseconds.

    ``found_s``: until all were found; ``accepted_then``: how many of them were accepted at that moment; ``rate``: scans accepted a
    second over the time that was watched, from the first on. ``ping_failed``: PINGs that had no answer within 3 s.
    """

    files: int
    ready_s: float
    found_s: float
    accepted_then: int
    rate: float
    ping_p50_ms: float
    ping_max_ms: float
    ping_failed: int
    rss_mb: float


def lay_out(small: SmallSite, count: int) -> None:
    """Write ``count`` scans, each different, into a tree of days, as a scanner had left them."""
    template = bytearray(small.scan(0))
    for number in track(range(count), description=f"{count} scans", transient=True):
        folder = small.watched / f"2026/11/{number * 28 // max(count, 1) + 1:02d}"
        if number % 1000 == 0 or not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
        (folder / f"scan-{number:06d}.png").write_bytes(bytes(template) + number.to_bytes(4, "big"))


async def overflow(small: SmallSite, count: int, watch_s: float = 10.0) -> Overflow:
    """Start a daemon beside ``count`` scans that lie there, and watch it until all are found and for ``watch_s`` seconds more."""
    started = time.monotonic()
    daemon = small.site.daemon()
    with running(daemon):
        await asyncio.to_thread(small.ready, daemon)
        ready_s = time.monotonic() - started
        stop = asyncio.Event()
        pinging = asyncio.create_task(_pings(small, stop))
        found_s = await _until_found(small, daemon, count, started)
        accepted_then, then = accepted(small), time.monotonic()
        while accepted(small) <= accepted_then and time.monotonic() < then + _PATIENCE_S:
            daemon.fail_if_ended()
            await asyncio.sleep(0.5)
        then = time.monotonic()
        await asyncio.sleep(watch_s)
        rate = (accepted(small) - accepted_then) / (time.monotonic() - then)
        stop.set()
        pings = await pinging
        rss_mb = _rss_mb(daemon)
    answered = [ping for ping in pings if ping is not None]
    return Overflow(
        count,
        round(ready_s, 2),
        round(found_s, 2),
        accepted_then,
        round(rate, 1),
        round(statistics.median(answered), 2),
        round(max(answered), 2),
        len(pings) - len(answered),
        round(rss_mb, 1),
    )


async def _until_found(small: SmallSite, daemon: Process, count: int, started: float) -> float:
    """Wait until the daemon has said how many lie there and that, with those accepted before, is all of them."""
    while time.monotonic() < started + _PATIENCE_S:
        daemon.fail_if_ended()
        told = [line for line in daemon.json_lines() if line.get("event") == "backlog_found"]
        if told and int(str(told[0]["count"])) >= count:
            return time.monotonic() - started
        if accepted(small) >= count:
            return time.monotonic() - started
        await asyncio.sleep(0.2)
    raise SystemExit(f"not all of {count} scans were found")


async def _pings(small: SmallSite, stop: asyncio.Event) -> list[float | None]:
    """Ask PING every fifth of a second; milliseconds to the answer, None where none came in half a minute."""
    taken: list[float | None] = []
    key = load_secret(small.site.folder / "keys/console.key_secret")
    with open_context() as context:
        link = SyncLink(context, small.site.endpoint, ClientSecurity(key, small.site.keys["site"].public), Retry(attempts=1))
        while not stop.is_set():
            began = time.monotonic()
            try:
                await link.request("PING", {}, timeout_s=30.0)
                taken.append((time.monotonic() - began) * 1000.0)
            except PeerSilent:
                taken.append(None)
            await asyncio.sleep(0.2)
        link.close()
    return taken


def accepted(small: SmallSite) -> int:
    """Give how many scans the ledger has accepted."""
    path = small.site.state_dir / "ledger.db"
    if not path.exists():
        return 0
    reader = LedgerReader.open(path)
    try:
        return reader.counts().accepted
    finally:
        reader.close()


def _rss_mb(daemon: Process) -> float:
    status = Path(f"/proc/{daemon.popen.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) / 1000.0


@contextmanager
def _site() -> Iterator[SmallSite]:
    with tempfile.TemporaryDirectory(prefix="intake-") as folder:
        yield SmallSite(Path(folder) / "site")


# ------------------------------------------------------------------------------------------------------- from closed to accepted


def latency(count: int) -> dict[str, dict[str, float]]:
    """Give milliseconds from the closed file (the last of a drop) to its acceptance, for each kind of profile."""
    figures: dict[str, dict[str, float]] = {}
    for name, scanner in (("rename", "s1"), ("manifest", "form")):
        with _site() as small:
            for profile in ("plain-image", "smiths-dataform"):  # as shipped, with their own quiet times
                shutil.copy(ROOT / f"config/scanners/{profile}.toml", small.site.settings.profiles)
            daemon = small.site.daemon()
            with running(daemon):
                small.ready(daemon)
                taken = [_one(small, daemon, scanner, number) for number in track(range(count), description=name, transient=True)]
        figures[name] = _percentiles(taken)
    return figures


def _one(small: SmallSite, daemon: Process, scanner: str, number: int) -> float:
    if scanner == "form":
        small.deliver(f"scan-{number}.jpg", _jpeg(number), scanner)
        small.deliver(f"scan-{number}.xml", _FORM.format(name=f"scan-{number}.jpg").encode(), scanner)
    else:
        small.deliver(f"scan-{number}.png", small.scan(number), scanner)
    closed_at = time.monotonic()
    while sum(line.get("event") == "scan_accepted" for line in daemon.json_lines()) <= number:
        daemon.fail_if_ended()
        if time.monotonic() > closed_at + 60:
            raise SystemExit("a scan was not accepted within a minute")
        time.sleep(0.005)
    return (time.monotonic() - closed_at) * 1000.0


def _jpeg(number: int) -> bytes:
    """Give an 8-bit picture, different for each number."""
    pixels = np.tile(np.arange(200, dtype=np.uint8), (150, 1))
    pixels[: number % 150, :50] = 255 - number // 150
    return jpeg_bytes(pixels)


_FORM = (
    '<DataForm xmlns="dataforms.model.cargovision.smiths.com"><Version>V01.20</Version><TruckId>T1</TruckId>'
    '<Date>2025-11-12T07:30:08.910Z</Date><Operations><Operation Type="1"><Resources>'
    '<Resource Type="img" IsLinked="false" IsPreview="false" IsDeleted="false">{name}</Resource>'
    "</Resources></Operation></Operations></DataForm>"
)


# ------------------------------------------------------------------------------------------------------ the scanner's own writing


def writer(rounds: int, writes: int) -> dict[str, float]:
    """Give how long the scanner's own writes take (write, fsync, rename of a 1 MB picture), alone and beside the working daemon."""
    alone: list[float] = []
    beside: list[float] = []
    with _site() as small:
        daemon = small.site.daemon()
        with running(daemon):
            small.ready(daemon)
            for number in track(range(rounds), description="writing", transient=True):
                beside += [_written(small.watched, number * writes + one, small) for one in range(writes)]
                small.wait_for(lambda goal=(number + 1) * writes: accepted(small) >= goal, daemon, 120)  # type: ignore[misc]
                idle = small.site.folder / "idle"
                idle.mkdir(exist_ok=True)
                alone += [_written(idle, one, small) for one in range(writes)]
    figures = {"alone_p99_ms": _percentiles(alone)["p99_ms"], "beside_p99_ms": _percentiles(beside)["p99_ms"]}
    medians = {"alone_p50_ms": _percentiles(alone)["p50_ms"], "beside_p50_ms": _percentiles(beside)["p50_ms"]}
    return {**figures, **medians, "ratio_p99": round(figures["beside_p99_ms"] / figures["alone_p99_ms"], 3)}


def _written(folder: Path, number: int, small: SmallSite) -> float:
    content = small.scan(number) + os.urandom(1 << 20)
    part = folder / f"scan-{number:06d}.png.part"
    began = time.monotonic()
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(folder / f"scan-{number:06d}.png")
    taken = (time.monotonic() - began) * 1000.0
    time.sleep(0.05)
    return taken


def _percentiles(taken: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    return {name: round(cuts[place - 1], 2) for name, place in (("p50_ms", 50), ("p95_ms", 95), ("p99_ms", 99))}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.intake", description=__doc__)
    parser.add_argument("--files", type=int, metavar="N", help="scans that lie there when the daemon starts")
    parser.add_argument("--latency", type=int, metavar="N", nargs="?", const=60, help="scans of each kind (60)")
    parser.add_argument("--writer", type=int, metavar="N", nargs="?", const=10, help="rounds of 20 writes each way (10)")
    args = parser.parse_args()
    figures: dict[str, object] = {}
    if args.files:
        with _site() as small:
            lay_out(small, args.files)
            print(json.dumps({"overflow": asdict(asyncio.run(overflow(small, args.files)))}, indent=1), flush=True)
    if args.latency:
        figures["latency"] = latency(args.latency)
    if args.writer:
        figures["writer"] = writer(args.writer, 20)
    if figures:
        print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
