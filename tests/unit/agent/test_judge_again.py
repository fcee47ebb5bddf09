"""A changed declaration: what was seen stays, what was compared is compared anew, and no model looks at pixels."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edge_agent.agent.engine import Earlier, Engine, StoredGoods
from edge_agent.agent.lanes import Lane
from edge_agent.analysis.policy import parse_policy
from edge_agent.analysis.ports import Models
from edge_agent.domain.arrival import Particulars
from edge_agent.domain.assessment import Obstacle, Reason
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.declaration import Declaration, DeclaredItem
from edge_agent.domain.finding import Detection, Heterogeneity, ProductGuess
from edge_agent.domain.geometry import Box, Size
from edge_agent.inference.load import LoadedModels
from edge_agent.inference.session import Placement
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.models import ToldContents, ToldDetector

POLICY = parse_policy((Path(__file__).parents[3] / "config/policy.example.toml").read_bytes())
PARTICULARS = Particulars(
    Capture(Stamp(datetime(2026, 3, 2, tzinfo=UTC), "", tz_assumed=True), CaptureKind.LIVE, Selection.UNKNOWN),
    Subject(SubjectKind.CARGO),
    Declaration((DeclaredItem("0202"),), "sidecar"),
)
GOODS = StoredGoods("side", Size(100, 80), np.zeros((3, 2, 3), np.uint8))
DIFFERS = Heterogeneity(0.9, (), ("tyres",), True, "side", "told/1")
LOOKS = ProductGuess((("beef", 1.0),), "side", "told/1")
GUN = Detection("handgun", 0.9, Box(0, 0, 1, 1), "side", "told/1")


def engine() -> Engine:
    loaded = LoadedModels(
        Models((ToldDetector(failure=AssertionError("pixels were looked at")),), ToldContents()), (), Placement("r", "p", "cpu")
    )
    return Engine(loaded, POLICY, Lane("device"), Lane("cpu"), ManualClock(), "")


def declared(*headings: str) -> Particulars:
    return replace(PARTICULARS, declaration=Declaration(tuple(DeclaredItem(heading) for heading in headings), "sidecar"))


def test_the_right_declaration_ends_the_alert() -> None:
    judgement = engine().judge_again(declared("0202"), (), Earlier((DIFFERS, LOOKS), (), (GOODS,)))
    assert judgement.conclusion.word == "no-alert"
    assert [f.score for f in judgement.findings if isinstance(f, Heterogeneity)] == [0.0]


def test_a_wrong_declaration_begins_one() -> None:
    judgement = engine().judge_again(declared("4011"), (), Earlier((replace(DIFFERS, score=0.0), LOOKS), (), (GOODS,)))
    assert [reason.code for reason in judgement.conclusion.reasons] == ["heterogeneity"]


def test_what_was_detected_still_alerts() -> None:
    judgement = engine().judge_again(declared("0202"), (), Earlier((DIFFERS, LOOKS, GUN), (), (GOODS,)))
    assert [reason.code for reason in judgement.conclusion.reasons] == ["detection-alert"]


def test_obstacles_of_the_pixels_stay_and_those_of_the_side_car_are_new() -> None:
    before = (Obstacle("dark", {"share": 0.9}, "side", blocking=True), Obstacle("sidecar-unreadable"), Obstacle("undeclared"))
    judgement = engine().judge_again(declared("9999"), (Reason("resource-missing"),), Earlier((DIFFERS, LOOKS), before, (GOODS,)))
    assert sorted(o.code for o in judgement.conclusion.obstacles) == ["dark", "goods-unknown", "resource-missing"]


def test_a_check_that_was_not_done_is_still_missing() -> None:
    before = (Obstacle("inference-failed", {"check": "detection"}, "side"), Obstacle("check-missing", {"check": "detection"}))
    judgement = engine().judge_again(declared("0202"), (), Earlier((DIFFERS, LOOKS), before, (GOODS,)))
    assert judgement.conclusion.word == "unassessable"
    assert sorted(o.code for o in judgement.conclusion.obstacles) == ["check-missing", "inference-failed"]
