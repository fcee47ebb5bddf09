"""What passes for the same detections on another device, and what never does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import pytest

from edge_agent.analysis.ports import DetectorEvidence, Fan, Models, one_by_one
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.finding import Detection
from edge_agent.domain.geometry import Box
from edge_agent.domain.scan import View
from edge_agent.errors import SelfTestFailed
from edge_agent.inference.bundle import load_bundle
from edge_agent.inference.load import LoadedModels
from edge_agent.inference.selftest import Expected, ExpectedDetection, Golden, golden_cases, run_golden
from edge_agent.inference.session import Placement
from edge_agent.testing.bundles import TEST_TRUST, write_detection_bundle
from edge_agent.testing.models import ToldDetector

Told = tuple[str, float, tuple[float, float, float, float]]

HERE, THERE = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 60.0, 60.0)


@dataclass
class Teller(ToldDetector):
    """Gives what it is told, from the floor up that it is asked for."""

    told: Sequence[Told] = ()

    def detect(self, view: View, subject: SubjectKind, show_at: Mapping[str, float], fan: Fan) -> DetectorEvidence:
        shown = [one for one in self.told if one[1] >= 0.3]
        return DetectorEvidence(
            tuple(Detection(label, score, Box(*box), view.name, self.bundle.ref) for label, score, box in shown),
        )


def compare(place: Path, expected: Sequence[Told], seen: Sequence[Told]) -> None:
    """Run one golden case that expects ``expected`` through a detector that gives ``seen``."""
    bundle = load_bundle(write_detection_bundle(place), TEST_TRUST)
    ((name, (case, view)),) = golden_cases(bundle).items()
    wanted = Expected(detections=tuple(ExpectedDetection(label=label, score=score, box=box) for label, score, box in expected))
    loaded = LoadedModels(Models((Teller(told=seen, bundle=bundle.use),), None), (bundle,), Placement("none", "none", "cpu"))
    assert 1 == run_golden(loaded, [Golden(bundle, name, case, view, wanted)], one_by_one)


def test_the_order_of_detections_says_nothing(tmp_path: Path) -> None:
    expected = [("k", 0.9001, HERE), ("k", 0.9, THERE), ("m", 0.9, HERE)]
    for number, seen in enumerate(permutations([("k", 0.9, HERE), ("k", 0.9001, THERE), ("m", 0.89, HERE)])):
        compare(tmp_path / str(number), expected, seen)


@pytest.mark.parametrize("score", [0.3, 0.3001, 0.319])
def test_a_detection_that_is_hardly_shown_may_be_there_or_not(tmp_path: Path, score: float) -> None:
    sure, weak = ("k", 0.9, THERE), ("k", score, HERE)
    compare(tmp_path / "gone", [sure, weak], [sure])
    compare(tmp_path / "come", [sure], [sure, weak])
    compare(tmp_path / "lower", [sure, weak], [sure, ("k", score - 0.019, HERE)])


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ([], "found"),
        ([("k", 0.0, HERE)], "found"),
        ([("m", 0.9, HERE)], "found"),
        ([("k", 0.879, HERE)], "found"),
        ([("k", 0.921, HERE)], "found"),
        ([("k", 0.9, (3.1, 0.0, 10.0, 10.0))], "found"),
        ([("k", 0.9, HERE), ("k", 0.33, THERE)], "0.33.* too"),
        ([("k", 0.9, HERE), ("k", 0.9, HERE)], "too"),
    ],
    ids=["nothing", "zero", "another label", "weaker", "stronger", "elsewhere", "one more", "twice"],
)
def test_a_detection_that_is_gone_or_new_or_another_fails_the_self_test(tmp_path: Path, seen: Sequence[Told], said: str) -> None:
    with pytest.raises(SelfTestFailed, match=said):
        compare(tmp_path, [("k", 0.9, HERE)], seen)


def test_one_detection_never_stands_for_two(tmp_path: Path) -> None:
    with pytest.raises(SelfTestFailed):
        compare(tmp_path, [("k", 0.9, HERE), ("k", 0.9, (1.0, 0.0, 11.0, 10.0))], [("k", 0.9, HERE)])


def test_of_two_that_would_fit_the_nearer_is_taken(tmp_path: Path) -> None:
    expected = [("k", 0.9, HERE), ("k", 0.9, (2.0, 0.0, 12.0, 10.0))]
    compare(tmp_path, expected, [("k", 0.9, (2.5, 0.0, 12.5, 10.0)), ("k", 0.9, (-2.5, 0.0, 7.5, 10.0))])
