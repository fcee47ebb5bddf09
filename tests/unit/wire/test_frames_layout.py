"""Frames of EI1: literal bytes out, and nothing but well-formed frames in."""

import struct

import pytest

from edge_agent.domain.ids import ScannerId, Seq, SiteId
from edge_agent.errors import MalformedMessage, TooLarge
from edge_agent.wire.chain import JournalRow
from edge_agent.wire.frames import (
    Envelope,
    decode_envelope,
    decode_live,
    decode_rows,
    encode_envelope,
    encode_live,
    encode_rows,
    heartbeat_topic,
    is_name,
    topic,
)

EPOCH = bytes(range(16))
ROW = JournalRow(EPOCH, Seq(7), Seq(3), "ei1/harbour/gate-1/verdict/", b'{"a":1}', b"h" * 32)
HEADER = EPOCH + struct.pack(">QQ", 7, 3)


def test_topics_end_with_a_slash_so_that_one_scanner_is_no_prefix_of_another() -> None:
    assert topic(SiteId("harbour"), ScannerId("s1"), "verdict") == "ei1/harbour/s1/verdict/"
    assert not topic(SiteId("harbour"), ScannerId("s10"), "verdict").startswith("ei1/harbour/s1/")
    assert topic(SiteId("harbour"), None, "health") == "ei1/harbour/~/health/"
    assert heartbeat_topic(SiteId("harbour")) == "ei1/harbour/~hb"


@pytest.mark.parametrize("name", ["a", "gate-1", "0.1_x", "a" * 63])
def test_names_that_may_stand_in_a_topic(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "~", "A", "a/b", "-a", "a" * 64, "a\n", "ä"])
def test_names_that_may_not_stand_in_a_topic(name: str) -> None:
    assert not is_name(name)


def test_a_live_message_is_topic_header_and_body_without_the_hash() -> None:
    assert encode_live(ROW) == [b"ei1/harbour/gate-1/verdict/", HEADER, b'{"a":1}']


def test_a_batch_row_is_header_with_topic_body_and_hash() -> None:
    assert encode_rows([ROW]) == [HEADER + b"ei1/harbour/gate-1/verdict/", b'{"a":1}', b"h" * 32]


def test_what_is_encoded_is_decoded() -> None:
    live = decode_live(encode_live(ROW))
    assert (ROW.topic, ROW.epoch, ROW.seq, ROW.prev_seq, ROW.body) == (live.topic, live.epoch, live.seq, live.prev_seq, live.body)
    assert decode_rows(encode_rows([ROW, ROW])) == [ROW, ROW]
    envelope = Envelope("PULL", 2**64 - 1, {"after": 3}, (ROW,))
    assert decode_envelope(encode_envelope(envelope)) == envelope


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b"t", HEADER],
        [b"t", HEADER, b"{}", b""],
        [b"t", HEADER[:-1], b"{}"],
        [b"t", HEADER + b"\0", b"{}"],
        [b"\xff", HEADER, b"{}"],
        [b"t", EPOCH + struct.pack(">QQ", 3, 3), b"{}"],
        [b"t", EPOCH + struct.pack(">QQ", 0, 0), b"{}"],
    ],
    ids=["none", "two", "four", "short header", "long header", "topic not ASCII", "its own predecessor", "number zero"],
)
def test_malformed_live_frames_are_refused(frames: list[bytes]) -> None:
    with pytest.raises(MalformedMessage):
        decode_live(frames)


@pytest.mark.parametrize("frames", [[b"t" * 257, HEADER, b""], [b"t", HEADER, bytes(64 * 1024 + 1)]], ids=["topic", "body"])
def test_frames_over_their_limit_are_refused(frames: list[bytes]) -> None:
    with pytest.raises(TooLarge):
        decode_live(frames)


def test_a_body_at_the_limit_is_read() -> None:
    assert len(decode_live([b"t", HEADER, bytes(64 * 1024)]).body) == 64 * 1024


@pytest.mark.parametrize(
    "frames",
    [[HEADER, b"{}"], [HEADER, b"{}", b"h" * 31], [b"", b"{}", b"h" * 32]],
    ids=["two frames", "short hash", "no header"],
)
def test_malformed_rows_are_refused(frames: list[bytes]) -> None:
    with pytest.raises(MalformedMessage):
        decode_rows(frames)


@pytest.mark.parametrize(
    "frames",
    [
        [b"PULL", bytes(8)],
        [b"PULL", bytes(7), b"{}"],
        [b"PULL", bytes(8), b"[]"],
        [b"PULL", bytes(8), b"{"],
        [b"PULL", bytes(8), b"\xff\xfe"],
        [b"PULL", bytes(8), b"[" * 100_000],
        [b"PULL", bytes(8), b"{}", b"odd", b"rows"],
    ],
    ids=["two frames", "short number", "not an object", "not JSON", "not text", "nested too deep", "odd rows"],
)
def test_malformed_requests_are_refused(frames: list[bytes]) -> None:
    with pytest.raises(MalformedMessage):
        decode_envelope(frames)


def test_a_request_over_its_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(TooLarge):
        decode_envelope([b"PULL", bytes(8), b" " * (256 * 1024 + 1)])
