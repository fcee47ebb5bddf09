"""Signals, the service manager's socket, and who is charged with a crash."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EXIT_UNEXPECTED = 70
EXIT_CONFIG = 78

_CHARGED_RESULTS = {"core-dump", "watchdog", "oom-kill"}
_CHARGED_SIGNALS = {"SEGV", "ABRT", "BUS", "FPE", "ILL"}


class ServiceManager:
    """The notify socket of systemd (protocol of sd_notify(3)); does nothing where there is none."""

    def __init__(self, address: str | None, watchdog_usec: str | None) -> None:
        """``address``: value of NOTIFY_SOCKET; a leading ``@`` means an abstract socket. ``watchdog_usec``: of WATCHDOG_USEC."""
        self._address = "\0" + address[1:] if address and address.startswith("@") else address
        self.watchdog_s = int(watchdog_usec) / 1e6 if watchdog_usec else None

    def tell(self, state: str) -> None:
        """Send one datagram such as ``READY=1``.

        A manager that has gone must not stop the work, so a failed send is not an error here.
        """
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
            link.settimeout(0.0)
            try:
                link.sendto(state.encode(), self._address)
            except (BlockingIOError, ConnectionRefusedError, FileNotFoundError):
                return


@contextmanager
def stopping_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """Set ``stop`` at the first SIGTERM or SIGINT, leave at once at the second. Handlers are taken away at the end."""
    loop = asyncio.get_running_loop()

    def handle() -> None:
        if stop.is_set():
            os._exit(EXIT_UNEXPECTED)  # the ledger resumes whatever was in hand
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def was_charged(last_exit: Path) -> bool:
    """Tell whether the previous process died of something that its work may have caused.

    ``last_exit`` is written by the unit's ExecStopPost as ``<SERVICE_RESULT> <EXIT_STATUS>``. Kills, terminations and power cuts
    (no file) are nobody's fault. The file is removed, so that one death is counted once.
    """
    try:
        words = last_exit.read_text().split()
    except FileNotFoundError:
        return False
    last_exit.unlink(missing_ok=True)
    return bool(words) and (words[0] in _CHARGED_RESULTS or (words[0] == "signal" and words[-1] in _CHARGED_SIGNALS))


def cores_granted() -> int:
    """Give how many processors this process may use: affinity, and the quota of its control group (version 2)."""
    cores = len(os.sched_getaffinity(0))
    try:
        group = Path("/proc/self/cgroup").read_text().strip().rpartition(":")[2].lstrip("/")
        quota, period = (Path("/sys/fs/cgroup") / group / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))
