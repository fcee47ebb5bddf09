"""BLOB over real sockets: pictures that a fact names, tiles of stored planes, and nothing else; whoever looks stands in the journal."""

import asyncio
import hashlib
import io
import zipfile
from contextlib import asynccontextmanager
from dataclasses import replace

import cv2
import numpy as np
import pytest
import zmq

from edge_agent.domain.assessment import BlobRef
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.member import MemberDigest
from edge_agent.domain.scan import Energy, Origin, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.errors import BlobGone, MalformedMessage, NotAllowed, TooLarge, UnknownBlob, UnknownScan
from edge_agent.formats.encode import jpeg_bytes
from edge_agent.formats.package import read_package, write_package
from edge_agent.imaging.pyramid import coarser
from edge_agent.ledger.blobs import BlobStore
from edge_agent.ledger.ledger import Ledger
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.drops import load_picture
from edge_agent.testing.factories import a_capture, an_acceptance, an_arrival, an_assessment, particulars
from edge_agent.testing.loopback import Setting, loopback_site
from edge_agent.transport.sockets import connect
from edge_agent.wire.frames import Envelope, decode_envelope, encode_envelope
from edge_agent.wire.messages import AuditBody, decode

NOWHERE = "ab" * 32
HEAT = bytes(range(256)) * 3000


def in_loop(law):
    def test(tmp_path):
        asyncio.run(law(tmp_path))

    test.__name__ = law.__name__
    return test


def a_scan(scan):
    side = View(
        "side",
        (
            Plane(Quantity.TRANSMISSION, Energy.HIGH, load_picture(700, 1301)),
            Plane(Quantity.MATERIAL, Energy.SINGLE, load_picture(700, 1301, bits=8)),
        ),
        (5.0, 5.0),
    )
    colours = np.dstack([load_picture(600, 90, bits=8, seed=number) for number in range(3)])
    top = View("top", (Plane(Quantity.DISPLAY, Energy.SINGLE, colours),), None)
    about = particulars()
    return Scan(scan, 1, ScannerRef(ScannerId("gate-1"), "sim-cargo"), a_capture(), about.subject, (side, top), about.declaration, ())


async def with_a_scan(site, originals=(), scan=None):
    """A scan as the daemon leaves it: assessed, a heat map named by the assessment, a package on the disk."""
    arrival = an_arrival("scan-1")
    acceptance = an_acceptance(arrival)
    name = acceptance.decision.scan_id
    await site.ledger.call(Ledger.accept, [acceptance])
    job = await site.ledger.call(Ledger.claim, site_clock().now())
    sha256, size = BlobStore(site.state_dir / "blobs").put(HEAT)
    ref = BlobRef(sha256, size, "image/png", "heatmap:side")
    await site.ledger.call(Ledger.complete, job.job_id, an_assessment(name), (ref,))
    package = write_package(scan or a_scan(name), originals, site.state_dir / "packages" / "a.scan.zip")
    await site.ledger.call(Ledger.mark_packed, job.job_id, "packages/a.scan.zip", package.scan_json_sha256)
    return name, sha256


def site_clock():
    return ManualClock()


@asynccontextmanager
async def looking(folder, who="console", clock=None):
    async with loopback_site(folder, Setting(clock=clock) if clock else None) as site:
        scan, sha256 = await with_a_scan(site)
        yield site, site.link(getattr(site.keys, who), endpoint=site.blob), scan, sha256


async def views(site):
    told = [decode(row.body) for row in await site.ledger.rows(0, 500, 1 << 20)]
    return [(body.scan_id, dict(body.event.params)) for body in told if isinstance(body, AuditBody) and body.event.code == "viewed"]


def picture(png):
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    return pixels[:, :, ::-1] if pixels.ndim == 3 else pixels


# Blobs


@in_loop
async def test_a_blob_comes_in_chunks_that_make_up_its_digest(folder):
    async with looking(folder) as (_, link, _, sha256):
        found = io.BytesIO()
        while found.tell() < len(HEAT):
            chunk = await link.request("BLOB", {"sha256": sha256, "offset": found.tell()})
            assert (chunk.content["bytes"], chunk.content["offset"], chunk.content["media_type"]) == (len(HEAT), found.tell(), "image/png")
            assert 0 < len(chunk.attachment) <= 256 * 1024
            found.write(chunk.attachment)
        assert hashlib.sha256(found.getvalue()).hexdigest() == sha256
        beyond = await link.request("BLOB", {"sha256": sha256, "offset": len(HEAT) + 5, "length": 10})
        assert beyond.attachment == b""


@in_loop
async def test_only_what_a_fact_names_is_given_out(folder):
    async with looking(folder) as (site, link, _, _):
        hidden, _ = BlobStore(site.state_dir / "blobs").put(b"side-car with a container number")
        for sha256 in (hidden, NOWHERE):
            with pytest.raises(UnknownBlob):
                await link.request("BLOB", {"sha256": sha256})
        for content in ({"sha256": "../ledger.db"}, {"sha256": NOWHERE, "length": 1 << 19}, {"sha256": NOWHERE, "offset": -1}):
            with pytest.raises(MalformedMessage):
                await link.request("BLOB", content)
        assert not await views(site)


@in_loop
async def test_a_blob_that_is_gone_or_altered_is_refused_by_name(folder):
    async with looking(folder) as (site, link, _, sha256):
        path = site.state_dir / "blobs" / sha256[:2] / sha256
        path.write_bytes(b"x" + HEAT[1:])
        with pytest.raises(BlobGone) as damaged:
            await link.request("BLOB", {"sha256": sha256})
        path.unlink()
        with pytest.raises(BlobGone) as gone:
            await link.request("BLOB", {"sha256": sha256})
        assert (damaged.value.fields, gone.value.fields) == ({"why": "damaged"}, {"why": "gone"})


@in_loop
async def test_eight_open_requests_are_the_credit_and_one_more_is_refused(folder):
    gate = asyncio.Event()

    async def slow(_peer, request):
        await gate.wait()
        return Envelope("PONG", request.request_id, {})

    async with loopback_site(folder, Setting(answer=slow)) as site:
        socket = connect(site.context, zmq.DEALER, site.sync, site.keys.client(site.keys.console))
        for number in range(9):
            await socket.send_multipart(encode_envelope(Envelope("PING", number, {})))
        refused = decode_envelope(await asyncio.wait_for(socket.recv_multipart(), 40))
        assert (refused.verb, refused.content["code"], refused.request_id) == ("ERR", TooLarge.code, 8)
        gate.set()
        answered = {decode_envelope(await asyncio.wait_for(socket.recv_multipart(), 40)).request_id for _ in range(8)}
        assert answered == set(range(8))
        socket.close(0)


# Planes and tiles


@in_loop
async def test_the_planes_of_a_scan_are_listed_with_their_levels(folder):
    async with looking(folder) as (site, link, scan, _):
        planes = (await link.request("PLANES", {"scan_id": scan, "revision": 1})).content["planes"]
        assert [
            (one["view"], one["plane"], one["width"], one["height"], one["bits"], one["channels"], one["levels"]) for one in planes
        ] == [
            ("side", "transmission/high", 1301, 700, 16, 1, 3),
            ("side", "material/single", 1301, 700, 8, 1, 3),
            ("top", "display/single", 90, 600, 8, 3, 2),
        ]
        assert not await views(site)


@in_loop
async def test_tiles_put_together_are_the_plane_and_its_levels_bit_for_bit(folder):
    async with looking(folder) as (site, link, scan, _):
        stored = read_package(site.state_dir / "packages" / "a.scan.zip")
        for view in stored.views:
            for plane in view.planes:
                levels = [plane.pixels, *coarser(plane.pixels, is_mean=plane.quantity is not Quantity.MATERIAL)]
                for level, expected in enumerate(levels):
                    whole = np.zeros_like(expected)
                    for row in range(-(-expected.shape[0] // 512)):
                        for column in range(-(-expected.shape[1] // 512)):
                            asked = {
                                "view": view.name,
                                "plane": f"{plane.quantity}/{plane.energy}",
                                "level": level,
                                "row": row,
                                "column": column,
                            }
                            tile = await link.request("TILE", {"scan_id": scan, "revision": 1, **asked})
                            assert hashlib.sha256(tile.attachment).hexdigest() == tile.content["sha256"]
                            pixels = picture(tile.attachment)
                            whole[row * 512 : row * 512 + pixels.shape[0], column * 512 : column * 512 + pixels.shape[1]] = pixels
                    assert np.array_equal(whole, expected)


@in_loop
async def test_a_tile_that_is_not_there_is_refused(folder):
    async with looking(folder) as (_, link, scan, _):
        good = {"scan_id": scan, "revision": 1, "view": "side", "plane": "transmission/high"}
        for change, problem in (
            ({"view": "bottom"}, UnknownBlob),
            ({"plane": "transmission/low"}, UnknownBlob),
            ({"plane": "beauty/high"}, UnknownBlob),
            ({"level": 3}, UnknownBlob),
            ({"column": 3}, UnknownBlob),
            ({"row": 2}, UnknownBlob),
            ({"revision": 2}, UnknownScan),
            ({"scan_id": str(ScanId("00000000-0000-0000-0000-000000000000"))}, UnknownScan),
            ({"row": -1}, MalformedMessage),
            ({"plane": "../../etc"}, MalformedMessage),
        ):
            with pytest.raises(problem):
                await link.request("TILE", {**good, **change})
        await link.request("TILE", good)


@in_loop
async def test_an_altered_or_evicted_package_gives_no_tile(folder):
    async with looking(folder) as (site, link, scan, _):
        good = {"scan_id": scan, "revision": 1, "view": "side", "plane": "transmission/high"}
        path = site.state_dir / "packages" / "a.scan.zip"
        raw = bytearray(path.read_bytes())
        with zipfile.ZipFile(path) as archive:
            start = archive.getinfo("images/side_transmission_high.tif").header_offset
        raw[start + 5_000] ^= 1
        path.write_bytes(bytes(raw))
        with pytest.raises(BlobGone) as damaged:
            await link.request("TILE", good)
        assert damaged.value.fields == {"why": "damaged"}
        path.write_bytes(path.read_bytes().replace(b'"scan"', b'"scam"', 1))
        with pytest.raises(BlobGone):
            await link.request("PLANES", {"scan_id": scan, "revision": 1})
        path.unlink()
        with pytest.raises(BlobGone) as gone:
            await link.request("TILE", good)
        assert gone.value.fields == {"why": "gone"}


@in_loop
async def test_a_scanner_s_own_jpeg_is_decoded_in_the_child_and_gives_the_same_pixels(folder):
    async with loopback_site(folder) as site:
        base = a_scan(ScanId("00000000-0000-0000-0000-000000000001"))
        jpeg = jpeg_bytes(base.views[1].planes[0].pixels)
        source = folder / "picture.jpg"
        source.write_bytes(jpeg)
        pixels = cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        plane = replace(base.views[1].planes[0], pixels=pixels, origin=Origin("picture", 0))
        member = MemberDigest(name="picture.jpg", role="picture", size=len(jpeg), sha256=hashlib.sha256(jpeg).hexdigest(), is_pixels=True)
        scan = replace(base, views=(base.views[0], replace(base.views[1], planes=(plane,))))
        name, _ = await with_a_scan(site, ((member, source),), scan)
        link = site.link(site.keys.console, endpoint=site.blob)
        kept = read_package(site.state_dir / "packages" / "a.scan.zip").views[1].planes[0].pixels
        asked = {"scan_id": name, "revision": 1, "view": "top", "plane": "display/single"}
        tile = await link.request("TILE", asked, timeout_s=40)
        assert np.array_equal(picture(tile.attachment), kept[:512])


# Who looked


@in_loop
async def test_a_look_is_journalled_once_an_hour_for_each_workstation_and_before_anything_is_given(folder):
    clock = ManualClock()
    async with looking(folder, clock=clock) as (site, link, scan, sha256):
        asked = {"scan_id": scan, "revision": 1, "view": "side", "plane": "transmission/high", "level": 2}
        for _ in range(3):
            await link.request("TILE", asked)
            await link.request("BLOB", {"sha256": sha256, "length": 1})
        mine = (scan, {"workstation": "console-1", "revision": 1})
        assert await views(site) == [mine]
        await site.link(site.keys.collector, endpoint=site.blob).request("TILE", asked)
        clock.advance(3600)
        await link.request("TILE", asked)
        assert await views(site) == [mine, (scan, {"workstation": "hq", "revision": 1}), mine]


@in_loop
async def test_a_look_of_before_a_restart_is_not_journalled_again(folder):
    clock = ManualClock()
    asked = {"revision": 1, "view": "side", "plane": "transmission/high", "level": 2}
    async with looking(folder, clock=clock) as (_, link, scan, _):
        await link.request("TILE", {"scan_id": scan, **asked})
    async with loopback_site(folder, Setting(clock=clock)) as site:
        await site.link(site.keys.console, endpoint=site.blob).request("TILE", {"scan_id": scan, **asked})
        assert len(await views(site)) == 1


@in_loop
async def test_verbs_of_the_other_socket_and_strangers_are_refused(folder):
    async with looking(folder) as (site, link, _, _):
        with pytest.raises(MalformedMessage):
            await link.request("PULL", {"epoch": "0" * 32, "after": 0})
        assert (await link.request("PING", {})).verb == "PONG"
        with pytest.raises(NotAllowed):
            await site.link(site.keys.stranger, endpoint=site.blob).request("PING", {})
        assert [refusal.domain for refusal in site.refusals] == ["blob"]
