"""systemd's part, played faithfully: a notify socket, a watchdog that kills with SIGABRT, ExecStopPost, and restarts.

What is played is what the unit file asks for: NotifyAccess=main (datagrams of other processes do not count), WatchdogSec, Restart,
RestartPreventExitStatus=78, and the line that ExecStopPost writes.
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

ROOT = Path(__file__).resolve().parents[2]
ARMED = (sys.executable, "-m", "tests.system.armed_daemon")
_CREDENTIALS = struct.Struct("3i")


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
        name = f"edge-agent-{os.getpid()}-{self.folder.name}"
        self._address = f"\0{name}" if self.is_abstract else str(self.folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(self._address)
        self._socket.settimeout(0.05)

    @property
    def log(self) -> Path:
        return self.folder / "service.log"

    def start(self) -> None:
        """ExecStart."""
        environment = dict(os.environ) | {"NOTIFY_SOCKET": self._address.replace("\0", "@")}  # noqa: TID251 - systemd's own channel
        if self.watchdog_s is not None:
            environment["WATCHDOG_USEC"] = str(int(self.watchdog_s * 1e6))
        self.heard.clear()
        self.is_stopping = False
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )

    def listen(self) -> None:
        """Take the datagrams that came from the main process; wait a moment for one."""
        assert self.process is not None
        while True:
            try:
                text, ancillary, _, _ = self._socket.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS.size))
            except TimeoutError:
                return
            (pid, _, _) = _CREDENTIALS.unpack(ancillary[0][2])
            if pid == self.process.pid:
                self.heard.append((time.monotonic(), text.decode()))

    def has_heard(self, state: str) -> bool:
        return any(said == state for _, said in self.heard)

    def wait_for(self, state: str, timeout_s: float = 40.0) -> None:
        """Wait until the service said ``state``; fail when it ends or stays silent."""
        until = time.monotonic() + timeout_s
        while not self.has_heard(state):
            self.listen()
            assert self.process is not None
            assert self.process.poll() is None, self.tail()
            assert time.monotonic() < until, f"no {state}: {self.tail()}"

    def wait_for_end(self, timeout_s: float = 40.0) -> str:
        """Let it live, under the watchdog, until it ends; do as ExecStopPost does, and give ``<SERVICE_RESULT> <EXIT_STATUS>``."""
        assert self.process is not None
        until = time.monotonic() + timeout_s
        was_barked = False
        while self.process.poll() is None:
            self.listen()
            if self._is_overdue() and not was_barked:
                was_barked = True
                self.process.send_signal(signal.SIGABRT)
            if time.monotonic() > until:
                self.process.kill()
                raise AssertionError(f"still alive: {self.tail()}")
        result = _result(self.process.returncode, was_barked)
        self.results.append(result)
        (self.state_dir / "last-exit").write_text(f"{result}\n")
        return result

    def stop(self, timeout_s: float = 40.0) -> str:
        """Ask it to stop, as ``systemctl stop`` does."""
        assert self.process is not None
        self.is_stopping = True
        self.process.send_signal(signal.SIGTERM)
        return self.wait_for_end(timeout_s)

    def close(self) -> None:
        self._socket.close()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def _is_overdue(self) -> bool:
        """The watchdog counts from READY or from the last WATCHDOG=1, and no longer once the service is stopping."""
        if self.watchdog_s is None or not self.has_heard("READY=1") or self.has_heard("STOPPING=1") or self.is_stopping:
            return False
        last = max(at for at, said in self.heard if said in ("READY=1", "WATCHDOG=1"))
        return time.monotonic() - last > self.watchdog_s


def _result(code: int, was_barked: bool) -> str:
    """What systemd hands to ExecStopPost as SERVICE_RESULT and EXIT_STATUS; cores are switched off in the unit."""
    if was_barked:
        return "watchdog ABRT"
    if code < 0:
        return f"signal {signal.Signals(-code).name.removeprefix('SIG')}"
    return f"exit-code {code}" if code else "success 0"
