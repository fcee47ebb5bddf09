"""A reader never skips, repeats or reorders, whatever LIVE loses, doubles or reorders."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.ids import Seq
from edge_agent.errors import Diverged, EpochChanged, MalformedMessage
from edge_agent.wire.catchup import (
    Arrival,
    Cursor,
    after_batch,
    after_live,
    arrival,
    check_cursor,
    must_pull,
    start_of,
)
from edge_agent.wire.chain import JournalHead, JournalRow, link
from edge_agent.wire.frames import LiveMessage

EPOCH = b"e" * 16
OTHER = b"o" * 16
TOPICS = ("ei1/s/a/assessment/", "ei1/s/b/assessment/", "ei1/s/~/audit/")


def journal(topics, epoch=EPOCH):
    rows, last, digest = [], {}, epoch
    for number, topic in enumerate(topics, start=1):
        body = f"{number}{topic}".encode()
        digest = link(digest, Seq(number), body)
        rows.append(JournalRow(epoch, Seq(number), Seq(last.get(topic, 0)), topic, body, digest))
        last[topic] = number
    return rows


def live(row):
    return LiveMessage(row.topic, row.epoch, row.seq, row.prev_seq, row.body)


journals = st.lists(st.sampled_from(TOPICS), max_size=25).map(journal)


@st.composite
def heard(draw):
    """A journal, and what LIVE delivered of it: some rows lost, some doubled, any order."""
    rows = draw(journals)
    return rows, draw(st.lists(st.sampled_from(rows), max_size=40)) if rows else []


def followed(rows, messages, batch):
    """Follow LIVE as the console does; give the numbers in the order they were taken."""
    cursor, taken = start_of(EPOCH), []

    def pull(cursor):
        while cursor.seq < len(rows):
            page = rows[cursor.seq : cursor.seq + batch]
            cursor = after_batch(cursor, page)
            taken.extend(row.seq for row in page)
        return cursor

    for message in messages:
        kind = arrival(cursor, live(message))
        if kind is Arrival.NEXT:
            cursor = after_live(cursor, live(message))
            taken.append(cursor.seq)
        elif kind is Arrival.GAP:
            cursor = pull(cursor)
    return pull(cursor), taken


@given(heard(), st.integers(1, 7))
def test_a_reader_of_the_whole_stream_takes_every_row_once_and_in_order(case, batch):
    rows, messages = case
    cursor, taken = followed(rows, messages, batch)
    assert taken == [row.seq for row in rows]
    assert cursor.hash == (rows[-1].hash if rows else EPOCH)


@given(journals.filter(len), st.data())
def test_any_change_of_a_pulled_row_is_a_divergence(rows, data):
    index = data.draw(st.integers(0, len(rows) - 1))
    change = data.draw(st.sampled_from(["body", "hash", "seq", "drop"]))
    forged = list(rows)
    if change == "body":
        forged[index] = replace(rows[index], body=rows[index].body + b"x")
    elif change == "hash":
        forged[index] = replace(rows[index], hash=bytes(32))
    elif change == "seq":
        forged[index] = replace(rows[index], seq=Seq(rows[index].seq + 1))
    elif index < len(rows) - 1:
        del forged[index]
    else:
        forged.append(rows[index])
    with pytest.raises(Diverged):
        after_batch(start_of(EPOCH), forged)


@given(journals.filter(len))
def test_a_batch_with_a_row_of_another_epoch_is_refused(rows):
    with pytest.raises(MalformedMessage):
        after_batch(start_of(EPOCH), [*rows[:-1], replace(rows[-1], epoch=OTHER)])


def test_an_empty_batch_leaves_the_cursor():
    assert after_batch(start_of(EPOCH), []) == start_of(EPOCH)


@given(journals.filter(len))
def test_live_alone_gives_the_same_hash_as_the_site_has(rows):
    cursor = start_of(EPOCH)
    for row in rows:
        cursor = after_live(cursor, live(row))
    assert cursor == Cursor(EPOCH, rows[-1].seq, rows[-1].hash)


@given(journals.filter(len))
def test_a_message_that_does_not_follow_cannot_be_taken(rows):
    cursor = after_batch(start_of(EPOCH), rows)
    with pytest.raises(ValueError, match="does not follow"):
        after_live(cursor, live(rows[0]))


@given(journals.filter(len), st.integers(0, 25))
def test_each_message_is_old_next_or_a_gap_by_its_number_alone(rows, at):
    place = min(at, len(rows))
    cursor = after_batch(start_of(EPOCH), rows[:place])
    expected = [Arrival.OLD] * place + [Arrival.NEXT] * (place < len(rows)) + [Arrival.GAP] * (len(rows) - place - 1)
    assert [arrival(cursor, live(row)) for row in rows] == expected


@given(journals.filter(len))
def test_a_message_of_another_epoch_makes_any_reader_pull(rows):
    message = replace(live(rows[0]), epoch=OTHER)
    assert arrival(start_of(EPOCH), message) is Arrival.OTHER_EPOCH
    assert must_pull(start_of(EPOCH), OTHER, Seq(0))


def test_a_reader_pulls_exactly_when_the_heartbeat_shows_another_place():
    cursor = Cursor(EPOCH, Seq(5), bytes(32))
    assert [must_pull(cursor, EPOCH, Seq(head)) for head in (4, 5, 6)] == [True, False, True]


@given(journals, st.data())
def test_the_site_accepts_exactly_the_cursors_of_its_own_journal(rows, data):
    head = JournalHead(EPOCH, Seq(1), Seq(len(rows)), rows[-1].hash if rows else EPOCH)
    hashes = [EPOCH, *(row.hash for row in rows)]
    seq = Seq(data.draw(st.integers(0, len(rows))))
    check_cursor(head, Cursor(EPOCH, seq, hashes[seq]), hashes[seq])
    with pytest.raises(Diverged):
        check_cursor(head, Cursor(EPOCH, seq, bytes(32)), hashes[seq])
    with pytest.raises(Diverged):
        check_cursor(head, Cursor(EPOCH, Seq(len(rows) + 1), bytes(32)), None)
    with pytest.raises(EpochChanged) as refused:
        check_cursor(head, Cursor(OTHER, seq, hashes[seq]), hashes[seq])
    assert refused.value.fields["epoch"] == EPOCH.hex()
