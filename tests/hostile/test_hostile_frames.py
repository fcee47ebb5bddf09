"""The messages that hostile frames begin from: all of the vocabulary, each one good before it is damaged."""

import random
from types import MappingProxyType

import pytest

from edge_agent.errors import PeerError
from edge_agent.wire import verbs
from edge_agent.wire.frames import decode_live
from edge_agent.wire.messages import decode
from edge_agent.wire.schema import REPLIES, REQUESTS
from tests.hostile import frames

DAMAGED = 3_000


@pytest.mark.parametrize("verb", REQUESTS)
def test_every_request_has_a_good_message_to_begin_from(verb: verbs.Verb) -> None:
    assert verbs.read(REQUESTS[verb], frames.ASKED[verb])


@pytest.mark.parametrize("verb", REPLIES)
def test_every_reply_has_a_good_message_to_begin_from(verb: verbs.Verb) -> None:
    assert verbs.read(REPLIES[verb], frames.ANSWERED[verb])


def test_no_good_message_is_of_a_verb_that_is_gone() -> None:
    assert (set(REQUESTS), set(REPLIES)) == (set(frames.ASKED), set(frames.ANSWERED))


@pytest.mark.parametrize("table", ["REQUESTS", "REPLIES"])
def test_a_new_verb_without_a_good_message_is_noticed(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, table, MappingProxyType({**getattr(frames, table), "TOMORROW": verbs.PingRequest}))
    with pytest.raises(KeyError, match="TOMORROW"):
        frames.starts()


def test_every_kind_of_body_is_among_the_good_messages() -> None:
    kinds = set()
    for message in frames.starts():
        try:
            kinds.add(decode(decode_live(message).body).schema_)
        except PeerError:
            continue
    assert set(verbs.SCHEMAS) == kinds


def test_every_good_message_is_read_by_somebody() -> None:
    assert all(frames.one_message(message) for message in frames.starts())


@pytest.mark.parametrize("seed", [1, 2])
def test_a_damaged_message_is_read_or_refused_and_nothing_else(seed: int) -> None:
    good, rng = frames.starts(), random.Random(seed)
    read = sum(frames.one_message(frames.hurt(rng.choice(good), rng)) > 0 for _ in range(DAMAGED))
    assert 0 < read < DAMAGED
