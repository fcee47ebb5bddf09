"""The ZAP provider's decisions, question by question: whatever is unclear is refused."""

from contextlib import contextmanager

import pytest
import zmq
from zmq.utils import z85

from edge_agent.errors import ConfigInvalid
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.loopback import Keyring
from edge_agent.transport.context import open_context
from edge_agent.transport.keys import Admission, AllowList
from edge_agent.transport.zap import ZapProvider

KEYS = Keyring()
ENROLLED = z85.decode(KEYS.console.public.encode())
STRANGE = z85.decode(KEYS.stranger.public.encode())


@contextmanager
def provider(refusals):
    # A plain context: deciding needs no loop.
    context = zmq.Context()
    zap = ZapProvider(context, Admission(AllowList(KEYS.consumers()), ManualClock()), frozenset({"sync"}), refusals.append)
    try:
        yield zap
    finally:
        zap.close()
        context.destroy(linger=0)


def question(domain=b"sync", mechanism=b"CURVE", credentials=(ENROLLED,), version=b"1.0"):
    return [version, b"7", domain, b"127.0.0.1", b"", mechanism, *credentials]


def test_an_enrolled_key_is_let_in_under_its_own_name():
    refusals = []
    with provider(refusals) as zap:
        assert zap.answer(question()) == [b"1.0", b"7", b"200", b"OK", KEYS.console.public.encode(), b""]
    assert not refusals


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (question(credentials=(STRANGE,)), "key-unknown"),
        (question(domain=b"other"), "unknown-domain"),
        (question(domain=b"*"), "unknown-domain"),
        (question(domain=b"\xff"), "unknown-domain"),
        (question(mechanism=b"NULL", credentials=()), "no-curve"),
        (question(mechanism=b"PLAIN", credentials=(b"user", b"word")), "no-curve"),
        (question(credentials=(ENROLLED, ENROLLED)), "no-curve"),
        (question(credentials=(b"short",)), "no-curve"),
        (question(credentials=()), "no-curve"),
    ],
)
def test_everybody_else_is_refused_with_a_reason(asked, reason):
    refusals = []
    with provider(refusals) as zap:
        answer = zap.answer(asked)
    assert (answer[2], answer[4]) == (b"400", b"")
    assert [refusal.reason for refusal in refusals] == [reason]


@pytest.mark.parametrize("asked", [[], [b"1.0"], [b"1.0", b"7", b"sync"], question(version=b"2.0")])
def test_a_question_of_another_shape_lets_nobody_in(asked):
    with provider([]) as zap:
        assert zap.answer(asked)[2] == b"500"


def test_a_process_has_one_provider():
    with provider([]) as zap, pytest.raises(ConfigInvalid, match="already"):
        ZapProvider(zap._socket.context, Admission(AllowList([]), ManualClock()), frozenset(), print)


def test_a_context_takes_its_sockets_with_it():
    with open_context() as context:
        socket = context.socket(zmq.DEALER)
    assert socket.closed
