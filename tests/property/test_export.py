"""An exported journal comes back byte for byte, and any single change of a line is found."""

import json

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import MalformedMessage
from edge_agent.testing.site_journal import SiteJournal
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.export import Segment, heading, read_heading, read_row, row_line, verified

BODIES = st.lists(st.binary(max_size=40) | st.text(max_size=20).map(str.encode), min_size=1, max_size=8)


def journal_of(bodies):
    journal = SiteJournal("north")
    for body in bodies:
        journal.add_raw("ei1/north/~/audit/", body)
    return journal


@given(BODIES, st.integers(0, 7))
def test_rows_and_heading_come_back_as_they_were(bodies, start):
    journal = journal_of(bodies)
    after = Seq(min(start, len(bodies)))
    segment = Segment(SiteId("north"), journal.epoch, after, journal.hash_at(after))
    assert read_heading(heading(segment)) == segment
    lines = [row_line(row) for row in journal.rows[after:]]
    assert all(line.isascii() and "\n" not in line for line in lines)
    assert list(verified(lines, segment)) == journal.rows[after:]


@given(BODIES, st.data())
def test_a_changed_body_number_or_hash_is_found_where_it_is(bodies, data):
    journal = journal_of(bodies)
    lines = [row_line(row) for row in journal.rows]
    place = data.draw(st.integers(0, len(lines) - 1))
    content = json.loads(lines[place])
    field = data.draw(st.sampled_from(["body", "seq", "hash"]))
    change = {
        "body": content["body"] + "x",
        "seq": content["seq"] + 1,
        "hash": content["hash"][:-1] + ("0" if content["hash"][-1] != "0" else "1"),
    }
    lines[place] = json.dumps(content | {field: change[field]})
    steps = list(verified(lines, Segment(SiteId("north"), journal.epoch, Seq(0), journal.epoch)))
    assert steps == [*journal.rows[:place], place + 1]


@given(
    st.text(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)).map(json.dumps)
)
def test_no_line_whatever_raises_anything_else(line):
    for read in (read_heading, lambda text: read_row(text, b"e" * 16)):
        try:
            assert isinstance(read(line), Segment | JournalRow)
        except MalformedMessage:
            continue
