"""A changed declaration: what was seen stays, what was compared is compared anew, and no model looks at pixels."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from edge_agent.agent.engine import Earlier, Engine, StoredGoods
from edge_agent.agent.lanes import Lane
from edge_agent.analysis.policy import OBSTACLES, parse_policy
from edge_agent.analysis.ports import Models
from edge_agent.domain.arrival import Particulars
from edge_agent.domain.assessment import Obstacle, Reason
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.declaration import Declaration, DeclaredItem
from edge_agent.domain.finding import Detection, Heterogeneity, ProductGuess, WeightEstimate
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


JUDGED_ANEW = {"undeclared", "goods-unknown", "link-weak", "sidecar-unreadable", "resource-missing", "partial", "check-missing"}


@pytest.mark.parametrize("code", sorted(OBSTACLES - JUDGED_ANEW))
def test_no_declaration_takes_an_obstacle_of_the_pixels_away(code: str) -> None:
    judgement = engine().judge_again(
        declared("0202"), (), Earlier((DIFFERS, LOOKS), (Obstacle(code, {}, "side", blocking=True),), (GOODS,))
    )
    assert [code] == [obstacle.code for obstacle in judgement.conclusion.obstacles]


def test_an_obstacle_that_is_noted_again_stands_once() -> None:
    before = (Obstacle("member-undecodable", {"role": "low"}),)
    judgement = engine().judge_again(declared("0202"), (Reason("member-undecodable", {"role": "low"}),), Earlier((LOOKS,), before, ()))
    assert ["member-undecodable"] == [obstacle.code for obstacle in judgement.conclusion.obstacles]


def test_findings_of_bundles_that_are_gone_are_judged_by_cautious_levels() -> None:
    bare = replace(engine(), loaded=LoadedModels(Models((), None), (), Placement("r", "p", "cpu")))
    empty, light = replace(LOOKS, ranked=(("empty", 0.9),)), WeightEstimate(1000.0, 900.0, 1100.0, "scale/1")
    about = replace(PARTICULARS, declaration=Declaration((DeclaredItem("0202", gross_kg=20_000.0),), "sidecar"))
    judgement = bare.judge_again(about, (), Earlier((empty, light, GUN), (), ()))
    assert ["declared-goods-but-empty", "detection-alert", "weight-mismatch"] == sorted(one.code for one in judgement.conclusion.reasons)


@pytest.mark.parametrize("contents", [None, ToldContents()])
def test_shares_that_another_contents_bundle_left_are_never_read_by_this_one(contents: ToldContents | None) -> None:
    other = replace(engine(), loaded=LoadedModels(Models((ToldDetector(),), contents), (), Placement("r", "p", "cpu")))
    judgement = other.judge_again(declared("0202"), (), Earlier((replace(DIFFERS, bundle="older/1"), LOOKS), (), (GOODS,)))
    assert ("unassessable", ()) == (judgement.conclusion.word, judgement.maps)
    assert ["check-missing"] == [obstacle.code for obstacle in judgement.conclusion.obstacles]


@pytest.mark.parametrize("goods", [(), (replace(GOODS, view="top"),)])
def test_a_comparison_whose_shares_went_with_retention_counts_as_not_done(goods: tuple[StoredGoods, ...]) -> None:
    both = (DIFFERS, replace(DIFFERS, view="top"), LOOKS)
    judgement = engine().judge_again(declared("0202"), (), Earlier(both, (), goods))
    assert "unassessable" == judgement.conclusion.word
    assert ["check-missing"] == [obstacle.code for obstacle in judgement.conclusion.obstacles]
