"""A page of a journal is as large as its line carries in time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.collector.page_size import LEAST_BYTES, PageSize

MOST = 1 << 20


@given(st.lists(st.one_of(st.none(), st.floats(0, 3)), max_size=30))
def test_it_stays_between_the_least_and_the_most(answers):
    size = PageSize(MOST, 3.0)
    for took_s in answers:
        size.stayed_away() if took_s is None else size.came(took_s, size.upto(MOST))
        assert LEAST_BYTES <= size.upto(MOST) <= MOST
        assert size.upto(100) == 100


@pytest.mark.parametrize("bytes_a_s", [8_000, 32_000, 64_000, 500_000, 5_000_000])
def test_it_finds_what_a_line_carries_and_stays_there(bytes_a_s):
    """Pages of a line that carries so many bytes a second: after the first few none is lost."""
    size = PageSize(MOST, 3.0)
    lost = []
    for page in range(40):
        took_s = size.upto(MOST) / bytes_a_s
        if took_s > 3.0:
            lost.append(page)
            size.stayed_away()
        else:
            size.came(took_s, size.upto(MOST))
            size.came(0.0, 500)  # a few new rows, at once
    assert all(page < 5 for page in lost)
    assert size.upto(MOST) >= min(MOST, max(LEAST_BYTES, bytes_a_s * 3.0 / 16))
