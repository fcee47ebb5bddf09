"""What a report asks of an archive besides counts, the same in SQLite and PostgreSQL: health, when sites were heard, the whole."""

from datetime import UTC, date, timedelta
from zoneinfo import ZoneInfo

import pytest

from edge_agent.collector.archive import sql
from edge_agent.collector.archive.store import Archive
from edge_agent.collector.report.build import build, windows
from edge_agent.collector.report.files import content
from edge_agent.collector.report.sections import sections
from edge_agent.domain.ids import SiteId, fact_id
from edge_agent.kpi.availability import Heard
from edge_agent.kpi.figures import Question
from edge_agent.kpi.rates import Period, Scope
from edge_agent.testing.archives import batch, journal_of
from edge_agent.testing.cases import DAY_US, LATER_US, NOON_US
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.hq_story import SiteStory, story
from edge_agent.testing.site_journal import NOON, SiteJournal, assessment, audit
from edge_agent.wire.messages import CodeParams, HealthBody

DAY = timedelta(days=1)
HERE_US = NOON_US + 100 * DAY_US
"""What headquarters' clock shows in these tests."""


@pytest.fixture(params=["sqlite", "postgres"])
def archive(request, tmp_path):
    place = tmp_path / "archive.db" if request.param == "sqlite" else request.getfixturevalue("postgres_address")
    with Archive.open(place, late_clock()) as opened:
        yield opened


def late_clock():
    clock = ManualClock()
    clock.advance(100 * DAY.total_seconds())
    return clock


def health(state, days, site="north"):
    at = NOON + days * DAY
    fact = {"fact_id": fact_id(SiteId(site), "health", 0, at.isoformat()), "site": site, "revision": 0, "cause": at.isoformat()}
    return HealthBody.model_validate({**fact, "produced_at": at, "state": state, "reasons": [CodeParams(code="disk-low")]})


def told(archive, period):
    return [(change.site, (change.at_us - NOON_US) // DAY_US, change.state) for change in archive.health(period)]


def test_a_period_begins_with_the_last_word_before_it_of_each_site(archive):
    north = journal_of(health("healthy", 0), health("degraded", 1), health("failing", 5), health("healthy", 9))
    south = journal_of(health("healthy", 0, "south"), site="south", epoch=b"s" * 16)
    archive.commit([batch(north), batch(south)])
    assert told(archive, Period()) == [
        *[("north", day, state) for day, state in ((0, "healthy"), (1, "degraded"), (5, "failing"), (9, "healthy"))],
        ("south", 0, "healthy"),
    ]
    day = (NOON + 5 * DAY).date()
    # One day more on either side, for zones: from the 4th day after on, degraded of before it included, and the south's first word.
    assert told(archive, Period(day, day)) == [("north", 1, "degraded"), ("north", 5, "failing"), ("south", 0, "healthy")]


def test_what_sites_say_of_themselves_is_given_from_the_periods_begin_on(archive):
    about_a_scan = audit("north", "viewed", NOON).model_copy(update={"scan_id": assessment("north", "a").scan_id})
    bodies = [audit("north", f"day-{day}", NOON + day * DAY) for day in (0, 3, 9)]
    archive.commit([batch(journal_of(about_a_scan, *bodies, health("healthy", 4)))])
    assert [body.cause for body in archive.site_audits()] == ["day-0", "day-3", "day-9"]
    day = (NOON + 3 * DAY).date()
    assert [body.cause for body in archive.site_audits(Period(day, day))] == ["day-3", "day-9"]


def test_what_never_came_is_in_the_report(archive):
    lost, found = "numbering-gap", "numbering-gap-closed"
    facts = [(lost, "7-9"), (lost, "8-9"), (found, "8-9")]
    bodies = [audit("north", f"{code}-{which}").model_copy(update={"event": CodeParams(code=code)}) for code, which in facts]
    archive.commit([batch(journal_of(*bodies))])
    (row,) = content(sections(build(archive, Question(Scope(UTC, {}), NOON_US + 5 * DAY_US))), Scope(UTC, {}))["missing"]
    assert (row["missing"], row["found_late"], row["still_open"], row["oldest_open_days"]) == (2, 1, 1, 5.0)


def test_a_site_was_heard_from_its_first_fact_to_its_last(archive):
    assert archive.heard() == {}
    archive.commit([batch(journal_of(assessment("north", "a"), health("healthy", 3), assessment("north", "b", at=NOON + DAY)))])
    assert archive.heard() == {"north": Heard(NOON_US, NOON_US + DAY_US)}, "as it journalled"


def test_what_came_ahead_was_heard_too(archive):
    journal = journal_of(*(assessment("north", str(day), at=NOON + day * DAY) for day in range(4)))
    archive.commit([batch(journal, 0, 1)])
    archive.live(SiteId("north"), journal.rows[2:])
    assert archive.heard() == {"north": Heard(NOON_US, NOON_US + 3 * DAY_US)}


def test_a_row_that_cannot_be_read_was_heard_when_it_came(archive):
    journal = journal_of(assessment("north", "a"))
    journal.add_raw("ei1/north/~/prophecy/", b'{"kind":"prophecy"}')
    archive.commit([batch(journal)])
    assert archive.heard() == {"north": Heard(NOON_US, HERE_US)}


def test_a_site_whose_clock_is_ahead_spoke_when_it_was_heard(archive):
    """Its clock says a year from now: without the clamp it would be healthy for a year to come, and its first word would be no word yet."""
    archive.commit([batch(journal_of(assessment("north", "a"), health("failing", 465), health("healthy", 466)))])
    assert archive.heard() == {"north": Heard(NOON_US, HERE_US, 366 * DAY_US)}
    changes = [(HERE_US, "failing", 365 * DAY_US), (HERE_US, "healthy", 366 * DAY_US)]
    assert [(change.at_us, change.state, change.ahead_us) for change in archive.health()] == changes
    (line,) = build(archive, Question(Scope(UTC, {}), HERE_US + 10 * DAY_US)).availability
    assert (line.seconds("healthy"), line.seconds("failing"), line.ahead_us) == (0, 0, 366 * DAY_US), "nothing was heard since"
    day = (NOON + 100 * DAY).date()
    assert [change.state for change in archive.health(Period(day, day))] == ["failing", "healthy"], "on the day on which they were heard"


def test_facts_are_counted_on_the_days_of_the_report_alone(archive):
    archive.commit([batch(journal_of(*(assessment("north", str(day), at=NOON + day * DAY) for day in range(9)), health("healthy", 4)))])
    assert archive.facts() == [("north", "assessment", 9), ("north", "health", 1)]
    day = (NOON + 4 * DAY).date()
    asked = Question(Scope(UTC, {}, Period(day, day)), LATER_US)
    assert build(archive, asked).facts == (("north", "assessment", 1), ("north", "health", 1))


def test_a_long_period_is_read_a_day_at_a_time_and_empty_years_are_jumped_over(archive, monkeypatch):
    days = (0, 1, 2, 9_000)
    archive.commit([batch(journal_of(*(assessment("north", str(day), at=NOON + day * DAY) for day in days)))])
    asked = []
    execute = archive.database.execute
    monkeypatch.setattr(archive.database, "execute", lambda text, values=(): asked.append((text, values)) or execute(text, values))
    assert sum(tally.scans for tally in archive.outcomes()) == 4
    spans = [values for text, values in asked if text == sql.COUNT_OUTCOMES]
    assert len(spans) == 4
    assert all(high - low <= DAY_US for low, high in spans)


def test_only_simulated_scans_are_other_scans_to_a_report_about_live_ones(archive):
    capture = assessment("north", "x").capture.model_copy(update={"kind": "synthetic"})
    archive.commit([batch(journal_of(*(assessment("north", str(n), capture=capture) for n in range(3))))])
    report = build(archive, Question(Scope(UTC, {}), LATER_US))
    assert (report.summaries, report.others) == ((), (("synthetic", 3),))


def test_the_window_of_a_site_is_its_own_calendars():
    scope = Scope(UTC, {"south": ZoneInfo("Asia/Kolkata")}, Period(date(2026, 3, 3), date(2026, 3, 3)))
    heard = {"north": Heard(0, LATER_US), "south": Heard(0, LATER_US)}
    spans = windows(heard, scope, LATER_US)
    assert spans["north"].begin_us - spans["south"].begin_us == timedelta(hours=5.5) / timedelta(microseconds=1)


def test_the_order_in_which_sites_are_heard_changes_no_report(archive, tmp_path):
    sites = (SiteStory("north", ("g1",), "cargo", 30, 5), SiteStory("south", ("g1",), "cargo", 20, 5))
    journals = {site.name: SiteJournal(site.name) for site in sites}
    for site, row in story(5, sites, days=3):
        journals[site].epoch = row.epoch
        journals[site].rows.append(row)
    archive.commit([batch(journals["north"]), batch(journals["south"])])
    asked = Question(Scope(UTC, {}), LATER_US)
    with Archive.open(tmp_path / "other.db", late_clock()) as other:
        for journal in (journals["south"], journals["north"]):
            for start in range(0, len(journal.rows), 37):
                other.commit([batch(journal, start, start + 37)])
        one, two = (content(sections(build(each, asked)), asked.scope) for each in (archive, other))
    assert one == two
    assert one["hits"]
