"""Deciding while things change: no word for what the officer has not seen, no "saved" but the site's, no stream for a tab nobody sees."""

import json
import uuid

from benchmarks.browser import Wish
from benchmarks.officer import Officer
from tests.console.conftest import SITE

OWN = {"X-Edge-Agent": "1"}
OFFLINE = ("net::ERR_",)


def verdict_address(workplace, scan):
    return f"{workplace.url}/api/scans/{SITE}/{scan}/verdict"


def words_on(workplace, scan):
    return [body.conclusion for body in workplace.site.bodies("verdict") if body.scan_id == scan]


def test_a_word_that_was_begun_is_not_sent_for_another_word_of_the_machine(chromium, workplace):
    scan = workplace.an_alert()

    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        page, later = officer.page, []

        async def judged_again(route):
            answer = await route.fetch()
            body = await answer.json()
            if later:
                body["machine"]["fact_id"] = str(uuid.uuid4())
            await route.fulfill(response=answer, json=body)

        await page.route(f"**/api/scans/{SITE}/{scan}", judged_again)
        await officer.opens(SITE, scan)
        await page.keyboard.press("s")
        await page.locator(".decision .armed").wait_for()
        later.append(True)
        entry = {"verdict_id": str(uuid.uuid4()), "revision": 1, "conclusion": "suspicious"}
        other = await stage.context.request.post(verdict_address(workplace, scan), data=entry, headers=OWN)  # changes the scan's row
        await page.locator(".decision .problem").wait_for()
        await page.locator(".decision").click(position={"x": 2, "y": 2})
        await page.keyboard.press("Enter")
        await officer.settled()
        return other.status, await page.locator(".decision .armed").count(), await page.locator(".decision .problem").inner_text()

    status, armed, problem = chromium.run(law)
    assert (status, armed) == (200, 0)
    assert "changed" in problem
    assert words_on(workplace, scan) == ["suspicious"]


def test_an_answer_that_came_while_the_page_could_not_hear_is_asked_for_and_the_word_counts_once(chromium, workplace):
    scan = workplace.an_alert()

    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        page, entered = officer.page, []

        async def unanswered(route):
            entry = json.loads(route.request.post_data)
            entered.append(entry)
            waits = {"id": entry["verdict_id"], "kind": "verdict", "site": SITE, "scan_id": scan, "conclusion": entry["conclusion"]}
            await route.fulfill(json={**waits, "entered_at": "2026-01-01T00:00:00Z", "state": "waiting", "detail": ""})

        await officer.opens(SITE, scan)
        await page.route("**/verdict", unanswered)
        await officer.decides("s")
        await page.locator(".decision .outcome.waiting").wait_for()
        await page.unroute("**/verdict")
        await stage.context.set_offline(True)
        answer = await stage.context.request.post(verdict_address(workplace, scan), data=entered[0], headers=OWN)
        await stage.context.set_offline(False)
        await page.locator(".decision .outcome.saved").wait_for()
        return answer.status, await page.locator(".bars .bar.unsaved").count()

    assert chromium.run(law, Wish(expects=OFFLINE)) == (200, 0)
    assert words_on(workplace, scan) == ["suspicious"]


def test_a_tab_that_nobody_sees_holds_no_stream_and_is_true_again_when_it_is_seen(chromium, workplace):
    async def law(stage):
        page = await stage.page(workplace.url + "/login")
        await page.clock.install()
        officer = Officer(page, workplace.url, "asha")
        await officer.logs_in()
        await officer.sees_queue()
        show = "(hidden) => { Object.defineProperty(document, 'hidden', {get: () => hidden, configurable: true});"
        show += " document.dispatchEvent(new Event('visibilitychange')); }"
        await page.evaluate(show, True)
        await page.clock.fast_forward(11_000)
        stale = page.locator(".bars .bar.stale")
        await stale.wait_for()
        await page.wait_for_timeout(1_500)  # nothing is heard any more, where a stream would tell each second
        silent = await stale.count()
        await page.evaluate(show, False)
        await stale.wait_for(state="detached")
        return silent

    assert chromium.run(law) == 1


def test_who_turns_letters_off_decides_nothing_by_a_letter(chromium, workplace):
    scan = workplace.an_alert()

    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        page = officer.page
        await officer.opens(SITE, scan)
        await page.get_by_role("button", name="keys").first.click()
        await page.get_by_label("Letters").uncheck()
        await page.keyboard.press("Escape")
        await page.keyboard.press("s")
        await officer.settled()
        by_letter = await page.locator(".decision .armed").count()
        await page.locator(".decision .word.suspicious").click()
        return by_letter, await page.locator(".decision .armed").count()

    assert chromium.run(law) == (0, 1)
