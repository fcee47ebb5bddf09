"""The tables of a report: figures said in full, too few said as too few, and hostile words inert in every format."""

import io
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pytest

from edge_agent.cli.report_screen import write_screen
from edge_agent.collector.report.build import Report, windows
from edge_agent.collector.report.cells import Section, is_part_of_rate, rate_cells
from edge_agent.collector.report.files import content, write_csv
from edge_agent.collector.report.kpi_sections import availability_section
from edge_agent.collector.report.page import day_bars, page
from edge_agent.collector.report.sections import sections
from edge_agent.kpi.availability import HealthChange, Heard, Window, availability
from edge_agent.kpi.eligible import KindFilter
from edge_agent.kpi.figures import Question, figures
from edge_agent.kpi.missing import Expected, MissingLine
from edge_agent.kpi.rates import Period, Rate, Scope
from edge_agent.testing.cases import DAY_US, LATER_US, NOON_US, case, examined

SCOPE = Scope(UTC, {})
QUESTION = Question(SCOPE, LATER_US, {}, {"CN": "east"})
HOSTILE = "<script>alert(1)</script>\"'&\u202e[red]=1+1"


def report(cases, scope=SCOPE, question=QUESTION, others=()):
    changes = [HealthChange("north", NOON_US, "healthy"), HealthChange("north", NOON_US + DAY_US, "failing")]
    return Report(
        scope=scope,
        made_at=datetime(2026, 5, 1, tzinfo=UTC),
        figures=None if scope.wanted is KindFilter.ALL else figures(cases, replace(question, scope=scope)),
        summaries=(),
        detections=(),
        obstacles=(),
        set_aside=(),
        others=others,
        availability=tuple(availability(changes, {"north": Window(NOON_US, NOON_US + 4 * DAY_US, LATER_US)})),
        missing=(MissingLine("north", Expected.SELECTED, 3, 1, NOON_US),),
        facts=(("north", "assessment", 3),),
        unread=(),
    )


def table(cases, name):
    return next(section for section in sections(report(cases)) if section.name == name).records()


def many(n, **more):
    return [examined("alert", "found", **more)] * n + [examined("no-alert", **more)] * n


def test_a_rate_says_its_interval_and_n_or_that_there_is_none():
    assert rate_cells(Rate(3, 5)) == (0.6, 0.2307, 0.8824, 5)
    assert rate_cells(Rate(0, 0)) == (None, None, None, 0)
    assert rate_cells(None) == (None, None, None, None)


def test_hits_stand_by_everything_they_are_grouped_by():
    rows = table(many(30, origin="CN", commodity="0202"), "hits")
    assert {(row["by"], row["group"]) for row in rows} == {
        *(("all", "all"), ("site", "north"), ("scanner", "north/gate-1"), ("commodity", "02")),
        *(("model", "detector/1"), ("selection", "random")),
    }
    assert {(row["confirmed"], row["examined"], row["hit_rate"], row["remark"]) for row in rows} == {(30, 30, 1.0, "")}


def test_too_few_and_biased_are_said():
    assert {row["remark"] for row in table(many(29), "hits")} == {"too few (n < 30)"}
    (row, *_) = table(many(40, selection="targeted"), "truth")
    assert (row["sample"], row["remark"]) == ("others", "biased by selection")
    assert (row["misses"], row["prevalence"], row["detection"]) == (None, None, 1.0)
    (row, *_) = table(many(40), "truth")
    assert (row["sample"], row["remark"], row["misses"], row["prevalence"]) == ("random", "", 0.0, 0.5)


def test_classes_without_an_unbiased_sample_have_no_detection_rate():
    (row,) = table(many(40, selection="targeted"), "classes")
    assert (row["detection"], row["detection_n"], row["biased_detection"], row["remark"]) == (None, None, 1.0, "no unbiased sample")


def test_decisions_of_too_small_a_crowd_are_not_shown():
    said = {"first_conclusion": "suspicious", "decision_s": 9.0, "analyst": "suspicious", "analyst_on": "alert"}
    few = [case("alert", **said, first_officer=f"o{number}", officer=f"o{number}") for number in range(4)]
    assert table(few, "decisions") == []
    assert table([*few, case("alert", **said, first_officer="o9", officer="o9")], "overrides")[0]["decided"] == 5


def test_no_table_names_an_officer():
    said = {"first_conclusion": "suspicious", "analyst": "suspicious", "analyst_on": "alert"}
    cases = [case("alert", **said, first_officer=f"tok-{n}", officer=f"tok-{n}", scan_id=f"scan-{n}") for n in range(9)]
    made = report(cases)
    everything = json.dumps(content(sections(made), SCOPE)) + page(made)
    assert "tok-" not in everything
    assert "scan-" not in re.sub(r"scan-all", "", everything)


def test_percentiles_of_few_scans_are_not_given():
    assert table([case(latency_ms=2000.0)] * 29, "times")[0]["latency_p50_s"] is None
    assert table([case(latency_ms=2000.0)] * 30, "times")[0]["latency_p50_s"] == pytest.approx(2.0, rel=0.015)


def test_mixed_kinds_have_counts_only():
    names = {section.name for section in sections(report([], replace(SCOPE, wanted=KindFilter.ALL)))}
    assert names == {"scans", "availability", "detections", "obstacles", "set_aside", "facts", "unread", "missing", "other_kinds"}


def test_every_row_is_as_long_as_its_heading():
    for section in sections(report(many(30, origin="CN"))):
        assert all(len(row) == len(section.columns) for row in section.rows), section.name
        assert all(name in section.columns and not is_part_of_rate(name, section.columns) for _, some in section.screens for name in some)


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words, self.attributes = set(), [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in ("meta", "rect", "line", "circle", "polygon", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        if tag not in ("rect",):
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_is_well_formed_and_asks_for_nothing():
    text = page(report(many(40, latency_ms=1500.0)))
    read = Page(text)
    assert read.open == []
    assert not {"script", "link", "img", "iframe", "object", "form"} & read.tags
    assert not [value for _, name, value in read.attributes if name in ("src", "style") or name.startswith("on")]
    links = [value for _, name, value in read.attributes if name == "href"]
    assert links
    assert all(value.startswith("#") for value in links)
    assert "@import" not in text
    assert "url(" not in text


def test_links_lead_to_what_is_there_and_names_are_given_once():
    read = Page(page(report(many(40))))
    names = [value for _, name, value in read.attributes if name == "id"]
    assert len(names) == len(set(names))
    assert {value[1:] for _, name, value in read.attributes if name == "href"} <= set(names)


def test_plots_are_described_in_words():
    read = Page(page(report(many(40, latency_ms=1500.0))))
    plots = [value for tag, name, value in read.attributes if tag == "svg" and name == "aria-label"]
    assert [words.split(".")[0] for words in plots] == ["Alerts a day and hit rate", "Latency by site", "Health over time"]


def test_hostile_words_stay_words_in_every_format():
    cases = many(30, site=HOSTILE, models=HOSTILE, alerted=HOSTILE, latency_ms=9.0)
    made = report(cases)
    read = Page(page(made))
    assert "script" not in read.tags
    assert any("<script>" in words for words in read.words)
    assert "\u202e" not in page(made)
    screen = io.StringIO()
    write_screen(sections(made), SCOPE, screen)
    assert "\u202e" not in screen.getvalue()
    assert "red]" in screen.getvalue(), "shown, not obeyed"
    rows = io.StringIO()
    write_csv([Section("x", "X", ("a",), (("=1+1",), ("@x",), ("plain",)))], rows)
    assert rows.getvalue().splitlines()[1:] == ["x,'=1+1", "x,'@x", "x,plain"]


def test_simulated_scans_are_marked_on_the_page():
    scope = replace(SCOPE, wanted=KindFilter.SYNTHETIC)
    made = report([replace(one, kind="synthetic") for one in many(30)], scope)
    assert "SIMULATED" in page(made)
    assert "SIMULATED" not in page(report(many(30)))


def test_a_report_of_nothing_is_a_page_and_a_screen():
    assert Page(page(report([]))).open == []
    screen = io.StringIO()
    write_screen(sections(report([])), SCOPE, screen)
    assert "No such scans in this period." in screen.getvalue()


def test_a_report_that_is_empty_because_only_simulated_scans_are_stored_says_so():
    made = report([], others=(("synthetic", 12),))
    screen = io.StringIO()
    write_screen(sections(made), SCOPE, screen)
    for said in (screen.getvalue(), page(made)):
        assert "other kinds" in said
        assert "SIMULATED" in said
        assert "12" in said
    assert "--kind synthetic" in screen.getvalue()
    nothing = report([])
    assert "other kinds" not in page(nothing)
    assert content(sections(nothing), SCOPE)["other_kinds"] == []


def test_every_share_on_a_screen_is_in_per_cent_and_in_a_file_within_one():
    made = report(many(40))
    screen = io.StringIO()
    write_screen(sections(made), SCOPE, screen)
    (row,) = content(sections(made), SCOPE)["availability"]
    assert (row["healthy"], row["failing"]) == (0.25, 0.75)
    for said in (screen.getvalue(), page(made)):
        assert "25.0 %" in said
        assert "0.25" not in said
        assert "100.0 %" in said, "a rate beside it"


def test_how_much_of_a_clock_that_is_ahead_was_taken_off_is_said():
    lines = availability([HealthChange("north", 0, "healthy", 90_000_000)], {"north": Window(0, DAY_US, DAY_US), "south": Window(0, 1, 1)})
    north, south = availability_section(lines).records()
    assert (north["clock_ahead_s"], south["clock_ahead_s"]) == (90.0, None)


def test_how_long_officers_waited_and_how_long_they_looked_stand_apart():
    said = {"first_conclusion": "suspicious", "decision_s": 600.0, "look_s": 20.0}
    cases = [case("alert", **said, first_officer=f"o{number}") for number in range(40)]
    (row,) = table([*cases, case("alert", **{**said, "look_s": None}, first_officer="o1")], "decisions")
    assert (row["decided"], row["looked_n"]) == (41, 40)
    assert (row["waited_p50_s"], row["looked_p50_s"]) == (pytest.approx(600, rel=0.015), pytest.approx(20, rel=0.015))


def test_days_without_scans_are_days():
    cases = [*many(20), *many(20, produced_us=NOON_US + 3 * DAY_US)]
    bars = day_bars(figures(cases, QUESTION))
    assert [(bar.day.day, bar.alerts) for bar in bars] == [(2, 20), (3, 0), (4, 0), (5, 20)]
    assert [bar.hit_rate for bar in bars] == [None, None, None, Rate(40, 40)], "seven days together are enough"


@pytest.mark.parametrize("wrong_us", [0, LATER_US + 200 * 366 * DAY_US], ids=["1970", "to come"])
def test_one_scan_of_a_wrong_clock_does_not_stretch_the_plot(wrong_us):
    """It is in the tables; as a day among the others it would make a plot of twenty thousand empty ones."""
    made = report([*many(20), *many(1, produced_us=wrong_us)])
    assert [bar.day for bar in day_bars(made.figures)] == [date(2026, 3, 2)]
    assert len(made.figures.days) == 2
    assert len(page(made)) < 200_000
    assert day_bars(report(many(1, produced_us=LATER_US + 9 * DAY_US)).figures) == []


def test_the_window_of_availability_is_the_periods_days_by_the_sites_calendar():
    zone = Scope(UTC, {}, Period(date(2026, 3, 2), date(2026, 3, 2)))
    window = windows({"north": Heard(0, LATER_US)}, zone, LATER_US)["north"]
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    assert window.begin_us == int(midnight.timestamp()) * 1_000_000
    assert window.end_us - window.begin_us == timedelta(days=1) / timedelta(microseconds=1)


@pytest.mark.parametrize("period", [Period(), Period(last=date.max), Period(first=date.max), Period(date.min, date.min)])
def test_no_period_breaks_the_window(period):
    window = windows({"north": Heard(NOON_US, LATER_US)}, Scope(UTC, {}, period), LATER_US)["north"]
    assert window.begin_us <= window.end_us
