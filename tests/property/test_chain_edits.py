"""No single edit of a journal goes unnoticed by a reader that holds the chain."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.ids import Seq
from edge_agent.wire.chain import JournalRow, first_break, link

EPOCHS = st.binary(min_size=16, max_size=16)
BODIES = st.lists(st.binary(max_size=40), min_size=1, max_size=8)


def chained(epoch: bytes, bodies: list[bytes]) -> list[JournalRow]:
    rows: list[JournalRow] = []
    previous = epoch
    for number, body in enumerate(bodies, start=1):
        previous = link(previous, Seq(number), body)
        rows.append(JournalRow(epoch, Seq(number), Seq(0), "t", body, previous))
    return rows


@given(EPOCHS, BODIES, st.data())
def test_any_page_of_an_honest_journal_fits(epoch: bytes, bodies: list[bytes], data: st.DataObject) -> None:
    rows = chained(epoch, bodies)
    start = data.draw(st.integers(0, len(rows)))
    previous = rows[start - 1].hash if start else epoch
    assert first_break(rows[start:], previous, Seq(start)) is None


@given(EPOCHS, BODIES, st.binary(max_size=40), st.data())
def test_another_body_is_found_at_its_row(epoch: bytes, bodies: list[bytes], other: bytes, data: st.DataObject) -> None:
    rows = chained(epoch, bodies)
    place = data.draw(st.integers(0, len(rows) - 1))
    original = rows[place].body
    rows[place] = replace(rows[place], body=other)
    assert first_break(rows, epoch, Seq(0)) == (None if other == original else place + 1)


@given(EPOCHS, BODIES, st.data())
def test_one_flipped_bit_of_body_or_hash_is_found(epoch: bytes, bodies: list[bytes], data: st.DataObject) -> None:
    rows = chained(epoch, [body + b"." for body in bodies])
    place = data.draw(st.integers(0, len(rows) - 1))
    field = data.draw(st.sampled_from(["body", "hash"]))
    content = bytearray(getattr(rows[place], field))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    rows[place] = replace(rows[place], **{field: bytes(content)})
    assert first_break(rows, epoch, Seq(0)) == place + 1


@given(EPOCHS, st.lists(st.binary(max_size=40), min_size=2, max_size=8, unique=True), st.data())
def test_a_row_taken_out_or_two_exchanged_are_found(epoch: bytes, bodies: list[bytes], data: st.DataObject) -> None:
    rows = chained(epoch, bodies)
    place = data.draw(st.integers(0, len(rows) - 2))
    assert first_break(rows[:place] + rows[place + 1 :], epoch, Seq(0)) == place + 1
    rows[place], rows[place + 1] = rows[place + 1], rows[place]
    assert first_break(rows, epoch, Seq(0)) == place + 1


@given(EPOCHS, BODIES, st.binary(max_size=40), st.data())
def test_a_forged_row_with_its_own_hash_right_breaks_the_next_link(
    epoch: bytes, bodies: list[bytes], forged: bytes, data: st.DataObject
) -> None:
    rows = chained(epoch, [*bodies, b"last"])
    place = data.draw(st.integers(0, len(bodies) - 1))
    if forged == rows[place].body:
        return
    previous = rows[place - 1].hash if place else epoch
    rows[place] = replace(rows[place], body=forged, hash=link(previous, Seq(place + 1), forged))
    assert first_break(rows, epoch, Seq(0)) == place + 2


@given(EPOCHS, EPOCHS, BODIES)
def test_a_journal_of_another_epoch_does_not_fit(epoch: bytes, other: bytes, bodies: list[bytes]) -> None:
    assert first_break(chained(epoch, bodies), other, Seq(0)) == (None if epoch == other else 1)
