"""Poison: what crashes or hangs a decoder, or the daemon itself, is set aside alone and with the right reason; bystanders are judged."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.armed_daemon import traps_of
from benchmarks.service import ARMED, Service
from benchmarks.small_site import SmallSite
from benchmarks.storm_plan import crashing, good_scan, hanging
from edge_agent.agent.ports import Point
from edge_agent.domain.ids import ScanId
from edge_agent.formats.encode import tiff_bytes
from edge_agent.testing.drops import load_picture, sim_sidecar
from edge_agent.testing.faults import Deed, Trap
from edge_agent.wire.messages import AssessmentBody, SetAsideBody

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

INNOCENT = range(1, 6)


@pytest.fixture
def small(tmp_path: Path) -> SmallSite:
    return SmallSite(tmp_path / "site")


@pytest.fixture
def service(small: SmallSite) -> Iterator[Service]:
    site = small.site
    service = Service((*ARMED, "--config", str(site.agent_toml)), site.folder, site.state_dir)
    yield service
    service.close()


def deliver(small: SmallSite, number: int) -> ScanId:
    """Write a good scan and give its identity."""
    one = good_scan(number)
    small.deliver_together(dict(one.files), one.scanner)
    assert one.outcome is not None
    return one.outcome.scan_id


def outcomes(small: SmallSite) -> dict[str, str]:
    """Give each outcome's scan with its conclusion, or with the reason why it was set aside."""
    found: dict[str, str] = {}
    for body in small.bodies("assessment", "set-aside"):
        assert isinstance(body, AssessmentBody | SetAsideBody)
        assert body.scan_id is not None
        assert body.scan_id not in found, "a scan has two outcomes"
        found[body.scan_id] = "assessed" if isinstance(body, AssessmentBody) else body.reason.code
    return found


def live(service: Service, options: list[str], until: Callable[[], bool], timeout_s: float = 400.0) -> None:
    """Start the daemon as often as it ends, until ``until`` holds."""
    end = time.monotonic() + timeout_s
    service.start(*options)
    was_ready = False  # before that there may be no ledger to look into
    while not (was_ready and until()):
        if not service.tend():
            service.start(*options)
        was_ready |= service.is_ready
        assert time.monotonic() < end, f"{service.results}: {service.tail()}"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("deed", "end", "deaths"),
    [(Deed.HANG, "watchdog ABRT", 4), (Deed.RAISE, "exit-code 70", 10)],  # a crash: test_storm.py
    ids=["hang", "fault"],
)
def test_a_scan_at_which_the_daemon_dies_is_set_aside_alone_after_its_deaths_are_counted(
    small: SmallSite, service: Service, deed: Deed, end: str, deaths: int
) -> None:
    """The first death comes with bystanders in hand and charges nobody; then three alone are charged, or ten in all are too many."""
    poison = deliver(small, 0)
    innocent = [deliver(small, number) for number in INNOCENT]
    service.watchdog_s = 15.0 if deed is Deed.HANG else None
    options = traps_of([Trap(Point.INFER_BEFORE, deed, 1, poison)])
    live(service, options, lambda: len(outcomes(small)) == len(innocent) + 1)
    assert {poison: "crashed-too-often"} | dict.fromkeys(innocent, "assessed") == outcomes(small)
    assert [end] * deaths == service.results
    assert service.stop() == "success 0"


def test_a_file_that_crashes_the_decoder_and_one_that_hangs_it_cost_a_child_each_and_the_daemon_nothing(
    small: SmallSite, service: Service
) -> None:
    _short_deadline(small, "plain-image")
    (crash,), (hang,) = crashing(100), hanging(101)
    for one in (crash, hang):
        small.deliver(*one.files[0])
    innocent = [deliver(small, number) for number in INNOCENT]
    live(service, ["--sore-decoder"], lambda: len(outcomes(small)) == len(innocent) + 2)
    assert crash.outcome is not None
    assert hang.outcome is not None
    expected = {crash.outcome.scan_id: "decoder-died", hang.outcome.scan_id: "decode-timed-out"}
    assert expected | dict.fromkeys(innocent, "assessed") == outcomes(small)
    assert [] == service.results


def test_a_side_car_that_ties_up_the_real_decoder_is_set_aside_at_the_deadline(small: SmallSite, service: Service) -> None:
    """No planted defect: a careless pattern in a profile, and a side-car that lists a name on which matching it takes for ever."""
    profile = _short_deadline(small, "sim-cargo")
    profile.write_text(profile.read_text().replace(r"(?P<key>.+)_high", r"(?P<key>(?:a+)+)_high"))
    for key, listed in (("aa", []), ("aaa", ["a" * 60])):
        high, low = (tiff_bytes(load_picture(seed=first + len(key))) for first in (0, 10))
        files = {f"{key}_high.tif": high, f"{key}_low.tif": low, f"{key}.json": sim_sidecar({"resources": listed})}
        small.deliver_together(files, "pair")
    live(service, [], lambda: len(outcomes(small)) == 2)
    assert ["assessed", "decode-timed-out"] == sorted(outcomes(small).values())
    assert [] == service.results


def _short_deadline(small: SmallSite, profile: str) -> Path:
    path = small.site.settings.profiles / f"{profile}.toml"
    path.write_text(f"{path.read_text()}\n[limits]\ndeadline_s = 10.0\n")
    return path
