"""Lines for pipes and programs."""

import json
from datetime import timedelta

from edge_agent.console.client import LinkState, Phase, SeenFact
from edge_agent.console.lines import json_line, link_line, plain_line
from edge_agent.console.terminal import Stop, Until
from edge_agent.domain.ids import Seq
from edge_agent.testing.factories import NOON, a_scan_id, a_set_aside, a_verdict, an_assessment, an_audit
from edge_agent.wire.messages import HealthBody, decode

SCAN = a_scan_id("a")


def seen(entry, seq=1, replayed=False):
    return SeenFact(Seq(seq), entry.topic, decode(entry.body), replayed, NOON + timedelta(seconds=1))


def test_a_json_line_carries_the_body_as_it_was_journalled():
    entry = an_assessment(SCAN, conclusion="alert")
    line = json.loads(json_line(seen(entry, 7, replayed=True)))
    assert ("fact", 7, True, json.loads(entry.body)) == (line["event"], line["seq"], line["replayed"], line["body"])


def test_a_json_line_of_a_link_says_phase_and_lag():
    line = json.loads(json_line(LinkState(Phase.STALE, "harbour", head=9, seq=4)))
    assert (line["event"], line["phase"], line["lag"]) == ("link", "stale", 5)


def test_a_plain_line_says_alert_and_advisory():
    line = plain_line(seen(an_assessment(SCAN, conclusion="alert"), 3))
    assert line.startswith("#3 ")
    assert "ALERT" in line
    assert "advisory, not commissioned" in line


def test_every_kind_of_fact_has_a_plain_line():
    lines = [plain_line(seen(entry)) for entry in (a_set_aside(SCAN), a_verdict(SCAN), an_audit())]
    assert ["SET ASIDE" in lines[0], "officer: suspicious" in lines[1], "audit: started" in lines[2]] == [True] * 3


def test_a_word_about_the_site_itself_is_one_sentence_with_its_place():
    body = HealthBody(fact_id="f", site="harbour", revision=1, cause="c", produced_at=NOON, state="degraded", reasons=[])
    assert plain_line(SeenFact(Seq(2), "ei1/harbour/~/health/", body, False, NOON)).endswith(" - site is degraded")


def test_a_kind_this_version_does_not_know_is_still_told():
    assert "does not know" in plain_line(SeenFact(Seq(1), "ei1/harbour/~/future/", None, False, NOON))


def test_a_line_never_holds_a_line_break_from_the_wire():
    state = LinkState(Phase.LIVE, "harbour\nfake", detail="\x1b[2J")
    assert "\n" not in plain_line(state)
    assert "\x1b" not in plain_line(state)


def test_counting_outcomes_leaves_verdicts_and_audits_out():
    stop = Stop(Until(count=2))
    assert [stop.after(seen(entry)) for entry in (an_assessment(SCAN), a_verdict(SCAN), an_audit(), a_set_aside(SCAN))] == [
        False,
        False,
        False,
        True,
    ]


def test_a_row_number_ends_the_watch_whatever_the_kind():
    stop = Stop(Until(seq=5))
    assert [stop.after(seen(an_audit(), seq)) for seq in (4, 5)] == [False, True]


def test_a_journal_that_is_past_the_wanted_row_at_the_start_ends_the_watch():
    assert Stop(Until(seq=5)).after(LinkState(Phase.LIVE, head=6, seq=6))


def test_a_stale_link_never_says_how_the_site_is_now():
    assert "site was last healthy" in link_line(LinkState(Phase.STALE, "harbour", health="healthy"))
    assert "site is healthy" in link_line(LinkState(Phase.LIVE, "harbour", health="healthy"))
