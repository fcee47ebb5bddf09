"""An officer at the console's pages, as tests and benchmarks play one: by keyboard and by what is on the screen, as an officer would."""

import asyncio
import time
from collections.abc import Sequence
from urllib.parse import quote

from playwright.async_api import Browser, Locator, Page, Request

from benchmarks.browser import Stage, until
from benchmarks.office import PASSWORD

_QUIET_S = 0.25
_PATIENCE_S = 60.0
_BEGUN = """(place) => new Promise((done) => {
    if (location.hash === place) return done();
    addEventListener('hashchange', () => done(), {once: true});  // after the shell, which has begun the page by then
    location.hash = place;
})"""
DECISIONS_WAITING = "async (many) => (await (await fetch('/api/mine')).json()).waiting.length === many"
"""Condition of a page, for ``browser.until``: so many of the officer's own decisions wait for their site."""
_FRAMES = """async () => { for (let left = 4; left > 0; left -= 1) await new Promise((done) => requestAnimationFrame(done)); }"""


class Officer:
    """One officer's page."""

    def __init__(self, page: Page, url: str, name: str) -> None:
        self.page = page
        self.url = url
        self.name = name
        self._asked: set[Request] = set()
        page.on("request", self._asks)
        page.on("requestfinished", self._ended)  # no method of a built-in set: the driver sets attributes on what it is given
        page.on("requestfailed", self._ended)

    def _asks(self, request: Request) -> None:
        if "/api/stream" not in request.url:  # that one never ends
            self._asked.add(request)

    def _ended(self, request: Request) -> None:
        self._asked.discard(request)

    @classmethod
    async def logged_in(cls, stage: Stage, url: str, name: str = "asha") -> "Officer":
        """Log in, see the queue, and hear of the sites: what stands above the page is there then."""
        officer = cls(await stage.page(url + "/login"), url, name)
        await officer.logs_in()
        await officer.sees_queue()
        await officer.page.locator(".links li").first.wait_for(state="attached")
        return officer

    async def logs_in(self) -> None:
        """Fill in the login page and wait for the console's frame."""
        await self.page.locator("input[name=name]").fill(self.name)  # the labels are in the page's language
        await self.page.locator("input[name=password]").fill(PASSWORD)
        await self.page.keyboard.press("Enter")
        await self.page.locator(".grid").wait_for()

    @property
    def browser(self) -> Browser:
        """The browser that shows the page."""
        browser = self.page.context.browser
        assert browser is not None
        return browser

    @property
    def rows(self) -> Locator:
        """The queue's lines that are on the screen."""
        return self.page.locator(".grid .space [role=row]:visible")

    async def sees_queue(self) -> None:
        """Wait until the queue has lines and its links are alive."""
        await self.rows.first.wait_for()

    async def sees_lines(self, count: int) -> None:
        """Wait until the queue holds at least ``count`` scans, on the screen or not."""
        lines = "(least) => Number(document.querySelector('.grid').getAttribute('aria-rowcount')) > least"
        await until(self.page, lines, count, within_s=300)

    async def to_queue(self) -> None:
        """Go back to the queue."""
        await self.page.keyboard.press("q")
        await self.sees_queue()

    async def goes(self, place: str) -> None:
        """Go to a page by its address; it is begun then, and the one before is gone."""
        await self.page.evaluate(_BEGUN, f"#/{place}")

    async def opens(self, site: str, scan_id: str) -> None:
        """Open a scan by its address and wait until its facts and its picture are there."""
        await self.goes(f"scan/{quote(site)}/{scan_id}")
        await self.page.locator(f"main.scan h1 .id:text-is('{scan_id[:8]}')").wait_for()
        await self.sees_picture()

    async def sees_picture(self) -> None:
        """Wait until the scan's page has a picture, be it without all its tiles."""
        await self.page.locator("main.scan canvas").first.wait_for()

    async def sees_whole_picture(self) -> None:
        """Wait until every tile is painted; ask again, as an officer would, for what the site did not give in time."""
        again, waits = (self.page.locator(f"main.scan .pane {what}") for what in (".trouble:visible button", ".wait:visible"))
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                await self.settled()
                if await again.count():
                    await again.first.click()
                elif not await waits.count():
                    return

    async def bars(self) -> Sequence[str]:
        """Give the texts of the bars across the page."""
        return await self.page.locator(".bars .bar").all_inner_texts()

    async def decides(self, key: str) -> None:
        """Decide with one key and confirm: ``s`` suspicious, ``n`` not suspicious."""
        await self.page.keyboard.press(key)
        await self.page.keyboard.press("Enter")

    async def picture_box(self) -> tuple[float, float, float, float]:
        """Give where the picture is on the screen: x0, y0, x1, y1 in CSS px."""
        box = await self.page.locator("main.scan canvas").first.bounding_box()
        assert box is not None
        return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]

    async def settled(self) -> None:
        """Wait until nothing has been asked for a quarter of a second, no part is being read, and some frames were painted after it."""
        busy = self.page.locator("[aria-busy=true]")
        async with asyncio.timeout(_PATIENCE_S):
            await self.page.evaluate(_FRAMES)  # what was begun has been asked for by then
            while True:
                await self._is_quiet()
                await self.page.evaluate(_FRAMES)  # nor was anything that follows from the last answer
                if not self._asked and not await busy.count():
                    return

    async def _is_quiet(self) -> None:
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < _QUIET_S:
            await asyncio.sleep(_QUIET_S / 5)
            if self._asked:
                quiet_since = time.monotonic()
