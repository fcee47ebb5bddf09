"""A console that was away begins again at the very row it has, not at a number that a restored site gave to another row."""

import asyncio
from dataclasses import replace

import pytest

from edge_agent.console.client import Phase, Wish
from edge_agent.console.events import Only
from edge_agent.domain.assessment import FactKind
from edge_agent.domain.ids import FactId, ScanId, ScannerId, Seq
from edge_agent.errors import Diverged
from edge_agent.ledger.records import Entry
from edge_agent.testing.console import Watch
from edge_agent.testing.factories import SITE, a_scan_id, assessment_body
from edge_agent.testing.loopback import loopback_site
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import encode

S1 = ScannerId("s1")


def facts(*names):
    bodies = [assessment_body(a_scan_id(str(name)), scanner=S1) for name in names]
    where = topic(SITE, S1, "assessment")
    return [Entry(FactId(body.fact_id), ScanId(body.scan_id), FactKind.ASSESSMENT, where, encode(body)) for body in bodies]


async def seen(site, wish, count):
    async with Watch(site, wish=wish) as watch:
        await watch.until(lambda watch: len(watch.facts) == count)
        await watch.live()
        return list(watch.facts)


def test_it_goes_on_after_the_row_it_has_whether_that_came_live_or_was_pulled(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            await site.add(*facts(1, 2))
            async with Watch(site) as watch:
                await watch.live()
                await site.add(*facts(3, 4))
                await watch.seqs([1, 2, 3, 4])
                handed = list(watch.facts)
            assert [fact.replayed for fact in handed] == [True, True, False, False]
            assert [fact.at.seq for fact in handed] == [1, 2, 3, 4]
            for fact in handed:
                rest = await seen(site, Wish(start=fact.at), 4 - fact.seq) if fact.seq < 4 else []
                assert [one.seq for one in rest] == list(range(fact.seq + 1, 5))

    asyncio.run(law())


def test_a_site_that_was_restored_meanwhile_is_read_again_where_a_mere_number_would_skip_rows(tmp_path):
    async def law():
        (tmp_path / "restored").mkdir()
        async with loopback_site(tmp_path) as site:
            await site.add(*facts(1, 2, 3))
            last = (await seen(site, Wish(), 3))[-1]
        async with loopback_site(tmp_path / "restored") as site:
            await site.add(*facts(1, "other", "another", "after"))
            by_number = await seen(site, Wish(start=Seq(last.seq)), 1)
            by_row = await seen(site, Wish(start=last.at), 4)
            assert ([fact.seq for fact in by_number], [fact.seq for fact in by_row]) == ([4], [1, 2, 3, 4])

    asyncio.run(law())


def test_another_row_under_the_same_number_of_the_same_journal_is_a_divergence(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            await site.add(*facts(1, 2, 3))
            last = (await seen(site, Wish(), 3))[-1]
            forged = Wish(start=replace(last.at, hash=b"x" * 32))
            watch = Watch(site, wish=forged)
            await watch.turned(Phase.DIVERGED)
            with pytest.raises(Diverged):
                await watch.task
            watch.client.close()

    asyncio.run(law())


def test_a_console_of_some_scanners_can_begin_again_at_what_was_pulled(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            await site.add(*facts(1, 2, 3))
            only = Only(scanners=("s1",))
            handed = await seen(site, Wish(only=only), 3)
            rest = await seen(site, Wish(start=handed[1].at, only=only), 1)
            assert [fact.seq for fact in rest] == [3]

    asyncio.run(law())
