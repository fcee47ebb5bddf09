"""What an attacker wrote into file names and XML side-cars stays text on every page: from a scanner's folder through a real site.

The pages are walked once, in two languages; each law looks at what was seen on the way.
"""

import asyncio
import os
import re
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pytest

from benchmarks import busy_scans
from benchmarks.browser import Wish, until
from benchmarks.office import Office, Reached
from benchmarks.officer import Officer
from benchmarks.site import Scanner, running
from benchmarks.small_site import SmallSite
from edge_agent.formats.encode import jpeg_bytes
from tests.console.conftest import until_held, until_served

pytestmark = pytest.mark.timeout(1200)
SITE = "demo"
ARABIC = "\u0645\u0635\u0631"
OVERRIDE = "box \u202egpj.exe\u202c \u2067isolated"
WRITTEN = (
    *busy_scans.HOSTILE,
    OVERRIDE,
    "line one\nline\ttwo\u2028three",
    "'-rf ../..; $(reboot) `reboot` %2e%2e%00",
    f"{ARABIC} <b>12</b>",
)
"""What stands in the names and in the side-cars; each of them in one scan of either scanner."""
NAME_BYTES = 200
TORN = 3
"""One text has a line's end in it: no rule knows such a name, so two files of the first scanner and three of the second stand alone."""
NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Signs that XML 1.0 cannot hold at all."""
CONTROLS = r"[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\ufeff]"
"""Signs that no page may show: control characters, and marks that turn the direction of what follows (isolates end where they stand)."""
OWN = {"X-Edge-Agent": "1"}

_LOOK = """(controls) => {
    const odd = new RegExp(controls, 'u'), texts = [], attributes = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) texts.push(walker.currentNode.data);
    const all = [...document.querySelectorAll('*')];
    for (const element of all) for (const one of element.attributes) attributes.push([element.tagName, one.name, one.value]);
    const isClipped = (element) => {
        for (let at = element.parentElement; at && at !== document.body; at = at.parentElement)
            if (getComputedStyle(at).overflowX !== 'visible') return true;
        return false;
    };
    const isOut = (element) => {
        const box = element.getBoundingClientRect();
        return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1) && !element.matches('.skip') && !isClipped(element);
    };
    const rows = [...document.querySelectorAll('.grid .space [role=row]')].filter((row) => !row.hidden);
    return {
        title: document.title,
        text: document.body.innerText,
        injected: document.querySelectorAll('body :is(script, iframe, object, embed, img, link, b, meta, base), svg[onload]').length,
        active: attributes.filter(([, name, value]) => /^on/.test(name) || /^\\s*(javascript|data|vbscript):/i.test(value)).map(String),
        controls: [...texts, ...attributes.map(([, , value]) => value)].filter((text) => odd.test(text)),
        outside: all.filter(isOut).map((one) => `${one.tagName}.${one.className}`),
        heights: [...new Set(rows.map((row) => Math.round(row.getBoundingClientRect().height)))],
        downloads: document.querySelectorAll('a[download]').length,
    };
}"""
_SHOWN = """(texts) => {
    const said = document.body.innerText.replace(/[^\\p{L}\\p{N}_<>=]/gu, '');
    return texts.every((text) => said.includes(text));
}"""
SHOWN_WITHIN_S = 30.0
PATIENCE_S = 60.0
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
_MIXED = """() => [...document.querySelectorAll('main *')]
    .filter((e) => [...e.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && /[\u0600-\u06ff]/.test(node.data)))
    .filter((e) => !e.closest('bdi, [dir=auto]') && !/[\u2066-\u2069]/.test(e.textContent))
    .map((e) => `${e.tagName}.${e.className}: ${e.textContent}`)"""
"""Elements of an English page that hold Arabic outside of an isolate: it would turn around the words beside it."""


@dataclass
class Seen:
    """What was seen on one page after the other, and what the browser did meanwhile."""

    places: dict[str, dict[str, object]] = field(default_factory=dict)
    mixed: dict[str, list[str]] = field(default_factory=dict)
    dialogs: list[str] = field(default_factory=list)
    attachments: list[str] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)


def file_name(text, suffix):
    """The nearest that a folder can hold; half a UTF-8 sign at its end is what a torn name looks like."""
    raw = text.replace("/", "\u2215").replace("\0", "\x01").encode()[:NAME_BYTES]
    return raw + suffix


def xml(text):
    return escape(NOT_XML.sub("", text), {'"': "&quot;"})


def picture(number):
    """A picture that no other scan has: two scans of the same pixels are one."""
    ramp = np.tile(np.linspace(20, 235, 200).astype(np.uint8), (150, 1))
    ramp[10:40, 10 + 8 * number : 18 + 8 * number] = 255
    return jpeg_bytes(ramp)


def dataform(text):
    """A DataForm of the vendor in which everything that is read says ``text``."""
    said = xml(text)
    words = f"<Comments><Label><Param>{said}</Param></Label></Comments>"
    recognised = f'<ATR ATRType="{said}"><Status>Success</Status><Result>alarm</Result>{words}</ATR>'
    return (
        f'<DataForm xmlns="dataforms.model.cargovision.smiths.com"><Version>V01.20</Version><TruckId>{said}</TruckId>'
        "<Date>2025-11-12T07:30:08.910Z</Date><InTraining>0</InTraining><AdminData><Vehicle>"
        f"<PlateNumber>{said}</PlateNumber><Trailers><Trailer><PlateNumber>{said}</PlateNumber><Containers><Container>"
        f"<ContainerId>{said}</ContainerId></Container></Containers></Trailer></Trailers><Driver>{said}</Driver></Vehicle>"
        f"<DeclarationID>{said}</DeclarationID></AdminData><Operations><Operation Type='1'><System>{said}</System><Login>{said}</Login>"
        f"<ATR_Results>{recognised}</ATR_Results><Resources><Resource Type='img' IsDeleted='false'>{said}</Resource></Resources>"
        "</Operation></Operations></DataForm>"
    )


def mapped(text):
    """A side-car of the mapped XML scanner: goods, ship, way and risks say ``text``."""
    said = xml(text)
    return (
        f'<scan id="{said}"><capture><taken_at>2026-03-02T09:00:00Z</taken_at></capture><system>{said}</system>'
        f'<subject><container ocr="97">{said}</container><plate>{said}</plate></subject>'
        f'<declaration id="{said}"><carrier>{said}</carrier><consignee>{said}</consignee><origin>{said}</origin>'
        f"<destination>{said}</destination><vessel>{said}</vessel><voyage>{said}</voyage>"
        f'<goods hs="0202" gross_kg="120">{said}</goods></declaration><risk source="{said}"><flag>{said}</flag></risk>'
        f"<files><file>{said}</file></files></scan>"
    )


def deliver(small):
    """Write every hostile scan into both scanners' folders, as the scanner does: another name first.

    A picture and its form get their names one right after the other, however long the writing took: else the one is judged without the
    other.
    """
    forms, folders = (str(small.site.watched(name)).encode() for name in ("form", "xml"))
    for number, text in enumerate(WRITTEN):
        name = f"{number} {text}"
        put(forms, {file_name(name, b".jpg"): picture(number), file_name(name, b".xml"): dataform(text).encode()})
        pictured = {file_name(text, b".jpg"): picture(len(WRITTEN) + number)}
        put(folders + b"/" + file_name(name, b""), {**pictured, b"scan.xml": mapped(text).encode(), b"scan.done": b""})


def put(folder, files):
    folder = Path(os.fsdecode(folder))
    folder.mkdir(exist_ok=True)
    for number, content in enumerate(files.values()):
        (folder / f".{number}.part").write_bytes(content)
    for number, name in enumerate(files):
        (folder / f".{number}.part").rename(folder / os.fsdecode(name))


def outcomes(small):
    return {body.scan_id for body in small.bodies("assessment", "set-aside")}


async def record_answers(page, seen):
    def heard(answer):
        named = answer.headers.get("content-disposition")
        seen.attachments += [] if named is None else [named]

    await page.route("**/tiles/**", lambda route: route.fulfill(status=404))  # the pictures are no matter here, and cost the most
    page.on("dialog", lambda dialog: seen.dialogs.append(dialog.message))
    page.on("download", lambda download: seen.downloads.append(download.suggested_filename))
    page.on("response", heard)


async def looked(officer, seen, place, name="", shows=()):
    """Go to a page, let it be whole, and keep what is seen; what ``shows`` names comes by an answer of its own."""
    page = officer.page
    await officer.goes(place)
    await page.locator(f"main.{place.partition('/')[0]}").wait_for()
    await until(page, "() => !document.querySelector('main [aria-busy=true]')")
    if place.startswith("scan/"):
        await page.locator(f"main.scan h1 .id:text-is('{place.rpartition('/')[2][:8]}')").wait_for()
        await asks_numbers(page)
        await page.evaluate("document.querySelector('main.scan .facts details')?.setAttribute('open', '')")
    with suppress(TimeoutError):  # a law then says on which page it is missing
        await until(page, _SHOWN, [plain(text)[:30] for text in shows], SHOWN_WITHIN_S)
    await page.evaluate(PAINTED)
    seen.places[name or place] = await page.evaluate(_LOOK, CONTROLS)
    seen.mixed[name or place] = await page.evaluate(_MIXED)


async def asks_numbers(page):
    """Have the identifiers and the notes of a scan shown; again where a busy site did not give them in time."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with page.expect_response("**/api/identities") as answer:
                await page.keyboard.press("o")
            if (await answer.value).ok:
                return


async def said_by_people(officer, scan):
    """A decision, a report and an examination's result with hostile free texts; a site takes printable signs only.

    Returns once the site has all of them, and the console knows.
    """
    text = f"{busy_scans.HOSTILE[0]} {ARABIC}"
    address = f"/api/scans/{SITE}/{scan}"
    found = [{"what": "other", "quantity": "5 pieces"}]
    result = {"conclusion": "found", "office": "gate", "examined_at": "2026-03-02T12:00:00Z", "irregularity": "smuggling", "remarks": text}
    posts = (
        (f"{address}/verdict", {"verdict_id": str(uuid.uuid4()), "revision": 1, "conclusion": "suspicious", "note": text}),
        ("/api/faults", {"fault_id": str(uuid.uuid4()), "site": SITE, "scan_id": scan, "revision": 1, "what": "other", "note": text}),
        (f"{address}/control", {"control_id": str(uuid.uuid4()), "revision": 1, "result": result, "found": found}),
    )
    for path, body in posts:
        assert "saved" == await sent(officer, path, body)
    async with asyncio.timeout(PATIENCE_S):
        while not await is_known(officer, scan):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)


async def sent(officer, path, body):
    """What became of something, sent again until the site has answered: it counts once."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await officer.page.context.request.post(officer.url + path, data=body, headers=OWN)
            assert 200 == answer.status, await answer.text()
            if (state := (await answer.json())["state"]) != "waiting":
                return state
            await asyncio.sleep(0.2)


async def is_known(officer, scan):
    """Whether the console shows what people said about a scan."""
    get = officer.page.context.request.get
    seen = await (await get(f"{officer.url}/api/scans/{SITE}/{scan}")).json()
    faults = await (await get(f"{officer.url}/api/faults")).json()
    return {"verdict", "control"} <= {one["kind"] for one in seen["said"]} and faults["faults"] != []


async def walk(stage, url, scans, language, seen):
    """See every page in one language; the scans' own pages all in English, one in the language that runs the other way."""
    kept = f"localStorage.setItem('language', '{language}');"
    await stage.context.add_init_script(f"if (location.protocol.startsWith('http')) {{ {kept} }}")
    officer = await Officer.logged_in(stage, url, "chandra")
    await record_answers(officer.page, seen)
    about = scans["xml", OVERRIDE]
    if language == "en":
        await said_by_people(officer, about)
        await officer.page.get_by_label("Search").fill("document")
        await looked(officer, seen, "queue", "en queue, searched")
        await officer.page.get_by_label("Search").fill("")
    for (scanner, text), scan in scans.items():
        if language == "en" or scan == about:
            written = [] if text.startswith("set aside") else [NOT_XML.sub("", text)]
            said = [busy_scans.HOSTILE[0]] if scan == about else []
            await looked(officer, seen, f"scan/{SITE}/{scan}", f"{language} {scanner} {text}", [*written, *said])
    for place in ("queue", "results", f"results/{SITE}/{about}", "mine", "trust", "sites", "faults"):
        said = [busy_scans.HOSTILE[0]] if place == "faults" else []
        await looked(officer, seen, place, f"{language} {place}", said)


def plain(text):
    """What is left of a text whatever was done to its signs."""
    return re.sub(r"[^\w<>=]", "", text)


def told_apart(small):
    """The scans by scanner and by the text that stands in their side-cars."""
    scans = {}
    for body in small.bodies("assessment", "set-aside"):
        said = ""
        if body.kind == "assessment":
            said = body.declared.goods[0].description if body.scanner == "xml" else body.third_party[0].algorithm
        known = next((text for text in WRITTEN if said and plain(text).startswith(plain(said)[:30])), f"set aside {len(scans)}")
        scans[body.scanner, known] = body.scan_id
    return scans


@pytest.fixture(scope="module")
def scans_and_seen(chromium, tmp_path_factory):
    """The scans as :func:`told_apart` gives them, and what was seen of them."""
    small = SmallSite(tmp_path_factory.mktemp("hostile") / "site", more=[Scanner("xml", "generic-xml")])
    toml = small.site.agent_toml
    toml.write_text(toml.read_text().replace('name = "console"', 'name = "console"\ncontrols = true\nsupervisors = true'))
    daemon = small.site.daemon()
    with running(daemon):
        small.ready(daemon)
        deliver(small)
        small.wait_for(lambda: len(outcomes(small)) == 2 * len(WRITTEN) + TORN, daemon, 240)
        scans = told_apart(small)
        office = Office(
            small.site.folder / "office", [Reached(SITE, small.site.endpoint, small.site.keys["site"].public)], small.site.keys["console"]
        )
        console = office.process()
        with running(console):
            until_served(office, console)
            until_held(office, console, len(scans))
            seen = Seen()
            for language in ("en", "ar"):
                law = partial(walk, url=office.url, scans=scans, language=language, seen=seen)
                chromium.run(law, Wish(expects=("status of 404",)))  # pictures; any request elsewhere fails
            yield scans, seen


def of_every_page(seen, what):
    """What ``what`` says of the pages where it says anything."""
    return {place: look[what] for place, look in seen.places.items() if look[what]}


def test_nothing_that_was_written_runs_or_becomes_an_element(scans_and_seen):
    _, seen = scans_and_seen
    assert [] == seen.dialogs
    assert {} == of_every_page(seen, "injected")
    assert {} == of_every_page(seen, "active")
    assert not any("owned" in look["title"] for look in seen.places.values())


@pytest.mark.parametrize("scanner", ["form", "xml"])
def test_what_was_written_is_shown_as_it_was_written(scans_and_seen, scanner):
    scans, seen = scans_and_seen
    hidden = [
        text
        for text in WRITTEN
        if (scanner, text) in scans and plain(NOT_XML.sub("", text))[:30] not in plain(seen.places[f"en {scanner} {text}"]["text"])
    ]
    assert [] == hidden
    assert len(WRITTEN) - 1 <= sum(where == scanner for where, _ in scans)


def test_no_page_and_no_tooltip_holds_a_control_sign_or_turns_what_stands_beside_it(scans_and_seen):
    _, seen = scans_and_seen
    assert {} == of_every_page(seen, "controls")
    assert {} == {place: found for place, found in seen.mixed.items() if found and place.startswith("en ")}


def test_no_text_is_long_enough_to_break_a_page(scans_and_seen):
    _, seen = scans_and_seen
    assert {} == of_every_page(seen, "outside")
    assert {36} == {height for look in seen.places.values() for height in look["heights"]}


def test_what_people_wrote_is_read_on_the_scans_page_and_by_the_supervisor(scans_and_seen):
    _, seen = scans_and_seen
    for place in (f"en xml {OVERRIDE}", f"ar xml {OVERRIDE}", "en faults"):
        assert plain(busy_scans.HOSTILE[0]) in plain(seen.places[place]["text"]), place


def test_nothing_is_handed_over_as_a_file_under_a_name_that_was_written(scans_and_seen):
    _, seen = scans_and_seen
    assert ([], [], {}) == (seen.downloads, seen.attachments, of_every_page(seen, "downloads"))
