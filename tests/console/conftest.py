"""The browser of this session, and a console beside a site with a queue of scans that all tests share: each takes scans of its own."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import pytest

from benchmarks import busy_scans
from benchmarks.browser import REQUIRED, Chromium, executable, is_required, started
from benchmarks.busy_site import BusyPlan, BusySite, named
from benchmarks.office import Office, Reached
from benchmarks.site import Process, running

SITE = "gate"
TIMEOUT_S = 900
"""Of each law: a browser whose pictures are painted by software, processes that start, and a machine that does other work too."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the laws of this folder the time that they may need on a busy machine; none of them waits longer than it has to."""
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@dataclass
class Workplace:
    """A busy site and a console beside it."""

    site: BusySite
    office: Office
    console: Process
    _alerts: Iterator[int] = field(default_factory=lambda: (n for n in itertools.count(17) if busy_scans.conclusion_of(n) == "alert"))

    @property
    def url(self) -> str:
        return self.office.url

    def an_alert(self) -> str:
        """Give an alert with pictures that no other test was given."""
        return named(next(self._alerts))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    path = executable()
    if path is None:
        if is_required():
            pytest.fail(f"{REQUIRED}=1 and no chromium on the path: apt-get install chromium")
        pytest.skip("no chromium on the path: apt-get install chromium")
    browser = started(path)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    site = BusySite(tmp_path_factory.mktemp("busy"), BusyPlan(queued=400, pictured=400))
    office = an_office(site)
    process = site.process()
    with running(process):
        until_said(process)
        console = office.process()
        with running(console):
            until_served(office, console)
            until_held(office, console, site.plan.queued)
            yield Workplace(site, office, console)


def an_office(site: BusySite, folder: str = "office", web: str = "", extra: str = "", host: str = "127.0.0.1") -> Office:
    """Give a console of a busy site."""
    reached = Reached(SITE, site.endpoint, site.keys["site"].public)
    return Office(site.folder / folder, [reached], site.keys["console"], web, extra, host)


def until_said(process: Process, event: str = "agent_started", times: int = 1, timeout_s: float = 120.0) -> None:
    """Wait until a process has logged ``event`` so often."""
    until = monotonic() + timeout_s
    while sum(line.get("event") == event for line in process.json_lines()) < times:
        process.fail_if_ended()
        if monotonic() > until:
            raise TimeoutError(process.log.read_text()[-3000:])
        sleep(0.05)


def until_served(office: Office, console: Process) -> None:
    """Wait until the console's login page is served."""
    _until(office.is_served, console)


def until_held(office: Office, console: Process, scans: int) -> None:
    """Wait until the console holds so many scans: it reads its sites' journals while it serves pages already."""
    _until(lambda: office.held() >= scans, console)


def _until(condition: Callable[[], bool], console: Process, timeout_s: float = 120.0) -> None:
    until = monotonic() + timeout_s
    while not condition():
        console.fail_if_ended()
        if monotonic() > until:
            raise TimeoutError(console.log.read_text()[-3000:])
        sleep(0.05)
