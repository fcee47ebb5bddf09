"""Which rows of the journal go into an evidence file: enough to reach signed heads on both sides of every fact, and no more."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.evidence import Stretch, stretches


def test_each_fact_lies_between_the_heads_around_it():
    assert [Stretch(100, 200), Stretch(500, 600)] == stretches([150, 180, 501], [100, 200, 400, 500, 600], 1, 700)


def test_a_fact_that_a_head_speaks_of_ends_its_stretch():
    assert [Stretch(100, 200)] == stretches([200], [100, 200, 300], 1, 300)


def test_stretches_that_touch_are_one():
    assert [Stretch(100, 300)] == stretches([150, 250], [100, 200, 300], 1, 300)


def test_before_the_first_head_the_journal_s_oldest_row_begins():
    assert [Stretch(40, 100)] == stretches([60], [100], 41, 100)
    assert [Stretch(0, 100)] == stretches([1], [100], 1, 100)


@given(
    facts=st.lists(st.integers(1, 99), min_size=1, max_size=12, unique=True),
    heads=st.lists(st.integers(1, 100), max_size=12, unique=True),
    oldest=st.integers(1, 1),
)
def test_every_fact_is_in_exactly_one_stretch_and_every_stretch_ends_at_heads(facts, heads, oldest):
    ends = {*heads, 100}
    found = stretches(facts, sorted(ends), oldest, 100)
    for fact in facts:
        assert 1 == sum(one.after < fact <= one.upto for one in found)
    for one in found:
        assert one.upto in ends
        assert one.after in ends | {oldest - 1}
        assert any(one.after < fact <= one.upto for fact in facts)
    assert all(before.upto < after.after for before, after in itertools.pairwise(found))
