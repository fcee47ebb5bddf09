"""The queue of the browser console: what stands first, what changed since when, what a row may tell; and how far alerts can be trusted."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.console.blind import is_chosen, order_of
from edge_agent.console.catalogue import REASONS_FOR, VERDICT_REASONS
from edge_agent.console.events import SeenFact
from edge_agent.console.queue import MOST_BEHIND, Filters, Queue
from edge_agent.console.scan_page import scan_view
from edge_agent.console.trust import decisions_of, trust_rows
from edge_agent.domain.assessment import MachineAssessment
from edge_agent.domain.ids import Seq, fact_id
from edge_agent.domain.standing import standing
from edge_agent.testing.site_journal import NOON, alert_for, assessment, audit, detection, scan_named, set_aside
from edge_agent.wire.facts import fact_of
from edge_agent.wire.messages import BlobPart, BundlePart, CodeParams, ControlBody, FoundPart, ObstaclePart, ReferralBody, VerdictBody

SITE = "north"
ME, OTHER = "aa" * 16, "bb" * 16


class Story:
    """Facts of one site, fed into a queue in order."""

    def __init__(self, queue, site=SITE):
        self.queue = queue
        self.site = site
        self.seq = 0
        self.now = NOON

    def tell(self, *bodies):
        for body in bodies:
            self.seq += 1
            self.queue.apply(self.site, SeenFact(Seq(self.seq), "", body, True, body.produced_at))
        return self

    def judged(self, name, conclusion="alert", **more):
        self.now += timedelta(seconds=1)
        found = {"findings": [detection("weapon")], "reasons": [alert_for("weapon")]} if conclusion == "alert" else {}
        return self.tell(assessment(SITE, name, conclusion, self.now, **{**found, **more}))

    def said(self, name, conclusion, officer=ME, cause="v", **more):
        scan, revision = scan_named(SITE, name), more.pop("revision", 1)
        about = {"site": SITE, "scanner": "gate-1", "scan_id": scan, "revision": revision, "produced_at": self.now, "cause": cause}
        if conclusion in ("found", "nothing-found", "not-examined"):
            fact = fact_id(scan, "control", revision, cause)
            found = [FoundPart(what="cocaine")] if conclusion == "found" else []
            return self.tell(
                ControlBody(**about, fact_id=fact, conclusion=conclusion, found=found, office=more.pop("office", "north"), **more)
            )
        if conclusion == "refer":
            fact = fact_id(scan, "referral", revision, cause)
            return self.tell(ReferralBody(**about, fact_id=fact, reason=CodeParams(code="passed-on"), officer=officer))
        fact = fact_id(scan, "verdict", revision, cause)
        given = {"workstation": "w", "is_supervisor": more.pop("is_supervisor", False), "reasons": [], "decided_at": self.now}
        return self.tell(VerdictBody(**about, **given, fact_id=fact, conclusion=conclusion, officer=officer, **more))

    def row(self, name):
        return self.queue.find(self.site, scan_named(SITE, name)).row()

    def state(self, name):
        row = self.row(name)
        return row.state, row.rank


def a_story(capacity=100, share=0.0):
    return Story(Queue(capacity, share))


def test_a_row_says_what_put_the_scan_on_alert_not_what_else_was_seen():
    story = a_story()
    quiet = detection("bottle").model_copy(update={"score": 0.99})
    story.judged("found", findings=[quiet, detection("weapon")], reasons=[alert_for("weapon")])
    assert story.row("found").top == ("weapon", detection("weapon").score)
    story.judged("empty", findings=[quiet], reasons=[CodeParams(code="declared-goods-but-empty", params={})])
    assert story.row("empty").top == ("declared-goods-but-empty", None)
    story.judged("calm", "no-alert", findings=[quiet], reasons=[])
    assert story.row("calm").top == ("bottle", 0.99)


def names_of(rows):
    return [json.loads(row)["scan_id"] for row in rows]


# What a row says


def test_what_waits_for_an_officer_and_what_does_not():
    story = a_story().judged("a").judged("b", "unassessable").judged("c", "no-alert").tell(set_aside(SITE, "d"))
    assert [story.state(name) for name in "abcd"] == [("open", 3), ("open", 2), ("clear", 1), ("set-aside", 2)]


def test_each_word_moves_a_scan_on():
    story = a_story()
    for name, word, state in [
        ("a", "suspicious", ("decided", 0)),
        ("b", "not-suspicious", ("decided", 0)),
        ("c", "rescan", ("decided", 0)),
        ("d", "refer", ("referred", 2)),
        ("e", "found", ("examined", 0)),
        ("f", "not-examined", ("open", 3)),
    ]:
        story.judged(name).said(name, word)
        assert story.state(name) == state, word


def test_a_word_on_an_older_revision_is_stale_and_the_scan_waits_again():
    story = a_story().judged("a").said("a", "not-suspicious")
    story.judged("a", revision=2, fact_id=fact_id(scan_named(SITE, "a"), "assessment", 2, "pixels"))
    assert (story.state("a"), story.row("a").standing.is_stale) == (("open", 3), True)


def test_differing_examinations_are_shown_as_disputed_and_wait():
    story = a_story().judged("a").said("a", "found").said("a", "nothing-found", cause="again", office="laboratory")
    assert (story.state("a"), story.row("a").standing.is_disputed) == (("examined", 2), True)


def test_an_office_that_corrects_itself_ends_the_matter():
    story = a_story().judged("a").said("a", "found").said("a", "nothing-found", cause="again")
    assert (story.state("a"), story.row("a").standing.is_disputed) == (("examined", 0), False)


def test_a_set_aside_scan_is_done_once_somebody_answered():
    story = a_story().tell(set_aside(SITE, "a")).said("a", "rescan")
    assert story.state("a") == ("decided", 0)


def test_a_word_that_comes_before_its_scan_counts_when_the_scan_comes():
    story = a_story().said("a", "suspicious")
    assert story.row("a") is None
    assert story.queue.select(Filters()) == []


def test_what_is_about_no_scan_makes_no_row():
    queue = a_story().tell(audit(SITE, "started")).queue
    assert (queue.version, queue.select(Filters())) == (0, [])


# Blind first


@given(st.uuids(), st.floats(0, 1))
def test_the_same_scan_is_chosen_everywhere_and_a_larger_share_only_adds(scan, share):
    assert is_chosen(str(scan), share) == is_chosen(str(scan), share)
    assert not (is_chosen(str(scan), share) and not is_chosen(str(scan), 1.0))
    assert not is_chosen(str(scan), 0.0)


def test_about_the_share_is_chosen():
    chosen = sum(is_chosen(scan_named(SITE, f"s{number}"), 0.2) for number in range(2_000))
    assert 320 < chosen < 480


def test_the_order_is_told_by_what_was_shown():
    orders = [order_of(is_chosen=chosen, is_revealed=told) for chosen in (False, True) for told in (False, True)]
    assert orders == ["assisted", "assisted", "blind-first", "after-reveal"]


def test_blind_rows_are_alike_whatever_the_machine_says():
    story = a_story(share=1.0)
    rows = [story.judged(name, word).row(name) for name, word in (("a", "alert"), ("b", "no-alert"), ("c", "unassessable"))]
    told = [row.model_dump(exclude={"scan_id", "seq", "at", "taken_at"}) for row in rows]
    assert told[0] == told[1] == told[2]
    assert rows[0].rank == 3


BLIND_WORDS = ("alert", "no-alert", "unassessable")


def a_covered_scan(word):
    """A scan whose every field that follows from the machine's word differs by that word."""
    obstacle = ObstaclePart(code="model-missing", params={}, blocking=True, view=None)
    more = {"alert": {"decide_by": NOON}, "no-alert": {}, "unassessable": {"decide_by": NOON, "obstacles": [obstacle]}}[word]
    bundles = [] if word == "unassessable" else [BundlePart(name="detector", version="1", sha256="ab" * 32, state="simulated")]
    provenance = assessment(SITE, "a", word, NOON).provenance.model_copy(update={"bundles": bundles})
    heat = BlobPart(sha256=word.ljust(64, "0"), bytes=1, media_type="image/png", role="heatmap:top")
    return a_story(share=1.0).judged("a", word, provenance=provenance, timings_ms={word: 1.0}, blobs=[heat], **more)


def referred_by_the_clock(story, name):
    scan = scan_named(SITE, name)
    about = {"site": SITE, "scanner": "gate-1", "scan_id": scan, "revision": 1, "produced_at": story.now, "cause": "clock"}
    fact = fact_id(scan, "referral", 1, "clock")
    return story.tell(ReferralBody(**about, fact_id=fact, reason=CodeParams(code="decision-clock")))


@pytest.mark.parametrize("word", BLIND_WORDS)
def test_no_field_of_a_covered_scan_tells_what_the_machine_said(word):
    shown, wanted = (
        scan_view(story.queue.find(SITE, scan_named(SITE, "a")), None) for story in (a_covered_scan(word), a_covered_scan("no-alert"))
    )
    assert wanted.model_dump() == shown.model_dump()
    assert (shown.row.is_blind, shown.row.rank, shown.row.state, shown.order) == (True, 3, "open", "blind-first")


CLOCK = timedelta(minutes=5)


def covered_beside_a_told_clock():
    """Three covered scans, one of each word, and an alert that somebody has decided: of it the console learns the policy's clock."""
    story = a_story(share=1.0)
    for name, word in zip("abc", BLIND_WORDS, strict=True):
        due = {} if word == "no-alert" else {"decide_by": story.now + timedelta(seconds=1) + CLOCK}
        story.judged(name, word, **due)
    return story.judged("told", decide_by=story.now + timedelta(seconds=1) + CLOCK).said("told", "suspicious", order="blind-first")


def test_covered_scans_show_one_clock_alert_or_not_and_none_before_a_scan_in_the_open_told_it():
    story = covered_beside_a_told_clock()
    assert [CLOCK] * 3 == [story.row(name).decide_by - story.row(name).at for name in "abc"]
    assert story.judged("later", "no-alert").row("later").decide_by == story.now + CLOCK
    assert a_story(share=1.0).judged("a", decide_by=NOON + CLOCK).row("a").decide_by is None


def test_when_the_time_to_decide_is_over_every_covered_scan_is_uncovered_alert_or_not():
    story = covered_beside_a_told_clock()
    first_due = story.row("a").decide_by
    story.queue.lift_covers(SITE, first_due - timedelta(seconds=1))
    assert [True] * 3 == [story.row(name).is_blind for name in "abc"]
    story.queue.lift_covers(SITE, first_due + CLOCK)
    assert [("open", 3), ("clear", 1), ("open", 2)] == [story.state(name) for name in "abc"]
    assert [*BLIND_WORDS] == [story.row(name).conclusion for name in "abc"]
    assert {"after-reveal"} == {scan_view(story.queue.find(SITE, scan_named(SITE, name)), None).order for name in "abc"}


def test_covers_of_one_policy_are_not_lifted_by_the_clock_of_another():
    story = a_story(share=1.0)
    other = assessment(SITE, "a", "alert", NOON).provenance.model_copy(update={"policy_digest": "cd" * 32})
    story.judged("told", provenance=other, decide_by=NOON + CLOCK).said("told", "suspicious", order="blind-first").judged("a", "no-alert")
    story.queue.lift_covers(SITE, NOON + timedelta(days=1))
    assert story.row("a").is_blind


def test_a_covered_scan_that_the_clock_has_referred_is_shown_as_referred_and_a_later_word_is_not_called_blind():
    story = referred_by_the_clock(a_covered_scan("alert"), "a")
    assert (story.state("a"), story.row("a").conclusion) == (("referred", 2), "alert")
    assert "after-reveal" == scan_view(story.queue.find(SITE, scan_named(SITE, "a")), None).order


def test_a_report_of_a_fault_does_not_tell_on_a_covered_scan_and_is_shown_once_somebody_decided():
    story = a_story(share=1.0).judged("a")
    fault = CodeParams(code="systematic-fault", params={"what": "false-alarms", "workstation": "w", "officer": OTHER})
    story.tell(audit(SITE, "a-fault").model_copy(update={"scan_id": scan_named(SITE, "a"), "revision": 1, "event": fault}))
    record = story.queue.find(SITE, scan_named(SITE, "a"))
    assert [] == scan_view(record, None).said
    story.said("a", "suspicious", order="blind-first")
    assert {"fault", "verdict"} == {one.kind for one in scan_view(record, None).said}


def test_an_officers_own_referral_uncovers():
    story = a_covered_scan("alert")
    record = story.queue.find(SITE, scan_named(SITE, "a"))
    assert record.is_blind
    story.said("a", "refer")
    assert not record.is_blind


@given(st.sampled_from(sorted(REASONS_FOR)))
def test_reasons_are_offered_from_the_one_list_and_never_a_visible_threat_for_a_scan_that_is_cleared(word):
    assert set(REASONS_FOR[word]) <= set(VERDICT_REASONS)
    assert {code for codes in REASONS_FOR.values() for code in codes} == set(VERDICT_REASONS)
    assert "threat-visible" not in REASONS_FOR["not-suspicious"]


def test_a_blind_page_shows_the_picture_and_none_of_the_machines_maps():
    roles = ("preview:top", "heatmap:top", "goods-map:top", "heatmap:top:detector/0.1.0")
    blobs = [BlobPart(sha256=f"{number:064x}", bytes=1, media_type="image/png", role=role) for number, role in enumerate(roles)]
    story = a_story(share=1.0).judged("a", blobs=blobs)
    record = story.queue.find(SITE, scan_named(SITE, "a"))
    page = scan_view(record, None)
    assert (page.machine, page.third_party, [blob.role for blob in page.blobs]) == (None, [], ["preview:top"])
    story.said("a", "suspicious", order="blind-first")
    assert len(scan_view(record, None).blobs) == 4


def test_only_a_blind_word_against_an_alert_wants_a_reason():
    story = a_story(share=1.0)
    blind = {"order": "blind-first"}
    story.judged("a").said("a", "not-suspicious", **blind)
    story.judged("b").said("b", "suspicious", **blind)
    story.judged("c", "no-alert").said("c", "not-suspicious", **blind)
    story.judged("d").said("d", "not-suspicious", **blind).said("d", "not-suspicious", cause="2", order="after-reveal")
    wants = [story.queue.find(SITE, scan_named(SITE, name)).wants_reason for name in "abcd"]
    assert (wants, story.state("a"), story.state("d")) == ([True, False, False, False], ("open", 3), ("decided", 0))


# Bounds and changes


def test_the_oldest_go_first_but_never_an_alert_before_them():
    story = a_story(capacity=20)
    story.judged("old-alert")
    for number in range(60):
        story.judged(f"s{number}", "no-alert")
    left = names_of(story.queue.select(Filters()))
    assert 20 <= len(left) <= 36
    assert left[0] == scan_named(SITE, "old-alert")
    assert scan_named(SITE, "s59") in left
    assert story.queue.find(SITE, scan_named(SITE, "s0")) is None


def test_sites_do_not_push_each_other_out():
    queue = Queue(20)
    Story(queue, "south").judged("theirs", "no-alert")
    north = Story(queue)
    for number in range(80):
        north.judged(f"s{number}", "no-alert")
    assert queue.find("south", scan_named(SITE, "theirs")) is not None


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["judge", "decide", "look"])), max_size=120), st.integers(1, 7))
def test_a_reader_of_changes_ends_with_the_whole_queue(steps, at_once):
    story, held, version = a_story(capacity=10), {}, 0
    for number, step in steps:
        name = f"s{number}"
        if step == "judge":
            story.judged(name, "no-alert" if number % 2 else "alert")
        elif step == "decide" and story.queue.find(SITE, scan_named(SITE, name)) is not None:
            story.said(name, "suspicious", cause=str(story.seq))
        else:
            changes = story.queue.since(version, at_once)
            version = take(held, changes)
    while True:
        changes = story.queue.since(version, at_once)
        version = take(held, changes)
        if changes.is_all:
            break
    shown = [json.loads(row) for row in story.queue.select(Filters())]
    assert sorted(held.values()) == sorted(story.queue.select(Filters()))
    assert story.queue.counts(SITE) == (len(shown), sum(row["rank"] >= 2 for row in shown))


def take(held, changes):
    for row in changes.rows:
        held[json.loads(row)["scan_id"]] = row
    for name in changes.gone:
        held.pop(name.partition("/")[2], None)
    return changes.version


def test_who_is_too_far_behind_is_told_to_read_the_queue_anew():
    story = a_story(capacity=MOST_BEHIND * 2)
    story.judged("a", "no-alert")
    queue, first = story.queue, story.queue.version
    assert queue.is_known(first)
    assert not queue.is_known(first + 1)  # of another run of the console
    for number in range(MOST_BEHIND + 1):
        story.judged(f"s{number}", "no-alert")
    assert (queue.is_known(first), queue.is_known(first + 10)) == (False, True)


# The page of one scan, trust


def test_the_page_says_whose_words_are_mine_and_hides_no_custody():
    story = a_story().judged("a").said("a", "suspicious", officer=ME).said("a", "suspicious", officer=OTHER, cause="o")
    opened = audit(SITE, "opened x").model_copy(
        update={"scan_id": scan_named(SITE, "a"), "event": CodeParams(code="opened", params={"workstation": "w1", "officer": ME})}
    )
    story.tell(opened)
    page = scan_view(story.queue.find(SITE, scan_named(SITE, "a")), ME)
    assert [(one.kind, one.is_mine) for one in page.said] == [("verdict", True), ("verdict", False), ("opened", True)]
    assert page.said[2].workstation == "w1"


def test_trust_counts_examined_alerts_with_interval_and_says_when_they_are_too_few():
    story = a_story(capacity=1000)
    for number in range(40):
        name = f"s{number}"
        story.judged(name)
        if number < 32:
            story.said(name, "found" if number < 24 else "nothing-found")
    story.judged("pending").judged("disputed").said("disputed", "found").said("disputed", "nothing-found", cause="2", office="laboratory")
    story.judged("unasked", "no-alert").said("unasked", "found")
    story.judged("simulated", capture=assessment(SITE, "x").capture.model_copy(update={"kind": "synthetic"})).said("simulated", "found")
    everything, weapon = trust_rows(story.queue.records(SITE), "live")
    assert (everything.label, weapon.label) == ("*", "weapon")
    assert (everything.alerted, everything.pending, everything.disputed) == (42, 9, 1)
    assert (everything.examined.hits, everything.examined.n, everything.examined.value) == (24, 32, 0.75)
    assert (round(everything.examined.low, 3), round(everything.examined.high, 3)) == (0.579, 0.867)  # Wilson, 24 of 32
    assert not everything.examined.is_too_few
    assert everything.officers.is_too_few
    (simulated, _) = trust_rows(story.queue.records(SITE), "synthetic")
    assert simulated.alerted == 1


def test_a_withheld_alert_is_in_no_count_before_somebody_decided():
    story = a_story(share=1.0).judged("a")
    assert trust_rows(story.queue.records(SITE), "live") == []
    story.said("a", "suspicious", order="blind-first")
    assert [row.alerted for row in trust_rows(story.queue.records(SITE), "live")] == [1, 1]


def test_who_looks_ever_again_pushes_no_decision_out():
    story = a_story(share=1.0).judged("a").said("a", "not-suspicious", order="blind-first")
    for number in range(150):
        looked = {"scan_id": scan_named(SITE, "a"), "revision": 1, "event": CodeParams(code="opened", params={"officer": OTHER})}
        story.tell(audit(SITE, f"opened {number}").model_copy(update=looked))
    record = story.queue.find(SITE, scan_named(SITE, "a"))
    assert len(record.said) == 100
    assert (record.wants_reason, story.state("a")) == (True, ("open", 3))
    assert [one.conclusion for one in decisions_of(record, ME)] == ["not-suspicious"]


def test_mine_are_my_words_only_with_what_was_found():
    story = (
        a_story()
        .judged("a")
        .said("a", "not-suspicious")
        .said("a", "suspicious", cause="2")
        .said("a", "suspicious", officer=OTHER, cause="3")
    )
    story.said("a", "found")
    mine = decisions_of(story.queue.find(SITE, scan_named(SITE, "a")), ME)
    assert [(one.conclusion, one.is_superseded, one.outcome) for one in mine] == [
        ("not-suspicious", True, "found"),
        ("suspicious", False, "found"),
    ]
    assert mine[0].found[0].what == "cocaine"


# What waits for somebody and has no room; what is asked for because it is old


def rank_counts(story):
    shown, waiting = story.queue.counts(SITE)
    return shown, waiting, story.queue.unshown(SITE)


def test_what_waits_and_has_no_row_is_counted_until_somebody_speaks():
    story = a_story(capacity=10)
    for number in range(60):
        story.judged(f"s{number}")
    shown, waiting, unshown = rank_counts(story)
    assert (shown, shown + unshown) == (waiting, 60)
    left = {scan_named(SITE, f"s{number}"): f"s{number}" for number in range(60)}
    for name in names_of(story.queue.select(Filters())):
        del left[name]
    assert len(left) == unshown > 0
    first, second, third, *_ = left.values()
    story.said(first, "suspicious").said(second, "found").said(third, "not-examined")
    assert story.queue.unshown(SITE) == unshown - 2
    story.judged(third, revision=2, fact_id=fact_id(scan_named(SITE, third), "assessment", 2, "pixels"))
    assert story.state(third) == ("open", 3)
    assert rank_counts(story)[1] + story.queue.unshown(SITE) == 58  # room was made again meanwhile, and none is missing


def test_old_scans_that_wait_push_no_new_one_out():
    story = a_story(capacity=20)
    for number in range(40):
        story.judged(f"alert{number}")
    for number in range(40):
        story.judged(f"calm{number}", "no-alert")
    left = set(names_of(story.queue.select(Filters())))
    assert {scan_named(SITE, f"calm{number}") for number in range(20, 40)} <= left
    assert {scan_named(SITE, f"alert{number}") for number in range(20, 40)} <= left
    assert rank_counts(story)[1] + story.queue.unshown(SITE) == 40
    assert {record.scan_id for record in story.queue.newest(SITE)} == {scan_named(SITE, f"calm{number}") for number in range(20, 40)}


def test_names_that_are_not_shown_are_counted_once_and_not_beyond_a_bound(monkeypatch):
    story = a_story().judged("here")
    for _ in range(2):
        story.queue.note_unshown(SITE, [scan_named(SITE, "here"), "x", "y"])
    assert story.queue.unshown(SITE) == 2
    monkeypatch.setattr("edge_agent.console.queue._MOST_UNSHOWN", 3)
    story.queue.note_unshown(SITE, [str(number) for number in range(10)])
    assert story.queue.unshown(SITE) == 3


class Heard:
    """A queue that is told rows as they come, beside a story that has them all."""

    def __init__(self):
        self.whole = a_story()
        self.rows = []
        taken = self.whole.queue.apply

        def apply(site, fact):
            self.rows.append(fact)
            taken(site, fact)

        self.whole.queue.apply = apply


@given(
    st.lists(st.sampled_from(["judge", "suspicious", "not-suspicious", "refer", "found", "nothing-found"]), max_size=8), st.integers(0, 9)
)
def test_a_scan_of_long_ago_ends_as_if_all_had_been_read_in_order(words, heard):
    """However much of it came by itself before the site was asked for all of it."""
    tale = Heard()
    tale.whole.judged("a")
    for number, word in enumerate(words):
        if word == "judge":
            revision = 2 + number
            tale.whole.judged("a", revision=revision, fact_id=fact_id(scan_named(SITE, "a"), "assessment", revision, "p"))
        else:
            tale.whole.said("a", word, cause=str(number))
    queue, scan = Queue(100), scan_named(SITE, "a")
    for fact in tale.rows[max(heard, 1) :]:
        queue.apply(SITE, fact)
    is_known = queue.find(SITE, scan) is not None and queue.find(SITE, scan).row() is not None
    queue.take_older(SITE, scan, tale.rows)
    row, expected = queue.find(SITE, scan).row(), tale.whole.row("a")
    assert is_known or (row.state, row.rank, row.standing, row.seq) == (expected.state, expected.rank, expected.standing, expected.seq)
    said = [one.seq for one in queue.find(SITE, scan).said]
    assert is_known or said == [one.seq for one in tale.whole.queue.find(SITE, scan).said]
    assert [one.scan_id for one in queue.newest(SITE)] == ([scan] if is_known else [])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["judge", "suspicious", "not-suspicious", "rescan", "refer", "found", "nothing-found", "not-examined"]),
            st.integers(1, 3),
            st.booleans(),
            st.sampled_from(["north", "south"]),
        ),
        max_size=40,
    )
)
def test_what_is_kept_of_a_story_says_the_same_as_all_of_it_and_is_short(steps):
    story, whole = a_story().judged("a"), []
    record = story.queue.find(SITE, scan_named(SITE, "a"))
    whole += record.story
    taken = story.queue.apply

    def apply(site, fact):
        taken(site, fact)
        whole.append(fact_of(fact.body))

    story.queue.apply = apply
    for number, (word, revision, is_supervisor, office) in enumerate(steps):
        if word == "judge":
            story.judged("a", revision=revision, fact_id=fact_id(scan_named(SITE, "a"), "assessment", revision, str(number)))
        elif word in ("found", "nothing-found", "not-examined"):
            story.said("a", word, cause=str(number), revision=revision, office=office)
        elif word == "refer":
            story.said("a", word, cause=str(number), revision=revision)
        else:
            story.said("a", word, cause=str(number), revision=revision, is_supervisor=is_supervisor)
    assert record.standing == standing(whole)
    assert record.is_revealed == any(not isinstance(fact, MachineAssessment) for fact in whole)
    assert len(record.story) <= 8


def test_a_page_says_how_many_rows_of_people_it_no_longer_holds():
    story = a_story().judged("a").said("a", "suspicious")
    for number in range(150):
        look = audit(SITE, f"look {number}").model_copy(update={"scan_id": scan_named(SITE, "a"), "event": CodeParams(code="viewed")})
        story.tell(look)
    page = scan_view(story.queue.find(SITE, scan_named(SITE, "a")), ME)
    assert (len(page.said), page.said_left_out) == (100, 51)
    assert page.said[0].kind == "verdict"  # looks go before decisions
