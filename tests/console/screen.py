"""Screenshots as arrays, and where on them something is."""

import asyncio

import cv2
import numpy as np
from playwright.async_api import Page


async def shot(page: Page, box: tuple[float, float, float, float]) -> np.ndarray:
    """Give the part ``box`` (x0, y0, x1, y1, CSS px) of the screen, (h, w, 3) uint8 RGB."""
    clip = {"x": box[0], "y": box[1], "width": box[2] - box[0], "height": box[3] - box[1]}
    raw = await page.screenshot(clip=clip, animations="disabled", caret="hide")
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


async def steady(
    page: Page, box: tuple[float, float, float, float], unlike: np.ndarray | None = None, within_s: float = 60.0
) -> np.ndarray:
    """Give :func:`shot` once two of them are the same and, where there is a shot that it is to be ``unlike``, another picture than that."""
    async with asyncio.timeout(within_s):
        before = await shot(page, box)
        while True:
            await asyncio.sleep(0.1)
            now = await shot(page, box)
            if np.array_equal(now, before) and (unlike is None or changed(now, unlike).any()):
                return now
            before = now


Bounds = tuple[int, int, int, int]


def bounds(mask: np.ndarray, within: Bounds | None = None) -> Bounds:
    """Give x0, y0, x1, y1 (half-open) of the largest connected region of a mask, or of its part ``within``."""
    x0, y0, x1, y1 = within or (0, 0, mask.shape[1], mask.shape[0])
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask[y0:y1, x0:x1].astype(np.uint8))
    assert count > 1, "nothing is there"
    x, y, width, height, _ = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))]
    return x0 + int(x), y0 + int(y), x0 + int(x + width), y0 + int(y + height)


def changed(one: np.ndarray, other: np.ndarray, by: int = 24) -> np.ndarray:
    """Give where two shots differ by more than ``by`` in any colour."""
    return (np.abs(one.astype(int) - other.astype(int)) > by).any(axis=2)
