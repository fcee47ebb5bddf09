"""The table in docs/reference/policy.md, row by row, and the edges of each rule."""

import itertools
import re
from pathlib import Path

import pytest

from edge_agent.analysis.conclude import Evidence, conclude
from edge_agent.analysis.policy import ALWAYS_BLOCKING, OBSTACLES, Check, SubjectPolicy, parse_policy
from edge_agent.domain.assessment import Obstacle, Reason
from edge_agent.domain.declaration import Declaration, DeclaredItem
from edge_agent.domain.finding import Detection, Finding, Heterogeneity, ProductGuess
from edge_agent.domain.geometry import Box
from edge_agent.errors import PolicyInvalid

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/policy.md").read_text()
EXAMPLE = (ROOT / "config/policy.example.toml").read_bytes()
CARGO = parse_policy(EXAMPLE).cargo
ALL_DONE = frozenset(Check)
BEEF = Declaration((DeclaredItem("0202", "frozen beef"),), "sidecar")
EMPTY = Declaration((DeclaredItem("0000"),), "sidecar")


def gun(score: float) -> Detection:
    return Detection("handgun", score, Box(1, 2, 3, 4), "side", "detector/1")


def differs(score: float) -> Heterogeneity:
    return Heterogeneity(score, (), ("beef",), True, "side", "contents/1")


def evidence(
    *findings: Finding,
    obstacles: tuple[Obstacle, ...] = (),
    done: frozenset[Check] = ALL_DONE,
    declaration: Declaration | None = BEEF,
    notes: tuple[Reason, ...] = (),
) -> Evidence:
    return Evidence(findings, obstacles, done, {"handgun": 0.6, "heterogeneity": 0.8, "empty": 0.9}, declaration, notes)


def rows() -> list[tuple[bool, bool, bool, bool, str]]:
    found = re.findall(r"^\| (yes|no) \| (yes|no) \| (yes|no) \| (yes|no) \| ([a-z-]+) \|$", PAGE, flags=re.M)
    return [(*(word == "yes" for word in row[:4]), row[4]) for row in found]  # type: ignore[misc]


def test_the_table_has_every_combination_once() -> None:
    assert sorted(row[:4] for row in rows()) == sorted(itertools.product((False, True), repeat=4))


@pytest.mark.parametrize(("alerts", "missing", "blocked", "noted", "expected"), rows())
def test_each_row_of_the_documented_table_holds(alerts: bool, missing: bool, blocked: bool, noted: bool, expected: str) -> None:
    obstacles = ((Obstacle("partial"),) if blocked else ()) + ((Obstacle("pitch-assumed"),) if noted else ())
    done = frozenset({Check.CONTENTS}) if missing else ALL_DONE
    conclusion = conclude(evidence(gun(0.9 if alerts else 0.1), obstacles=obstacles, done=done), CARGO)
    assert expected == conclusion.word
    named = {obstacle.code: obstacle.blocking for obstacle in conclusion.obstacles}
    wanted = {"partial": True} if blocked else {}
    wanted |= {"pitch-assumed": False} if noted else {}
    wanted |= {"check-missing": True} if missing else {}
    assert wanted == named


def test_every_obstacle_code_is_documented_and_every_documented_one_exists() -> None:
    section = PAGE.partition("## Obstacles")[2]
    assert set(OBSTACLES) == set(re.findall(r"^\| `([a-z-]+)` \|", section, flags=re.M))


def test_every_key_of_a_subject_is_documented() -> None:
    documented = set(re.findall(r"^\| `([a-z_]+)", PAGE.partition("## Keys")[2].partition("## ")[0], flags=re.M))
    assert set(SubjectPolicy.model_fields) == documented


def test_a_score_exactly_at_the_level_alerts_and_just_below_does_not() -> None:
    assert conclude(evidence(gun(0.6)), CARGO).word == "alert"
    assert conclude(evidence(gun(0.5999)), CARGO).word == "no-alert"


def test_no_policy_can_wave_through_a_check_that_was_not_done() -> None:
    lax = CARGO.model_copy(update={"blocking": frozenset()})
    for code in ALWAYS_BLOCKING:
        assert conclude(evidence(obstacles=(Obstacle(code),)), lax).word == "unassessable"


def test_dark_blocks_only_above_the_allowed_share() -> None:
    assert conclude(evidence(obstacles=(Obstacle("dark", {"share": CARGO.max_dark_share}),)), CARGO).word == "no-alert"
    assert conclude(evidence(obstacles=(Obstacle("dark", {"share": CARGO.max_dark_share + 0.01}),)), CARGO).word == "unassessable"


def test_unknown_goods_block_only_where_the_policy_says_so() -> None:
    obstacle = (Obstacle("goods-unknown", {"headings": "9999"}),)
    assert conclude(evidence(obstacles=obstacle), CARGO).word == "no-alert"
    strict = CARGO.model_copy(update={"unknown_goods": "blocking"})
    assert conclude(evidence(obstacles=obstacle), strict).word == "unassessable"


def test_a_load_under_an_empty_declaration_is_named_as_such() -> None:
    assert [reason.code for reason in conclude(evidence(differs(0.95), declaration=EMPTY), CARGO).reasons] == ["declared-empty-but-loaded"]
    assert [reason.code for reason in conclude(evidence(differs(0.95)), CARGO).reasons] == ["heterogeneity"]


def test_without_usable_declaration_the_reason_is_a_load_of_several_kinds() -> None:
    mixed = Heterogeneity(0.95, (), ("beef",), False, "side", "contents/1")
    assert ["mixed-load"] == [reason.code for reason in conclude(evidence(mixed, declaration=None), CARGO).reasons]


def test_an_empty_container_alerts_only_where_goods_were_declared() -> None:
    looks_empty = ProductGuess((("empty", 0.97), ("beef", 0.03)), "side", "contents/1")
    assert [reason.code for reason in conclude(evidence(looks_empty), CARGO).reasons] == ["declared-goods-but-empty"]
    assert conclude(evidence(looks_empty, declaration=EMPTY), CARGO).word == "no-alert"
    assert conclude(evidence(looks_empty, declaration=None), CARGO).word == "no-alert"


def test_replayed_pixels_alert() -> None:
    note = (Reason("pixels-seen-before", {"twin": "x"}),)
    assert conclude(evidence(notes=note), CARGO).word == "alert"


def test_a_label_without_entry_uses_the_level_of_its_bundle() -> None:
    assert CARGO.levels("handgun", 0.6).alert_at == 0.6
    assert CARGO.levels("handgun", 0.6).show_at == 0.3
    named = parse_policy(EXAMPLE.replace(b"# [cargo.labels]\n# handgun", b"[cargo.labels]\nhandgun")).cargo
    assert named.levels("handgun", 0.9).alert_at == 0.6


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        (b'required = ["detection"', b'required = ["telepathy"', "cargo.required"),
        (b'blocking = ["partial"', b'blocking = ["weather"', "weather"),
        (b"max_dark_share = 0.35", b"max_dark_share = 1.35", "cargo.max_dark_share"),
        (b"# [cargo.labels]\n# handgun = { show_at = 0.3", b"[cargo.labels]\nhandgun = { show_at = 0.9", "show_at must not be above"),
        (b"[cargo]", b"[cargo]\nsurprise = 1", "cargo.surprise"),
        (b"[cargo]", b"[cargo", "not TOML"),
        (b"# What", b"# \xff", "not TOML"),
        (b"# What", b"a = " + b"[" * 5000, "not TOML"),
    ],
)
def test_a_wrong_policy_is_refused_and_the_key_named(old: bytes, new: bytes, named: str) -> None:
    with pytest.raises(PolicyInvalid, match=re.escape(named)):
        parse_policy(EXAMPLE.replace(old, new, 1))


def test_the_digest_is_of_the_very_bytes() -> None:
    assert parse_policy(EXAMPLE).digest != parse_policy(EXAMPLE + b"\n").digest


def test_many_alerting_detections_of_a_label_are_one_reason_with_the_best_score() -> None:
    reasons = conclude(evidence(gun(0.7), gun(0.9), gun(0.1)), CARGO).reasons
    assert [("detection-alert", 0.9, 2)] == [(r.code, r.params["score"], r.params["count"]) for r in reasons]
