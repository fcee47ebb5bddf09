"""A page with nothing but the viewer, over a plane that a test makes up; served by the test itself under our content security policy."""

import re
from pathlib import Path

import cv2
import numpy as np
from playwright.async_api import Page, Route

from benchmarks.browser import Stage
from edge_agent.imaging.pyramid import coarser

STATIC = Path(__file__).resolve().parents[2] / "edge_agent/web/static"
ORIGIN = "http://viewer.test"
POLICY = "default-src 'self'; img-src 'self' blob: data:; worker-src 'self'"
TILE = 512
_TYPES = {".js": "text/javascript", ".css": "text/css", ".json": "application/json"}
_PAGE = """<!doctype html><html lang="en"><title>viewer</title><link rel="stylesheet" href="/static/vendor/ol/ol.css">
<link rel="stylesheet" href="/place.css"><div id="place"></div>
<script src="/static/vendor/ol/ol.js"></script><script type="module" src="/law.js"></script>"""
_PLACE = "html, body { margin: 0 } #place { width: 1280px; height: 800px; background: #ff00ff }"
_LAW = """import { Picture } from '/static/console/viewer/picture.js';
const planes = await (await fetch('/planes')).json();
const load = async (plane, level, row, column, signal) => {
    const wide = plane.bits === 16 ? Uint16Array : Uint8Array;
    const reply = await fetch(`/tile/${plane.plane.replace('/', '-')}/${level}/${row}/${column}`, {signal});
    return new wide(await reply.arrayBuffer());
};
window.pic = new Picture(document.getElementById('place'), planes, load, {failed: (problem) => { throw problem; }});
window.settled = () => new Promise((done) => { window.pic.map.once('rendercomplete', done); window.pic.map.render(); });
document.body.dataset.ready = 'yes';"""


class Planes:
    """Planes of one view by name, with their coarser levels, as little-endian tiles."""

    def __init__(self, **planes: np.ndarray) -> None:
        self._levels = {name: [pixels, *coarser(pixels, is_mean=True)] for name, pixels in planes.items()}

    def listed(self) -> list[dict[str, object]]:
        return [
            {
                "plane": f"transmission/{name}",
                "width": levels[0].shape[1],
                "height": levels[0].shape[0],
                "bits": 8 * levels[0].itemsize,
                "channels": 1 if levels[0].ndim == 2 else 3,
                "levels": len(levels),
            }
            for name, levels in self._levels.items()
        ]

    def tile(self, name: str, level: int, row: int, column: int) -> bytes:
        pixels = self._levels[name][level][row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
        return pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()


async def viewer(stage: Stage, planes: Planes) -> Page:
    """Open the viewer over ``planes``; ``window.pic`` is the picture, ``window.settled()`` waits until it is painted."""

    async def answer(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path == "/":
            await route.fulfill(body=_PAGE, content_type="text/html", headers={"Content-Security-Policy": POLICY})
        elif path == "/planes":
            await route.fulfill(json=planes.listed())
        elif found := re.fullmatch(r"/tile/transmission-([a-z]+)/(\d+)/(\d+)/(\d+)", path):
            level, row, column = (int(text) for text in found.groups()[1:])
            await route.fulfill(body=planes.tile(found[1], level, row, column), content_type="application/octet-stream")
        elif path in ("/law.js", "/place.css"):
            await route.fulfill(body=_LAW if path == "/law.js" else _PLACE, content_type=_TYPES[Path(path).suffix])
        elif path.startswith("/static/"):
            file = STATIC / path.removeprefix("/static/")
            await route.fulfill(body=file.read_bytes(), content_type=_TYPES[file.suffix])
        else:
            await route.fulfill(status=204)

    await stage.context.route("**/*", answer)
    page = await stage.page(ORIGIN + "/")
    await page.wait_for_selector("body[data-ready=yes]", state="attached")
    await page.evaluate("window.settled()")
    return page


async def painted(page: Page) -> np.ndarray:
    """Give what is on the screen, (h, w, 3) uint8 RGB, after everything was painted."""
    await page.evaluate("window.settled()")
    shot = await page.screenshot()
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
