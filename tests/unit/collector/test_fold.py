"""A scan's facts folded into one row: whose word counts, what is left out, and that nothing a site writes makes it raise."""

from datetime import datetime, timedelta

import pytest

from edge_agent.collector.fold import fold
from edge_agent.domain.ids import fact_id
from edge_agent.testing.site_journal import NOON, assessment, audit, detection, provenance, scan_named, set_aside, with_findings
from edge_agent.wire.handed_over import ConsignmentPart, DeclaredPart, GoodsPart
from edge_agent.wire.messages import BundlePart, CapturePart, CodeParams, ControlBody, ReferralBody, VerdictBody

NOON_US = 1_772_452_800_000_000
MINUTE = timedelta(minutes=1)


def about(name, kind, cause, at, revision=1):
    scan = scan_named("north", name)
    body = {"fact_id": fact_id(scan, kind, revision, cause), "site": "north", "scanner": "gate-1", "scan_id": scan}
    return {**body, "revision": revision, "cause": cause, "produced_at": at}


def verdict(conclusion, at=NOON + MINUTE, officer="o-1", revision=1, supervisor=False, **more):
    said = {"conclusion": conclusion, "officer": officer, "workstation": "c", "is_supervisor": supervisor, "reasons": [], "decided_at": at}
    return VerdictBody.model_validate({**about("a", "verdict", f"{at}{officer}", at, revision), **said, **more})


def control(conclusion, at=NOON + 60 * MINUTE, what=(), **more):
    said = {"conclusion": conclusion, "found": [{"what": one} for one in what], "office": "port"}
    return ControlBody.model_validate({**about("a", "control", str(at), at), **said, **more})


def opened(at, officer="o-1", revision=1, name="a"):
    event = CodeParams(code="opened", params={"workstation": "c", "officer": officer, "revision": revision})
    fact = audit("north", f"opened {officer} {at}", at)
    return fact.model_copy(update={"scan_id": scan_named("north", name), "event": event})


def referral(officer=None):
    return ReferralBody.model_validate({**about("a", "referral", "r", NOON + MINUTE), "reason": CodeParams(code="x"), "officer": officer})


def an_alert(**more):
    return with_findings(assessment("north", "a", "alert", **more), [detection("knife")], ["knife", "handgun"])


def test_the_machine_alone():
    case = fold([an_alert()])
    assert (case.outcome, case.alerted, case.stands, case.stands_by) == ("alert", "handgun|knife", "alert", "machine")
    assert (case.produced_us, case.taken_us, case.models, case.is_advisory) == (NOON_US, NOON_US - 60_000_000, "detector/0.1.0", True)
    assert (case.is_alert, case.is_pending, case.released_us) == (True, True, None)


def test_nothing_is_a_case_before_the_machine_spoke():
    assert fold([]) is None
    assert fold([verdict("suspicious"), control("found", what=["knife"])]) is None


def test_a_check_without_a_label_alerts_by_its_code():
    body = assessment("north", "a", "alert", reasons=[CodeParams(code="weight-mismatch", params={"score": 0.9})])
    assert fold([body]).alerted == "weight-mismatch"
    assert fold([body.model_copy(update={"conclusion": "no-alert"})]).alerted == ""


def test_the_newest_revision_counts_whatever_order_it_came_in():
    first, second = assessment("north", "a", "alert"), assessment("north", "a", "no-alert", revision=2)
    assert fold([second, first]).outcome == fold([first, second]).outcome == "no-alert"
    assert fold([first, set_aside("north", "a").model_copy(update={"revision": 2})]).outcome == "set-aside"


def test_a_scan_set_aside_stands_for_nothing():
    case = fold([set_aside("north", "a")])
    assert (case.outcome, case.reason, case.kind, case.stands) == ("set-aside", "unreadable-scan", "unknown", "")
    assert fold([set_aside("north", "a"), referral("o-1")]).referred_by_officer


def test_the_first_verdict_gives_the_time_and_the_last_of_an_analyst_the_word():
    case = fold([an_alert(), verdict("not-suspicious"), verdict("suspicious", NOON + 5 * MINUTE, "o-2")])
    assert (case.first_conclusion, case.first_officer, case.decision_s) == ("not-suspicious", "o-1", 60.0)
    assert (case.analyst, case.officer, case.analyst_on) == ("suspicious", "o-2", "alert")
    assert (case.stands, case.stands_by, case.stands_us) == ("suspicious", "analyst", NOON_US + 300_000_000)


def test_a_supervisor_stands_above_an_analyst_who_spoke_later():
    case = fold([an_alert(), verdict("suspicious", officer="s", supervisor=True), verdict("not-suspicious", NOON + 9 * MINUTE)])
    assert (case.supervisor, case.analyst, case.stands, case.stands_by) == ("suspicious", "not-suspicious", "suspicious", "supervisor")


def test_a_verdict_is_about_the_word_that_the_officer_had():
    # Decided on revision 1 (alert); the machine has said no-alert of revision 2 since.
    case = fold([an_alert(), verdict("not-suspicious"), assessment("north", "a", "no-alert", NOON + 2 * MINUTE, revision=2)])
    assert (case.outcome, case.analyst_on) == ("no-alert", "alert")


def test_a_verdict_that_names_its_assessment_is_about_that_one():
    early = an_alert()
    again = assessment("north", "a", "no-alert", NOON + MINUTE / 2, fact_id="again", cause="metadata-1")
    assert fold([early, again, verdict("suspicious", assessment=early.fact_id, order="assisted")]).analyst_on == "alert"
    assert fold([early, again, verdict("suspicious")]).analyst_on == "no-alert"
    assert fold([early, verdict("suspicious", order="blind-first")]).analyst_order == "blind-first"


def test_a_workstation_whose_clock_is_behind_gives_no_decision_time():
    assert fold([an_alert(), verdict("suspicious", NOON - MINUTE)]).decision_s is None


def test_a_look_is_from_the_officers_own_last_opening_to_the_first_verdict():
    before = [an_alert(), opened(NOON + 5 * MINUTE), opened(NOON + 59 * MINUTE), opened(NOON + 59.5 * MINUTE, officer="o-2")]
    case = fold([*before, verdict("suspicious", NOON + 60 * MINUTE), opened(NOON + 61 * MINUTE)])
    assert (case.decision_s, case.look_s) == (3600.0, 60.0)


@pytest.mark.parametrize(
    "opening",
    [opened(NOON, officer="o-2"), opened(NOON, revision=2), opened(NOON + 9 * MINUTE), audit("north", "opened")],
    ids=["another officer", "another revision", "by a clock that is behind", "another fact"],
)
def test_a_look_that_is_not_known_is_not_told(opening):
    case = fold([an_alert(), opening, verdict("suspicious")])
    assert (case.look_s, case.decision_s) == (None, 60.0)


def test_who_referred():
    assert fold([an_alert(), referral()]).referred_by_clock
    by_officer = fold([an_alert(), referral("o-1")])
    assert (by_officer.referred_by_officer, by_officer.referred_by_clock) == (True, False)


def test_the_last_examination_counts_and_the_time_it_took_place():
    case = fold([an_alert(), control("found", what=["knife", "cocaine"], examined_at=NOON + 30 * MINUTE)])
    assert (case.control, case.found, case.control_us) == ("found", "cocaine|knife", NOON_US + 1_800_000_000)
    assert (case.is_confirmed, case.is_examined, case.released_us, case.stands_by) == (True, True, case.control_us, "examination")


def test_examinations_that_differ_are_disputed_and_counted_nowhere():
    laboratory = control("nothing-found", NOON + 90 * MINUTE, office="laboratory")
    case = fold([an_alert(), control("found", what=["knife"]), laboratory])
    assert (case.is_disputed, case.is_examined, case.is_confirmed, case.is_pending) == (True, False, False, False)


def test_an_office_that_corrects_itself_disputes_nothing():
    case = fold([an_alert(), control("found", what=["knife"]), control("nothing-found", NOON + 90 * MINUTE)])
    assert (case.is_disputed, case.control, case.found, case.stands) == (False, "nothing-found", "", "nothing-found")


def test_an_examination_that_did_not_take_place_takes_nothing_back():
    case = fold([an_alert(), control("nothing-found"), control("not-examined", NOON + 90 * MINUTE)])
    assert (case.control, case.is_disputed) == ("nothing-found", False)
    assert fold([an_alert(), control("not-examined")]).control == "not-examined"


def test_a_clear_verdict_releases():
    assert fold([an_alert(), verdict("not-suspicious")]).released_us == NOON_US + 60_000_000
    assert fold([an_alert(), verdict("suspicious")]).released_us is None


def test_the_time_is_of_the_look_at_the_pixels_not_of_a_later_thought():
    looked = assessment("north", "a", timings_ms={"queue": 50.0, "decode": 300.0, "detect": 650.0})
    again = assessment("north", "a", cause="metadata-1", fact_id="again", timings_ms={"conclude": 0.2})
    case = fold([looked, again])
    assert (case.latency_ms, case.queue_ms, case.decode_ms) == (1000.0, 50.0, 300.0)
    assert fold([again]).latency_ms is None


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("CN", "CN"),
        ("cn", "CN"),
        (" CN ", "CN"),
        ("CN SHA", "CN"),
        ("cn-sha", "CN"),
        ("CHINA", ""),
        ("CNSHA", ""),
        ("", ""),
        ("C1", ""),
        ("CNSHANG", ""),
    ],
)
def test_a_country_is_a_code_or_nothing(written, code):
    assert fold([assessment("north", "a", consignment=ConsignmentPart(origin=written))]).origin == code


@pytest.mark.parametrize(("heading", "kept"), [("0202.30", "0202"), ("02", "02"), ("020", "02"), ("9", ""), ("beef", ""), ("٠٢٠٢", "")])
def test_goods_are_a_heading_of_four_digits_or_two(heading, kept):
    declared = DeclaredPart(goods=[GoodsPart(hs=heading)], source="sidecar")
    assert fold([assessment("north", "a", declared=declared)]).commodity == kept


def test_words_of_a_site_are_printable_bounded_and_cannot_add_fields():
    state = BundlePart(name="a|b\n\x1b[31m", version="\u202e" + "x" * 500, sha256="0", state="made-up-by-a-newer-site")
    body = assessment("north", "a", provenance=provenance().model_copy(update={"bundles": [state]}))
    models = fold([body]).models
    assert "|" not in models
    assert models.isprintable()
    assert len(models) <= 80


def test_impossible_times_are_none():
    capture = CapturePart(kind="live", taken_at=datetime(1, 1, 1), as_written="", tz_assumed=False)  # noqa: DTZ001 - without a zone on purpose
    body = assessment("north", "a", capture=capture)
    assert fold([body]).taken_us is None
    assert fold([an_alert(), verdict("suspicious", decided_at=datetime(1, 1, 1))]).decision_s is None  # noqa: DTZ001 - as above


def test_findings_that_this_version_does_not_know_do_not_stop_it():
    broken = detection("knife").model_copy(update={"box": (9.0, 9.0, 1.0, 1.0)})
    assert fold([assessment("north", "a", "alert", findings=[broken]), verdict("suspicious")]).stands == "suspicious"


def test_what_is_not_about_the_scans_judgement_changes_nothing():
    assert fold([an_alert(), audit("north", "viewed")]) == fold([an_alert()])
