"""Refusals are counted, not listed: none is lost, and however many there are, few rows tell of them."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.admissions import EVERY_S, MANY_KEYS, MOST_KEYS, GateJournal, Refused, Tally
from edge_agent.domain.ids import SiteId
from edge_agent.errors import DiskLow
from edge_agent.ledger.audit import audit_entry
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.loopback import a_key_pair
from edge_agent.transport.keys import Consumer, Role
from edge_agent.wire.messages import CodeParams, decode

SITE = SiteId("harbour")
REASONS = ("key-unknown", "no-curve", "wrong-server-key")
STEPS = st.lists(st.tuples(st.sampled_from(REASONS), st.integers(0, 40), st.integers(0, 30)), max_size=200)


@given(STEPS)
def test_every_refusal_is_told_once_and_a_minute_holds_a_bounded_number_of_rows(steps):
    tally, now, told = Tally(), 0.0, []
    for reason, key, pause in steps:
        tally.note(reason, f"key-{key}" if key else "")
        told += [(now, row) for row in tally.due(now)]
        now += pause
    told += [(now + EVERY_S, row) for row in tally.due(now + EVERY_S)]
    assert sum(row.count for _, row in told) == len(steps)
    bound = MOST_KEYS + 2 * len(REASONS)  # the keys told apart, and for each reason those without a key and all others
    for start, _ in told:
        assert sum(start <= at < start + EVERY_S for at, _ in told) <= bound + MOST_KEYS


def test_the_first_refusal_is_told_at_once_and_the_next_after_a_minute_with_their_number():
    tally = Tally()
    tally.note("key-unknown", "ab")
    assert tally.due(0.0) == [Refused("key-unknown", "ab", 1)]
    for _ in range(5):
        tally.note("key-unknown", "ab")
    assert tally.due(EVERY_S - 1) == []
    assert tally.due(EVERY_S) == [Refused("key-unknown", "ab", 5)]


def test_keys_beyond_the_first_share_a_row():
    tally = Tally()
    for number in range(MOST_KEYS + 5):
        tally.note("key-unknown", f"key-{number}")
    told = tally.due(0.0)
    assert len(told) == MOST_KEYS + 1
    assert told[-1] == Refused("key-unknown", MANY_KEYS, 5)


class FullDisk:
    """A journal on a disk that is full until told otherwise."""

    def __init__(self):
        self.is_full = True
        self.entries = []

    async def append(self, entry):
        if self.is_full:
            raise DiskLow("full")
        self.entries.append(entry)


def test_what_a_full_disk_refuses_is_journalled_in_order_when_there_is_space_again():
    async def law():
        disk, clock, rings = FullDisk(), ManualClock(), []
        journal = GateJournal(SITE, disk, clock)
        consumer = Consumer("console-1", a_key_pair("a").public, Role.CONSOLE)
        journal.admitted(consumer, clock.now())
        journal.expired(consumer)
        await journal.flush(lambda: rings.append(1))
        disk.is_full = False
        await journal.flush(lambda: rings.append(1))
        assert [decode(entry.body).event.code for entry in disk.entries] == ["peer-admitted", "key-expired"]
        await journal.flush(lambda: rings.append(1))
        assert len(disk.entries) == 2

    asyncio.run(law())


def test_the_same_cause_is_the_same_fact():
    event, at = CodeParams(code="peer-admitted"), ManualClock().now()
    assert audit_entry(SITE, event, "a", at).fact_id == audit_entry(SITE, event, "a", at).fact_id
    assert audit_entry(SITE, event, "a", at).fact_id != audit_entry(SITE, event, "b", at).fact_id
