"""A ledger that was put back, or runs twice, never reuses numbers unnoticed: readers are told, whatever they ask."""

import asyncio
import shutil

import pytest

from edge_agent.errors import Diverged, EpochChanged
from edge_agent.testing.factories import a_scan_id, an_assessment, an_audit
from edge_agent.testing.loopback import Keyring, Setting, loopback_site
from edge_agent.transport.link import LiveLink
from edge_agent.wire.catchup import Cursor, must_pull
from edge_agent.wire.heartbeat import Heartbeat

NEVER_SILENT = (Diverged, EpochChanged)


async def place_of(site):
    head = await site.ledger.head()
    return Cursor(head.epoch, head.seq, head.hash)


def asked(place, **more):
    return {"epoch": place.epoch.hex(), "after": place.seq, "hash": place.hash.hex(), **more}


async def heartbeat(site):
    live = LiveLink(site.context, site.live, site.keys.client(site.keys.console), ["ei1/"])
    async with asyncio.timeout(40):
        while not isinstance(heard := await anext(live), Heartbeat):
            pass
    live.close()
    return heard


@pytest.mark.parametrize("more_after", [0, 3, 5], ids=["shorter", "as long", "longer"])
def test_a_rolled_back_ledger_is_told_to_every_reader(tmp_path, more_after):
    async def law():
        keys = Keyring()
        async with loopback_site(tmp_path, Setting(keys)) as site:
            await site.add(*(an_assessment(a_scan_id(name)) for name in "abc"))
            early = await place_of(site)
        shutil.copytree(tmp_path, tmp_path.with_name("backup"))
        async with loopback_site(tmp_path, Setting(keys)) as site:
            await site.add(*(an_assessment(a_scan_id(name)) for name in "def"))
            late, first_beat = await place_of(site), await heartbeat(site)
            await site.link(keys.collector).request("PULL", asked(late, durable="hq"))
        shutil.rmtree(tmp_path)
        shutil.copytree(tmp_path.with_name("backup"), tmp_path)
        async with loopback_site(tmp_path, Setting(keys)) as site:
            await site.add(*(an_audit(str(number)) for number in range(more_after)))
            beat = await heartbeat(site)
            assert beat.started != first_beat.started
            assert must_pull(late, bytes.fromhex(beat.epoch), beat.head) or beat.head == late.seq
            for who, content in (
                (keys.console, asked(late)),
                (keys.collector, asked(late, durable="hq")),
                (keys.console, asked(late, topics=["ei1/harbour/gate-1/"])),
            ):
                with pytest.raises(NEVER_SILENT):
                    await site.link(who).request("PULL", content)
            assert "hq" not in await site.ledger.acknowledged()
            if early.epoch == (await site.ledger.head()).epoch:  # a reader of before the backup goes on undisturbed
                assert len((await site.link(keys.console).request("PULL", asked(early))).rows) == more_after

    asyncio.run(law())
    shutil.rmtree(tmp_path.with_name("backup"))


def test_two_sites_of_one_ledger_are_found_by_the_reader_of_both(tmp_path):
    async def law():
        keys = Keyring()
        async with loopback_site(tmp_path, Setting(keys)) as site:
            await site.add(an_assessment(a_scan_id("a")))
        twin_folder = tmp_path.with_name("twin")
        shutil.copytree(tmp_path, twin_folder)
        async with loopback_site(tmp_path, Setting(keys)) as site, loopback_site(twin_folder, Setting(keys)) as twin:
            await site.add(an_assessment(a_scan_id("b")))
            await twin.add(an_assessment(a_scan_id("c")))
            with pytest.raises(NEVER_SILENT):
                await twin.link(keys.console).request("PULL", asked(await place_of(site)))
        shutil.rmtree(twin_folder)

    asyncio.run(law())
