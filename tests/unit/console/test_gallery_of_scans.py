"""Pictures on a screen: asked for once, one at a time, and never in the way of what is known."""

import asyncio

from edge_agent.console.board import Board
from edge_agent.console.client import SeenFact
from edge_agent.console.gallery import Gallery
from edge_agent.domain.ids import Seq
from edge_agent.errors import BlobGone, PeerSilent
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import NOON, SITE, a_scan_id, a_set_aside, assessment_body
from edge_agent.testing.sights import heat_png, preview_png
from edge_agent.wire.findings import DetectionPart, HeterogeneityPart
from edge_agent.wire.messages import BlobPart, CodeParams, FramePart, decode

STORED = {"a" * 64: preview_png(), "b" * 64: heat_png(), "c" * 64: preview_png(100, 50)}
ROLES = {"a" * 64: "preview:top", "b" * 64: "heatmap:top", "c" * 64: "preview:side"}


def row_of(body):
    board = Board()
    board.apply(SeenFact(Seq(1), "t", body, True, NOON))
    return board.rows[0]


def pictured(**more):
    blobs = [BlobPart(sha256=sha256, bytes=1, media_type="image/png", role=role) for sha256, role in ROLES.items()]
    frames = [FramePart(view="top", width=200, height=100, to_native=(1, 0, 0, 0, 1, 0))]
    return assessment_body(a_scan_id("a"), conclusion="alert").model_copy(update={"blobs": blobs, "frames": frames, **more})


class Site:
    """Answers as told; remembers what it was asked."""

    def __init__(self, stored=STORED):
        self.stored, self.asked = dict(stored), []

    async def fetch(self, site, sha256):
        assert site == SITE
        self.asked.append(sha256)
        found = self.stored[sha256]
        if isinstance(found, Exception):
            raise found
        return found


async def shown(gallery, changes, row, turns=1, view=0, has_heat=True):
    shot = gallery.shot(row, view, has_heat=has_heat)
    for _ in range(turns):
        await asyncio.wait_for(changes.get(), 40)
        shot = gallery.shot(row, view, has_heat=has_heat)
    return shot


def run(law, stored=STORED):
    async def main():
        site, clock, changes = Site(stored), ManualClock(), asyncio.Queue()
        gallery = Gallery(site.fetch, clock, lambda: changes.put_nowait(None))
        try:
            await law(site, clock, gallery, changes)
        finally:
            await gallery.close()

    asyncio.run(main())


def test_picture_and_heat_are_fetched_once_one_after_the_other():
    async def law(site, _, gallery, changes):
        row = row_of(pictured())
        assert "being fetched" in gallery.shot(row, 0, has_heat=True).note
        shot = await shown(gallery, changes, row, turns=2)
        assert (512, 60) == (shot.picture.width, shot.overlay.heat.width)
        for _ in range(5):
            gallery.shot(row, 0, has_heat=True)
        assert ["a" * 64, "b" * 64] == site.asked

    run(law)


def test_views_follow_each_other_in_a_ring_and_heat_can_be_left_out():
    async def law(site, _, gallery, changes):
        row = row_of(pictured())
        shot = await shown(gallery, changes, row, view=1, has_heat=False)
        assert ("side", 2, 100, None) == (shot.view, shot.views, shot.picture.width, shot.overlay.heat)
        assert "top" == gallery.shot(row, 2, has_heat=False).view
        assert ["c" * 64] == site.asked[:1]

    run(law)


def test_a_picture_that_does_not_come_is_said_and_asked_for_again_later_not_each_time():
    async def law(site, clock, gallery, changes):
        row = row_of(pictured())
        shot = await shown(gallery, changes, row, has_heat=False)
        assert "no picture: away" == shot.note
        gallery.shot(row, 0, has_heat=False)
        assert 1 == len(site.asked)
        site.stored["a" * 64] = preview_png()
        clock.advance(6)
        shot = await shown(gallery, changes, row, has_heat=False)
        assert shot.picture is not None

    run(law, {**STORED, "a" * 64: PeerSilent("away")})


def test_a_heat_map_that_is_gone_takes_nothing_from_the_picture():
    async def law(_, __, gallery, changes):
        shot = await shown(gallery, changes, row_of(pictured()), turns=2)
        assert (512, None, "no picture: retention") == (shot.picture.width, shot.overlay.heat, shot.note)

    run(law, {**STORED, "b" * 64: BlobGone("retention")})


def test_bytes_that_are_no_picture_are_said_to_be_none():
    async def law(_, __, gallery, changes):
        assert "no PNG" in (await shown(gallery, changes, row_of(pictured()))).note

    run(law, {**STORED, "a" * 64: b"GIF89a"})


def test_of_an_alert_the_boxes_that_alert_are_drawn_in_shares_of_the_frame():
    async def law(_, __, gallery, changes):
        found = [
            DetectionPart(id=0, label="knife", score=0.9, box=(20, 10, 40, 20), view="top", bundle="d/1"),
            DetectionPart(id=1, label="shoe", score=0.9, box=(0, 0, 9, 9), view="top", bundle="d/1"),
            DetectionPart(id=2, label="knife", score=0.9, box=(0, 0, 9, 9), view="side", bundle="d/1"),
        ]
        reason = CodeParams(code="detection-alert", params={"label": "knife", "view": "top", "threshold": 0.5})
        alert = await shown(gallery, changes, row_of(pictured(findings=found, reasons=[reason])))
        assert [(0.1, 0.1, 0.2, 0.2)] == alert.overlay.boxes
        calm = gallery.shot(row_of(pictured(findings=found, conclusion="no-alert")), 0, has_heat=True)
        assert 2 == len(calm.overlay.boxes)
        unlike = HeterogeneityPart(
            id=3, score=0.9, regions=[(0, 0, 20, 10), (100, 50, 200, 100)], against=[], declared=True, view="top", bundle="c/1"
        )
        regions = gallery.shot(row_of(pictured(findings=[unlike], conclusion="no-alert")), 0, has_heat=True)
        assert [(0, 0, 0.1, 0.1), (0.5, 0.5, 1, 1)] == regions.overlay.boxes

    run(law)


def test_a_scan_without_pictures_is_asked_for_none():
    async def law(site, _, gallery, __):
        for body in (assessment_body(a_scan_id("a")), decode(a_set_aside(a_scan_id("b")).body)):
            assert "no picture of this scan" in gallery.shot(row_of(body), 0, has_heat=True).note
        assert [] == site.asked

    run(law)
