"""One peer, whatever it sends and over however many connections, keeps neither the loop nor the ledger to itself. No sockets."""

import asyncio
from contextlib import contextmanager

import pytest
import zmq

from edge_agent.telemetry.clock import SystemClock
from edge_agent.transport import desk as desks
from edge_agent.transport.desk import MAX_OF_ONE_KEY, RouterDesk
from edge_agent.transport.keys import Admission, AllowList, Consumer, Role
from edge_agent.transport.sockets import InsecureLoopback
from edge_agent.wire.frames import Envelope, decode_envelope, encode_envelope

REQUESTS = 500


class Inbox:
    """A socket that has a message whenever it is asked, until there are no more: then it is empty for ever."""

    def __init__(self, routes):
        self.left = [[route, *encode_envelope(Envelope("PING", number, {}))] for number, route in enumerate(routes)]
        self.sent = []
        self.is_empty = asyncio.Event()

    def recv_multipart(self, copy):
        assert copy is False
        received = asyncio.get_running_loop().create_future()
        if self.left:
            received.set_result([zmq.Frame(part) for part in self.left.pop(0)])
        else:
            self.is_empty.set()
        return received

    async def send_multipart(self, frames, flags):
        assert flags == zmq.NOBLOCK
        self.sent.append(decode_envelope(frames[1:]))


@contextmanager
def a_desk(monkeypatch, inbox, consumer=None):
    monkeypatch.setattr(desks, "bind", lambda *_: inbox)
    admission = Admission(AllowList([]), SystemClock())
    desk = RouterDesk(None, "tcp://127.0.0.1:1", InsecureLoopback(), admission, lambda _: None)
    if consumer is not None:
        monkeypatch.setattr(desk, "_consumer", lambda _: consumer())
    yield desk


async def served(desk, answer, until):
    serving = asyncio.create_task(desk.serve(answer))
    try:
        async with asyncio.timeout(40):
            await until
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def sent(inbox, count):
    while len(inbox.sent) < count:  # noqa: ASYNC110 - turns of the loop are what is counted here
        await asyncio.sleep(0)


async def pong(_peer, request):
    return Envelope("PONG", request.request_id, {})


def test_a_peer_that_sends_without_end_leaves_every_other_task_its_turn(monkeypatch):
    async def law():
        inbox = Inbox([b"one"] * REQUESTS)
        turns = 0

        async def others():
            nonlocal turns
            while not inbox.is_empty.is_set():
                turns += 1
                await asyncio.sleep(0)

        with a_desk(monkeypatch, inbox) as desk:
            await served(desk, pong, others())
        assert turns >= REQUESTS

    asyncio.run(law())


def test_one_key_has_a_bounded_number_of_requests_in_hand_over_all_its_connections(monkeypatch):
    async def law():
        inbox = Inbox([b"route-%d" % number for number in range(2 * MAX_OF_ONE_KEY)])
        asked, go_on = [], asyncio.Event()

        async def slow(peer, request):
            asked.append(request.request_id)
            await go_on.wait()
            return await pong(peer, request)

        async def until():
            await sent(inbox, MAX_OF_ONE_KEY)
            assert {(reply.verb, reply.content["code"]) for reply in inbox.sent} == {("ERR", "too-large")}
            assert len(asked) == MAX_OF_ONE_KEY
            go_on.set()
            await sent(inbox, 2 * MAX_OF_ONE_KEY)

        with a_desk(monkeypatch, inbox) as desk:
            await served(desk, slow, until())
            assert sorted(reply.request_id for reply in inbox.sent if reply.verb == "PONG") == asked

    asyncio.run(law())


@pytest.mark.parametrize(("after", "reply"), [(Role.COLLECTOR, "PONG"), (Role.CONSOLE, "ERR")])
def test_an_answer_does_not_leave_for_a_key_whose_role_was_changed_while_it_waited(monkeypatch, after, reply):
    async def law():
        inbox = Inbox([b"one"])
        role = Role.COLLECTOR

        async def long_poll(peer, request):
            nonlocal role
            role = after
            return await pong(peer, request)

        with a_desk(monkeypatch, inbox, lambda: Consumer("hq", "", role)) as desk:
            await served(desk, long_poll, sent(inbox, 1))
        assert [answer.verb for answer in inbox.sent] == [reply]

    asyncio.run(law())
