"""A light sample of ``benchmarks.wire``: rows reach every console, a stopped console disturbs nobody, silence is noticed.

The floors of time are no matter of a test: beside other tests on a small machine they measure those.
"""

import math

import pytest

from benchmarks.wire import FLOOR_MEMORY_MB, Plan, floors, measured


@pytest.mark.timeout(600)
def test_a_sample_of_the_wire_benchmark_holds_its_floors_but_for_time(tmp_path):
    figures = measured(Plan(rate=20.0, consoles=5, plain_s=2.0, stopped_s=4.0, silent_s=9.0, settle_s=15.0), tmp_path)
    assert all(math.isfinite(value) for value in figures.values())
    assert figures["facts"] > 100
    assert figures["memory_mb"] < FLOOR_MEMORY_MB
    assert figures["stale_s"] > 2.5
    assert len(floors(figures)) == 6
