"""A small storm and a small soak: the same as ``make storm`` and ``make soak``, each with fewer scans."""

from pathlib import Path

import pytest

from benchmarks.soak import MOST_WAL_MIB, Soak, breaches
from benchmarks.storm import Storm
from benchmarks.storm_plan import make_plan
from edge_agent.agent.ports import Point

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]

SCANS, KILLS, SEED = 60, 26, 1


def test_a_storm_of_kills_at_random_and_at_every_fault_point_loses_doubles_and_wrongly_blames_nothing(tmp_path: Path) -> None:
    plan = make_plan(SCANS, SEED)
    storm = Storm(tmp_path / "storm", plan, KILLS, SEED)
    verdict = storm.run()
    assert [] == list(verdict.breaches)
    assert (SCANS, 0, 0) == (verdict.journalled, verdict.lost, verdict.doubled)
    assert len(plan.set_aside) == verdict.set_aside == 7
    assert storm.sprung["random"] == KILLS // 2
    assert {str(point) for point in Point} - storm.sprung.keys() == set()
    assert storm.sprung["poison (signal SEGV)"] >= 3  # so many charges set it aside; in company it is charged nothing


def test_three_hundred_scans_leave_no_descriptor_no_thread_and_no_endless_log_behind(tmp_path: Path) -> None:
    samples = Soak(tmp_path / "soak", scans=300, every=10, upkeep_after_s=600.0).run()
    assert 300 == samples[-1]["scans"]
    assert [] == breaches(samples)
    assert 0.0 < max(one["wal_mib"] for one in samples) <= MOST_WAL_MIB
