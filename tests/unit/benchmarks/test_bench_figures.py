"""How the benchmark turns rounds into figures."""

import pytest

from benchmarks.latency import Delivered
from benchmarks.run import _latencies, _ratios

ROUNDS = {
    "bare": [{"ms": 100.0, "cpu_ms": 190.0}, {"ms": 300.0, "cpu_ms": 190.0}, {"ms": 96.0, "cpu_ms": 190.0}],
    "whole": [{"ms": 104.0, "cpu_ms": 200.0, "findings": 300}, {"ms": 102.0, "cpu_ms": 200.0}, {"ms": 100.0, "cpu_ms": 200.0}],
    "overhead": [{"ms": 26.0, "findings": 320}, {"ms": 40.0}, {"ms": 24.0}],
    "stages": [{"spool": 40.0, "infer": 2000.0}, {"spool": 50.0, "infer": 2200.0}, {"spool": 30.0, "infer": 2100.0}],
}


def test_one_slow_round_does_not_move_the_ratio() -> None:
    figures = _ratios(ROUNDS)
    assert figures["whole_path_over_bare_ort"] == pytest.approx(100 / 104, abs=1e-4)
    assert figures["whole_path_over_bare_ort_of_minima"] == pytest.approx(0.96)
    assert figures["whole_path_over_bare_ort_cpu_time"] == pytest.approx(0.95)


def test_stages_and_overhead_are_medians_under_flat_keys() -> None:
    figures = _ratios(ROUNDS)
    assert figures["overhead_ms_64_tiles"] == 26.0
    assert figures["stage_spool_ms"] == 40.0
    assert figures["stage_infer_ms"] == 2100.0


def test_latency_percentiles_are_taken_over_all_scans() -> None:
    figures = _latencies([Delivered(float(ms), {}) for ms in range(1, 102)])
    assert figures["closed_to_published_p50_ms"] == 51.0
    assert figures["closed_to_published_p95_ms"] == 96.0
    assert figures["closed_to_published_scans"] == 101
