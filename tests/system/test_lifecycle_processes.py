"""Starts, stops, a device that breaks and one that lies, deadlines: with real processes under a service manager that is played."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.service import ARMED, Service
from benchmarks.small_site import SmallSite
from edge_agent.agent.device_history import MOST_ERRORS
from edge_agent.cli.main import main
from edge_agent.formats.encode import png_bytes
from edge_agent.wire.messages import AnyBody, AssessmentBody, HealthBody

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


@pytest.fixture
def small(tmp_path: Path) -> SmallSite:
    small = SmallSite(tmp_path / "site", device="prefer-gpu")
    policy = small.site.folder / "policy.toml"  # the dark pictures of these tests are no inverted ones
    policy.write_text(policy.read_text().replace(', "polarity-doubtful"', ""))
    configured(small, "stuck_after_s = 30.0\nscan_deadline_s = 20.0\ngrace_s = 1.0\nmax_scans_in_flight = 1\n")
    return small


@pytest.fixture
def when(small: SmallSite) -> Path:
    """The file at whose sight an armed daemon misbehaves."""
    return small.site.folder / "now"


@pytest.fixture
def service(small: SmallSite, when: Path, request: pytest.FixtureRequest) -> Iterator[Service]:
    """The armed daemon, not started; the parameter is its options."""
    command = (*ARMED, "--config", str(small.site.agent_toml), "--when", str(when), *getattr(request, "param", ()))
    service = Service(command, small.site.folder, small.site.state_dir)
    yield service
    service.close()


def configured(small: SmallSite, first: str, device: str = "") -> None:
    text = small.site.agent_toml.read_text().replace("[device]\n", f"[device]\n{device}")
    small.site.agent_toml.write_text(first + text)


def picture(number: int) -> bytes:
    """A dark picture without anything that alerts, another for each number."""
    pixels = np.full((64, 80), 20000 + number, dtype=np.uint16)
    pixels[24:40, 32:48] = number  # something is to be seen in it: one level all over would be no picture
    return png_bytes(pixels)


def assessments(small: SmallSite) -> list[AssessmentBody]:
    return [body for body in small.bodies("assessment") if isinstance(body, AssessmentBody)]


def health(small: SmallSite) -> HealthBody:
    return [body for body in small.bodies("health") if isinstance(body, HealthBody)][-1]


def wait_until(condition: Callable[[], bool], service: Service, timeout_s: float = 120.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        service.listen()
        assert service.process is not None
        assert service.process.poll() is None, service.tail()
        assert time.monotonic() < until, service.tail()


def logged(service: Service, event: str) -> list[dict]:
    lines = [line for line in service.log.read_text().splitlines() if line.startswith("{") and line.endswith("}")]
    return [line for line in map(json.loads, lines) if line["event"] == event]


@pytest.mark.parametrize("service", [("--lie", "device")], indirect=True)
def test_a_device_that_begins_to_lie_is_found_and_nothing_is_called_no_alert_until_it_tells_the_truth(
    small: SmallSite, service: Service, when: Path
) -> None:
    configured(small, "", "self_test_every_s = 0.5\n")
    service.start()
    service.wait_for("READY=1")
    small.deliver("before.png", picture(1))
    wait_until(lambda: len(assessments(small)) == 1, service)
    wait_until(lambda: bool(logged(service, "self_test_passed")), service)
    when.touch()
    assert service.wait_for_end() == "exit-code 70"
    assert (health(small).state, health(small).reasons[0].code) == ("failing", "self-test-failed")
    assert health(small).reasons[0].params["passed_at"] >= logged(service, "agent_started")[0]["timestamp"][:19]
    small.deliver("during.png", small.scan(2))
    service.start()
    assert service.wait_for_end() == "exit-code 78", "a start is no better while the device lies"
    assert health(small).state == "failing"
    when.unlink()
    service.start()
    service.wait_for("READY=1")
    wait_until(lambda: [one.conclusion for one in assessments(small)] == ["no-alert", "alert"], service)
    assert service.stop() == "success 0"
    assert nothing_between_failing_and_ready(small.bodies("health", "assessment", "audit"))


def nothing_between_failing_and_ready(bodies: list[AnyBody]) -> bool:
    """Whether no assessment follows a failing health fact before the next start with proven models."""
    is_failing = False
    for body in bodies:
        if isinstance(body, HealthBody):
            is_failing = body.state == "failing"
        if isinstance(body, AssessmentBody) and is_failing:
            return False
    return True


@pytest.mark.parametrize("service", [("--break-device",)], indirect=True)
def test_a_device_that_fails_again_and_again_gives_way_to_the_cpu_and_the_scan_in_hand_is_judged_there(
    small: SmallSite, service: Service, when: Path
) -> None:
    when.touch()
    small.deliver("one.png", small.scan(1))
    for _ in range(MOST_ERRORS):
        service.start()
        assert service.wait_for_end() == "exit-code 70"
        assert assessments(small) == []
    when.unlink()
    service.start()
    service.wait_for("READY=1")
    wait_until(lambda: len(assessments(small)) == 1, service)
    assert ("running-on-cpu", "device-errors") in [(reason.code, reason.params.get("why")) for reason in health(small).reasons]
    assert service.stop() == "success 0"
    text = small.site.agent_toml.read_text()
    small.site.agent_toml.write_text(text.replace('"prefer-gpu"', '"require-gpu"'))
    service.start()
    assert service.wait_for_end() == "exit-code 78"
    assert "retry-device" in logged(service, "agent_failed")[-1]["detail"]
    small.site.agent_toml.write_text(text)
    main(["doctor", "--config", str(small.site.agent_toml), "--retry-device"])
    service.start()
    service.wait_for("READY=1")
    assert ("running-on-cpu", "no-device") in [(reason.code, reason.params.get("why")) for reason in health(small).reasons]
    assert service.stop() == "success 0"


@pytest.mark.parametrize("service", [("--hang", "cpu")], indirect=True)
def test_a_stop_during_the_warm_up_is_obeyed_at_once(small: SmallSite, service: Service, when: Path) -> None:
    when.touch()
    service.start()
    wait_until(lambda: bool(logged(service, "lane_hangs")), service)
    assert service.stop() == "success 0", "the warm-up hangs for ever, so this stop waited for nothing"
    assert not service.has_heard("READY=1")
    assert logged(service, "agent_stopped")[0]["reason"] == "signal before ready"


@pytest.mark.parametrize("service", [("--hang", "device")], indirect=True)
def test_a_stop_waits_no_longer_than_the_grace_and_a_second_signal_not_at_all(small: SmallSite, service: Service, when: Path) -> None:
    service.start()
    service.wait_for("READY=1")
    when.touch()
    small.deliver("one.png", small.scan(1))
    wait_until(lambda: bool(logged(service, "lane_hangs")), service)
    began = time.monotonic()
    assert service.stop() == "success 0", "a thread that hangs for ever keeps nobody"
    assert 1.0 <= time.monotonic() - began
    when.unlink()
    small.site.agent_toml.write_text(small.site.agent_toml.read_text().replace("grace_s = 1.0", "grace_s = 600.0"))
    service.start()
    service.wait_for("READY=1")
    hung = len(logged(service, "lane_hangs"))
    when.touch()
    small.deliver("two.png", small.scan(2))
    wait_until(lambda: len(logged(service, "lane_hangs")) > hung, service)
    assert service.process is not None
    service.process.send_signal(signal.SIGTERM)
    service.wait_for("STOPPING=1")
    assert service.stop() == "exit-code 70", "ten minutes of grace are not waited for"
    when.unlink()
    service.start()
    service.wait_for("READY=1")
    wait_until(lambda: len(assessments(small)) == 2, service)
    assert service.stop() == "success 0"


def test_a_long_queue_neither_delays_a_stop_nor_uses_up_the_time_of_a_scan(small: SmallSite, service: Service) -> None:
    small.site.agent_toml.write_text(small.site.agent_toml.read_text().replace("scan_deadline_s = 20.0", "scan_deadline_s = 15.0"))
    service.start()
    service.wait_for("READY=1")
    for number in range(150):
        small.deliver(f"{number}.png", picture(number))
    wait_until(lambda: len(assessments(small)) >= 5, service)
    wait_until(lambda: len(logged(service, "scan_accepted")) > len(assessments(small)), service)
    assert service.stop() == "success 0"
    assert len(assessments(small)) < 150, "a stop works off no queue"
    time.sleep(15.0)  # the scans that wait become older than the time that one may be worked on
    service.start()
    service.wait_for("READY=1")
    wait_until(lambda: len(assessments(small)) == 150, service)
    assert service.stop() == "success 0"
    waited_ms = max(one.timings_ms["queue"] for one in assessments(small))
    assert waited_ms > 15_000.0, "or this proves nothing"
    assert {one.conclusion for one in assessments(small)} == {"no-alert"}


@pytest.mark.parametrize("service", [("--hang", "device")], indirect=True)
def test_a_scan_that_takes_too_long_is_unassessable_and_the_next_one_is_not(small: SmallSite, service: Service, when: Path) -> None:
    small.site.agent_toml.write_text(small.site.agent_toml.read_text().replace("scan_deadline_s = 20.0", "scan_deadline_s = 15.0"))
    service.start()
    service.wait_for("READY=1")
    when.touch()
    small.deliver("one.png", small.scan(1))
    wait_until(lambda: bool(logged(service, "lane_hangs")), service)
    time.sleep(15.0)
    when.unlink()
    wait_until(lambda: len(assessments(small)) == 1, service)
    small.deliver("two.png", small.scan(2))
    wait_until(lambda: len(assessments(small)) == 2, service)
    assert [one.conclusion for one in assessments(small)] == ["unassessable", "alert"]
    assert "out-of-time" in {obstacle.code for obstacle in assessments(small)[0].obstacles}
    assert service.stop() == "success 0"


@pytest.mark.parametrize("service", [("--freeze-decoders",)], indirect=True)
def test_a_decoder_that_does_not_answer_in_the_scans_time_is_ended_and_the_fact_says_so(
    small: SmallSite, service: Service, when: Path
) -> None:
    configured(small, "decode_children = 1\n")
    small.site.agent_toml.write_text(small.site.agent_toml.read_text().replace("scan_deadline_s = 20.0", "scan_deadline_s = 15.0"))
    service.start()
    service.wait_for("READY=1")
    when.touch()
    small.deliver("one.png", small.scan(1))
    wait_until(lambda: len(assessments(small)) == 1, service)
    (body,) = assessments(small)
    assert (body.conclusion, body.findings) == ("unassessable", [])
    assert {"stage": "decode"} in [obstacle.params for obstacle in body.obstacles if obstacle.code == "out-of-time"]
    small.deliver("two.png", small.scan(2))
    wait_until(lambda: [one.conclusion for one in assessments(small)] == ["unassessable", "alert"], service)
    assert service.stop() == "success 0"
