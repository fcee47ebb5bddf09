"""What the viewer adds to the samples: edges without seams between tiles, words that stay in the frame, tiles that are fetched once."""

import numpy as np
import pytest

from tests.console.viewer_page import Planes, painted, viewer

HEIGHT, WIDTH = 700, 1301
"""Neither is a multiple of the tile's side: 3 x 2 tiles."""
LOW, HIGH = 20_000, 40_000
AMOUNT = 2


def uneven():
    """A plane in which every sample differs from its neighbours, also across the borders of tiles."""
    rng = np.random.default_rng(21)
    return rng.integers(28_000, 32_000, (HEIGHT, WIDTH)).astype(np.uint16)


def sharpened(plane):
    """What the filter is to show, 0 to 255: the sample and ``AMOUNT`` times what it differs from its four neighbours' mean."""
    here = plane.astype(float)
    around = np.pad(here, 1, "edge")
    mean = (around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]) / 4
    return np.clip((here + AMOUNT * (here - mean) - LOW) / (HIGH - LOW), 0, 1) * 255


@pytest.fixture(scope="module")
def edged(chromium):
    """The plane at true size with edges and without: what is painted, where its left top lies, and a sample with its place."""

    async def law(stage):
        page = await viewer(stage, Planes(high=uneven()))
        await page.evaluate("pic.trueSize()")
        taken = []
        for amount in (AMOUNT, 0):
            await page.evaluate(f"pic.setShade({{low: {LOW}, high: {HIGH}, edges: {amount}}})")
            shot = await painted(page)
            place = await page.evaluate("[...pic.placeAt([0, 0]), pic.samplesAt([640, 400])[0], ...pic.placeAt([640.5, 400.5])]")
            taken.append((shot[:, :, 0].astype(float), *place))
        return taken

    return chromium.run(law)


def on_the_screen(picture, x0, y0):
    """The part of ``picture`` that the screen shows, and its mask: the screen's left top is at x0, y0 of the picture."""
    left, top = round(x0), round(y0)
    ys, xs = np.mgrid[top : top + 800, left : left + 1280]
    inside = (xs >= 0) & (ys >= 0) & (xs < WIDTH) & (ys < HEIGHT)
    return picture[np.clip(ys, 0, HEIGHT - 1), np.clip(xs, 0, WIDTH - 1)], inside, xs, ys


def test_edges_are_the_same_on_both_sides_of_a_border_of_tiles(edged):
    shot, x0, y0, *_ = edged[0]
    wanted, inside, xs, ys = on_the_screen(sharpened(uneven()), x0, y0)
    seam = inside & ((xs % 512 == 0) | (xs % 512 == 511) | (ys % 512 == 0) | (ys % 512 == 511))
    assert np.count_nonzero(seam) > 4_000
    assert np.abs(shot - wanted)[seam].max() <= 1
    assert np.abs(shot - wanted)[inside].max() <= 1


def test_without_edges_the_samples_are_as_they_were(edged):
    shot, x0, y0, *_ = edged[1]
    wanted, inside, _, _ = on_the_screen((uneven().astype(float) - LOW) / (HIGH - LOW) * 255, x0, y0)
    assert np.abs(shot - wanted)[inside].max() <= 1


def test_the_sample_under_the_pointer_is_the_stored_one_with_edges_too(edged):
    for _, _, _, sample, x, y in edged:
        assert uneven()[int(y), int(x)] == sample


_MANY = """async () => {
    const { placed, LINE_PX } = await import('/static/console/viewer/labels.js');
    const [width, height] = [900, 600];
    let seed = 7;
    const random = (most) => { seed = (seed * 48271) % 2147483647; return (seed / 2147483647) * most; };
    const told = { outside: 0, over: 0, missing: 0, dropped: 0 };
    for (let round = 0; round < 300; round += 1) {
        const labels = Array.from({ length: 1 + Math.floor(random(12)) }, () => {
            const [x, y] = [random(width + 200) - 100, random(height + 200) - 100];
            return { box: [x, y, x + random(300), y + random(200)], wide: 20 + random(160), words: 'x', colour: '' };
        });
        const places = placed(labels, width, height);
        places.forEach((place, at) => {
            const { box, wide } = labels[at];
            const isSeen = box[2] >= 0 && box[3] >= 0 && box[0] <= width && box[1] <= height;
            if (!place) { told.missing += isSeen ? 1 : 0; return; }
            told.dropped += isSeen ? 0 : 1;
            const [x, y] = place;
            told.outside += x < 0 || y < 0 || x + wide > width || y + LINE_PX > height ? 1 : 0;
            told.over += places.slice(0, at).filter((other, before) => other && x < other[0] + labels[before].wide
                && other[0] < x + wide && y < other[1] + LINE_PX && other[1] < y + LINE_PX).length;
        });
    }
    return told;
}"""


def test_words_of_boxes_stay_in_the_frame_and_lie_over_no_other(chromium):
    async def law(stage):
        page = await viewer(stage, Planes(high=uneven()))
        return await page.evaluate(_MANY)

    assert {"outside": 0, "over": 0, "missing": 0, "dropped": 0} == chromium.run(law)


_TILES = """async () => {
    const { TileStore } = await import('/static/console/tilestore.js');
    const side = 1024;
    const asked = [];
    const slow = new Map();
    const fetched = (name) => (signal) => new Promise((resolve, reject) => {
        asked.push(name);
        slow.set(name, () => resolve(new Uint8Array(side)));
        signal.addEventListener('abort', () => { asked.push(`${name} given up`); reject(signal.reason); });
    });
    const store = new TileStore(3 * side);
    const told = {};
    const both = [store.get('a', fetched('a')), store.get('a', fetched('a'))];
    slow.get('a')();
    told.isShared = (await both[0]) === (await both[1]) && (await store.get('a', fetched('a'))) === (await both[0]);
    const [one, other] = [new AbortController(), new AbortController()];
    const wanted = [one, other].map(({ signal }) => store.get('b', fetched('b'), signal));
    const given = wanted.map((each) => each.catch((why) => why.name));
    one.abort();
    told.afterOne = asked.join();
    other.abort();
    told.afterBoth = asked.join();
    told.answers = await Promise.all(given);
    for (const name of ['c', 'd']) { const coming = store.get(name, fetched(name)); slow.get(name)(); await coming; }
    await store.get('a', fetched('a'));
    const last = store.get('e', fetched('e')); slow.get('e')(); await last;
    told.kept = [...store.kept.keys()].join();
    store.close();
    told.left = store.kept.size + store.bytes + store.coming.size;
    return told;
}"""


def test_a_tile_is_fetched_once_and_given_up_when_nobody_wants_it_and_the_store_stays_small(chromium):
    async def law(stage):
        page = await viewer(stage, Planes(high=uneven()))
        return await page.evaluate(_TILES)

    told = chromium.run(law)
    assert told["isShared"]
    assert ("a,b", "a,b,b given up") == (told["afterOne"], told["afterBoth"])
    assert ["AbortError", "AbortError"] == told["answers"]
    assert ("d,a,e", 0) == (told["kept"], told["left"])
