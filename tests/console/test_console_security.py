"""What a browser can and cannot be made to do: no page without login, no other site's post, hostile texts inert, each officer himself."""

import json
import re
import socket
from datetime import timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks import busy_scans
from benchmarks.browser import Wish, origin_of
from benchmarks.busy_site import named
from benchmarks.office import PASSWORD
from benchmarks.officer import Officer
from benchmarks.site import running
from edge_agent.telemetry.clock import SystemClock
from tests.console.conftest import SITE, an_office, until_served

EVIL = "http://evil.test"
PRIVATE = (
    "/api/me",
    "/api/sites",
    "/api/queue",
    "/api/stream",
    "/api/mine",
    "/api/trust",
    "/api/control-form",
    "/api/faults",
)
OWN = {"X-Edge-Agent": "1"}


def a_verdict(conclusion="suspicious", **more):
    return {"verdict_id": "5b0c9f0e-8a71-4a6e-9b0d-0c6f4f0e2a11", "revision": 1, "conclusion": conclusion, **more}


def refused(status):
    """A page error that a refusal of ours writes to the console."""
    return f"status of {status}"


def verdicts(workplace, scan):
    return [body for body in workplace.site.bodies("verdict", "referral") if body.scan_id == scan]


# Without login


def test_nothing_but_the_login_page_is_shown_to_who_is_not_logged_in(chromium, workplace):
    async def law(stage):
        page = await stage.page(workplace.url + "/")
        await page.get_by_label("Password").wait_for()
        answers = {path: (await stage.context.request.get(workplace.url + path)) for path in PRIVATE}
        scan = f"/api/scans/{SITE}/{named(2)}"
        answers[scan] = await stage.context.request.get(workplace.url + scan)
        answers["post"] = await stage.context.request.post(workplace.url + scan + "/verdict", data=a_verdict(), headers=OWN)
        return {path: (answer.status, (await answer.json())["code"]) for path, answer in answers.items()}

    before = verdicts(workplace, named(2))
    told = chromium.run(law, Wish(expects=(refused(401),)))
    assert {(401, "login-required")} == set(told.values())
    assert before == verdicts(workplace, named(2))


def an_address():
    """An address of this machine that is not its own loopback; none in a machine without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: only the route is looked up
            found = probe.getsockname()[0]
        except OSError:
            return None
    return None if ip_address(found).is_loopback else found


def write_certificate(folder, address):
    """A certificate for ``address`` that it signed itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "console of a test")])
    now = SystemClock().now()
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
    (folder / "console.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "console.key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    (folder / "console.key.pem").chmod(0o600)


def test_beyond_this_machine_the_console_speaks_tls_and_asks_for_a_login(chromium, workplace):
    address = an_address()
    if address is None:
        pytest.skip("this machine has no address but its loopback")
    web = 'tls_certificate = "console.pem"\ntls_key = "console.key.pem"\n'
    office = an_office(workplace.site, "outside", web, host=address)
    write_certificate(office.folder, address)
    console = office.process()

    async def law(stage):
        page = await stage.page(office.url + "/")
        await page.get_by_label("Password").wait_for()
        statuses = {(await stage.context.request.get(office.url + path)).status for path in PRIVATE}
        officer = await Officer.logged_in(stage, office.url)
        cookies = await stage.context.cookies()
        return statuses, cookies, await officer.rows.count()

    with running(console):
        until_served(office, console)
        statuses, (cookie,), rows = chromium.run(law, Wish(expects=(refused(401),), ignores_certificates=True))
        with socket.create_connection((address, office.port), timeout=60) as line:
            line.sendall(b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200" not in line.recv(200)  # no plain HTTP
    assert {401} == statuses
    assert (True, True, "Strict") == (cookie["httpOnly"], cookie["secure"], cookie["sameSite"])
    assert cookie["name"].startswith("__Host-")
    assert rows > 0


def test_a_console_without_login_does_not_start_beyond_this_machine(workplace):
    for web in ('login = "none"\ntls_certificate = "console.pem"\ntls_key = "console.key.pem"\n', ""):
        office = an_office(workplace.site, f"open-{len(web)}", web, host=an_address() or "192.0.2.1")
        console = office.process()
        with running(console):
            assert 78 == console.wait(120)
        assert "config-invalid" in console.log.read_text()


# Other sites


async def evil_page(stage, body):
    """A page of another origin that an officer opens in the same browser."""

    async def answer(route):
        await route.fulfill(body=f"<!doctype html><title>nice offer</title>{body}", content_type="text/html")

    await stage.context.route(EVIL + "/**", answer)
    return await stage.page(EVIL + "/")


def test_a_page_of_another_origin_can_neither_post_nor_read(chromium, workplace):
    scan = workplace.an_alert()
    target = f"{workplace.url}/api/scans/{SITE}/{scan}/verdict"
    attacks = """async ([target, own, body]) => {
        const told = [];
        const tries = [
            [target, {method: 'POST', mode: 'no-cors', credentials: 'include', headers: {'Content-Type': 'text/plain'}, body}],
            [target, {method: 'POST', credentials: 'include', headers: {'Content-Type': 'application/json', 'X-Edge-Agent': '1'}, body}],
            [own + '/api/queue', {credentials: 'include'}],
            [own + '/api/queue', {mode: 'no-cors', credentials: 'include'}],
        ];
        for (const [address, options] of tries) {
            try { const answer = await fetch(address, options); told.push([answer.type, await answer.text()]); }
            catch (problem) { told.push(['refused', '']); }
        }
        return told;
    }"""

    async def law(stage):
        await Officer.logged_in(stage, workplace.url)
        form = f"<form method=post action='{target}' target=_blank enctype=text/plain><input name='{{\"a\":\"' value='\"}}'></form>"
        page = await evil_page(stage, form)
        told = await page.evaluate(attacks, [target, workplace.url, json.dumps(a_verdict())])
        async with stage.context.expect_page() as opened:
            await page.evaluate("document.forms[0].submit()")
        answer = await opened.value
        await answer.wait_for_load_state()
        return told, await answer.inner_text("body")

    told, answered = chromium.run(law, Wish(expects=("CORS", "ERR_FAILED", "403", "ERR_BLOCKED", "401")))
    assert [] == [text for _, text in told if text]
    assert re.search(r"cross-site|login-required", answered)
    assert [] == verdicts(workplace, scan)


def test_a_request_with_the_officers_own_cookie_is_refused_when_another_page_sent_it(chromium, workplace):
    """The cookie is SameSite=Strict, so a browser does not send it; this is what stands behind that."""
    scan = workplace.an_alert()
    target = f"{workplace.url}/api/scans/{SITE}/{scan}/verdict"

    async def law(stage):
        await Officer.logged_in(stage, workplace.url)
        told = []
        for headers in ({}, {**OWN, "Origin": EVIL}, {**OWN, "Sec-Fetch-Site": "cross-site"}, {**OWN, "Sec-Fetch-Site": "same-site"}):
            answer = await stage.context.request.post(target, data=a_verdict(), headers=headers)
            told.append((answer.status, (await answer.json())["code"]))
        return told

    assert [(403, "cross-site")] * 4 == chromium.run(law)
    assert [] == verdicts(workplace, scan)


def test_the_console_cannot_be_framed(chromium, workplace):
    async def law(stage):
        await Officer.logged_in(stage, workplace.url)
        page = await evil_page(stage, f"<iframe src='{workplace.url}/'></iframe>")
        await page.wait_for_timeout(500)
        frame = page.frames[-1]
        return frame.url, await frame.evaluate("document.body ? document.body.innerText : ''")

    url, text = chromium.run(law, Wish(expects=("frame-ancestors", "X-Frame-Options", "Refused to", "ERR_BLOCKED", "Framing")))
    assert "asha" not in text
    assert not url.startswith(workplace.url)


# Hostile texts


_ODD = (
    """[...document.querySelectorAll('script:not([src]), svg[onload], [onerror], [onclick], a[href^=javascript], iframe, object')].length"""
)
_MIXED = """(plain) => [...document.querySelectorAll('*')].filter((e) => !e.children.length && e.textContent.includes(plain))
    .filter((e) => !e.closest('bdi, [dir=auto], [title]') && !getComputedStyle(e).unicodeBidi.includes('isolate'))
    .map((e) => `${e.tagName} ${e.className}: ${e.textContent}`)"""


def test_what_an_attacker_wrote_into_goods_stays_text_in_the_queue_and_on_the_scans_page(chromium, workplace):
    numbers = range(1, len(busy_scans.HOSTILE) + 1)

    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        dialogs, told = [], []
        officer.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        await officer.page.get_by_label("Search").fill("script")
        told.append((0, await officer.page.title(), await officer.page.inner_text("main"), await officer.page.evaluate(_ODD)))
        for number in numbers:
            await officer.opens(SITE, named(number))
            text = await officer.page.inner_text("main")
            told.append((number, await officer.page.title(), text, await officer.page.evaluate(_ODD)))
            assert [] == await officer.page.evaluate(_MIXED, "exe.sterces")  # a right-to-left override turns nothing beside it around
        return dialogs, told

    dialogs, told = chromium.run(law)
    assert [] == dialogs
    for number, title, text, odd in told:
        assert ("owned" in title, odd) == (False, 0)
        plain = re.sub(r"[^\w<>=]", "", busy_scans.HOSTILE[max(0, number - 1)])[:20]
        assert plain in re.sub(r"[^\w<>=]", "", text)  # shown as it was written, not hidden


# Officers


def test_an_officer_cannot_decide_as_another(chromium, workplace):
    scan, other = workplace.an_alert(), workplace.an_alert()

    async def decide(officer, target, body):
        return await officer.page.evaluate(
            """async ([target, body]) => {
                const headers = {'Content-Type': 'application/json', 'X-Edge-Agent': '1', 'X-Remote-User': 'bilal'};
                for (;;) {  // the same sent again counts once: until the site has it
                    const answer = await fetch(target, {method: 'POST', headers, body: JSON.stringify(body)});
                    const told = await answer.json();
                    if (!answer.ok || told.state !== 'waiting') return [answer.status, told.code ?? ''];
                    await new Promise((go) => setTimeout(go, 200));
                }
            }""",
            [f"/api/scans/{SITE}/{target}/verdict", body],
        )

    async def as_asha(stage):
        officer = await Officer.logged_in(stage, workplace.url, "asha")
        forged = await decide(officer, scan, a_verdict(officer="bilal"))
        supervised = await decide(officer, scan, a_verdict(supervisor=True))
        return forged, supervised, await decide(officer, scan, a_verdict(verdict_id="5b0c9f0e-8a71-4a6e-9b0d-0c6f4f0e2a12"))

    async def as_bilal(stage):
        officer = await Officer.logged_in(stage, workplace.url, "bilal")
        return await decide(officer, other, a_verdict(verdict_id="5b0c9f0e-8a71-4a6e-9b0d-0c6f4f0e2a13"))

    forged, supervised, plain = chromium.run(as_asha, Wish(expects=(refused(400), refused(422))))
    assert (forged[0] in (400, 422), supervised[0] in (400, 422), plain[0]) == (True, True, 200)
    assert 200 == chromium.run(as_bilal)[0]
    (mine,), (theirs,) = verdicts(workplace, scan), verdicts(workplace, other)
    assert mine.officer != theirs.officer
    assert not mine.is_supervisor


def test_an_analyst_is_given_no_page_and_no_answer_of_a_supervisor(chromium, workplace):
    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url, "asha")
        figures = await stage.context.request.get(workplace.url + "/api/headquarters/daily")
        faults = await (await stage.context.request.get(workplace.url + "/api/faults")).json()
        return figures.status, faults["faults"], await officer.page.locator("nav a").all_inner_texts()

    status, faults, pages = chromium.run(law)
    assert 403 == status
    assert all(one["is_mine"] for one in faults)
    assert not any("Examinations" in page for page in pages)


def test_a_session_ends_with_the_logout_everywhere(chromium, workplace):
    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        second = await stage.page(workplace.url + "/")
        await second.locator(".grid").wait_for()
        cookies = await stage.context.cookies()
        await officer.page.get_by_role("button", name="Log out").click()
        await officer.page.get_by_label("Password").wait_for()
        await second.get_by_label("Password").wait_for()  # the stream ends: the other tab notices by itself
        await stage.context.add_cookies(cookies)
        return (await stage.context.request.get(workplace.url + "/api/me")).status

    assert 401 == chromium.run(law, Wish(expects=(refused(401),)))


def test_the_password_is_nowhere_in_what_the_console_wrote(chromium, workplace):
    async def law(stage):
        await Officer.logged_in(stage, workplace.url)
        await stage.context.request.post(workplace.url + "/login", data={"name": "asha", "password": PASSWORD + "!"}, headers=OWN)

    chromium.run(law)
    written = workplace.console.log.read_text()
    assert "logged_in" in written
    assert PASSWORD not in written
    assert "asha" not in written


def test_only_pages_of_the_console_itself_are_asked(chromium, workplace):
    async def law(stage):
        officer = await Officer.logged_in(stage, workplace.url)
        await officer.opens(SITE, workplace.an_alert())
        return {origin_of(url) for url in stage.requests if not url.startswith(("blob:", "data:"))}

    assert {workplace.url} == chromium.run(law)
