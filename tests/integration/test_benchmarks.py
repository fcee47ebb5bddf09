"""The benchmark's networks and its way through the daemon's own parts."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from benchmarks import network
from benchmarks.judging import judging
from benchmarks.level import level_for
from benchmarks.stages import stages
from benchmarks.worker import overhead


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bundles")
    for name, model in (("bench-640", network.bench_model()), ("null-640", network.null_model())):
        network.write_bundle(root / name, name, model)
    return root


@pytest.mark.parametrize("build", [network.bench_model, network.null_model])
def test_networks_take_tiles_and_give_boxes_and_scores(build) -> None:
    session = ort.InferenceSession(build(), providers=["CPUExecutionProvider"])
    image = np.full((1, 1, 640, 640), 0.5, dtype=np.float32)
    boxes, scores = session.run(["boxes", "scores"], {"image": image})
    assert (boxes.shape, scores.shape) == ((1, 8400, 4), (1, 8400, 6))
    assert (boxes[..., 2:] > boxes[..., :2]).all()
    assert scores.min() >= 0.0
    assert scores.max() <= 1.0


def test_the_bench_network_has_the_announced_size_and_is_the_same_each_time() -> None:
    model = network.bench_model()
    assert 2.4e6 < network.parameters(model) < 2.8e6
    assert network.bench_model() == model


def test_the_bench_network_answers_to_its_input() -> None:
    session = ort.InferenceSession(network.bench_model(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    image = np.kron(rng.random((10, 10)), np.ones((64, 64))).astype(np.float32)[None, None]
    plain = session.run(["scores"], {"image": np.zeros_like(image)})[0]
    assert np.abs(session.run(["scores"], {"image": image})[0] - plain).max() > 0.1


def test_graphs_pass_the_checker_and_carry_no_third_party_name() -> None:
    for model in (network.bench_model(), network.null_model()):
        loaded = onnx.load_from_string(model)
        onnx.checker.check_model(loaded, full_check=True)
        assert loaded.producer_name == "edge-agent benchmarks"


def test_bundles_pass_the_daemons_own_verification_and_self_test(bundles: Path) -> None:
    from edge_agent.analysis.ports import one_by_one
    from edge_agent.inference.load import load_models
    from edge_agent.inference.selftest import run_selftest
    from edge_agent.inference.session import DevicePolicy
    from edge_agent.testing.bundles import TEST_TRUST

    for name in ("bench-640", "null-640"):
        assert run_selftest(load_models(bundles / name, DevicePolicy.CPU, TEST_TRUST), one_by_one) == 1


def test_the_level_gives_about_as_many_detections_as_wanted(bundles: Path) -> None:
    levels = np.kron(np.random.default_rng(5).integers(500, 60000, (13, 18)), np.ones((64, 64))).astype(np.uint16)
    model = next((bundles / "bench-640").glob("*/*/model.onnx"))
    show_at = level_for(model, levels, 30)
    assert 0.0 < show_at < 1.0


def test_overhead_counts_what_is_outside_onnxruntime(bundles: Path) -> None:
    with overhead(bundles / "null-640", 1, 0.3) as one_round:
        figures = one_round()
    assert figures["tiles"] == 64
    assert 250 < figures["findings"] < 350
    assert 0.0 < figures["inside_ms"] < figures["ms"]


def test_each_stage_of_a_scan_is_timed_with_real_parts(bundles: Path) -> None:
    with judging(bundles / "null-640", 2, 0.3) as judge, stages(judge) as bench:
        first, second = bench.one_round(), bench.one_round()
    expected = ["spool", "accept", "decode", "judge", "prepare", "infer", "merge", "dark", "conclude", "encode", "commit", "package"]
    assert list(first) == list(second) == expected
    assert all(ms > 0.0 for ms in second.values())
