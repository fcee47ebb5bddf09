"""Signals, the service manager's socket, and who is charged with a crash."""

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from edge_agent.agent.lanes import LaneWatch
from edge_agent.domain.clock import Clock
from edge_agent.telemetry import events

Outcome = TypeVar("Outcome")

EXIT_STOPPED = 0
EXIT_UNEXPECTED = 70
EXIT_CONFIG = 78

_CHARGED_RESULTS = {"core-dump", "watchdog", "oom-kill"}
_CHARGED_SIGNALS = {"SEGV", "ABRT", "BUS", "FPE", "ILL"}
_CLOSING_S = 10.0
"""How long sockets, children and ledger may take to close after the scans in hand had their time."""


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

    async def watch(self, lanes: LaneWatch, clock: Clock) -> None:
        """Tell ``WATCHDOG=1`` while work goes on in every lane, until cancelled; a lane that is stuck stops the telling.

        The service manager then ends the process with SIGABRT and starts it again. Where it does not watch, neither do we.
        """
        if self.watchdog_s is None:
            return
        told: list[str] = []
        while True:
            stuck = lanes.stuck(clock.monotonic())
            if not stuck:
                self.tell("WATCHDOG=1")
            elif stuck != told:
                events.lanes_stuck(stuck)
            told = stuck
            await asyncio.sleep(self.watchdog_s / 4)


@contextmanager
def stopping_on_signals(stop: asyncio.Event, grace_s: float) -> Iterator[None]:
    """Set ``stop`` at the first SIGTERM or SIGINT, leave at once at the second. Handlers are taken away at the end.

    A thread that hangs cannot be made to end, and closing its lane would wait for it. So ``grace_s`` seconds after the first signal,
    and some more for closing, the process leaves whatever it does: what was in hand is resumed at the next start.
    """
    loop = asyncio.get_running_loop()
    last_moment = threading.Timer(grace_s + _CLOSING_S, partial(leave, EXIT_STOPPED))
    last_moment.daemon = True

    def handle() -> None:
        if stop.is_set():
            leave(EXIT_UNEXPECTED)
        stop.set()
        last_moment.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        last_moment.cancel()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def unless_stopped(start: Coroutine[Any, Any, Outcome], stop: asyncio.Event) -> Outcome:
    """Give what ``start`` gives; when ``stop`` is set before, leave at once: a warm-up takes long, and nothing is in hand yet."""
    starting, stopping = asyncio.ensure_future(start), asyncio.ensure_future(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        events.agent_stopped("signal before ready", 0)
        leave(EXIT_STOPPED)
    stopping.cancel()
    return starting.result()


def leave(code: int) -> NoReturn:
    """End the process now, without closing anything: the ledger resumes whatever was in hand, children end with their channel."""
    sys.stdout.flush()
    os._exit(code)


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
