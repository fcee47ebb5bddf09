"""Signals and the service manager's socket, for real."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.agent.lifecycle import EXIT_UNEXPECTED, ServiceManager, stopping_on_signals


@pytest.mark.parametrize("kind", ["file", "abstract"])
def test_the_service_manager_hears_each_state_as_one_datagram(tmp_path: Path, kind: str) -> None:
    address = str(tmp_path / "notify") if kind == "file" else f"@edge-agent-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + address[1:] if kind == "abstract" else address)
        listener.settimeout(40.0)
        manager = ServiceManager(address, "20000000")
        manager.tell("READY=1")
        manager.tell("WATCHDOG=1")
        assert [b"READY=1", b"WATCHDOG=1"] == [listener.recv(100), listener.recv(100)]


def test_a_service_manager_that_left_a_dead_socket_stops_nothing(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
    ServiceManager(str(tmp_path / "notify"), None).tell("READY=1")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_to_stop_and_the_handlers_go_with_the_block(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    async def live() -> bool:
        stop = asyncio.Event()
        with stopping_on_signals(stop, 5.0):
            os.kill(os.getpid(), number)
            async with asyncio.timeout(40.0):
                await stop.wait()
        return stop.is_set()

    assert asyncio.run(live())
    after = signal.getsignal(number)
    assert after is before or after in (signal.SIG_DFL, signal.default_int_handler)


def test_the_second_signal_leaves_at_once_whatever_is_in_hand() -> None:
    program = (
        "import asyncio, os, signal\n"
        "from edge_agent.agent.lifecycle import stopping_on_signals\n"
        "async def live():\n"
        "    stop = asyncio.Event()\n"
        "    with stopping_on_signals(stop, 5.0):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        await stop.wait()\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(live())\n"
    )
    done = subprocess.run((sys.executable, "-c", program), check=False, timeout=170)
    assert done.returncode == EXIT_UNEXPECTED
