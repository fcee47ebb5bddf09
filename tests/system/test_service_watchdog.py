"""The daemon under a service manager: READY, the watchdog through every lane, charging, stops. systemd is played by ``service.Service``."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.service import ARMED, Service
from benchmarks.site import COMMAND
from benchmarks.small_site import SmallSite
from edge_agent.ledger.reader import LedgerReader
from edge_agent.testing.bundles import write_detection_bundle

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

STUCK_S = 5.0
LANES = ("spool", "decode-0", "cpu", "device", "ledger", "results")
UNWATCHED = ("shadow", "shadow-device")


@pytest.fixture
def small(tmp_path: Path) -> SmallSite:
    """A site whose deadlines are short, with results written back and a bundle in shadow: every lane there is has work."""
    small = SmallSite(tmp_path / "site")
    text = small.site.agent_toml.read_text()
    first = f"stuck_after_s = {STUCK_S}\nscan_deadline_s = 4.0\ndecode_children = 1\ngrace_s = 2.0\n"
    small.site.agent_toml.write_text(first + text + f'[results]\ndir = "{small.site.folder / "results"}"\n')
    return small


@pytest.fixture
def when(small: SmallSite) -> Path:
    """The file at whose sight an armed daemon misbehaves."""
    return small.site.folder / "now"


@pytest.fixture
def service(small: SmallSite, when: Path, request: pytest.FixtureRequest) -> Iterator[Service]:
    """The armed daemon, not started; the parameter is its options."""
    options = getattr(request, "param", ())
    command = (*ARMED, "--config", str(small.site.agent_toml), "--when", str(when), *options)
    service = Service(command, small.site.folder, small.site.state_dir, watchdog_s=6.0)
    yield service
    service.close()


def assessed(small: SmallSite) -> int:
    return len(small.bodies("assessment"))


def wait_until(condition: object, service: Service, timeout_s: float = 120.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        service.listen()
        assert service.process is not None
        assert service.process.poll() is None, service.tail()
        assert time.monotonic() < until, service.tail()


def events(service: Service, name: str) -> list[dict]:
    lines = [line for line in service.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in map(json.loads, lines) if line["event"] == name]


@pytest.mark.parametrize(("service", "lane"), [(("--hang", lane), lane) for lane in LANES], indirect=["service"], ids=LANES)
def test_a_hang_in_any_lane_silences_the_watchdog_and_the_next_life_takes_up_the_work(
    small: SmallSite, service: Service, when: Path, lane: str, tmp_path: Path
) -> None:
    _put_in_shadow(small, tmp_path)
    service.start()
    service.wait_for("READY=1")
    service.wait_for("WATCHDOG=1")
    when.touch()
    small.deliver("one.png", small.scan(1))
    assert service.wait_for_end() == "watchdog ABRT"
    # A lane that waits for the one that hangs is stuck as long, and may be named a moment before it.
    assert lane in {named for event in events(service, "lanes_stuck") for named in event["lanes"]}
    when.unlink()
    service.start()
    service.wait_for("READY=1")
    wait_until(lambda: assessed(small) == 1, service)
    assert service.stop() == "success 0"
    reader = LedgerReader.open(small.site.state_dir / "ledger.db")
    try:
        assert reader.verify() is None
    finally:
        reader.close()


@pytest.mark.parametrize("service", [("--hang", lane) for lane in UNWATCHED], indirect=True, ids=UNWATCHED)
def test_a_look_in_shadow_that_hangs_ends_the_shadow_and_never_the_daemon(
    small: SmallSite, service: Service, when: Path, tmp_path: Path
) -> None:
    _put_in_shadow(small, tmp_path)
    service.start()
    service.wait_for("READY=1")
    when.touch()
    small.deliver("one.png", small.scan(1))
    _tend_until(lambda: bool(events(service, "shadow_failed")), service)
    small.deliver("two.png", small.scan(2))
    told = len(service.heard)
    _tend_until(lambda: len(service.heard) > told + 6, service)  # longer than the watchdog's patience
    _tend_until(lambda: assessed(small) == 2 and "shadow-unavailable" in str(small.bodies("health")[-1]), service)
    assert ([], []) == (events(service, "lanes_stuck"), small.bodies("shadow"))
    when.unlink()
    assert service.stop() == "success 0"


def _tend_until(condition: Callable[[], bool], service: Service, timeout_s: float = 120.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert service.tend(0.05), f"{service.results}: {service.tail()}"
        assert time.monotonic() < until, service.tail()


def _put_in_shadow(small: SmallSite, tmp_path: Path) -> None:
    from edge_agent.cli.main import main

    blind = write_detection_bundle(tmp_path / "incoming", version="2.0.0", alert_at=1.0)
    assert main(["bundle", "activate", str(blind), "--shadow", "--config", str(small.site.agent_toml)]) == 0


def test_work_that_is_slow_but_goes_on_is_left_alone(small: SmallSite) -> None:
    service = Service(
        (*COMMAND, "run", "--config", str(small.site.agent_toml)), small.site.folder, small.site.state_dir, 10.0, is_abstract=True
    )
    try:
        service.start()
        service.wait_for("READY=1")
        for number in range(30):
            small.deliver(f"{number}.png", small.scan(number))
        while assessed(small) < 30:
            assert service.tend(0.05), f"{service.results}: {service.tail()}"
        assert service.stop() == "success 0"
    finally:
        service.close()
