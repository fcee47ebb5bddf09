from datetime import UTC, datetime, timedelta

import pytest

from edge_agent.collector.explode import Exploded, Unread, explode
from edge_agent.kpi.rates import Outcome
from edge_agent.testing.site_journal import (
    NOON,
    SiteJournal,
    alert_for,
    assessment,
    audit,
    blocking,
    detection,
    heterogeneity,
    kind_of,
    provenance,
    set_aside,
)


def exploded(body, site="north"):
    journal = SiteJournal(site)
    journal.add(body)
    return explode(journal.rows[0], journal.site)


def raw(text):
    journal = SiteJournal("north")
    journal.add_raw("ei1/north/~/audit/", text)
    return explode(journal.rows[0], journal.site)


def test_an_assessment_gives_its_outcome_findings_reasons_and_obstacles():
    body = assessment(
        "north",
        "a",
        "alert",
        findings=[detection("knife", 0.8), heterogeneity(0.6)],
        reasons=[alert_for("knife")],
        obstacles=[blocking("dark")],
    )
    value = exploded(body)
    assert isinstance(value, Exploded)
    assert value.outcome.outcome is Outcome.ALERT
    assert (value.outcome.capture_kind, value.outcome.selection) == ("live", "random")
    assert value.assessment.findings == (
        ("detection", "knife", 0.8, "top", "detector/0.1.0", 1),
        ("heterogeneity", None, 0.6, "top", "contents/0.1.0", 0),
    )
    assert value.assessment.reasons == (("detection-alert", "knife"),)
    assert value.assessment.obstacles == (("dark", None, 1),)
    assert value.fact.produced_us == 1_772_452_800_000_000


def test_one_bundle_that_is_not_commissioned_makes_it_advisory():
    assert exploded(assessment("north", "a")).assessment.is_advisory
    assert not exploded(assessment("north", "a", provenance=provenance("commissioned"))).assessment.is_advisory


def test_a_set_aside_is_an_outcome_of_unknown_kind_with_its_reason():
    value = exploded(set_aside("north", "a", "decoder-died"))
    assert (value.outcome.outcome, value.outcome.capture_kind, value.outcome.reason) == (Outcome.SET_ASIDE, "unknown", "decoder-died")


def test_a_fact_about_the_site_concludes_nothing():
    value = exploded(audit("north", "start-1"))
    assert (value.fact.kind, value.fact.scanner, value.outcome, value.assessment) == ("audit", "~", None, None)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[]", b'{"kind":"prophecy","schema":"prophecy/1.0"}', b"[" * 60000])
def test_bytes_that_cannot_be_read_are_kept_apart_never_raised(body):
    assert isinstance(raw(body), Unread)


def test_a_fact_that_names_another_site_is_not_believed():
    assert exploded(audit("south", "start-1"), site="north") == Unread("the body names another site")


@pytest.mark.parametrize("revision", [-1, 1 << 31, 10**30])
def test_a_revision_that_fits_no_column_is_unread(revision):
    assert isinstance(exploded(assessment("north", "a", revision=revision)), Unread)


@pytest.mark.parametrize("moment", [datetime(1969, 12, 31, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC), datetime(2026, 1, 1)])  # noqa: DTZ001
def test_a_fact_without_a_usable_time_of_its_own_is_unread(moment):
    assert isinstance(exploded(assessment("north", "a", produced_at=moment)), Unread)


def test_a_scanner_clock_far_off_costs_only_its_own_column():
    value = exploded(assessment("north", "a", capture=kind_of("live", datetime(1601, 1, 1, tzinfo=UTC))))
    assert value.assessment.taken_us is None
    assert value.outcome is not None
    near = exploded(assessment("north", "a", capture=kind_of("live", NOON - timedelta(seconds=1))))
    assert near.fact.produced_us - near.assessment.taken_us == 1_000_000


def test_an_outcome_without_a_scan_is_unread():
    assert isinstance(exploded(assessment("north", "a", scan_id=None)), Unread)
