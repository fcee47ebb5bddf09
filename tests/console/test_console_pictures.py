"""From the stored plane to the officer's screen: every sample as stored, boxes and heat maps where they belong."""

import asyncio

import numpy as np

from benchmarks import busy_scans
from benchmarks.busy_site import named
from benchmarks.office import PASSWORD
from benchmarks.officer import Officer
from tests.console.conftest import SITE
from tests.console.screen import bounds, changed, steady

OWN = {"X-Edge-Agent": "1"}
TOO_LATE = 504
PATIENCE_S = 60.0


async def logged_in(stage, url, name="asha"):
    answer = await stage.context.request.post(url + "/login", data={"name": name, "password": PASSWORD}, headers=OWN)
    assert 200 == answer.status
    return stage.context.request


async def given(browser, address):
    """What is answered, once a busy site has given it in time."""
    async with asyncio.timeout(PATIENCE_S):
        while (answer := await browser.get(address)).status == TOO_LATE:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)
    return answer


def test_the_tiles_that_a_browser_gets_are_the_stored_samples(chromium, workplace):
    async def law(stage):
        browser = await logged_in(stage, workplace.url)
        base = f"{workplace.url}/api/scans/{SITE}/{named(0)}/r1"
        (plane,) = (await (await given(browser, f"{base}/planes")).json())["planes"]
        assert (16, 1, busy_scans.BITS_WIDTH_PX, busy_scans.BITS_HEIGHT_PX) == (
            plane["bits"],
            plane["channels"],
            plane["width"],
            plane["height"],
        )
        rows = []
        for row in range(2):
            tiles = [await given(browser, f"{base}/tiles/{plane['view']}/{plane['plane']}/0/{column}/{row}") for column in range(3)]
            assert {200} == {tile.status for tile in tiles}
            assert {"no-store"} == {tile.headers["cache-control"] for tile in tiles}
            height = min(512, plane["height"] - 512 * row)
            rows.append(np.hstack([np.frombuffer(await tile.body(), "<u2").reshape(height, -1) for tile in tiles]))
        return np.vstack(rows)

    assert np.array_equal(busy_scans.bits(), chromium.run(law))


async def toggled(officer, key):
    """The picture as it is, and after ``key`` was pressed."""
    box = await officer.picture_box()
    await officer.page.mouse.move(box[0] + 5, box[3] - 5)
    await officer.sees_whole_picture()
    before = await steady(officer.page, box)
    await officer.page.keyboard.press(key)
    return before, await steady(officer.page, box, unlike=before)


def test_the_box_and_the_heat_map_lie_on_what_they_are_about(chromium, workplace):
    """The dark heap of the picture is the truth: it is drawn where the finding's box says, so all three must meet on the screen."""
    scan = workplace.an_alert()

    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        await officer.opens(SITE, scan)
        await officer.page.keyboard.press("0")
        with_box, bare = await toggled(officer, "b")
        _, with_heat = await toggled(officer, "h")
        return with_box, bare, with_heat

    with_box, bare, with_heat = chromium.run(law)
    left, top, right, bottom = bounds(bare.min(axis=2) > 230)  # the air around the load
    heap = bounds(bare.max(axis=2) < 30, within=(left, top, right, bottom))
    scale = (heap[2] - heap[0]) / (busy_scans.BOX[2] - busy_scans.BOX[0])
    left_of, top_of, right_of, bottom_of = heap
    sides = bounds(changed(with_box, bare), within=(left, top_of + 8, right, bottom))  # the finding's name stands above the box
    assert max(abs(one - other) for one, other in zip(sides, (left_of, top_of + 8, right_of, bottom_of), strict=True)) <= 5
    assert changed(with_box, bare)[top_of - 4 : top_of + 4, left_of:right_of].any(axis=0).mean() > 0.95
    warm = bounds(changed(with_heat, bare))
    room = busy_scans.HEAT_SIDE_PX * scale * 1.5 + 3  # a heat map is coarse: a pixel and a half of it
    assert max(abs(one - other) for one, other in zip(warm, heap, strict=True)) <= room
