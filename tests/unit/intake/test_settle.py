import pytest

from edge_agent.domain.drop import Completeness, ProbeResult
from edge_agent.domain.profile import Limits
from edge_agent.errors import DecodeTimedOut
from edge_agent.intake.reconcile import unseen
from edge_agent.intake.settle import Action, Step, next_step, observe, probed, refused, survey
from edge_agent.testing.drops import cargo_profile, drop_of, limited

PROFILE = cargo_profile(quiet_s=1.0, deadline_s=10.0)  # the low plane is expected for 20 s
HIGH, LOW, SIDECAR = ("7_high.tif", "high", 10, 1), ("7_low.tif", "low", 10, 1), ("7.json", "sidecar", 10, 1)
WHOLE = drop_of("7", SIDECAR, HIGH, LOW)
GROWN = drop_of("7", SIDECAR, ("7_high.tif", "high", 11, 2), LOW)


def result(completeness, reason=""):
    return ProbeResult(completeness, (), None, None, reason)


def seen(drop=WHOLE, now=100.0):
    return observe(None, drop, now)


def test_a_drop_is_left_alone_until_it_was_quiet():
    assert Step(Action.WAIT, 101.0) == next_step(seen(), PROFILE, 100.99)
    assert Action.PROBE is next_step(seen(), PROFILE, 101.0).action


def test_a_change_starts_the_quiet_time_again_and_forgets_the_probe():
    known = probed(seen(), result(Completeness.COMPLETE), 101.0)
    changed = observe(known, GROWN, 101.5)
    assert Step(Action.WAIT, 102.5) == next_step(changed, PROFILE, 102.0)
    assert Action.PROBE is next_step(changed, PROFILE, 102.5).action
    assert changed.first_seen == 100.0


def test_an_unchanged_sight_keeps_what_is_known():
    known = probed(seen(), result(Completeness.COMPLETE), 101.0)
    assert known is observe(known, drop_of("7", SIDECAR, HIGH, LOW), 105.0)


def test_a_complete_drop_is_taken_at_once():
    known = probed(seen(), result(Completeness.COMPLETE), 101.0)
    assert Step(Action.ACCEPT, 101.0) == next_step(known, PROFILE, 101.0)


@pytest.mark.parametrize(("drop", "deadline", "missing"), [((HIGH, LOW), 110.0, ("sidecar",)), ((HIGH, SIDECAR), 120.0, ("low",))])
def test_a_missing_member_is_given_up_at_its_own_deadline_after_one_more_look(drop, deadline, missing):
    known = probed(seen(drop_of("7", *drop)), result(Completeness.WAITING, "partial"), 101.0)
    assert Step(Action.WAIT, deadline) == next_step(known, PROFILE, deadline - 0.01)
    assert Action.PROBE is next_step(known, PROFILE, deadline).action
    again = probed(known, result(Completeness.WAITING, "partial"), deadline)
    assert Step(Action.ACCEPT_PARTIAL, deadline, missing, "partial") == next_step(again, PROFILE, deadline)


def test_a_file_that_was_filled_without_changing_its_size_is_seen_at_the_deadline():
    known = probed(seen(), result(Completeness.WAITING, "member-undecodable"), 101.0)
    again = probed(known, result(Completeness.COMPLETE), 120.0)
    assert Action.ACCEPT is next_step(again, PROFILE, 120.0).action


def test_with_all_members_there_the_longest_deadline_counts():
    known = probed(seen(), result(Completeness.WAITING, "resource-missing"), 101.0)
    assert Step(Action.WAIT, 120.0) == next_step(known, PROFILE, 119.0)


def test_a_hopeless_drop_is_taken_after_three_quiet_times():
    known = probed(seen(), result(Completeness.HOPELESS, "unreadable-scan"), 101.0)
    assert Step(Action.WAIT, 103.0) == next_step(known, PROFILE, 102.9)
    again = probed(known, result(Completeness.HOPELESS, "unreadable-scan"), 103.0)
    assert Step(Action.ACCEPT_PARTIAL, 103.0, (), "unreadable-scan") == next_step(again, PROFILE, 103.0)


def test_a_late_change_still_gets_its_quiet_time_after_the_deadline():
    known = observe(seen(drop_of("7", HIGH)), drop_of("7", HIGH, SIDECAR), 130.0)
    assert Step(Action.WAIT, 131.0) == next_step(known, PROFILE, 130.5)
    waiting = probed(known, result(Completeness.WAITING, "partial"), 131.0)
    assert Step(Action.ACCEPT_PARTIAL, 131.0, ("low",), "partial") == next_step(waiting, PROFILE, 131.0)


def test_an_unknown_file_is_taken_without_a_probe():
    known = seen(drop_of("//x.bin", ("x.bin", "unknown", 1, 1)))
    assert Step(Action.WAIT, 103.0) == next_step(known, PROFILE, 102.0)
    assert Step(Action.ACCEPT_PARTIAL, 103.0, (), "unsupported-format") == next_step(known, PROFILE, 103.0)


def test_a_probe_that_a_drops_bytes_ended_counts_as_hopeless():
    answer = refused(WHOLE, DecodeTimedOut("too long", {"deadline_s": 30.0}))
    assert (answer.completeness, answer.reason, answer.params) == (Completeness.HOPELESS, "decode-timed-out", (("deadline_s", 30.0),))


def test_vanished_drops_are_forgotten_and_reported():
    first = survey({}, (WHOLE, drop_of("8", ("8.json", "sidecar", 1, 1))), 100.0)
    second = survey(first.watched, (WHOLE,), 101.0)
    assert second.vanished == ("8",)
    assert list(second.watched) == ["7"]
    assert second.watched[WHOLE.key].first_seen == 100.0


def test_a_drop_that_came_back_starts_anew():
    gone = survey(survey({}, (WHOLE,), 100.0).watched, (), 101.0)
    assert survey(gone.watched, (WHOLE,), 102.0).watched[WHOLE.key].first_seen == 102.0


def test_drops_with_the_fingerprint_they_were_taken_under_are_not_looked_at_again():
    assert unseen((WHOLE,), {WHOLE.key: WHOLE.fingerprint}) == ()
    assert unseen((GROWN,), {WHOLE.key: WHOLE.fingerprint}) == (GROWN,)
    assert unseen((WHOLE,), {}) == (WHOLE,)


def test_limits_do_not_enter_the_decision():
    assert next_step(seen(), PROFILE, 101.0) == next_step(seen(), limited(PROFILE, Limits(max_pixels=1)), 101.0)
