"""Frames: what one side encodes the other decodes, and hostile frames end in a refusal, never in anything else."""

import contextlib
import string
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.ids import Seq
from edge_agent.errors import MalformedMessage, TooLarge
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.frames import Envelope, decode_envelope, decode_live, decode_rows, encode_envelope, encode_live, encode_rows
from edge_agent.wire.messages import decode

NUMBERS = st.integers(1, 2**64 - 1)
TEXTS = st.text(string.ascii_letters + string.digits + "/-~.", max_size=64)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@st.composite
def rows(draw: st.DrawFn) -> JournalRow:
    seq = draw(NUMBERS)
    prev = draw(st.integers(0, seq - 1))
    epoch, digest = draw(st.binary(min_size=16, max_size=16)), draw(st.binary(min_size=32, max_size=32))
    return JournalRow(epoch, Seq(seq), Seq(prev), draw(TEXTS), draw(st.binary(max_size=100)), digest)


@given(rows())
def test_a_live_message_arrives_as_it_was_sent(row: JournalRow) -> None:
    live = decode_live(encode_live(row))
    assert (live.topic, live.epoch, live.seq, live.prev_seq, live.body) == (row.topic, row.epoch, row.seq, row.prev_seq, row.body)


@given(st.lists(rows(), max_size=5))
def test_a_batch_arrives_as_it_was_sent(batch: list[JournalRow]) -> None:
    assert decode_rows(encode_rows(batch)) == batch


@given(TEXTS, st.integers(0, 2**64 - 1), st.dictionaries(st.text(max_size=8), JSON, max_size=5), st.lists(rows(), max_size=3))
def test_an_envelope_arrives_as_it_was_sent(verb: str, number: int, content: dict[str, Any], batch: list[JournalRow]) -> None:
    envelope = Envelope(verb, number, content, tuple(batch))
    assert decode_envelope(encode_envelope(envelope)) == envelope


@given(st.lists(rows(), max_size=3), st.binary(max_size=200))
def test_an_attachment_arrives_behind_the_rows_and_is_never_taken_for_one(batch: list[JournalRow], attached: bytes) -> None:
    envelope = Envelope("CHUNK", 1, {}, tuple(batch), attached)
    assert decode_envelope(encode_envelope(envelope)) == envelope
    assert decode_envelope(encode_envelope(Envelope("CHUNK", 1, {}, tuple(batch)))).attachment is None


@given(st.lists(st.binary(max_size=80), max_size=7))
def test_any_frames_are_read_or_refused(frames: list[bytes]) -> None:
    for read in (decode_live, decode_rows, decode_envelope):
        with contextlib.suppress(MalformedMessage, TooLarge):
            read(frames)


@given(rows(), st.data())
def test_a_truncated_frame_is_refused_or_read_as_shorter_never_as_the_same(row: JournalRow, data: st.DataObject) -> None:
    frames = encode_rows([row])
    place = data.draw(st.integers(0, 2))
    if not frames[place]:
        return
    frames[place] = frames[place][:-1]
    with contextlib.suppress(MalformedMessage):
        assert decode_rows(frames) != [row]


@given(st.binary(max_size=200) | JSON.map(lambda value: str(value).encode()))
def test_any_bytes_are_a_body_or_refused(raw: bytes) -> None:
    with contextlib.suppress(MalformedMessage):
        decode(raw)
