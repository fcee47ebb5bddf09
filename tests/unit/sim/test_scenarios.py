"""Fixed scenes with concealed goods, each with its innocent twin."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from edge_agent.sim.goods import CLASSES, FAMILIES
from edge_agent.sim.scanner import Order, shoot
from edge_agent.sim.scenario import SCENARIOS, scenario_scene

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
COARSE_MM = 15.0


@pytest.fixture(scope="module", params=sorted(SCENARIOS))
def twins(request):
    name = request.param
    return SCENARIOS[name], *(scenario_scene(name, is_concealed=concealed, pitch_mm=COARSE_MM) for concealed in (True, False))


def test_the_expected_region_lies_inside_the_load(twins):
    scenario, guilty, _ = twins
    (found,) = guilty.hidden
    assert found.label == f"goods.{scenario.concealed}"
    x0, y0, x1, y1 = guilty.room
    assert x0 <= found.box[0] < found.box[2] <= x1
    assert y0 <= found.box[1] < found.box[3] <= y1
    place = CLASSES.index(scenario.concealed)
    inside = guilty.goods[int(found.box[1]) : int(found.box[3]), int(found.box[0]) : int(found.box[2])]
    assert (inside == place).mean() > 0.5
    assert (guilty.goods == place).sum() == (inside == place).sum()


def test_without_the_concealed_goods_nothing_is_hidden(twins):
    scenario, _, innocent = twins
    assert innocent.hidden == ()
    assert not (innocent.goods == CLASSES.index(scenario.concealed)).any()


def test_the_twins_differ_only_where_goods_are_concealed(twins):
    scenario, guilty, innocent = twins
    columns = np.flatnonzero((guilty.areal != innocent.areal).any(axis=(0, 1)))
    x0, _, x1, _ = guilty.room
    begin, end = (x0 + share * (x1 - x0) for share in scenario.place)
    slack_px = 60.0 / COARSE_MM
    assert begin - slack_px <= columns.min()
    assert columns.max() <= end + slack_px


def test_only_the_declared_family_is_declared(twins):
    scenario, guilty, innocent = twins
    family = FAMILIES[CLASSES.index(scenario.declared)]
    assert {item.hs for scene in (guilty, innocent) for item in scene.declared} == {scenario.heading}
    assert scenario.heading in family.headings
    assert guilty.families == innocent.families == (family.name,)


def test_a_scenario_is_the_same_every_time(twins):
    scenario, guilty, _ = twins
    name = next(key for key, one in SCENARIOS.items() if one is scenario)
    again = scenario_scene(name, pitch_mm=COARSE_MM)
    assert np.array_equal(again.areal, guilty.areal)
    assert (again.declared, again.identifier) == (guilty.declared, guilty.identifier)


def test_an_unknown_scenario_is_refused():
    with pytest.raises(KeyError):
        scenario_scene("other")


def test_a_scanner_writes_a_scenario_with_its_declaration_and_region():
    guilty, innocent = (shoot(Order("sim-cargo", 1, share, "cosmetics"), 1, AT) for share in (0.3, 0.0))
    assert json.loads(guilty.sidecar.data)["declared"][0]["hs"] == "6109"
    assert [found["label"] for found in guilty.truth["hidden"]] == ["goods.cosmetics"]
    assert innocent.truth["hidden"] == []
    assert guilty.pictures[0].data != innocent.pictures[0].data


def test_a_parcel_scanner_has_no_scenarios():
    with pytest.raises(ValueError, match="does not scan cargo"):
        shoot(Order("sim-parcel", 1, 0.3, "cosmetics"), 1, AT)
