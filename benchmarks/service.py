"""systemd's part, played faithfully: a notify socket, a watchdog that kills with SIGABRT, ExecStopPost, and starts.

What is played is what ``systemd/edge-agent.service`` asks for, without its two seconds before a restart: NotifyAccess=main (datagrams of
other processes do not count), WatchdogSec, and the line that ExecStopPost writes into ``last-exit``.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.site import ROOT

ARMED = (sys.executable, "-m", "benchmarks.armed_daemon")
_CREDENTIALS = struct.Struct("3i")
_MOMENT_S = 0.05


@dataclass
class Service:
    """A service of Type=notify. ``state_dir``: where ExecStopPost writes ``last-exit``."""

    command: Sequence[str]
    folder: Path
    state_dir: Path
    watchdog_s: float | None = None
    is_abstract: bool = False
    process: subprocess.Popen[bytes] | None = None
    is_stopping: bool = False
    heard: list[tuple[float, str]] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    """``<SERVICE_RESULT> <EXIT_STATUS>`` of each life that ended."""

    def __post_init__(self) -> None:
        name = f"edge-agent-{os.getpid()}-{id(self):x}-{self.folder.name}"
        self._address = f"\0{name}" if self.is_abstract else str(self.folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(self._address)
        self._barked_at: float | None = None
        self._has_ended = True

    @property
    def log(self) -> Path:
        return self.folder / "service.log"

    @property
    def is_ready(self) -> bool:
        """Whether this life said READY."""
        return self.has_heard("READY=1")

    def start(self, *options: str) -> None:
        """ExecStart, with ``options`` behind the command."""
        environment = dict(os.environ) | {"NOTIFY_SOCKET": self._address.replace("\0", "@")}
        if self.watchdog_s is not None:
            environment["WATCHDOG_USEC"] = str(int(self.watchdog_s * 1e6))
        self.heard.clear()
        self.is_stopping, self._barked_at, self._has_ended = False, None, False
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                (*self.command, *options), cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )

    def listen(self, wait_s: float = _MOMENT_S) -> None:
        """Take the datagrams that came from the main process; wait a moment for the next."""
        assert self.process is not None
        self._socket.settimeout(wait_s)
        while True:
            try:
                text, ancillary, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS.size))
            except (TimeoutError, BlockingIOError):
                return
            (pid, _, _) = _CREDENTIALS.unpack(ancillary[0][2])
            if pid == self.process.pid:
                self.heard.append((time.monotonic(), text.decode()))

    def has_heard(self, state: str) -> bool:
        return any(said == state for _, said in self.heard)

    def wait_for(self, state: str, timeout_s: float = 120.0) -> None:
        """Wait until the service said ``state``; fail when it ends or stays silent."""
        until = time.monotonic() + timeout_s
        while not self.has_heard(state):
            self.listen()
            assert self.process is not None
            assert self.process.poll() is None, self.tail()
            assert time.monotonic() < until, f"no {state}: {self.tail()}"

    def tend(self, wait_s: float = 0.0) -> bool:
        """Do what systemd does all the time, watchdog and ExecStopPost, and say whether the service still runs; to be called often."""
        assert self.process is not None
        self.listen(wait_s)
        if self.process.poll() is None:
            if self._is_overdue():
                self._barked_at = time.monotonic()
                self.process.send_signal(signal.SIGABRT)
            return True
        if not self._has_ended:
            self._has_ended = True
            self._stop_post(last_exit(self.process.returncode, overdue=self._barked_at is not None))
        return False

    def wait_for_end(self, timeout_s: float = 120.0) -> str:
        """Let it live, under the watchdog, until it ends, and give ``<SERVICE_RESULT> <EXIT_STATUS>``."""
        assert self.process is not None
        until = time.monotonic() + timeout_s
        while self.tend(_MOMENT_S):
            if time.monotonic() > until:
                self.process.kill()
                raise AssertionError(f"still alive: {self.tail()}")
        return self.results[-1]

    def stop(self, timeout_s: float = 120.0) -> str:
        """Ask it to stop, as ``systemctl stop`` does."""
        assert self.process is not None
        self.is_stopping = True
        self.process.send_signal(signal.SIGTERM)
        return self.wait_for_end(timeout_s)

    def kill(self) -> None:
        """SIGKILL, as a power cut for the process."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.tend()

    def close(self) -> None:
        """Leave nothing behind."""
        self._socket.close()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def _stop_post(self, word: str) -> None:
        self.results.append(word)
        self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.state_dir / "last-exit").write_text(f"{word}\n")

    def _is_overdue(self) -> bool:
        """The watchdog counts from READY or from the last WATCHDOG=1, no longer once the service is stopping, and bites once."""
        if self.watchdog_s is None or self._barked_at is not None or not self.is_ready:
            return False
        if self.has_heard("STOPPING=1") or self.is_stopping:
            return False
        last = max(at for at, said in self.heard if said in ("READY=1", "WATCHDOG=1"))
        return time.monotonic() - last > self.watchdog_s


def last_exit(code: int, *, overdue: bool) -> str:
    """Give SERVICE_RESULT and EXIT_STATUS (systemd.exec(5)) for a return code of ``subprocess``; no core is dumped (LimitCORE=0)."""
    if code >= 0:
        return f"{'exit-code' if code else 'success'} {code}"
    return f"{'watchdog' if overdue else 'signal'} {signal.Signals(-code).name.removeprefix('SIG')}"
