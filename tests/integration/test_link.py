"""The client's link: it survives what networks do, and never takes one answer for another."""

import asyncio

import pytest

from edge_agent.errors import AnswerUnreadable, ConfigInvalid, MalformedMessage, PeerSilent, TooLarge
from edge_agent.testing.loopback import Setting, loopback_site
from edge_agent.testing.proxy import tcp_proxy
from edge_agent.transport import link as link_module
from edge_agent.transport.context import open_context
from edge_agent.transport.link import Retry, SyncLink
from edge_agent.transport.sockets import InsecureLoopback
from edge_agent.wire.frames import Envelope

PATIENCE_S = 40.0
MANY = Retry(attempts=100, first_s=0.05, last_s=0.1)


class Answering:
    """Answers that are late, or carry another number, for the first requests. ``asked``: who asked with which number."""

    def __init__(self, *, slow=0, wrong_number=0):
        self.asked = []
        self.release = asyncio.Event()
        self._slow, self._wrong_number = slow, wrong_number

    async def __call__(self, peer, request):
        self.asked.append((peer.route, request.request_id))
        number = len(self.asked)
        if number <= self._slow:
            await self.release.wait()
        return Envelope("PONG", request.request_id + (1 if number <= self._wrong_number else 0), {"n": number})

    async def heard(self):
        """Wait until somebody asked."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.asked:  # noqa: ASYNC110 - what is waited for is a list that the site's task appends to
                await asyncio.sleep(0.01)


def test_a_reply_is_asked_for_again_on_a_fresh_socket_with_a_new_number(tmp_path):
    async def law():
        answer = Answering(slow=1)
        async with loopback_site(tmp_path, Setting(answer=answer)) as site:
            reply = await site.link(site.keys.console, MANY).request("PING", {}, timeout_s=0.5)
            assert reply.content == {"n": len(answer.asked)}
            routes, numbers = zip(*answer.asked, strict=True)
            assert len(set(routes)) == len(set(numbers)) == len(answer.asked) > 1

    asyncio.run(law())


def test_a_reply_with_another_number_is_never_taken(tmp_path):
    async def law():
        answer = Answering(wrong_number=2)
        async with loopback_site(tmp_path, Setting(answer=answer)) as site:
            assert (await site.link(site.keys.console, MANY).request("PING", {}, timeout_s=0.5)).content["n"] > 2

    asyncio.run(law())


def test_a_late_reply_never_answers_the_next_request(tmp_path):
    async def law():
        answer = Answering(slow=1)
        async with loopback_site(tmp_path, Setting(answer=answer)) as site:
            link = site.link(site.keys.console)
            while not answer.asked:
                with pytest.raises(PeerSilent):
                    await link.request("PING", {}, timeout_s=0.5)
            answer.release.set()
            await asyncio.sleep(0.2)
            assert (await link.request("PING", {})).content == {"n": len(answer.asked)}
            assert len(answer.asked) > 1

    asyncio.run(law())


def test_a_cancelled_request_leaves_a_link_that_still_works(tmp_path):
    async def law():
        answer = Answering(slow=1)
        async with loopback_site(tmp_path, Setting(answer=answer)) as site:
            link = site.link(site.keys.console)
            waiting = asyncio.create_task(link.request("PING", {}))
            await answer.heard()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert (await link.request("PING", {})).content == {"n": 2}

    asyncio.run(law())


def test_a_site_that_is_not_there_is_silent_after_all_tries():
    async def law():
        with open_context() as context:
            link = SyncLink(context, "tcp://127.0.0.1:1", InsecureLoopback(), Retry(attempts=2, first_s=0.05))
            with pytest.raises(PeerSilent) as silent:
                await link.request("PING", {}, timeout_s=0.1)
            assert silent.value.fields["attempts"] == 2
            link.close()

    asyncio.run(law())


def test_a_site_that_starts_late_is_found_without_help(tmp_path):
    async def law():
        async with tcp_proxy() as proxy, loopback_site(tmp_path) as site:
            proxy.target = "tcp://127.0.0.1:1"
            link = SyncLink(site.context, proxy.endpoint, site.keys.client(site.keys.console), MANY)
            waiting = asyncio.create_task(link.request("PING", {}, timeout_s=1.0))
            await asyncio.sleep(0.5)
            proxy.target = site.sync
            assert (await asyncio.wait_for(waiting, PATIENCE_S)).verb == "PONG"

    asyncio.run(law())


@pytest.mark.parametrize("fault", ["cut", "swallow"])
def test_a_link_recovers_from_a_broken_line(tmp_path, fault):
    async def law():
        async with tcp_proxy() as proxy, loopback_site(tmp_path) as site:
            proxy.target = site.sync
            link = SyncLink(site.context, proxy.endpoint, site.keys.client(site.keys.console), MANY)
            await link.request("PING", {})
            proxy.is_open = fault != "swallow"
            if fault == "cut":
                proxy.cut()
            waiting = asyncio.create_task(link.request("PING", {}, timeout_s=1.0))
            await asyncio.sleep(0.5)
            proxy.is_open = True
            assert (await asyncio.wait_for(waiting, PATIENCE_S)).verb == "PONG"

    asyncio.run(law())


def test_one_link_carries_one_request_at_a_time(tmp_path):
    async def law():
        answer = Answering(slow=1)
        async with loopback_site(tmp_path, Setting(answer=answer)) as site:
            link = site.link(site.keys.console)
            first = asyncio.create_task(link.request("PING", {}))
            await answer.heard()
            with pytest.raises(RuntimeError, match="one request at a time"):
                await link.request("PING", {})
            answer.release.set()
            assert (await first).content == {"n": 1}

    asyncio.run(law())


def test_a_refusal_that_cannot_be_read_is_no_refusal(tmp_path):
    async def answer(_peer, request):
        return Envelope("ERR", request.request_id, {"no": "code"})

    async def law():
        async with loopback_site(tmp_path, Setting(answer=answer)) as site:
            with pytest.raises(AnswerUnreadable):
                await site.link(site.keys.console).request("PING", {})

    asyncio.run(law())


@pytest.mark.parametrize("problem", [MalformedMessage("no envelope"), TooLarge("a frame over its limit")], ids=lambda problem: problem.code)
def test_frames_that_cannot_be_read_are_an_unreadable_answer_and_the_link_goes_on(tmp_path, monkeypatch, problem):
    async def law():
        async with loopback_site(tmp_path, Setting(answer=Answering())) as site:
            mine = site.link(site.keys.console)
            with monkeypatch.context() as patch:
                patch.setattr(link_module, "decode_envelope", raises(problem))
                with pytest.raises(AnswerUnreadable):
                    await mine.request("PING", {})
            assert (await mine.request("PING", {})).verb == "PONG"

    def raises(problem):
        def decode(_):
            raise problem

        return decode

    asyncio.run(law())


def test_an_insecure_link_to_another_machine_is_refused_before_anything_is_sent():
    async def law():
        with open_context() as context, pytest.raises(ConfigInvalid, match="insecure_loopback_only"):
            await SyncLink(context, "tcp://10.0.0.1:5571", InsecureLoopback()).request("PING", {})

    asyncio.run(law())


def test_many_links_of_one_process_do_not_mix(tmp_path):
    async def answer(peer, request):
        await asyncio.sleep(0.01)
        return Envelope("PONG", request.request_id, {"echo": request.content["n"], "you": peer.consumer.name})

    async def law():
        async with loopback_site(tmp_path, Setting(answer=answer)) as site:
            pairs = (site.keys.console, site.keys.collector)
            links = [(number, site.link(pairs[number % 2])) for number in range(10)]
            replies = await asyncio.gather(*(link.request("PING", {"n": number}) for number, link in links))
            assert [(r.content["echo"], r.content["you"]) for r in replies] == [(n, ("console-1", "hq")[n % 2]) for n in range(10)]

    asyncio.run(law())


def test_pauses_grow_and_stay_within_their_bounds():
    pauses = [Retry(first_s=0.1, last_s=5.0).pause_s(tried) for tried in range(1, 12)]
    assert all(0.05 <= pause <= 5.0 for pause in pauses)
    assert pauses[-1] >= 2.5
