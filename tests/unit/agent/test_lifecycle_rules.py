"""Who is charged with a crash, and how many cores are ours."""

import os
from pathlib import Path

import pytest

from edge_agent.agent.lifecycle import ServiceManager, cores_granted, was_charged


@pytest.mark.parametrize(
    ("written", "charged"),
    [
        ("core-dump SEGV", True),
        ("watchdog ABRT", True),
        ("oom-kill KILL", True),
        ("signal SEGV", True),
        ("signal ABRT", True),
        ("signal BUS", True),
        ("signal FPE", True),
        ("signal ILL", True),
        ("signal KILL", False),
        ("signal TERM", False),
        ("exit-code 70", False),
        ("success 0", False),
        ("timeout TERM", False),
        ("", False),
        ("SEGV", False),
    ],
)
def test_only_a_death_that_the_work_may_have_caused_is_charged(tmp_path: Path, written: str, charged: bool) -> None:
    last_exit = tmp_path / "last-exit"
    last_exit.write_text(written + "\n")
    assert charged == was_charged(last_exit)


def test_one_death_is_charged_once(tmp_path: Path) -> None:
    last_exit = tmp_path / "last-exit"
    last_exit.write_text("signal SEGV\n")
    assert [was_charged(last_exit), was_charged(last_exit)] == [True, False]


def test_a_power_cut_is_nobodys_fault(tmp_path: Path) -> None:
    assert not was_charged(tmp_path / "last-exit")


@pytest.mark.parametrize(("usec", "seconds"), [(None, None), ("", None), ("30000000", 30.0)])
def test_the_watchdog_interval_is_what_the_service_manager_says(usec: str | None, seconds: float | None) -> None:
    assert seconds == ServiceManager(None, usec).watchdog_s


@pytest.mark.parametrize("address", [None, "", "/nowhere/at/all", "@nobody-listens-here"])
def test_a_service_manager_that_is_not_there_stops_nothing(address: str | None) -> None:
    ServiceManager(address, None).tell("READY=1")


def test_the_cores_granted_are_at_least_one_and_at_most_what_we_may_run_on() -> None:
    assert 1 <= cores_granted() <= len(os.sched_getaffinity(0))
