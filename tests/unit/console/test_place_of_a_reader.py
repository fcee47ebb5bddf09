"""Where a console stands: whatever LIVE loses, doubles or reorders among topics, each wanted row is taken once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.console.place import PROVE_ROWS, SomeTopics, WholeStream
from edge_agent.domain.ids import Seq
from edge_agent.errors import Diverged, MalformedMessage
from edge_agent.testing.site_journal import NOON, SiteJournal
from edge_agent.wire.catchup import Arrival, start_of
from edge_agent.wire.filtering import matches
from edge_agent.wire.frames import LiveMessage
from edge_agent.wire.heartbeat import Heartbeat
from edge_agent.wire.verbs import BatchReply

TOPICS = ("ei1/north/s1/assessment/", "ei1/north/s1/verdict/", "ei1/north/s10/assessment/", "ei1/north/~/audit/")
STARTS = ("ei1/north/s1/",)


def journal_of(choices):
    journal = SiteJournal()
    for number, choice in enumerate(choices):
        journal.add_raw(TOPICS[choice], f"row {number}".encode())
    return journal


def live(row):
    return LiveMessage(row.topic, row.epoch, row.seq, row.prev_seq, row.body)


def beat(journal, rows):
    heads = {row.topic: row.seq for row in rows}
    head = rows[-1].seq if rows else 0
    return Heartbeat(state="healthy", epoch=journal.epoch.hex(), head=head, first=1, heads=heads, clock=NOON)


def pull(place, journal, rows, starts=()):
    cursor = place.cursor
    assert journal.hash_at(cursor.seq) == cursor.hash
    behind = [row for row in rows[cursor.seq :] if matches(row.topic, starts)][:3]
    full = len(behind) == 3
    upto = behind[-1].seq if full else len(rows)
    more = {"upto": upto, "hash": journal.hash_at(Seq(upto)).hex()} if starts else {}
    return place.take(behind, BatchReply(epoch=journal.epoch.hex(), head=len(rows), n=len(behind), **more))


@given(st.lists(st.integers(0, 3), max_size=40), st.data())
def test_a_filtered_reader_ends_with_the_same_rows_as_a_full_one_for_its_topics(choices, data):
    journal = journal_of(choices)
    whole, some = WholeStream(start_of(journal.epoch)), SomeTopics(start_of(journal.epoch), STARTS)
    taken = {"whole": [], "some": []}
    published = []
    for row in journal.rows:
        published.append(row)
        for name, place, starts in (("whole", whole, ()), ("some", some, STARTS)):
            if not matches(row.topic, starts) or data.draw(st.booleans(), label="lost"):
                continue
            for _ in range(data.draw(st.integers(1, 2), label="copies")):
                kind = place.judge(live(row))
                taken[name] += [row.seq] if kind is Arrival.NEXT else []
                while kind is Arrival.GAP and (place.cursor.seq < len(published)):
                    taken[name] += [found.seq for found in pull(place, journal, published, starts)]
    for name, place, starts in (("whole", whole, ()), ("some", some, STARTS)):
        while place.must_pull(beat(journal, published)) and place.cursor.seq < len(published):
            taken[name] += [found.seq for found in pull(place, journal, published, starts)]
    assert [row.seq for row in journal.rows] == taken["whole"]
    assert sorted(row.seq for row in journal.rows if matches(row.topic, STARTS)) == sorted(taken["some"])
    for topic in TOPICS[:2]:
        numbers = [seq for seq in taken["some"] if journal.rows[seq - 1].topic == topic]
        assert numbers == sorted(set(numbers))


def test_a_filtered_reader_is_level_when_only_other_topics_moved():
    journal = journal_of([0, 2, 2, 3])
    some = SomeTopics(start_of(journal.epoch), STARTS)
    assert some.judge(live(journal.rows[0])) is Arrival.NEXT
    assert not some.must_pull(beat(journal, journal.rows))
    assert some.seq == 4


def test_a_filtered_reader_proves_its_way_from_time_to_time():
    journal = journal_of([0] * PROVE_ROWS)
    some = SomeTopics(start_of(journal.epoch), STARTS)
    for row in journal.rows:
        assert not some.must_pull(beat(journal, journal.rows[: row.seq - 1])), row.seq
        some.judge(live(row))
    assert some.must_pull(beat(journal, journal.rows))


def test_another_epoch_is_no_gap():
    journal = journal_of([0])
    for place in (WholeStream(start_of(b"f" * 16)), SomeTopics(start_of(b"f" * 16), STARTS)):
        assert place.judge(live(journal.rows[0])) is Arrival.OTHER_EPOCH
        assert place.must_pull(beat(journal, journal.rows))


@pytest.mark.parametrize("fault", ["other topic", "no end", "backwards", "beyond"])
def test_a_filtered_answer_that_is_not_what_was_asked_for_is_refused(fault):
    journal = journal_of([0, 2, 0])
    some = SomeTopics(start_of(journal.epoch), STARTS)
    rows = {"other topic": journal.rows, "backwards": [journal.rows[2], journal.rows[0]]}.get(fault, [journal.rows[0], journal.rows[2]])
    upto = {"no end": None, "beyond": 2}.get(fault, 3)
    reply = BatchReply(epoch=journal.epoch.hex(), head=3, n=len(rows), upto=upto, hash=journal.hash_at(Seq(3)).hex())
    with pytest.raises((MalformedMessage, Diverged)):
        some.take(rows, reply)


def rewritten(journal, kept, choices):
    """Give a journal of the same epoch that was put back to ``kept`` rows and went on with others."""
    other = SiteJournal()
    for row in journal.rows[:kept]:
        other.add_raw(row.topic, row.body)
    for number, choice in enumerate(choices):
        other.add_raw(TOPICS[choice], f"other {number}".encode())
    assert other.epoch == journal.epoch
    return other


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(0, 11), st.lists(st.integers(0, 3), max_size=20))
def test_a_filtered_reader_never_takes_other_rows_under_numbers_that_it_has(choices, kept, more):
    journal = journal_of(choices)
    some = SomeTopics(start_of(journal.epoch), STARTS)
    heard = [row for row in journal.rows if matches(row.topic, STARTS)]
    taken = {row.seq: row.body for row in heard if some.judge(live(row)) is Arrival.NEXT}
    assert len(taken) == len(heard)
    other = rewritten(journal, min(kept, len(choices)), more)
    is_another = any(seq > len(other.rows) or other.rows[seq - 1].body != body for seq, body in taken.items())
    try:
        while some.cursor.seq < len(other.rows):
            taken |= {row.seq: row.body for row in pull(some, other, other.rows, STARTS)}
        pull(some, other, other.rows, STARTS)
    except Diverged:
        assert is_another
    else:
        assert taken == {row.seq: row.body for row in other.rows if matches(row.topic, STARTS)}
