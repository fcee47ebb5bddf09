"""The console over real sockets: every fact once and in order, and the officer is told when what is shown may be old."""

import asyncio

import apsw
import pytest

from edge_agent.console.client import ConsoleClient, Decision, LinkState, Phase, SeenFact, Site, Wish
from edge_agent.console.follow import Follower
from edge_agent.domain.ids import Seq
from edge_agent.errors import Diverged, NotAllowed, PeerSilent, ReasonRequired
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.console import Watch
from edge_agent.testing.factories import a_scan_id, an_assessment, an_audit
from edge_agent.testing.loopback import Keyring, Setting, loopback_site
from edge_agent.testing.proxy import tcp_proxy
from edge_agent.transport.context import open_context
from edge_agent.transport.link import Retry
from edge_agent.wire.frames import LiveMessage
from edge_agent.wire.messages import CodeParams

SCAN = a_scan_id("a")


def entries(count, start=0):
    return [an_assessment(a_scan_id(str(number))) for number in range(start, start + count)]


def test_a_console_that_joins_late_is_handed_everything_once_and_then_lives(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            await site.add(*entries(5), an_audit())
            async with Watch(site) as watch:
                await watch.live()
                await site.add(*entries(3, 5))
                await watch.seqs(range(1, 10))
                assert [fact.replayed for fact in watch.facts] == [True] * 6 + [False] * 3
                assert [state.phase for state in watch.phases] == [Phase.CONNECTING, Phase.CATCHING_UP, Phase.LIVE]
                assert (watch.client.state.head, watch.client.state.lag, watch.client.state.health) == (9, 0, "healthy")

    asyncio.run(law())


def test_more_than_one_batch_of_backlog_is_handed_over_whole(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            await site.add(*entries(510))
            async with Watch(site) as watch:
                await watch.seqs(range(1, 511))

    asyncio.run(law())


def test_rows_committed_while_the_console_catches_up_come_once(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            await site.add(*entries(200))
            async with Watch(site) as watch:
                for start in range(200, 400, 10):
                    await site.add(*entries(10, start))
                await watch.seqs(range(1, 401))

    asyncio.run(law())


def test_a_console_goes_on_after_the_number_it_has(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            await site.add(*entries(6))
            async with Watch(site, after=4) as watch:
                await watch.live()
                await site.add(*entries(1, 6))
                await watch.seqs([5, 6, 7])

    asyncio.run(law())


def test_a_console_that_has_rows_the_site_never_had_stops(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            await site.add(*entries(2))
            async with Watch(site, after=9) as watch:
                with pytest.raises(Diverged):
                    await watch.until(lambda _: False)

    asyncio.run(law())


def test_what_live_lost_is_pulled_and_the_order_kept(tmp_path):
    async def law():
        async with tcp_proxy() as proxy, loopback_site(tmp_path, Setting(live_shown=proxy.endpoint)) as site:
            proxy.target = site.live
            async with Watch(site) as watch:
                await watch.live()
                proxy.cut()  # TCP ends; the client reconnects, and what was sent meanwhile is gone
                await site.add(*entries(20))
                await asyncio.sleep(0.3)
                await site.add(*entries(5, 20))
                await watch.seqs(range(1, 26))

    asyncio.run(law())


def test_a_silent_line_is_told_and_repaired_when_it_returns(tmp_path):
    async def law():
        async with tcp_proxy() as sync, tcp_proxy() as live, loopback_site(tmp_path, Setting(live_shown=live.endpoint)) as site:
            sync.target, live.target = site.sync, site.live
            async with Watch(site, sync=sync.endpoint) as watch:
                await watch.live()
                sync.is_open = live.is_open = False
                await site.add(*entries(3))
                await watch.turned(Phase.STALE)
                sync.is_open = live.is_open = True
                await watch.live()
                await watch.seqs([1, 2, 3])

    asyncio.run(law())


def test_when_live_alone_is_dead_facts_still_come_by_pull_and_the_console_stays_stale(tmp_path):
    async def law():
        async with tcp_proxy() as live, loopback_site(tmp_path, Setting(live_shown=live.endpoint)) as site:
            live.target = "tcp://127.0.0.1:1"
            async with Watch(site) as watch:
                await watch.turned(Phase.STALE)
                await site.add(*entries(2))
                await watch.seqs([1, 2])
                assert watch.phases[-1].phase is Phase.STALE

    asyncio.run(law())


def test_a_site_that_restarts_is_followed_without_a_gap_or_a_double(tmp_path):
    async def law():
        keys = Keyring()
        async with tcp_proxy() as sync, tcp_proxy() as live:
            with open_context() as context:
                setting = Setting(keys, live_shown=live.endpoint)
                async with loopback_site(tmp_path, setting) as site:
                    sync.target, live.target = site.sync, site.live
                    site.context = context
                    watch = Watch(site, sync=sync.endpoint)
                    await watch.live()
                    await site.add(*entries(3))
                    await watch.seqs([1, 2, 3])
                async with loopback_site(tmp_path, setting) as site:
                    sync.target, live.target = site.sync, site.live
                    await site.add(*entries(2, 3))
                    async with watch:
                        await watch.seqs(range(1, 6))
                        await watch.live()

    asyncio.run(law())


def test_a_restored_journal_is_read_anew_and_known_facts_are_not_handed_out_again(tmp_path):
    async def law():
        keys = Keyring()
        async with tcp_proxy() as sync, tcp_proxy() as live:
            with open_context() as context:
                setting = Setting(keys, live_shown=live.endpoint)
                (tmp_path / "new").mkdir()
                async with loopback_site(tmp_path, setting) as site:
                    sync.target, live.target = site.sync, site.live
                    site.context = context
                    watch = Watch(site, sync=sync.endpoint)
                    await watch.live()
                    await site.add(*entries(3))
                    await watch.seqs([1, 2, 3])
                async with loopback_site(tmp_path / "new", setting) as site:
                    await site.add(*entries(2), *entries(2, 3))
                    sync.target, live.target = site.sync, site.live
                    async with watch:
                        await watch.until(lambda watch: len(watch.facts) == 5)
                        await watch.live()
                        handed = [fact.body.fact_id for fact in watch.facts]
                        assert handed == [entry.fact_id for entry in entries(5)]

    asyncio.run(law())


def test_a_rolled_back_journal_stops_the_console_loudly(tmp_path):
    async def law():
        keys = Keyring()
        async with tcp_proxy() as sync, tcp_proxy() as live:
            with open_context() as context:
                setting = Setting(keys, live_shown=live.endpoint)
                async with loopback_site(tmp_path, setting) as site:
                    sync.target, live.target = site.sync, site.live
                    site.context = context
                    watch = Watch(site, sync=sync.endpoint)
                    await watch.live()
                    await site.add(*entries(3))
                    await watch.seqs([1, 2, 3])
                with apsw.Connection(str(tmp_path / "ledger.db")) as forger:  # what an attacker with the disk might do
                    for trigger in forger.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
                        forger.execute(f'DROP TRIGGER "{trigger[0]}"')
                    forger.execute("DELETE FROM journal WHERE seq > 1")
                forger.close()
                async with loopback_site(tmp_path, setting) as site:
                    sync.target, live.target = site.sync, site.live
                    async with watch:
                        with pytest.raises(Diverged):
                            await watch.until(lambda _: False)
                        assert watch.phases[-1].phase is Phase.DIVERGED

    asyncio.run(law())


def test_a_console_that_is_not_enrolled_is_told_so(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site, Watch(site, site.keys.stranger) as watch:
            with pytest.raises(NotAllowed):
                await watch.until(lambda _: False)

    asyncio.run(law())


def test_a_site_that_is_not_there_is_stale_until_it_comes(tmp_path):
    async def law():
        async with tcp_proxy() as sync:
            sync.target = "tcp://127.0.0.1:1"
            async with loopback_site(tmp_path) as site, Watch(site, sync=sync.endpoint) as watch:
                await watch.turned(Phase.STALE)
                sync.target = site.sync
                await watch.live()

    asyncio.run(law())


def test_a_verdict_comes_back_through_the_journal_once_however_often_it_is_sent(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            await site.add(an_assessment(SCAN, conclusion="alert"))
            async with Watch(site) as watch:
                await watch.live()
                with pytest.raises(ReasonRequired):
                    await watch.client.decide(Decision(SCAN, 1, "not-suspicious", "Officer 7"))
                decision = Decision(SCAN, 1, "not-suspicious", "Officer 7", [CodeParams(code="documents-checked")])
                assert [(await watch.client.decide(decision))[0] for _ in range(3)] == [2, 2, 2]
                await watch.seqs([1, 2])
                assert (watch.facts[1].body.kind, watch.facts[1].replayed) == ("verdict", False)

    asyncio.run(law())


def test_a_verdict_that_cannot_be_delivered_says_so(tmp_path):
    async def law():
        async with tcp_proxy() as sync, loopback_site(tmp_path) as site:
            sync.target = site.sync
            client = ConsoleClient(site.context, Site(sync.endpoint, site.keys.client(site.keys.console)), SystemClock())
            sync.is_open = False
            client._retry = Retry(attempts=1)
            with pytest.raises(PeerSilent):
                await client.decide(Decision(SCAN, 1, "rescan", "Officer 7"))
            client.close()

    asyncio.run(law())


def test_two_consoles_see_the_same_stream(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site, Watch(site) as one, Watch(site, site.keys.collector) as other:
            await one.live()
            await other.live()
            await site.add(*entries(30))
            await one.seqs(range(1, 31))
            await other.seqs(range(1, 31))
            assert [state for state in one.phases if not isinstance(state, LinkState)] == []

    asyncio.run(law())


def test_a_gap_on_live_is_pulled_at_once_and_old_messages_are_dropped(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            follower = Follower(site.context, Site(site.sync, site.keys.client(site.keys.console)), SystemClock(), Wish())
            await follower._begin()
            for entry in entries(3):
                await site.ledger.append(entry)
            rows = await site.ledger.rows(Seq(0), 3, 1 << 20)
            messages = [LiveMessage(row.topic, row.epoch, row.seq, row.prev_seq, row.body) for row in rows]
            assert [event.seq async for event in follower._take(messages[2]) if isinstance(event, SeenFact)] == [1, 2, 3]
            assert [event async for event in follower._take(messages[1])] == []
            follower.close()

    asyncio.run(law())
