"""An officer at the console's pages, as tests and benchmarks play one: by keyboard and by what is on the screen, as an officer would."""

import asyncio
import time
from collections.abc import Sequence
from urllib.parse import quote

from playwright.async_api import Browser, Locator, Page, Request

from benchmarks.browser import Stage
from benchmarks.office import PASSWORD

_QUIET_S = 0.25
_PATIENCE_S = 60.0
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

    def _is_answered(self, request: Request) -> None:
        self._asked.discard(request)

    def _ended(self, request: Request) -> None:
        self._asked.discard(request)

    @classmethod
    async def logged_in(cls, stage: Stage, url: str, name: str = "asha") -> "Officer":
        """Log in and see the queue."""
        officer = cls(await stage.page(url + "/login"), url, name)
        await officer.logs_in()
        await officer.sees_queue()
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
        await self.page.wait_for_function(lines, arg=count, timeout=120_000)

    async def to_queue(self) -> None:
        """Go back to the queue."""
        await self.page.keyboard.press("q")
        await self.sees_queue()

    async def opens(self, site: str, scan_id: str) -> None:
        """Open a scan by its address and wait until its picture is painted."""
        await self.page.evaluate("(place) => { location.hash = place; }", f"#/scan/{quote(site)}/{scan_id}")
        await self.sees_picture()

    async def sees_picture(self) -> None:
        """Wait until the scan's page has painted its picture."""
        await self.page.locator("main.scan canvas").first.wait_for()

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
        """Wait until nothing has been asked for a quarter of a second and some frames were painted after it."""
        quiet_since = time.monotonic()
        async with asyncio.timeout(_PATIENCE_S):
            while time.monotonic() - quiet_since < _QUIET_S:
                await asyncio.sleep(_QUIET_S / 5)
                if self._asked:
                    quiet_since = time.monotonic()
        await self.page.evaluate(_FRAMES)
