"""A reader of some topics ends with exactly the rows of its topics, each once and in order within its topic, whatever LIVE does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.ids import Seq
from edge_agent.errors import MalformedMessage
from edge_agent.wire.catchup import Arrival
from edge_agent.wire.chain import JournalRow, link
from edge_agent.wire.filtering import (
    FilteredCursor,
    after_filtered_batch,
    after_filtered_live,
    filtered_arrival,
    is_behind,
    matches,
)
from edge_agent.wire.frames import LiveMessage

EPOCH = b"e" * 16
TOPICS = ("ei1/s/a/assessment/", "ei1/s/a/verdict/", "ei1/s/b/assessment/", "ei1/s/~/audit/")
WANTED = ("ei1/s/a/",)


def journal(topics):
    rows, last, digest = [], {}, EPOCH
    for number, topic in enumerate(topics, start=1):
        body = f"{number}{topic}".encode()
        digest = link(digest, Seq(number), body)
        rows.append(JournalRow(EPOCH, Seq(number), Seq(last.get(topic, 0)), topic, body, digest))
        last[topic] = Seq(number)
    return rows, last


def live(row):
    return LiveMessage(row.topic, row.epoch, row.seq, row.prev_seq, row.body)


def filtered(rows, cursor, size):
    """What a site answers to a filtered PULL."""
    found, upto = [], len(rows)
    for row in rows[cursor.upto :]:
        if matches(row.topic, WANTED):
            if len(found) == size:
                upto = row.seq - 1
                break
            found.append(row)
    return found, Seq(upto), rows[upto - 1].hash if upto else EPOCH


@given(st.lists(st.sampled_from(TOPICS), min_size=1, max_size=25), st.data())
def test_a_filtered_reader_ends_with_the_same_set_as_a_full_one(topics, data):
    rows, heads = journal(topics)
    heard = data.draw(st.lists(st.sampled_from(rows), max_size=40))
    size = data.draw(st.integers(1, 6))
    cursor, taken = FilteredCursor(EPOCH, Seq(0), EPOCH), []

    def pull(cursor):
        while is_behind(cursor, EPOCH, heads, WANTED):
            cursor, new = after_filtered_batch(cursor, *filtered(rows, cursor, size))
            taken.extend(new)
        return cursor

    for row in heard:
        if not matches(row.topic, WANTED):
            continue
        match filtered_arrival(cursor, live(row)):
            case Arrival.NEXT:
                taken.append(row)
                cursor = after_filtered_live(cursor, live(row))
            case Arrival.GAP:
                cursor = pull(cursor)
    pull(cursor)
    expected = [row for row in rows if matches(row.topic, WANTED)]
    assert sorted(taken, key=lambda row: row.seq) == expected
    for topic in TOPICS:
        numbers = [row.seq for row in taken if row.topic == topic]
        assert numbers == sorted(numbers)


@given(st.lists(st.sampled_from(TOPICS[:2]), min_size=2, max_size=12), st.data())
def test_a_batch_with_a_missing_row_is_refused(topics, data):
    rows, _ = journal(topics)
    cursor = FilteredCursor(EPOCH, Seq(0), EPOCH)
    found, upto, digest = filtered(rows, cursor, 99)
    links = [row for row in found if any(row.seq == later.prev_seq for later in found)]
    if not links:
        return
    lost = data.draw(st.sampled_from(links))
    with pytest.raises(MalformedMessage):
        after_filtered_batch(cursor, [row for row in found if row is not lost], upto, digest)


@pytest.mark.parametrize("fault", ["reversed", "beyond", "back"])
def test_a_batch_out_of_place_is_refused(fault):
    rows, _ = journal(TOPICS[:2])
    cursor = FilteredCursor(EPOCH, Seq(1 if fault == "back" else 0), EPOCH)
    found, upto = {"reversed": (rows[::-1], 2), "beyond": (rows, 1), "back": ([], 0)}[fault]
    with pytest.raises(MalformedMessage):
        after_filtered_batch(cursor, found, Seq(upto), EPOCH)


def test_another_epoch_and_an_old_row_are_told_apart():
    rows, _ = journal(TOPICS[:1] * 3)
    cursor = FilteredCursor(EPOCH, Seq(2), EPOCH)
    assert filtered_arrival(cursor, live(rows[1])) is Arrival.OLD
    assert filtered_arrival(cursor, live(rows[2])) is Arrival.NEXT
    assert filtered_arrival(FilteredCursor(b"o" * 16, Seq(0), EPOCH), live(rows[0])) is Arrival.OTHER_EPOCH
    with pytest.raises(ValueError, match="does not follow"):
        after_filtered_live(cursor, live(rows[0]))
    assert is_behind(cursor, b"o" * 16, {}, WANTED)
    assert not is_behind(cursor, EPOCH, {TOPICS[3]: 99}, WANTED)


def test_no_beginnings_mean_all_topics():
    assert matches("ei1/s/a/verdict/", ())
    assert not matches("ei1/s/a/verdict/", ("ei1/s/b/",))
