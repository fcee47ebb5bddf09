"""A fleet of simulated sites and a collector, as processes: started, measured, killed and compared."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from edge_agent.collector.archive.store import Archive
from edge_agent.collector.states import Phase
from edge_agent.domain.ids import SiteId
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.postgres_server import PostgresServer

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PATIENCE_S = 300.0


class Talker:
    """A process that says one JSON object a line; what it said and nobody asked for yet waits in order."""

    def __init__(self, *words: str, log: Path) -> None:
        with log.open("ab") as errors:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self.popen = subprocess.Popen((sys.executable, "-m", *words), stderr=errors, text=True, **pipes)
        self._log = log
        self._said: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self._said.put(json.loads(line))
        self._said.put(None)

    def next(self, within_s: float = _PATIENCE_S) -> dict[str, Any]:
        """Give what it says next."""
        try:
            said = self._said.get(timeout=within_s)
        except Empty as problem:
            raise SystemExit(f"nothing was said for {within_s} s: {self._log.read_text()[-2000:]}") from problem
        if said is None:
            raise SystemExit(f"the process ended: {self._log.read_text()[-2000:]}")
        return said

    def until(self, key: str) -> list[dict[str, Any]]:
        """Give all that it says up to the object that has ``key``, which is the last."""
        said = [self.next()]
        while key not in said[-1]:
            said.append(self.next())
        return said

    def wait_for(self, key: str) -> dict[str, Any]:
        """Give the next object that has ``key``."""
        return self.until(key)[-1]

    def tell(self, line: str) -> None:
        """Send a line to its standard input."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(line + "\n")
        self.popen.stdin.flush()

    def ask(self, line: str, key: str) -> dict[str, Any]:
        """Send a line and give the answer that has ``key``."""
        self.tell(line)
        return self.wait_for(key)

    def kill(self) -> None:
        """End it as a crash would."""
        self.popen.send_signal(signal.SIGKILL)
        self._gone()

    def end(self) -> None:
        """End it in order where it still runs."""
        if self.popen.poll() is None:
            self.popen.terminate()
        self._gone()

    def _gone(self) -> None:
        self.popen.wait(timeout=30)
        self._reader.join()
        for pipe in (self.popen.stdin, self.popen.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


@dataclass(frozen=True)
class Use:
    """What a process used: CPU seconds since its start, resident memory now and at its highest, open files."""

    cpu_s: float
    rss_mib: float
    peak_mib: float
    files: int

    @classmethod
    def of(cls, pid: int) -> "Use":
        """Read it (proc_pid_stat(5), proc_pid_status(5))."""
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        memory = [int(status[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM")]
        return cls((int(stat[11]) + int(stat[12])) / _TICKS_A_SECOND, *memory, len(list(Path(f"/proc/{pid}/fd").iterdir())))


@dataclass
class Stage:
    """``folder`` holds configuration, keys and, for SQLite, the archive."""

    folder: Path
    fleet: Talker
    address: str

    @property
    def place(self) -> Path | str:
        """Where the archive is."""
        return self.address or self.folder / "archive.db"

    def collector(self) -> Talker:
        """Start a collector."""
        words = ("edge_agent", "collect", "--config", str(self.folder / "collector.toml"))
        return Talker(*words, log=self.folder / "collector.log")

    def wrong_sites(self) -> list[str]:
        """Compare: give the sites whose verified rows in the archive are not exactly those of the journal, by number and chain hash."""
        heads = self.fleet.ask("heads", "heads")["heads"]
        wrong = []
        with Archive.read(self.place, SystemClock()) as archive:
            for site, (rows, digest) in heads.items():
                cursor = archive.newest(SiteId(site))
                stored = 0 if cursor is None else sum(1 for _ in archive.rows(SiteId(site), cursor.epoch))
                if cursor is None or (cursor.seq, cursor.hash.hex(), stored) != (rows, digest, rows):
                    wrong.append(site)
        return wrong


@contextmanager
def stage(folder: Path, sites: int, backlog: int, archive: str) -> Iterator[Stage]:
    """Set up a fleet and, where ``archive`` is ``postgres``, a real server; all ends on leaving."""
    server = PostgresServer.start() if archive == "postgres" else None
    try:
        address = "" if server is None else server.address()
        words = ("benchmarks.fleet", str(folder), "--sites", str(sites), "--backlog", str(backlog), "--archive", address or "archive.db")
        fleet = Talker(*words, log=folder / "fleet.log")
        try:
            fleet.wait_for("ready")
            yield Stage(folder, fleet, address)
        finally:
            fleet.end()
    finally:
        if server is not None:
            server.stop()


def connected_s(collector: Talker, sites: int, begun: float) -> float:
    """Wait until every site was reached; give the seconds since ``begun`` (monotonic)."""
    reached: set[str] = set()
    while len(reached) < sites:
        state = collector.next()
        if state.get("phase") in (Phase.CURRENT, Phase.DRAINING):
            reached.add(state["site"])
    return time.monotonic() - begun
