"""The published finds of Indian Customs through the whole path: simulated scanner, side-car, decoding, comparison, policy, words.

The bundle is a small one that is fitted here, on another scanner than the one whose scans are judged: what is tested is that goods
which differ from the declaration come out as an alert at their place, and the same load without them does not. How well the shipped
bundle does is a figure of docs/reference/models.md.
"""

import json
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.random import default_rng
from numpy.typing import NDArray

from benchmarks.site import ROOT
from edge_agent.cli.main import main
from edge_agent.imaging.attenuation import density
from edge_agent.sim.goods import BACKGROUND, CLASSES, FAMILIES
from edge_agent.sim.machine import draw_machine, expose
from edge_agent.sim.scenario import SCENARIOS, scenario_scene
from edge_agent.testing.bundles import TEST_KEY
from edge_agent.testing.contents_bundle import CELL_PX, NEAR_PX, PITCH_MM, Gaussian, write_contents_bundle

POLICY = ROOT / "config/policy.example.toml"
SCANNER, OTHER_SCANNER = 2, 1


def cells(plane: NDArray[np.uint16]) -> NDArray[np.float64]:
    """Mean density around every cell, as the graph of the bundle takes it."""
    shown = density(plane).astype(np.float64)
    return cv2.boxFilter(shown, -1, (NEAR_PX, NEAR_PX), borderType=cv2.BORDER_CONSTANT)[CELL_PX // 2 :: CELL_PX, CELL_PX // 2 :: CELL_PX]


def looks_of(name: str) -> dict[str, Gaussian]:
    """How the goods of a scenario, the empty space, air and container look to the other scanner."""
    seen: dict[str, list[NDArray[np.float64]]] = {}
    scenario = SCENARIOS[name]
    for is_concealed in (True, False):
        scene = scenario_scene(name, is_concealed=is_concealed, pitch_mm=PITCH_MM)
        high, low = (cells(plane) for plane in expose(scene, draw_machine(default_rng(OTHER_SCANNER)), default_rng(3)))
        goods = scene.goods[CELL_PX // 2 :: CELL_PX, CELL_PX // 2 :: CELL_PX]
        for kind in (scenario.declared, scenario.concealed, "empty", *BACKGROUND):
            is_kind = goods == CLASSES.index(kind)
            seen.setdefault(kind, []).append(np.stack([high[is_kind], low[is_kind]], axis=1))
    return {kind: Gaussian.of(np.concatenate(parts)) for kind, parts in seen.items()}


def headings_of(name: str) -> dict[str, tuple[str, ...]]:
    scenario = SCENARIOS[name]
    listed = {family.name: family.headings for family in FAMILIES}
    return {kind: listed[kind] for kind in (scenario.declared, scenario.concealed, "empty")}


@pytest.fixture(scope="module", params=sorted(SCENARIOS))
def judged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the command says of the load with and without its concealed goods, and what is in it."""
    name, place = request.param, tmp_path_factory.mktemp(request.param)
    write_contents_bundle(place / "bundles", looks_of(name), headings_of(name))
    policy = place / "policy.toml"
    policy.write_text(POLICY.read_text().replace('required = ["detection", "contents"]', 'required = ["contents"]'))
    judging = ("--bundles", str(place / "bundles"), "--trust", TEST_KEY.public.text, "--policy", str(policy), "--device", "cpu")
    results = {}
    for word, share in (("concealed", "1"), ("innocent", "0")):
        out, truth, said = place / word, place / f"{word}.jsonl", place / f"{word}-said"
        asked = ("sim", "--scenario", name, "--threat-share", share, "--scans", "1", "--seed", str(SCANNER), "--truth", str(truth))
        assert main([*asked, "--out", str(out)]) == 0
        assert main(["assess", str(out), *judging, "--out", str(said)]) == 0
        (written,) = said.glob("*.json")
        results[word] = {"assessment": json.loads(written.read_text()), "truth": json.loads(truth.read_text())}
    return results


def heterogeneity(body: dict[str, Any]) -> dict[str, Any]:
    (found,) = (part for part in body["findings"] if part["type"] == "heterogeneity")
    return dict(found)


def middle_lies_in(box: list[float], region: list[float]) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return region[0] <= x <= region[2] and region[1] <= y <= region[3]


def test_goods_that_were_not_declared_raise_an_alert_at_their_place(judged: dict[str, dict[str, Any]]) -> None:
    body, truth = judged["concealed"]["assessment"], judged["concealed"]["truth"]
    assert body["conclusion"] == "alert"
    assert "heterogeneity" in [reason["params"].get("label", reason["code"]) for reason in body["reasons"]]
    (expected,) = truth["hidden"]
    regions = heterogeneity(body)["regions"]
    assert regions
    assert middle_lies_in(max(regions, key=lambda box: (box[2] - box[0]) * (box[3] - box[1])), expected["box"])


def test_the_same_load_without_them_does_not(judged: dict[str, dict[str, Any]]) -> None:
    body, truth = judged["innocent"]["assessment"], judged["innocent"]["truth"]
    assert truth["hidden"] == []
    assert body["conclusion"] == "no-alert"
    assert heterogeneity(body)["score"] < 0.25


def test_the_declaration_of_the_side_car_is_what_the_load_is_held_against(judged: dict[str, dict[str, Any]]) -> None:
    for one in judged.values():
        assert [goods["hs"] for goods in one["assessment"]["declared"]["goods"]] == one["truth"]["declared"]
        assert heterogeneity(one["assessment"])["declared"] is True


def test_a_simulated_scan_is_never_taken_for_a_live_one(judged: dict[str, dict[str, Any]]) -> None:
    assert {one["assessment"]["capture"]["kind"] for one in judged.values()} == {"synthetic"}
