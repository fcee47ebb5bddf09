"""What every test must leave behind: nothing that still runs."""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from edge_agent.testing.postgres_server import PostgresServer

# A law has no time limit, nor have the examples it is tried with: a busy machine is not a broken law.
settings.register_profile("laws", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("laws")

_PATIENCE_S = 30.0
_TASKS = Path("/proc/self/task")
_TRACKER = "multiprocessing.resource_tracker"  # the standard library's own, one an interpreter, for tests that spawn


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    """Fail a test that leaves a thread or a child process behind; what outer fixtures had started before does not count."""
    threads, children = set(threading.enumerate()), _children()
    yield
    until = time.monotonic() + _PATIENCE_S
    while (left := _left(threads, children)) and time.monotonic() < until:
        time.sleep(0.02)
    assert left == [], f"still running after the test: {', '.join(left)}"


@pytest.fixture(autouse=True)
def _log_lines_go_nowhere_else() -> Iterator[None]:
    """Undo what a command that ran in this process did to logging: its stream is closed with the test that captured it."""
    yield
    structlog.reset_defaults()


def _left(threads: set[threading.Thread], children: set[int]) -> list[str]:
    names = [f"thread {thread.name}" for thread in threading.enumerate() if thread not in threads and thread.is_alive()]
    commands = {pid: _command(pid) for pid in sorted(_children() - children) if _is_running(pid)}
    return names + [f"process {pid} ({command})" for pid, command in commands.items() if _TRACKER not in command]


def _children() -> set[int]:
    """Process ids of our children; a thread that ended meanwhile has none."""
    found: set[int] = set()
    for task in os.listdir(_TASKS):  # noqa: PTH208 - names only, many times a minute
        try:
            found |= {int(pid) for pid in (_TASKS / task / "children").read_text().split()}
        except FileNotFoundError:
            continue
    return found


def _is_running(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for holds nothing any more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests on PostgreSQL more time: whoever comes first starts the server, which takes a while on a busy machine."""
    for item in items:
        if "postgres" in item.nodeid or "postgres_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator["PostgresServer"]:
    """A real PostgreSQL server, one for all test processes of a run. Tests need it wherever EDGE_AGENT_REQUIRE_POSTGRES is set."""
    from edge_agent.testing.postgres_server import PostgresMissing, programs, shared_server

    try:
        programs()
    except PostgresMissing as problem:
        if os.getenv("EDGE_AGENT_REQUIRE_POSTGRES"):
            raise
        pytest.skip(str(problem))
    own = tmp_path_factory.getbasetemp()
    with shared_server(own.parent if os.getenv("PYTEST_XDIST_WORKER") else own) as server:
        yield server


@pytest.fixture
def postgres_address(postgres_server: "PostgresServer", request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a new, empty archive on the server."""
    with postgres_server.schema(f"t_{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]}") as address:
        yield address
