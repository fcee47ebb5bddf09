"""One headless Chromium a test session, and pages that fail their test on anything a page must never do.

A law is an ``async`` function that takes a :class:`Stage`; :meth:`Chromium.run` runs it in a fresh profile. At its end the law fails when a
page threw, wrote an error or warning to its console, broke the content security policy, or asked for anything of another origin.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request, async_playwright

REQUIRED = "EDGE_AGENT_REQUIRE_BROWSER"
DESK = {"width": 1280, "height": 800}
TABLET = {"width": 1024, "height": 768}
Theme = Literal["dark", "light"]

_FLAGS = (
    "--use-angle=swiftshader",  # WebGL without a graphics card; the renderer's name tells it
    "--enable-unsafe-swiftshader",
    "--disable-gpu-compositing",  # pages are put together by the CPU, as on a workstation without a graphics card: half the cost
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",  # a screenshot's grey is the grey that was painted
    "--font-render-hinting=none",
    "--js-flags=--expose-gc",
)
_PATIENCE_MS = 60_000
"""Until what a law waits for must be there; a machine that does other work as well is no fault of a page."""
_LOOKS_S = 0.05
_DRIVER_SAYS = (
    "GPU stall due to ReadPixels",  # of the software renderer, whenever somebody reads the canvas
    "GroupMarkerNotSet",
    "status of 504",  # a site that did not give a picture in time: its machine is busy, and the page says so
)


@dataclass(frozen=True)
class Wish:
    """How a page is opened. ``expects``: texts of page errors that the law provokes itself, for example ``status of 401``."""

    viewport: dict[str, int] = field(default_factory=lambda: dict(DESK))
    theme: Theme = "dark"
    language: str = "en-GB"
    expects: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    ignores_certificates: bool = False


async def until(page: Page, condition: str, arg: object = None, within_s: float = _PATIENCE_MS / 1000) -> Any:  # noqa: ANN401
    """Wait until ``condition``, a function of the page that may be ``async``, gives something true; give that.

    ``page.wait_for_function`` takes the promise of an ``async`` function for true, so it waits for none: use this instead.

    Raises:
        TimeoutError: not within ``within_s`` seconds.
    """
    try:
        async with asyncio.timeout(within_s):
            while not (told := await page.evaluate(condition, arg)):  # noqa: ASYNC110 - another process
                await asyncio.sleep(_LOOKS_S)
            return told
    except TimeoutError:
        raise TimeoutError(f"not within {within_s:.0f} s on the page, of {arg!r}: {condition}") from None


class Stage:
    """A browser profile with its pages, and what went wrong on them."""

    def __init__(self, context: BrowserContext, wish: Wish) -> None:
        self.context = context
        self.wish = wish
        self.faults: list[str] = []
        self.requests: list[str] = []
        self._origins = {*wish.origins}
        context.set_default_timeout(_PATIENCE_MS)
        context.on("page", self._watch)
        context.on("request", self._asked)

    async def page(self, url: str = "", *, wait: Literal["load", "domcontentloaded", "commit"] = "load") -> Page:
        """Open a page, at ``url`` if given; its origin is one that may be asked from now on."""
        page = await self.context.new_page()
        if url:
            self.allow(url)
            await page.goto(url, wait_until=wait)
        return page

    def allow(self, url: str) -> None:
        """Let pages ask the origin of ``url``."""
        self._origins.add(origin_of(url))

    def check(self) -> None:
        """Fail when a page did what it must not do."""
        left = [fault for fault in self.faults if not any(word in fault for word in (*self.wish.expects, *_DRIVER_SAYS))]
        assert left == [], "\n".join(left)

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(f"threw: {error}"))
        page.on("console", self._said)
        page.on("crash", lambda _: self.faults.append("the page crashed"))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            place = message.location
            self.faults.append(f"console {message.type}: {message.text} ({place.get('url', '')}:{place.get('lineNumber', '')})")

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)
        scheme = request.url.partition(":")[0]
        if scheme in ("http", "https", "ws", "wss") and origin_of(request.url) not in self._origins:
            self.faults.append(f"asked another origin: {request.url}")


Given = TypeVar("Given")


@dataclass
class Chromium:
    """The browser of a session, on an event loop that runs only while a law runs."""

    runner: asyncio.Runner
    playwright: Playwright
    browser: Browser

    def run(self, law: Callable[[Stage], Awaitable[Given]], wish: Wish | None = None) -> Given:
        """Run a law in a fresh profile and give what it gives."""
        return self.runner.run(self._played(law, wish or Wish()))

    def close(self) -> None:
        """End the browser."""
        self.runner.run(self._ended())
        self.runner.close()

    async def _played(self, law: Callable[[Stage], Awaitable[Given]], wish: Wish) -> Given:
        async with AsyncExitStack() as stack:
            context = await self.browser.new_context(
                viewport={"width": wish.viewport["width"], "height": wish.viewport["height"]},
                color_scheme=wish.theme,
                locale=wish.language,
                reduced_motion="reduce",
                ignore_https_errors=wish.ignores_certificates,
            )
            stack.push_async_callback(context.close)
            stage = Stage(context, wish)
            given = await law(stage)
            stage.check()
            return given

    async def _ended(self) -> None:
        await self.browser.close()
        await self.playwright.stop()


def executable() -> str | None:
    """Give the path of the system's Chromium, None when there is none."""
    return next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


def is_required() -> bool:
    """Tell whether a machine without a browser fails the tests instead of skipping them, as in CI."""
    return os.getenv(REQUIRED) == "1"


def started(path: str, *flags: str) -> Chromium:
    """Start Chromium and its driver."""
    runner = asyncio.Runner()
    try:
        playwright, browser = runner.run(_started(path, flags))
    except BaseException:
        runner.close()
        raise
    return Chromium(runner, playwright, browser)


async def _started(path: str, flags: tuple[str, ...]) -> tuple[Playwright, Browser]:
    playwright = await async_playwright().start()
    try:
        sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()  # root has no user namespace of its own to build one in
        arguments = [*_FLAGS, *flags, *sandbox]
        return playwright, await playwright.chromium.launch(executable_path=path, args=arguments, timeout=2 * _PATIENCE_MS)
    except BaseException:
        await playwright.stop()
        raise


def origin_of(url: str) -> str:
    """Give scheme, host and port of an address."""
    found = re.match(r"[a-z]+://[^/?#]*", url)
    return found.group(0) if found else url
