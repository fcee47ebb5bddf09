"""The service manager's role for one daemon: notify socket, watchdog, and the word about each end that ExecStopPost writes.

What ``systemd/edge-agent.service`` asks of systemd, on any machine and without its two seconds before a restart: ``Type=notify``,
``WatchdogSec`` (SIGABRT when no ``WATCHDOG=1`` came in time), ``ExecStopPost`` (``<SERVICE_RESULT> <EXIT_STATUS>`` into ``last-exit``).
"""

import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.site import ROOT, Process

_WORD_BYTES = 4096


class Supervisor:
    """Starts the armed daemon of a site again and again; :meth:`tend` must be called often."""

    def __init__(self, agent_toml: Path, state_dir: Path, watchdog_s: float = 20.0) -> None:
        self.exits: list[str] = []
        """What was written into ``last-exit``, one entry an end."""
        self.is_ready = False
        self._agent_toml = agent_toml
        self._state_dir = state_dir
        self._watchdog_s = watchdog_s
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._address = f"@edge-agent-storm-{id(self):x}-{time.monotonic_ns():x}"
        self._socket.bind("\0" + self._address[1:])
        self._socket.settimeout(0.0)
        self._process: Process | None = None
        self._heard_at = 0.0
        self._overdue = False

    def start(self, *options: str) -> None:
        """Start the daemon with options of ``benchmarks.storm_daemon``."""
        self._hear()
        self.is_ready, self._overdue = False, False
        notify = (f"NOTIFY_SOCKET={self._address}", f"WATCHDOG_USEC={int(self._watchdog_s * 1e6)}", f"PYTHONPATH={ROOT}")
        command = ("env", *notify, sys.executable, "-m", "benchmarks.storm_daemon", "--config", str(self._agent_toml), *options)
        self._process = Process("daemon", command, self._agent_toml.with_name("daemon.log"))

    @property
    def process(self) -> Process:
        assert self._process is not None
        return self._process

    def tend(self) -> bool:
        """Hear what the daemon says, end it when it is silent for too long, and say whether it still runs."""
        self._hear()
        code = self.process.popen.poll()
        if code is not None:
            return self._note_end(code)
        if self.is_ready and time.monotonic() - self._heard_at > self._watchdog_s:
            self._overdue = True
            self.process.popen.send_signal(signal.SIGABRT)
            return self._note_end(self.process.popen.wait())
        return True

    def kill(self) -> None:
        """SIGKILL, as a power cut for the process."""
        self.process.kill()
        self._note_end(self.process.popen.returncode)

    def stop(self) -> int:
        """SIGTERM; give the exit code."""
        code = self.process.stop()
        self._note_end(code)
        return code

    def close(self) -> None:
        """Leave nothing behind."""
        if self._process is not None and self._process.popen.poll() is None:
            self._process.kill()
        self._socket.close()

    def _hear(self) -> None:
        while True:
            try:
                words = self._socket.recv(_WORD_BYTES)
            except BlockingIOError:
                return
            self._heard_at = time.monotonic()
            self.is_ready |= b"READY=1" in words

    def _note_end(self, code: int) -> bool:
        word = last_exit(code, overdue=self._overdue)
        self.exits.append(word)
        self._state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._state_dir / "last-exit").write_text(word + "\n")
        return False


def last_exit(code: int, *, overdue: bool) -> str:
    """Give SERVICE_RESULT and EXIT_STATUS (systemd.exec(5)) for a return code of ``subprocess``; no core is dumped (LimitCORE=0)."""
    if code >= 0:
        return f"{'exit-code' if code else 'success'} {code}"
    return f"{'watchdog' if overdue else 'signal'} {signal.Signals(-code).name.removeprefix('SIG')}"


def traps_of(traps: Sequence[object]) -> list[str]:
    """Give the options that arm the daemon."""
    return [word for trap in traps for word in ("--trap", str(trap))]
