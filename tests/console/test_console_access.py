"""Everybody can use it: axe finds nothing serious on any page, the keyboard is enough, focus shows, and half the width is enough."""

import pytest
from axe_playwright_python.async_playwright import Axe

from benchmarks.browser import DESK, Wish, until
from benchmarks.busy_site import named
from benchmarks.officer import Officer
from tests.console.conftest import SITE

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = ("queue", f"scan/{SITE}/{named(33)}", "results", f"results/{SITE}/{named(33)}", "mine", "trust", "sites", "faults")
SERIOUS = ("serious", "critical")


_BARS = """() => {
    const bar = document.querySelector('.bars .bar.degraded');
    const all = [...document.querySelectorAll('.bars .bar')].map((one) => one.innerText);
    return bar && [bar.innerText, bar.querySelectorAll('svg').length, bar.getBoundingClientRect().width / innerWidth, all];
}"""


async def set_up(stage, theme, language):
    kept = f"localStorage.setItem('theme', '{theme}'); localStorage.setItem('language', '{language}');"
    await stage.context.add_init_script(f"if (location.protocol.startsWith('http')) {{ {kept} }}")


async def complaints(page):
    """What axe finds serious: rule, what it says, and where."""
    found = await Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]})
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: "
        + "; ".join(f"{node['target']} {node.get('failureSummary', '')}" for node in one["nodes"][:4])
        for one in found.response["violations"]
        if one["impact"] in SERIOUS
    ]


async def shown(officer, place):
    await officer.goes(place)
    if place.startswith("scan/"):
        await officer.sees_picture()
    await officer.settled()


@pytest.mark.parametrize(("theme", "language"), [("dark", "en"), ("light", "ar"), ("dark", "fr")])
def test_axe_finds_nothing_serious_on_any_page(chromium, workplace, theme, language):
    async def law(stage):
        await set_up(stage, theme, language)
        login = await stage.page(workplace.url + "/login")
        found = {"login": await complaints(login)}
        officer = await Officer.logged_in(stage, workplace.url, "chandra")
        for place in PAGES:
            await shown(officer, place)
            found[place] = await complaints(officer.page)
        await officer.page.keyboard.press("?")
        await officer.page.locator("dialog[open]").wait_for()
        found["help"] = await complaints(officer.page)
        await officer.page.keyboard.press("Escape")
        await shown(officer, f"scan/{SITE}/{named(33)}")
        await officer.page.keyboard.press("s")
        await officer.page.locator(".decision .armed").wait_for()
        found["deciding"] = await complaints(officer.page)
        await officer.page.keyboard.press("Escape")
        await officer.page.keyboard.press("!")
        await officer.page.locator("dialog.ask[open]").wait_for()
        found["report"] = await complaints(officer.page)
        direction = await officer.page.evaluate(
            "[document.documentElement.dir, document.documentElement.lang, document.documentElement.dataset.theme]"
        )
        return {place: told for place, told in found.items() if told}, direction

    found, direction = chromium.run(law)
    assert ["rtl" if language == "ar" else "ltr", language, theme] == direction
    assert {} == found


def test_a_scan_is_found_opened_and_decided_without_a_mouse(chromium, workplace):
    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        page = officer.page
        await page.keyboard.press("j")
        selected = await page.locator("#selected-row").inner_text()
        await page.keyboard.press("Enter")
        await officer.sees_picture()
        scan = await page.evaluate("location.hash.split('/').pop()")
        await officer.decides("s")
        await page.locator(".decision .outcome.saved").wait_for()
        return selected, scan

    selected, scan = chromium.run(law)
    assert scan[:8] in selected
    assert [("suspicious")] == [body.conclusion for body in workplace.site.bodies("verdict") if body.scan_id == scan]


def test_every_stop_of_the_tab_key_shows_where_it_is(chromium, workplace):
    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url, "chandra")
        await shown(officer, f"scan/{SITE}/{named(49)}")
        stops, hidden = [], []
        for _ in range(45):
            await officer.page.keyboard.press("Tab")
            name, is_shown = await officer.page.evaluate(
                """() => {
                    const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
                    const ring = (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2) || s.boxShadow !== 'none';
                    return [`${e.tagName} ${e.className} ${e.textContent.slice(0, 20)}`, e === document.body || (ring && r.width > 0)];
                }"""
            )
            stops.append(name)
            hidden += [] if is_shown else [name]
        return stops, hidden

    stops, hidden = chromium.run(law)
    assert [] == hidden
    assert len(set(stops)) > 15


@pytest.mark.parametrize("place", ["queue", "sites", f"scan/{SITE}/{named(65)}"])
def test_at_twice_the_size_nothing_runs_out_of_the_screen(chromium, workplace, place):
    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        await shown(officer, place)
        return await officer.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")

    wide, screen = chromium.run(law, Wish(viewport={"width": DESK["width"] // 2, "height": DESK["height"] // 2}))
    assert wide <= screen


def test_the_bars_that_nobody_may_overlook_have_a_sign_and_words_and_go_across_the_page(chromium, workplace):
    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        (workplace.site.folder / "degraded").touch()
        try:
            return await until(officer.page, _BARS)  # at one moment: while nothing is heard for a while, another bar is there
        finally:
            (workplace.site.folder / "degraded").unlink()

    text, signs, width, bars = chromium.run(law)
    assert "self-test" in text
    assert (1, True) == (signs, width > 0.95)
    assert any("not commissioned" in bar for bar in bars)
