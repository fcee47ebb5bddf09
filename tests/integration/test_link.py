"""The client's link: it survives what networks do, and never takes one answer for another."""

import asyncio
import time

import pytest

from edge_agent.errors import ConfigInvalid, MalformedMessage, PeerSilent
from edge_agent.testing.loopback import Setting, loopback_site
from edge_agent.testing.proxy import tcp_proxy
from edge_agent.transport.context import open_context
from edge_agent.transport.link import Retry, SyncLink
from edge_agent.transport.sockets import InsecureLoopback
from edge_agent.wire.frames import Envelope

FAST = Retry(attempts=4, first_s=0.05, last_s=0.1)


def answering(*, slow=0, wrong_number=0):
    """An answer that is late, or carries another number, for the first requests; tells who asked with which number."""
    asked = []

    async def answer(peer, request):
        asked.append((peer.route, request.request_id))
        if len(asked) <= slow:
            await asyncio.sleep(0.5)
        number = request.request_id + (1 if len(asked) <= wrong_number else 0)
        return Envelope("PONG", number, {"n": len(asked)})

    return answer, asked


def test_a_reply_is_asked_for_again_on_a_fresh_socket_with_a_new_number(tmp_path):
    async def law():
        answer, asked = answering(slow=1)
        async with loopback_site(tmp_path, Setting(answer=answer)) as site:
            reply = await site.link(site.keys.console, FAST).request("PING", {}, timeout_s=0.3)
            assert reply.content == {"n": 2}
            routes, numbers = zip(*asked, strict=True)
            assert (len(set(routes)), len(set(numbers))) == (2, 2)

    asyncio.run(law())


def test_a_reply_with_another_number_is_never_taken(tmp_path):
    async def law():
        answer, _ = answering(wrong_number=2)
        async with loopback_site(tmp_path, Setting(answer=answer)) as site:
            assert (await site.link(site.keys.console, FAST).request("PING", {}, timeout_s=0.3)).content == {"n": 3}

    asyncio.run(law())


def test_a_late_reply_never_answers_the_next_request(tmp_path):
    async def law():
        answer, _ = answering(slow=1)
        async with loopback_site(tmp_path, Setting(answer=answer)) as site:
            link = site.link(site.keys.console)
            with pytest.raises(PeerSilent):
                await link.request("PING", {}, timeout_s=0.2)
            await asyncio.sleep(0.4)
            assert (await link.request("PING", {}, timeout_s=1)).content == {"n": 2}

    asyncio.run(law())


def test_a_cancelled_request_leaves_a_link_that_still_works(tmp_path):
    async def law():
        answer, _ = answering(slow=1)
        async with loopback_site(tmp_path, Setting(answer=answer)) as site:
            link = site.link(site.keys.console)
            waiting = asyncio.create_task(link.request("PING", {}))
            await asyncio.sleep(0.1)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert (await link.request("PING", {}, timeout_s=1)).content == {"n": 2}

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
            link = SyncLink(site.context, proxy.endpoint, site.keys.client(site.keys.console), Retry(attempts=20, first_s=0.05, last_s=0.1))
            waiting = asyncio.create_task(link.request("PING", {}, timeout_s=0.3))
            await asyncio.sleep(0.5)
            proxy.target = site.sync
            assert (await asyncio.wait_for(waiting, 5)).verb == "PONG"

    asyncio.run(law())


@pytest.mark.parametrize("fault", ["cut", "swallow"])
def test_a_link_recovers_from_a_broken_line(tmp_path, fault):
    async def law():
        async with tcp_proxy() as proxy, loopback_site(tmp_path) as site:
            proxy.target = site.sync
            link = SyncLink(site.context, proxy.endpoint, site.keys.client(site.keys.console), FAST)
            await link.request("PING", {})
            proxy.is_open = fault != "swallow"
            if fault == "cut":
                proxy.cut()
            waiting = asyncio.create_task(link.request("PING", {}, timeout_s=0.4))
            await asyncio.sleep(0.5)
            proxy.is_open = True
            assert (await asyncio.wait_for(waiting, 4)).verb == "PONG"

    asyncio.run(law())


def test_one_link_carries_one_request_at_a_time(tmp_path):
    async def law():
        answer, _ = answering(slow=1)
        async with loopback_site(tmp_path, Setting(answer=answer)) as site:
            link = site.link(site.keys.console)
            first = asyncio.create_task(link.request("PING", {}))
            await asyncio.sleep(0.05)
            with pytest.raises(RuntimeError, match="one request at a time"):
                await link.request("PING", {})
            assert (await first).content == {"n": 1}

    asyncio.run(law())


def test_a_refusal_that_cannot_be_read_is_malformed(tmp_path):
    async def answer(_peer, request):
        return Envelope("ERR", request.request_id, {"no": "code"})

    async def law():
        async with loopback_site(tmp_path, Setting(answer=answer)) as site:
            with pytest.raises(MalformedMessage):
                await site.link(site.keys.console).request("PING", {})

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
            started = time.monotonic()
            replies = await asyncio.gather(*(link.request("PING", {"n": number}) for number, link in links))
            assert [(r.content["echo"], r.content["you"]) for r in replies] == [(n, ("console-1", "hq")[n % 2]) for n in range(10)]
            assert time.monotonic() - started < 2

    asyncio.run(law())


def test_pauses_grow_and_stay_within_their_bounds():
    pauses = [Retry(first_s=0.1, last_s=5.0).pause_s(tried) for tried in range(1, 12)]
    assert all(0.05 <= pause <= 5.0 for pause in pauses)
    assert pauses[-1] >= 2.5
