"""A light sample of ``benchmarks.wire``: rows reach every console, a stopped console disturbs nobody, silence is noticed.

The latency floor is no matter of a test: beside other tests on a small machine it measures those.
"""

import math

import pytest

from benchmarks.wire import FLOOR_MEMORY_MB, FLOOR_REPAIR_S, FLOOR_STALE_S, Plan, floors, measured


@pytest.mark.timeout(120)
def test_a_sample_of_the_wire_benchmark_holds_its_floors_but_for_latency(tmp_path):
    figures = measured(Plan(rate=50.0, consoles=5, plain_s=2.0, stopped_s=4.0, silent_s=3.6, settle_s=1.5), tmp_path)
    assert all(math.isfinite(value) for value in figures.values())
    assert figures["facts"] > 100
    assert figures["memory_mb"] < FLOOR_MEMORY_MB
    assert figures["stopped_repair_s"] < FLOOR_REPAIR_S
    assert figures["repair_s"] < FLOOR_REPAIR_S
    assert 2.5 < figures["stale_s"] < FLOOR_STALE_S + 1.0
    assert figures["p99_ms"] < 1000.0
    assert len(floors(figures)) == 6
