"""Literal links and literal breaks of the journal's chain."""

import hashlib

from edge_agent.domain.ids import Seq
from edge_agent.wire.chain import JournalRow, first_break, link

EPOCH = bytes(range(16))


def rows(*bodies: bytes) -> list[JournalRow]:
    result: list[JournalRow] = []
    previous = EPOCH
    for number, body in enumerate(bodies, start=1):
        previous = link(previous, Seq(number), body)
        result.append(JournalRow(EPOCH, Seq(number), Seq(0), "t", body, previous))
    return result


def test_a_link_is_sha256_over_previous_hash_number_and_body() -> None:
    expected = hashlib.sha256(EPOCH + b"\x00\x00\x00\x00\x00\x00\x00\x01" + b"{}").digest()
    assert expected == link(EPOCH, Seq(1), b"{}")


def test_an_unbroken_chain_has_no_break_from_any_row_on() -> None:
    chain = rows(b"a", b"b", b"c")
    assert first_break(chain, EPOCH, Seq(0)) is None
    assert first_break(chain[1:], chain[0].hash, Seq(1)) is None
    assert first_break([], EPOCH, Seq(0)) is None


def test_a_missing_row_is_named() -> None:
    chain = rows(b"a", b"b", b"c")
    assert first_break([chain[0], chain[2]], EPOCH, Seq(0)) == 2


def test_rows_of_another_epoch_do_not_continue_this_one() -> None:
    assert first_break(rows(b"a"), bytes(16), Seq(0)) == 1


def test_swapped_rows_break_at_the_first_of_them() -> None:
    first, second = rows(b"a", b"b")
    assert first_break([second, first], EPOCH, Seq(0)) == 1
