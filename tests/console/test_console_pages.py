"""What the pages tell an officer, and what they keep: over an ended session, a site that is away, a console that does not answer."""

import asyncio

import pytest

from benchmarks.browser import TABLET, Wish, until
from benchmarks.office import PASSWORD
from benchmarks.officer import Officer
from tests.console.conftest import SITE

OWN = {"X-Edge-Agent": "1"}
ENDED = ("status of 401",)
AWAY = ("status of 504",)
NOTE = "asha wrote this note"
_REPORTED = """async (scan) => {
    const told = await (await fetch('/api/faults')).json();
    return told.faults.some((one) => one.scan_id === scan) && !told.waiting.some((one) => one.scan_id === scan);
}"""
"""Whether the site has a report about a scan, and the console knows."""


def verdicts_on(workplace, scan):
    return [body for body in workplace.site.bodies("verdict") if body.scan_id == scan]


async def begins(officer, scan):
    """Begin a decision with all that belongs to one: a marked box, a word, a reason, a note."""
    page = officer.page
    await officer.opens(SITE, scan)
    await page.keyboard.press("m")
    x0, y0, x1, y1 = await officer.picture_box()
    await page.mouse.move((x0 + x1) / 2 - 60, (y0 + y1) / 2 - 40)
    await page.mouse.down()
    await page.mouse.move((x0 + x1) / 2 + 60, (y0 + y1) / 2 + 40, steps=4)
    await page.mouse.up()
    await page.locator("dialog.ask").wait_for()
    await page.keyboard.press("Enter")
    await page.locator(".decision .missed li").wait_for()
    await page.keyboard.press("n")
    await page.keyboard.press("2")
    await page.locator(".decision .note textarea").fill(NOTE)


async def begun(page):
    """What of a begun decision is on the page."""
    return (
        await page.locator(".decision .word[aria-pressed=true]").count(),
        await page.locator(".decision .why input:checked").evaluate_all("(boxes) => boxes.map((box) => box.value)"),
        await page.locator(".decision .note textarea").input_value(),
        await page.locator(".decision .missed li").count(),
    )


def test_a_session_that_ends_while_deciding_loses_nothing_and_sends_nothing_before_it_is_confirmed_again(chromium, workplace):
    scan = workplace.an_alert()

    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        page = officer.page
        await begins(officer, scan)
        before = await begun(page)
        await stage.context.clear_cookies()
        await page.locator(".decision .confirm").click()
        dialog = page.locator("dialog.session")
        await dialog.wait_for()
        await page.keyboard.press("Escape")  # it is no question that one can leave open
        covered = await page.evaluate("document.querySelector('main').contains(document.elementFromPoint(300, 400))")
        await dialog.locator("input").fill("not " + PASSWORD)
        await page.keyboard.press("Enter")
        await dialog.locator(".problem:visible").wait_for()
        await dialog.locator("input").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await dialog.wait_for(state="detached")
        await page.locator(".decision .problem").wait_for()
        after, told = await begun(page), verdicts_on(workplace, scan)
        await page.locator(".decision .confirm").click()
        await page.locator(".decision .outcome.saved").wait_for()
        return before, covered, after, told

    before, covered, after, told = chromium.run(law, Wish(expects=ENDED))
    assert (1, ["packing-or-pallet"], NOTE, 1) == before == after
    assert (False, []) == (covered, told)
    (verdict,) = verdicts_on(workplace, scan)
    assert ["packing-or-pallet"] == [reason.code for reason in verdict.reasons]
    assert 1 == len(verdict.missed)
    assert verdict.note is not None


def test_what_an_officer_began_is_not_given_to_another_one_who_logs_in(chromium, workplace):
    scan = workplace.an_alert()

    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url, "asha")
        page, request, has_changed = officer.page, stage.context.request, asyncio.Event()

        async def only_then(route):
            await has_changed.wait()
            await route.continue_()

        await begins(officer, scan)
        await page.route("**/me", only_then)  # the page asks who is logged in when bilal is
        await request.post(workplace.url + "/logout", headers=OWN)  # at another tab, where bilal then logs in
        answer = await request.post(workplace.url + "/login", data={"name": "bilal", "password": PASSWORD}, headers=OWN)
        has_changed.set()
        await page.locator(".officer", has_text="bilal").wait_for()
        await officer.sees_picture()
        await page.locator(".decision .word").first.wait_for()
        left = await page.locator(".decision .armed, .decision .missed, dialog").count()
        return answer.status, left, NOTE in await page.content()

    assert (200, 0, False) == chromium.run(law, Wish(expects=ENDED))
    assert [] == verdicts_on(workplace, scan)


def test_a_word_that_the_console_has_not_taken_is_called_not_saved_at_all(chromium, workplace):
    scan = workplace.an_alert()

    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        page = officer.page
        await officer.opens(SITE, scan)
        await page.route("**/verdict", lambda route: route.abort())
        await officer.decides("s")
        bar = page.locator(".bars .bar.unsaved")
        await bar.wait_for()
        told = await bar.inner_text(), await page.locator(".decision .outcome").inner_text(), await page.locator(".bar.held").count()
        await page.unroute("**/verdict")
        await page.locator(".decision .outcome.saved").wait_for()
        await bar.wait_for(state="detached")
        return told

    bar, outcome, held = chromium.run(law, Wish(expects=("net::ERR_FAILED",)))
    assert "NOT SAVED" in bar
    assert "this page only" in bar
    assert "NOT SAVED" in outcome
    assert 0 == held
    assert ["suspicious"] == [body.conclusion for body in verdicts_on(workplace, scan)]


def test_a_word_on_the_consoles_disk_is_called_kept_and_not_yet_at_the_site(chromium, workplace):
    scan = workplace.an_alert()

    async def waits(route):
        entry = route.request.post_data_json
        kept = {"id": entry["verdict_id"], "kind": "verdict", "site": SITE, "scan_id": scan, "conclusion": entry["conclusion"]}
        await route.fulfill(json={**kept, "entered_at": "2026-01-01T00:00:00Z", "state": "waiting", "detail": ""})

    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        await officer.opens(SITE, scan)
        await officer.page.route("**/verdict", waits)
        await officer.decides("s")
        bar = officer.page.locator(".bars .bar.held")
        await bar.wait_for()
        unsaved = await officer.page.locator(".bars .bar.unsaved").count()
        return await bar.inner_text(), await officer.page.locator(".decision .outcome.waiting").inner_text(), unsaved

    bar, outcome, unsaved = chromium.run(law)
    assert "NOT YET AT THE SITE" in bar
    assert "this console's disk" in bar
    assert "Kept here" in outcome
    assert 0 == unsaved


def test_the_picture_says_that_it_comes_or_why_not_in_plain_words_and_comes_when_the_site_is_back(chromium, workplace):
    scan = workplace.an_alert()
    silent = {"code": "peer-silent", "detail": "no answer from tcp://10.1.2.3:5571", "hint": "Check the endpoint."}

    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        page, go_on = officer.page, asyncio.Event()

        async def answer(route):
            await go_on.wait()
            await route.fulfill(status=504, json=silent)

        await page.route("**/planes", answer)
        await officer.goes(f"scan/{SITE}/{scan}")
        loading = await page.locator(".desk .empty").inner_text()
        go_on.set()
        away = await page.locator(".desk .empty[role=alert]").inner_text()  # it is asked for each second: the words come and go
        await page.unroute("**/planes")
        await officer.sees_picture()  # nobody pressed anything
        return loading, away

    loading, away = chromium.run(law, Wish(expects=AWAY))
    assert "Loading" in loading
    assert "does not answer" in away
    assert "tcp://" not in away
    assert "endpoint" not in away


def test_a_reason_is_offered_where_it_fits_and_ticking_it_by_hand_never_leads_into_the_confirmation(chromium, workplace):
    scan = workplace.an_alert()

    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        page = officer.page
        await officer.opens(SITE, scan)
        offered = {}
        for key in "snxf":
            await page.keyboard.press(key)
            offered[key] = await page.locator(".why input").evaluate_all("(boxes) => boxes.map((box) => box.value)")
        await page.keyboard.press("n")
        await page.keyboard.press("8")  # a threat that is visible: not among the reasons for this word
        other = await page.locator(".why input:checked").count()
        box = page.locator(".why input").first
        await box.focus()
        for key in ("Space", "Enter", "Space", "Space", "Enter"):
            await page.keyboard.press(key)
        await officer.settled()
        return offered, other, await box.is_checked(), await page.locator(".decision .confirm").count()

    offered, other, is_checked, armed = chromium.run(law)
    assert "threat-visible" in offered["s"]
    assert "threat-visible" not in offered["n"]
    assert "explained-by-declaration" in offered["n"]
    assert set(offered["s"]).isdisjoint({"explained-by-declaration", "known-shipment"})
    assert (0, True, 1) == (other, is_checked, armed)
    assert [] == verdicts_on(workplace, scan)


def test_reports_of_faults_are_listed_with_their_state_to_who_made_them_and_to_supervisors(chromium, workplace):
    scan = workplace.an_alert()
    named = f"{SITE} · {scan[:8]}"

    async def listed(stage, name):
        officer = await Officer.logged_in(stage, workplace.url, name)
        await officer.page.get_by_role("link", name="AI faults").click()
        await officer.page.locator(".sheet table, .sheet .dim + .dim").first.wait_for()
        return [one for one in await officer.page.locator("tbody tr").all_inner_texts() if named in one]

    async def as_asha(stage):
        officer = await Officer.logged_in(stage, workplace.url, "asha")
        await officer.opens(SITE, scan)
        await officer.page.keyboard.press("!")
        await officer.page.locator("dialog.ask").wait_for()
        said = officer.page.locator(".said", has_text="supervisor")  # for five seconds only
        await asyncio.gather(said.wait_for(), officer.page.keyboard.press("Enter"))
        await until(officer.page, _REPORTED, scan)
        await stage.context.clear_cookies()
        return await listed(stage, "asha")

    async def until_told(stage):
        return await listed(stage, "chandra")

    async def as_bilal(stage):
        return await listed(stage, "bilal")

    (mine,), (theirs,), others = chromium.run(as_asha, Wish(expects=ENDED)), chromium.run(until_told), chromium.run(as_bilal)
    assert "You" in mine
    assert "saved" in mine
    assert "You" not in theirs
    assert [] == others


LOGINS = [
    ("fr-FR", "Se connecter", "ltr"),
    ("ar", "تسجيل الدخول", "rtl"),
    ("hi-IN", "लॉग इन करें", "ltr"),
    ("de", "Log in", "ltr"),
]


@pytest.mark.parametrize(("tag", "enter", "direction"), LOGINS)
def test_the_login_speaks_the_browsers_language_where_there_is_one(chromium, workplace, tag, enter, direction):
    async def law(stage):
        page = await stage.page(workplace.url + "/login")
        await page.get_by_role("button", name=enter).wait_for()
        return await page.evaluate("document.documentElement.dir || 'ltr'")

    assert direction == chromium.run(law, Wish(language=tag))


def test_the_language_is_changed_at_the_login_and_holds_for_the_pages_and_the_refusal(chromium, workplace):
    async def law(stage):
        page = await stage.page(workplace.url + "/login")
        await page.locator("#language").select_option("fr")
        await page.get_by_role("button", name="Se connecter").wait_for()
        await page.locator("input[name=name]").fill("asha")
        await page.locator("input[name=password]").fill("not " + PASSWORD)
        await page.keyboard.press("Enter")
        await page.locator("#problem:visible").wait_for()
        refused = await page.locator("#problem").inner_text()
        officer = Officer(page, workplace.url, "asha")
        await officer.logs_in()
        return refused, await page.evaluate("document.documentElement.lang")

    refused, language = chromium.run(law, Wish(expects=ENDED))
    assert refused.startswith("Nom ou mot de passe")
    assert "fr" == language


@pytest.mark.parametrize("language", ["en", "fr", "ar"])
def test_on_a_tablet_the_head_of_the_page_is_one_line_and_nothing_is_cut_off(chromium, workplace, language):
    async def law(stage):
        kept = f"localStorage.setItem('language', '{language}');"
        await stage.context.add_init_script(f"if (location.protocol.startsWith('http')) {{ {kept} }}")
        officer = await Officer.logged_in(stage, workplace.url, "chandra")  # who has every page
        return await officer.page.evaluate(
            """() => {
                const parts = [...document.querySelectorAll("header.top > *")].filter((one) => one.offsetWidth);
                const boxes = parts.map((one) => one.getBoundingClientRect());
                const middles = boxes.map((box) => Math.round((box.top + box.bottom) / 2));
                return [Math.max(...middles) - Math.min(...middles), document.querySelector('header.top').scrollWidth <= innerWidth,
                    Math.max(...boxes.map((box) => box.height))];
            }"""
        )

    spread, fits, tallest = chromium.run(law, Wish(viewport=TABLET))
    assert spread <= 3
    assert fits
    assert tallest < 40


def test_a_refused_result_marks_what_is_wrong_in_plain_words_and_a_saved_one_cannot_be_saved_again(chromium, workplace):
    scan = workplace.an_alert()
    refused = {
        "code": "form-refused",
        "detail": "wrong answers: 1",
        "hint": "docs/reference/control-form.md",
        "fields": {"office": "unknown"},
    }

    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url, "chandra")
        page, answers = officer.page, [refused]

        async def answer(route):
            entry = route.request.post_data_json
            saved = {"id": entry["control_id"], "kind": "control", "site": SITE, "scan_id": scan, "conclusion": "not-examined"}
            said = {**saved, "entered_at": "2026-01-01T00:00:00Z", "state": "saved", "seq": 1, "code": "", "detail": "", "hint": ""}
            await route.fulfill(status=422 if answers else 200, json=answers.pop() if answers else said)

        await page.route("**/control", answer)
        await officer.goes(f"results/{SITE}/{scan}")
        await page.get_by_text("Not examined").click()
        await page.locator("[data-field=office] input").fill("north")
        for select in await page.locator(".fields select[required]").all():
            await select.select_option(index=1)
        save = page.get_by_role("button", name="Save the result")
        await save.click()
        problem = page.locator("form.result .problem:visible")
        await problem.wait_for()
        told = await problem.inner_text(), await page.locator(".field.wrong").evaluate_all("(all) => all.map((one) => one.dataset.field)")
        await save.click()
        await page.locator(".outcome.saved").wait_for()
        return told, await save.count(), await page.get_by_role("button", name="To the examinations").count()

    (problem, wrong), save, leave = chromium.run(law, Wish(expects=("status of 422",)))
    assert "docs/" not in problem
    assert "marked" in problem
    assert (["office"], 0, 1) == (wrong, save, leave)


def test_what_commissioning_found_and_where_a_site_differs_is_shown_with_n_and_interval(chromium, workplace):
    found = {"subject": "cargo", "alarms": 3, "n": 300, "low": 0.0034, "high": 0.029, "is_held_out": True}
    found |= {"made_at": "2026-03-01T00:00:00Z", "not_after": "2026-09-01T00:00:00Z"}

    async def more(route):
        answer = await route.fetch()
        body = await answer.json()
        body["sites"][0]["certificates"] = [found]
        await route.fulfill(response=answer, json=body)

    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url, "chandra")
        await officer.page.route("**/api/trust*", more)
        await officer.goes("trust")
        line = officer.page.locator(".card p", has_text="Commissioned for")
        await line.wait_for()
        return await line.inner_text()

    told = chromium.run(law)
    assert "3 alarms in 300 clean scans" in told
    assert "0.3 % to 2.9 %" in told


def test_the_page_of_a_scan_that_was_set_aside_asks_for_no_picture(chromium, workplace):
    scan = workplace.an_alert()

    async def set_aside(route):
        answer = await route.fetch()
        told = await answer.json()
        told["row"].update(conclusion="set-aside", state="set-aside", top=None)
        told.update(machine=None, set_aside={"code": "unreadable-scan", "params": {}}, blobs=[])
        await route.fulfill(response=answer, json=told)

    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        await officer.page.route(f"**/api/scans/{SITE}/{scan}", set_aside)
        await officer.page.evaluate("(place) => { location.hash = place; }", f"#/scan/{SITE}/{scan}")
        await officer.page.locator(".desk .empty", has_text="No picture of this scan is stored.").wait_for()
        return [url for url in stage.requests if "/planes" in url]

    assert [] == chromium.run(law)


def test_signs_that_no_site_takes_never_reach_a_note_and_nothing_else_is_lost(chromium, workplace):
    scan = workplace.an_alert()
    typed = "one\u0007\u202e two\u200f\n\u0915\u094d\u200d\u0937\ufeff three"

    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        page = officer.page
        await officer.opens(SITE, scan)
        await page.keyboard.press("s")
        note = page.locator(".decision .note textarea")
        await note.fill(typed)
        kept = await note.input_value()
        await note.evaluate("(field) => field.setSelectionRange(3, 3)")
        await note.focus()
        await page.keyboard.insert_text("\u0001,")  # pasted into the middle: the caret stays behind it
        await page.keyboard.insert_text("!")
        amended = await note.input_value()
        await page.locator(".decision .confirm").click()
        await page.locator(".decision .outcome.saved").wait_for()
        return kept, amended

    kept, amended = chromium.run(law)
    assert "one two\n\u0915\u094d\u200d\u0937 three" == kept
    assert kept.replace("one", "one,!") == amended
    (verdict,) = verdicts_on(workplace, scan)
    assert verdict.note is not None
