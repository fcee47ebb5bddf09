"""docs/reference/models.md is the page that the shipped cards and results give, and says why wherever a floor is missed."""

import tomllib
from dataclasses import replace
from typing import Any

import pytest

from training.models_page import IMAGES, PAGE, SHORTFALLS, falls_short, page, pictures, read_sources
from training.models_rows import ROWS, Bound, Row, Sources

NOTHING = Sources({}, {}, {}, {}, {}, {}, {})


def row(key: str) -> Row:
    return next(one for one in ROWS if one.key == key)


def shortfalls() -> dict[str, Any]:
    return tomllib.loads(SHORTFALLS.read_text("utf-8"))


def test_the_page_is_current() -> None:
    assert page() == PAGE.read_text("utf-8"), "run: python -m training.models_page"


def test_the_pages_pictures_are_current_and_shown() -> None:
    for name, picture in pictures(read_sources()).items():
        assert picture == (IMAGES / name).read_text("utf-8"), "run: python -m training.models_page"
        assert f"](../images/{name})" in page()


def test_every_row_was_measured_on_the_bundles_that_are_shipped() -> None:
    sources = read_sources()
    assert [one.key for one in ROWS if one.measure(sources) is None] == [], "measure again: the page names the commands"


def test_every_figure_below_its_floor_is_explained() -> None:
    reasons = shortfalls()["reasons"]
    sources = read_sources()
    assert [one.key for one in ROWS if falls_short(one, sources) and len(reasons.get(one.key, "")) < 20] == []


def test_the_reasons_were_written_for_the_shipped_bundles() -> None:
    cards = sorted(PAGE.parents[2].glob("exported_models/*/*/card.toml"))
    shipped = [f"{path.parents[1].name}/{path.parent.name}" for path in cards]
    assert shipped == shortfalls()["written_for"], "read every reason again, then name the bundles"


def test_no_reason_is_given_for_a_row_that_does_not_exist() -> None:
    assert set(shortfalls()["reasons"]) <= {one.key for one in ROWS}


def test_simulated_is_said_beside_every_figure_of_the_training() -> None:
    silent = [one.key for one in ROWS if one.command == "python -m training.make_models" and "simulated" not in one.where]
    assert ["parameters"] == silent


def test_no_two_rows_share_a_key() -> None:
    assert len(ROWS) == len({one.key for one in ROWS})


@pytest.mark.parametrize(
    ("bound", "value", "holds"),
    [(Bound(low=0.8), 0.8, True), (Bound(low=0.8), 0.79, False), (Bound(high=5), 5.1, False), (Bound(0.86, 0.94), 0.95, False)],
)
def test_a_bound_includes_its_ends(bound: Bound, value: float, holds: bool) -> None:
    assert holds is bound.holds(value)


def test_a_figure_that_nobody_measured_is_no_shortfall_and_no_success() -> None:
    assert not [one.key for one in ROWS if falls_short(one, NOTHING) or one.measure(NOTHING) is not None]


def test_a_figure_below_its_floor_falls_short() -> None:
    tiles = {"map50": 0.5, "map50_interval_95": [0.45, 0.55], "tiles": 100, "objects": 60, "ignored": 7}
    low = replace(NOTHING, metrics={"detector": {"tiles_s0": tiles, "tiles_s2": {**tiles, "map50": 0.3}}})
    assert falls_short(row("map50"), low)
    seen = row("map50").measure(low)
    assert seen is not None
    assert ((0.45, 0.55), "100 tiles, 60 objects, 7 ignored") == (seen.interval, seen.n)
    lost = row("s2").measure(low)
    assert lost is not None
    assert pytest.approx(20.0) == lost.value
    assert falls_short(row("s2"), low)


def test_the_worst_seed_stands_for_the_tables() -> None:
    rows = {"0": {"rows": 9.0, "mae_kg": 1300.0, "covered_by_90": 0.91}, "1": {"rows": 9.0, "mae_kg": 1450.0, "covered_by_90": 0.88}}
    sources = replace(NOTHING, tables={"by_seed": rows})
    worst, cover = row("tables_mae").measure(sources), row("tables_cover").measure(sources)
    assert worst is not None
    assert cover is not None
    assert (1450.0, None, 0.88) == (worst.value, worst.interval, cover.value), "a range over seeds is no interval"
    assert worst.n == "9 containers; worst of 2 seeds (1,300 to 1,450)"
    assert falls_short(row("tables_mae"), sources)
