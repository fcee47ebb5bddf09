"""Health is a pure function: each cause has its reason, and no cause hides another."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.health import HealthFacts, codes, judge

WELL = HealthFacts(wants_gpu=False, provider_is_cpu=True, lost_folders=(), disk_free=0.5, expired_consumers=(), sandbox="full")


def test_a_site_without_trouble_is_healthy_without_reasons() -> None:
    health = judge(WELL)
    assert (health.state, health.reasons) == ("healthy", ())


@pytest.mark.parametrize(
    ("change", "code", "params"),
    [
        ({"wants_gpu": True}, "running-on-cpu", {}),
        ({"lost_folders": ("portal-1",)}, "folder-lost", {"scanner": "portal-1"}),
        ({"disk_free": 0.09999}, "disk-low", {"free": 0.1}),
        ({"expired_consumers": ("hq",)}, "consumer-expired", {"consumer": "hq"}),
        ({"sandbox": "partial", "sandbox_why": "no-landlock"}, "sandbox-partial", {"level": "partial", "why": "no-landlock"}),
        ({"sandbox": "none"}, "sandbox-partial", {"level": "none", "why": ""}),
        ({"declarations_problem": "config-invalid"}, "declarations-unreadable", {"why": "config-invalid"}),
    ],
)
def test_each_trouble_degrades_with_its_own_reason(change: dict, code: str, params: dict) -> None:
    health = judge(replace(WELL, **change))
    assert health.state == "degraded"
    assert [(code, params)] == [(reason.code, dict(reason.params)) for reason in health.reasons]


def test_a_gpu_that_is_wanted_and_used_is_no_trouble() -> None:
    assert judge(replace(WELL, wants_gpu=True, provider_is_cpu=False)).state == "healthy"


def test_a_tenth_of_the_disk_is_enough() -> None:
    assert judge(replace(WELL, disk_free=0.10)).state == "healthy"


@given(
    gpu=st.booleans(),
    lost=st.lists(st.sampled_from(["a", "b", "c"]), unique=True).map(tuple),
    free=st.floats(0.0, 1.0),
    expired=st.lists(st.sampled_from(["x", "y"]), unique=True).map(tuple),
)
def test_troubles_never_hide_each_other(gpu: bool, lost: tuple[str, ...], free: float, expired: tuple[str, ...]) -> None:
    health = judge(HealthFacts(gpu, True, lost, free, expired, "full"))
    expected = ["running-on-cpu"] * gpu + ["folder-lost"] * len(lost) + ["disk-low"] * (free < 0.1) + ["consumer-expired"] * len(expired)
    assert expected == codes(health.reasons)
    assert health.state == ("degraded" if expected else "healthy")
