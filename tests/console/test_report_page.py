"""Headquarters' report pages in a real browser: they ask for nothing, axe finds nothing, and nothing is cut off on a telephone."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe

from benchmarks.browser import Wish
from edge_agent.collector.report.build import Report
from edge_agent.collector.report.page import page
from edge_agent.collector.report.transparency import transparency, transparency_page
from edge_agent.kpi.availability import HealthChange, Window, availability
from edge_agent.kpi.figures import Question, figures
from edge_agent.kpi.missing import Expected, MissingLine
from edge_agent.kpi.rates import ObstacleLine, Outcome, OutcomeTally, Scope, SetAsideLine, quarter_of, summarise
from edge_agent.testing.cases import DAY_US, LATER_US, NOON_US, case, examined

SCOPE = Scope(UTC, {})
PLOTS = 3


def pages() -> dict[str, str]:
    """Both pages, with something in every table."""
    said = {"first_conclusion": "suspicious", "decision_s": 31.0, "analyst": "suspicious", "analyst_on": "alert"}
    cases = []
    for day in range(20):
        at = {"produced_us": NOON_US + day * DAY_US, "latency_ms": 1200.0 + day, "origin": "CN" if day % 2 else "BR"}
        cases += [examined("alert", "found", first_officer=f"o{day}", officer=f"o{day}", **said, **at)] * 3
        cases += [examined("alert", **at), case("alert", selection="targeted", **at), *[examined("no-alert", **at)] * 12]
    counted = figures(cases, Question(SCOPE, LATER_US, {}, {"CN": "east", "BR": "south"}))
    changes = [HealthChange("north", NOON_US + day * DAY_US, "degraded" if day % 2 else "healthy") for day in range(20)]
    tally = OutcomeTally("north", "gate-1", "live", "random", Outcome.ALERT, "", quarter_of(datetime(2026, 3, 2, tzinfo=UTC)), 40)
    report = Report(
        scope=SCOPE,
        made_at=datetime(2026, 5, 1, tzinfo=UTC),
        figures=counted,
        summaries=tuple(summarise([tally], SCOPE)),
        detections=(),
        obstacles=(ObstacleLine("north", "gate-1", "live", "dark", 3, 2),),
        set_aside=(SetAsideLine("north", "gate-1", "unreadable-scan", 2),),
        others=(("synthetic", 12),),
        availability=tuple(availability(changes, {"north": Window(NOON_US, NOON_US + 20 * DAY_US, LATER_US)})),
        missing=(MissingLine("north", Expected.SELECTED, 3, 1, NOON_US),),
        facts=(("north", "assessment", 300),),
        unread=(("north", "not a journal body of a known kind", 1),),
    )
    return {"report": page(report), "transparency": transparency_page(transparency(counted))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pages")
    for name, text in pages().items():
        (made / f"{name}.html").write_text(text, "utf-8")
    return made


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["report", "transparency"])
def test_axe_finds_nothing_and_nothing_else_is_asked_for(chromium, folder, name, theme):
    address = (folder / f"{name}.html").as_uri()

    async def law(stage):
        opened = await stage.page(address)
        found = await Axe().run(opened)
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found.response["violations"]] == []
        assert stage.requests == [address]

    chromium.run(law, Wish(theme=theme))


@pytest.mark.parametrize("width", [320, 1280])
def test_only_tables_and_plots_scroll_sideways(chromium, folder, width):
    async def law(stage):
        for name in ("report", "transparency"):
            opened = await stage.page((folder / f"{name}.html").as_uri())
            assert await opened.evaluate("document.documentElement.scrollWidth") <= width

    chromium.run(law, Wish(viewport={"width": width, "height": 700}))


def test_plots_are_painted(chromium, folder):
    async def law(stage):
        opened = await stage.page((folder / "report.html").as_uri())
        boxes = await opened.eval_on_selector_all("svg.plot", "all => all.map(one => [one.clientWidth, one.clientHeight])")
        bars = await opened.eval_on_selector_all("rect.alerts", "all => all.map(one => one.getBoundingClientRect().height)")
        colour = await opened.eval_on_selector("rect.alerts", "one => getComputedStyle(one).fill")
        assert len(boxes) == PLOTS
        assert all(wide > 500 and tall > 20 for wide, tall in boxes)
        assert len(bars) == 20
        assert min(bars) > 10
        assert colour not in ("rgb(0, 0, 0)", "none")

    chromium.run(law)


def test_it_can_be_printed(chromium, folder):
    async def law(stage):
        opened = await stage.page((folder / "report.html").as_uri())
        await opened.emulate_media(media="print")
        assert not await opened.locator("nav").is_visible()
        assert (await opened.pdf(format="A4")).startswith(b"%PDF")

    chromium.run(law)
