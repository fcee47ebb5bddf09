"""Pictures over the BLOB socket: whole, checked, asked for by many at once; altered ones never."""

import asyncio
import hashlib

import pytest

from edge_agent.console.client import ConsoleClient, Site, TileRequest
from edge_agent.console.fetch import Pictures
from edge_agent.console.picture import read_png
from edge_agent.errors import BlobGone, MalformedMessage, NotAllowed, PeerSilent, UnknownBlob, UnknownScan
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.console import Watch
from edge_agent.testing.factories import a_scan_id
from edge_agent.testing.loopback import Setting, loopback_site
from edge_agent.testing.sights import a_sight, preview_png
from edge_agent.wire.frames import Envelope
from edge_agent.wire.pictures import ChunkReply
from edge_agent.wire.verbs import Verb, content


def test_a_thumbnail_and_its_heat_map_are_fetched_and_read(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            sight = await a_sight(site)
            async with Watch(site) as watch:
                await watch.live()
                thumbnail = read_png(await watch.client.blob(sight.preview.sha256))
                heat = read_png(await watch.client.blob(sight.heat.sha256))
                assert ((512, 170), (60, 20)) == ((thumbnail.width, thumbnail.height), (heat.width, heat.height))

    asyncio.run(law())


def test_many_pictures_may_be_asked_for_at_once(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            sights = [await a_sight(site, str(number)) for number in range(3)]
            async with Watch(site) as watch:
                await watch.live()
                wanted = [blob.sha256 for sight in sights for blob in (sight.preview, sight.heat)] * 5
                got = await asyncio.gather(*(watch.client.blob(sha256) for sha256 in wanted))
                assert wanted == [hashlib.sha256(data).hexdigest() for data in got]

    asyncio.run(law())


def test_a_picture_that_no_fact_names_and_one_that_is_gone_are_told_apart(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            sight = await a_sight(site)
            async with Watch(site) as watch:
                await watch.live()
                with pytest.raises(UnknownBlob):
                    await watch.client.blob("0" * 64)
                (site.state_dir / "blobs" / sight.heat.sha256[:2] / sight.heat.sha256).unlink()
                with pytest.raises(BlobGone):
                    await watch.client.blob(sight.heat.sha256)
                with pytest.raises(UnknownScan):
                    await watch.client.planes(a_scan_id("never"), 1)
                with pytest.raises(UnknownScan):
                    await watch.client.tile(TileRequest(scan_id=sight.scan, revision=1, view="top", plane="display/single"))

    asyncio.run(law())


def test_a_console_that_has_not_met_its_site_asks_for_no_pictures(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            client = ConsoleClient(site.context, Site(site.sync, site.keys.client(site.keys.console)), SystemClock())
            with pytest.raises(PeerSilent):
                await client.blob("0" * 64)
            client.close()

    asyncio.run(law())


def chunk(data, **other):
    fields = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "offset": 0, "media_type": "image/png", **other}
    return content(ChunkReply(**fields)), data


GOOD = preview_png()
LIES = {
    "other bytes": chunk(GOOD[:-1] + b"x", sha256=hashlib.sha256(GOOD).hexdigest()),
    "other name": chunk(GOOD, sha256="1" * 64),
    "other place": chunk(GOOD, offset=1),
    "more than there is": chunk(GOOD, bytes=len(GOOD) - 1),
    "nothing": chunk(b"", bytes=len(GOOD), sha256=hashlib.sha256(GOOD).hexdigest()),
    "a blob of 1 TB": chunk(GOOD, bytes=1 << 40),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_site_that_gives_other_bytes_than_asked_is_not_believed(tmp_path, lie):
    reply, data = LIES[lie]

    async def answer(_peer, request):
        return Envelope(Verb.CHUNK, request.request_id, reply, attachment=data)

    async def law():
        async with loopback_site(tmp_path, Setting(answer=answer)) as site:
            pictures = Pictures(site.context, site.sync, site.keys.client(site.keys.console))
            with pytest.raises(MalformedMessage):
                await pictures.blob(hashlib.sha256(GOOD).hexdigest())
            pictures.close()

    asyncio.run(law())


def test_a_tile_that_is_damaged_on_the_way_is_not_believed(tmp_path):
    async def answer(_peer, request):
        return Envelope(Verb.CHUNK, request.request_id, chunk(GOOD, sha256="1" * 64)[0], attachment=GOOD)

    async def law():
        async with loopback_site(tmp_path, Setting(answer=answer)) as site:
            pictures = Pictures(site.context, site.sync, site.keys.client(site.keys.console))
            with pytest.raises(MalformedMessage):
                await pictures.tile(TileRequest(scan_id=a_scan_id("a"), revision=1, view="top", plane="display/single"))
            pictures.close()

    asyncio.run(law())


def test_a_key_that_is_not_enrolled_sees_no_picture(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            sight = await a_sight(site)
            pictures = Pictures(site.context, site.blob, site.keys.client(site.keys.stranger))
            with pytest.raises(NotAllowed):
                await pictures.blob(sight.preview.sha256)
            pictures.close()

    asyncio.run(law())
