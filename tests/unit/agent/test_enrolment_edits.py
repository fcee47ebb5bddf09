"""Edits of agent.toml: exactly what was meant changes, comments stay, and a file that cannot be edited so is left alone."""

import tomllib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.enrolment import with_consumer, with_value, without_consumer
from edge_agent.errors import ConfigInvalid
from edge_agent.testing.loopback import a_key_pair
from edge_agent.transport.keys import Consumer, Role

KEYS = [a_key_pair(f"c{number}").public for number in range(6)]
CONSOLE = Consumer("console-3", KEYS[0], Role.CONSOLE)
HQ = Consumer("hq", KEYS[1], Role.COLLECTOR, durable=True, not_after=datetime(2028, 1, 1, tzinfo=UTC))
BEFORE = """# The administrator's file.
state_dir = "state"   # local

[wire]                # the sockets
# ours
key = "site.key_secret"

# Who may connect.
"""
AFTER = """
# Optional:
# [declarations]
# file = "x"

[package]
codec = "zstd"
"""


def test_a_consumer_that_was_added_and_taken_out_leaves_the_file_as_it_was():
    text = with_consumer(BEFORE + AFTER, HQ)
    assert text == without_consumer(with_consumer(text, CONSOLE), CONSOLE.name)
    assert tomllib.loads(text)["consumer"] == [
        {"name": "hq", "key": HQ.public, "role": "collector", "durable": True, "not_after": HQ.not_after}
    ]


def test_a_second_consumer_stands_behind_the_first_and_every_comment_stays():
    first = with_consumer(BEFORE, CONSOLE) + AFTER
    text = with_consumer(first, HQ)
    assert [line for line in first.splitlines() if line not in text.splitlines()] == []
    names = [one["name"] for one in tomllib.loads(text)["consumer"]]
    assert names == ["console-3", "hq"]
    assert text.index('name = "hq"') < text.index("# Optional:")


def test_taking_out_the_last_table_leaves_the_comments_behind_it():
    text = without_consumer(with_consumer(BEFORE, CONSOLE) + AFTER, "console-3")
    assert "consumer" not in tomllib.loads(text)
    for comment in ("# Who may connect.", "# Optional:", "# [declarations]", "# ours", "# the sockets"):
        assert comment in text


@given(st.lists(st.sampled_from(range(1, 6)), unique=True, min_size=1), st.data())
def test_whoever_is_added_is_there_and_whoever_is_taken_out_is_not_and_nobody_else_changes(numbers, data):
    text = BEFORE
    for number in numbers:
        text = with_consumer(text, Consumer(f"c{number}", KEYS[number], Role.CONSOLE))
        text += data.draw(st.sampled_from(["", "\n", "\n# a remark\n", "\n\n"]))
    gone = data.draw(st.sampled_from(numbers))
    after = without_consumer(text, f"c{gone}")
    left = [one["name"] for one in tomllib.loads(after).get("consumer", [])]
    assert left == [f"c{number}" for number in numbers if number != gone]
    assert text.count("#") == after.count("#") + KEYS[gone].count("#")


@pytest.mark.parametrize(
    "again",
    [Consumer("console-3", KEYS[2], Role.CONSOLE), Consumer("other", CONSOLE.public, Role.ADMIN)],
    ids=["name twice", "key twice"],
)
def test_nobody_is_enrolled_twice(again):
    with pytest.raises(ConfigInvalid, match="console-3 is enrolled already"):
        with_consumer(with_consumer(BEFORE, CONSOLE), again)


def test_taking_out_whoever_is_not_there_is_refused():
    with pytest.raises(ConfigInvalid, match="nobody"):
        without_consumer(with_consumer(BEFORE, CONSOLE), "console-4")


@pytest.mark.parametrize(
    "text",
    [
        'consumer = [{name = "a", key = "b", role = "console"}]\n',
        'note = """\n[[consumer]]\nname = "fake"\n"""\n',
        'words = [\n"x",\n[[consumer]],\n]\n',
        "a = [",
    ],
    ids=["inline tables", "header in a string", "no TOML at all", "cut off"],
)
def test_a_file_that_cannot_be_edited_by_lines_is_refused_and_never_spoilt(text):
    try:
        edited = with_consumer(text, CONSOLE)
    except ConfigInvalid:
        return
    before, after = tomllib.loads(text), tomllib.loads(edited)
    assert after.pop("consumer")[-1]["name"] == "console-3"
    assert after == {key: value for key, value in before.items() if key != "consumer"}


def test_a_value_of_a_table_is_set_replaced_and_taken_out():
    one = with_value(BEFORE, "wire", "next_key", "keys/next.key_secret")
    assert tomllib.loads(one)["wire"] == {"key": "site.key_secret", "next_key": "keys/next.key_secret"}
    two = with_value(with_value(one, "wire", "next_key", None), "wire", "key", "keys/next.key_secret")
    assert tomllib.loads(two)["wire"] == {"key": "keys/next.key_secret"}
    assert "# ours" in two
    with pytest.raises(ConfigInvalid):
        with_value("a = 1\n", "wire", "key", "x")
