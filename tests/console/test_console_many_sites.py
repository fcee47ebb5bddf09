"""Many sites at one console: the head stays one line, what is wrong is said once, and every site is reached by keyboard."""

import json

import pytest

from benchmarks.browser import Wish, until
from benchmarks.officer import Officer
from tests.console.test_console_access import complaints

DESKTOP = {"width": 1366, "height": 768}
ONE_LINE_PX = 50
LANGUAGES = ("en", "fr", "ar", "hi")
COUNTS = (3, 20, 60)
WELL = {"phase": "live", "is_current": True, "health": "healthy", "reasons": [], "durable": True, "is_commissioned": False}
WHOLE = {"lag": 0, "missed": 0, "unshown": 0, "broken": 0}
_SITE = "async () => (await (await fetch('/api/sites')).json()).sites[0]"
_STREAM = """window.EventSource = class extends EventTarget {
    constructor() {
        super();
        const tell = () => this.dispatchEvent(new MessageEvent('state', {data: sessionStorage.getItem('told')}));
        this.telling = setInterval(() => sessionStorage.getItem('told') && tell(), 300);
    }
    close() { clearInterval(this.telling); }
};"""
_ARE = "([where, texts]) => JSON.stringify([...document.querySelectorAll(where)].map((one) => one.innerText)) === JSON.stringify(texts)"


def named(count):
    return [f"harbour-gate-{number}" for number in range(1, count + 1)]


class Console:
    """The pages of a real console whose stream tells of other sites than it has."""

    def __init__(self, page, site):
        self.page = page
        self.site = site

    @classmethod
    async def opened(cls, stage, url):
        officer = await Officer.logged_in(stage, url)
        site = await officer.page.evaluate(_SITE)
        await stage.context.add_init_script(_STREAM)
        return cls(officer.page, site)

    async def shows(self, language):
        """Show the queue in a language."""
        await self.page.evaluate("(language) => localStorage.setItem('language', language)", language)
        await self.page.reload()

    async def tells(self, count, first=(), **more):
        """Have so many sites told of. ``first``: what the first ones differ in."""
        sites = [{**self.site, **WELL, **WHOLE, "name": name, **more} for name in named(count)]
        for site, other in zip(sites, first, strict=False):
            site.update(other)
        told = json.dumps({"now": self.site["now"], "sites": sites})
        await self.page.evaluate("(told) => sessionStorage.setItem('told', told)", told)
        await until(self.page, "(count) => document.querySelectorAll('.links li').length === count", count)

    async def reads(self, where, texts):
        """Wait until the elements ``where`` say ``texts``."""
        await until(self.page, _ARE, [where, texts])


STALE = {"phase": "stale", "is_current": False}


def test_the_head_is_one_line_with_any_number_of_sites_in_every_language(chromium, workplace):
    async def law(stage):
        console = await Console.opened(stage, workplace.url)
        found = {}
        for language in LANGUAGES:
            await console.shows(language)
            for count in COUNTS:
                await console.tells(count, [STALE])
                fits = await console.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                box = await console.page.locator("header.top").bounding_box()
                found[language, count] = (box["height"] <= ONE_LINE_PX, fits)
        return found

    assert {(language, count): (True, True) for language in LANGUAGES for count in COUNTS} == chromium.run(law, Wish(viewport=DESKTOP))


def test_the_head_counts_the_sites_in_the_worst_state_and_a_key_opens_them_all(chromium, workplace):
    async def law(stage):
        console = await Console.opened(stage, workplace.url)
        page = console.page
        await console.shows("en")
        await console.tells(20, [STALE, STALE])
        await console.reads(".links summary.stale", ["STALE: 2 of 20 sites"])
        await page.locator(".links summary").focus()
        await page.keyboard.press("Enter")
        await page.locator(".links li").first.wait_for()
        states = ["STALE", "STALE", *["live"] * 18]
        await console.reads(".links li", [f"{name} {state}" for name, state in zip(named(20), states, strict=True)])
        found = await complaints(page)
        await page.keyboard.press("Tab")  # into the list, which scrolls
        inside = await page.evaluate("document.activeElement.closest('.links ul') !== null")
        await page.keyboard.press("Escape")
        await page.locator(".links li").first.wait_for(state="hidden")
        return found, inside, await page.evaluate("document.activeElement.closest('.links summary') !== null")

    assert ([], True, True) == chromium.run(law, Wish(viewport=DESKTOP))


NAMED = "harbour-gate-1, harbour-gate-2, harbour-gate-3 +57"
ADVISORY = f"{NAMED}: ADVISORY, NOT COMMISSIONED"


@pytest.mark.parametrize(
    ("first", "more", "titles", "words"),
    [
        ([STALE, STALE], {}, ["harbour-gate-1, harbour-gate-2: STALE", ADVISORY], "What is shown of this site may be old."),
        ([{"lag": 7}], {"phase": "catching-up"}, [f"{NAMED}: catching up", ADVISORY], "It differs from site to site"),
    ],
    ids=["the same everywhere", "not the same"],
)
def test_what_is_wrong_at_many_sites_is_said_once_and_leaves_the_page_its_room(chromium, workplace, first, more, titles, words):
    async def law(stage):
        console = await Console.opened(stage, workplace.url)
        await console.shows("en")
        await console.tells(60, first, **more)
        await console.reads(".bars .bar strong", titles)
        await console.page.locator(".bars .bar", has_text=words).wait_for()

    chromium.run(law, Wish(viewport=DESKTOP))
