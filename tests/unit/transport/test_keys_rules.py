"""Keys and the allow-list: who is let in, and what is refused before anything runs."""

from datetime import datetime, timedelta

import pytest

from edge_agent.errors import ConfigInvalid, NotAllowed
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.loopback import a_key_pair
from edge_agent.transport.keys import Admission, AllowList, Consumer, Role, fingerprint, is_key

CONSOLE = a_key_pair("console-1").public
OTHER = a_key_pair("other").public


@pytest.mark.parametrize("text", ["", "a" * 39, "a" * 41, "é" * 40, " " * 40, "%" * 40, '"' * 40])
def test_what_is_not_the_text_of_32_bytes_is_no_key(text):
    assert not is_key(text)


def test_a_generated_key_is_a_key():
    assert is_key(CONSOLE)


def test_the_text_of_a_key_pair_hides_its_secret():
    pair = a_key_pair("console-1")
    assert pair.secret not in repr(pair)
    assert pair.secret not in str(pair)


def test_a_fingerprint_is_eight_groups_and_differs_between_keys():
    assert [len(group) for group in fingerprint(CONSOLE).split()] == [4] * 8
    assert fingerprint(CONSOLE) != fingerprint(OTHER)


def test_a_fingerprint_of_no_key_is_refused():
    with pytest.raises(ConfigInvalid):
        fingerprint("short")


def test_an_enrolled_key_gives_its_consumer():
    enrolled = Consumer("console-1", CONSOLE, Role.CONSOLE)
    assert enrolled == Admission(AllowList([enrolled]), ManualClock()).admit(CONSOLE)


def test_a_key_that_is_not_enrolled_is_refused():
    with pytest.raises(NotAllowed):
        Admission(AllowList([Consumer("console-1", CONSOLE, Role.CONSOLE)]), ManualClock()).admit(OTHER)


def test_a_key_is_refused_from_the_moment_after_its_end():
    clock = ManualClock()
    end = clock.now() + timedelta(seconds=10)
    admission = Admission(AllowList([Consumer("console-1", CONSOLE, Role.CONSOLE, not_after=end)]), clock)
    clock.advance(10)
    assert admission.admit(CONSOLE).name == "console-1"
    clock.advance(0.001)
    with pytest.raises(NotAllowed, match="console-1"):
        admission.admit(CONSOLE)


@pytest.mark.parametrize(
    "consumers",
    [
        [Consumer("a", CONSOLE, Role.CONSOLE), Consumer("a", OTHER, Role.CONSOLE)],
        [Consumer("a", CONSOLE, Role.CONSOLE), Consumer("b", CONSOLE, Role.COLLECTOR)],
        [Consumer("a", "not a key", Role.CONSOLE)],
        [Consumer("A b", CONSOLE, Role.CONSOLE)],
        [Consumer("a", CONSOLE, Role.CONSOLE, durable=True)],
        [Consumer("a", CONSOLE, Role.CONSOLE, not_after=datetime(2027, 1, 1))],  # noqa: DTZ001 - that is the fault
    ],
    ids=["name twice", "key twice", "no key", "no name", "durable console", "no time zone"],
)
def test_a_faulty_allow_list_is_refused_whole(consumers):
    with pytest.raises(ConfigInvalid, match="consumer"):
        AllowList(consumers)


@pytest.mark.parametrize(
    ("role", "durable", "expected"),
    [(Role.COLLECTOR, True, True), (Role.COLLECTOR, False, False), (Role.CONSOLE, False, False)],
)
def test_only_a_durable_collector_may_acknowledge(role, durable, expected):
    assert expected is Consumer("a", CONSOLE, role, durable).may_acknowledge
