"""Facts in, rows out."""

from dataclasses import replace
from datetime import timedelta

from edge_agent.console.board import Board
from edge_agent.console.client import SeenFact
from edge_agent.domain.ids import Seq
from edge_agent.testing.factories import NOON, a_scan_id, a_set_aside, a_verdict, an_assessment, an_audit, assessment_body
from edge_agent.wire.handed_over import ThirdPartyPart
from edge_agent.wire.messages import ReferralBody, decode


def seen(entry, seq, replayed=False, after_s=0.5):
    return SeenFact(Seq(seq), entry.topic, decode(entry.body), replayed, NOON + timedelta(seconds=after_s))


def board_of(*facts):
    board = Board()
    for fact in facts:
        board.apply(fact)
    return board


SCAN = a_scan_id("a")


def test_an_assessment_becomes_a_row_with_its_words_and_provider():
    (row,) = board_of(seen(an_assessment(SCAN, conclusion="alert"), 1)).rows
    assert (row.conclusion, row.findings, row.provider, row.is_advisory) == ("alert", ("handgun 0.90",), "CPU", True)


def test_latency_is_the_time_of_the_work_and_of_the_way_to_the_console():
    (row,) = board_of(seen(an_assessment(SCAN), 1, after_s=0.5)).rows
    assert row.latency_s == 0.5 + 0.0125


def test_a_replayed_fact_has_no_latency():
    (row,) = board_of(seen(an_assessment(SCAN), 1, replayed=True)).rows
    assert (row.latency_s, row.since_taken_s) == (None, None)


def test_a_console_whose_clock_is_behind_shows_no_negative_latency():
    (row,) = board_of(seen(an_assessment(SCAN), 1, after_s=-5)).rows
    assert row.latency_s >= 0
    assert row.since_taken_s is None


def test_the_newest_fact_stands_first():
    board = board_of(seen(an_assessment(SCAN), 1), seen(a_set_aside(a_scan_id("b")), 2))
    assert [row.seq for row in board.rows] == [2, 1]


def test_a_scan_set_aside_is_shown_with_its_reason_in_words():
    (row,) = board_of(seen(a_set_aside(SCAN, reason="limit-exceeded"), 1)).rows
    assert row.conclusion == "set-aside"
    assert row.reasons == ("the picture is larger than the limits allow",)


def test_a_verdict_is_shown_beside_the_machine_s_word_and_kept_stale_over_a_new_revision():
    board = board_of(seen(an_assessment(SCAN), 1), seen(a_verdict(SCAN), 2))
    assert (board.find(SCAN).verdict, board.find(SCAN).is_verdict_stale) == ("suspicious", False)
    board.apply(seen(an_assessment(SCAN, revision=2), 3))
    assert (board.find(SCAN).verdict, board.find(SCAN).is_verdict_stale) == ("suspicious", True)


def test_an_older_revision_never_replaces_a_newer_one():
    board = board_of(seen(an_assessment(SCAN, revision=2), 1), seen(an_assessment(SCAN, revision=1, conclusion="alert"), 2))
    assert board.find(SCAN).revision == 2


def test_a_referral_is_shown_as_the_officer_s_word():
    referral = ReferralBody.model_validate(
        {
            "fact_id": "x",
            "site": "harbour",
            "scanner": "gate-1",
            "scan_id": SCAN,
            "revision": 1,
            "cause": "c",
            "produced_at": NOON,
            "reason": {"code": "passed-on"},
        }
    )
    board = board_of(seen(an_assessment(SCAN), 1), SeenFact(Seq(2), "t", referral, False, NOON))
    assert board.find(SCAN).verdict == "refer"


def test_a_verdict_on_a_scan_not_shown_and_facts_about_the_site_change_nothing():
    assert not board_of(seen(a_verdict(SCAN), 1), seen(an_audit(), 2), SeenFact(Seq(3), "t", None, False, NOON)).rows


def test_the_oldest_rows_leave_a_full_board():
    board = Board(capacity=2)
    for seq, name in enumerate("abc", start=1):
        board.apply(seen(an_assessment(a_scan_id(name)), seq))
    assert [row.seq for row in board.rows] == [3, 2]


def test_findings_left_out_by_the_site_are_counted():
    body = assessment_body(SCAN, conclusion="alert").model_copy(update={"findings_left_out": 3})
    (row,) = board_of(replace(seen(an_assessment(SCAN), 1), body=body)).rows
    assert row.findings[-1] == "and 3 more"


def test_what_the_vendors_own_algorithm_said_is_shown_as_the_vendors_and_changes_nothing():
    body = assessment_body(SCAN, conclusion="no-alert")
    said = [ThirdPartyPart(source="dataform", algorithm="IRU", version="1", conclusion=word) for word in ("alert", "no-alert", "unknown")]
    told = SeenFact(Seq(1), an_assessment(SCAN).topic, body.model_copy(update={"third_party": said}), False, NOON)
    (row,) = board_of(told).rows
    assert row.conclusion == "no-alert"
    assert [words for words in row.findings if "vendor" in words] == ["vendor's IRU: alert (not ours)", "vendor's IRU: no-alert (not ours)"]
