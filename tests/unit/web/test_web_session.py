"""Sessions: nobody else's, never known beforehand, ended in time."""

from edge_agent.testing.clock import ManualClock
from edge_agent.web.session import Officer, OfficerRole, Sessions

IDLE, ABSOLUTE = 60.0, 300.0


def sessions():
    clock = ManualClock()
    return clock, Sessions(clock, IDLE, ABSOLUTE)


def test_a_session_is_found_by_its_token_only() -> None:
    _, known = sessions()
    token = known.begin("anna", "m")
    assert known.find(token, is_activity=True).officer == "anna"
    assert known.find(token[:-1], is_activity=True) is None
    assert known.find("", is_activity=True) is None


def test_two_logins_of_one_officer_have_different_tokens_of_256_bits() -> None:
    _, known = sessions()
    first, second = known.begin("anna", "m"), known.begin("anna", "m")
    assert first != second
    assert len(first) >= 43


def test_a_session_ends_when_nobody_asks_for_its_idle_time() -> None:
    clock, known = sessions()
    token = known.begin("anna", "m")
    clock.advance(IDLE - 1)
    assert known.find(token, is_activity=True) is not None
    clock.advance(IDLE - 1)
    assert known.find(token, is_activity=True) is not None
    clock.advance(IDLE)
    assert known.find(token, is_activity=True) is None


def test_a_stream_does_not_keep_a_session_alive() -> None:
    clock, known = sessions()
    token = known.begin("anna", "m")
    clock.advance(IDLE / 2)
    assert known.find(token, is_activity=False) is not None
    clock.advance(IDLE / 2)
    assert known.find(token, is_activity=False) is None


def test_a_session_ends_after_its_longest_time_however_busy() -> None:
    clock, known = sessions()
    token = known.begin("anna", "m")
    for _ in range(int(ABSOLUTE / 30) - 1):
        clock.advance(30)
        assert known.find(token, is_activity=True) is not None
    clock.advance(30)
    assert known.find(token, is_activity=True) is None


def test_a_wrong_wall_clock_neither_ends_nor_prolongs_a_session() -> None:
    clock, known = sessions()
    token = known.begin("anna", "m")
    clock.jump(10 * ABSOLUTE)
    assert known.find(token, is_activity=True) is not None
    clock.jump(-20 * ABSOLUTE)
    clock.advance(IDLE)
    assert known.find(token, is_activity=True) is None


def test_what_was_found_before_the_end_knows_of_the_end() -> None:
    _, known = sessions()
    token = known.begin("anna", "m")
    found = known.find(token, is_activity=True)
    assert known.lasts(found)
    known.end(token)
    assert not known.lasts(found)


def test_ending_an_unknown_session_ends_none() -> None:
    _, known = sessions()
    known.begin("anna", "m")
    known.end("nonsense")
    assert len(known) == 1


def test_the_oldest_of_too_many_sessions_of_one_officer_ends_and_no_other_officers() -> None:
    _, known = sessions()
    bens = known.begin("ben", "m")
    tokens = [known.begin("anna", "m") for _ in range(9)]
    assert [known.find(token, is_activity=True) is not None for token in tokens] == [False] + [True] * 8
    assert known.find(bens, is_activity=True) is not None


def test_sessions_are_bounded_in_all() -> None:
    _, known = sessions()
    for number in range(1100):
        known.begin(f"officer-{number}", "m")
    assert len(known) == 1000


def test_ended_sessions_are_forgotten_when_the_next_begins() -> None:
    clock, known = sessions()
    for number in range(50):
        known.begin(f"officer-{number}", "m")
    clock.advance(IDLE)
    known.begin("anna", "m")
    assert len(known) == 1


def test_a_supervisor_is_who_has_the_role() -> None:
    assert Officer("a", frozenset({OfficerRole.SUPERVISOR})).is_supervisor
    assert not Officer("a", frozenset({OfficerRole.ADMIN})).is_supervisor
