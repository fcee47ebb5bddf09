"""The web application as a browser meets it: login, sessions, roles, other origins, other names, limits, and what answers carry."""

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import structlog
from pydantic import BaseModel

from edge_agent.errors import BlobGone, ConfigInvalid, LedgerFailed, PeerSilent, UnknownScan
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.web import browser
from edge_agent.web.answers import Blob
from edge_agent.web.app import WebApp, build_app
from edge_agent.web.passwords import hashed
from edge_agent.web.routes import Route
from edge_agent.web.session import Officer, OfficerRole
from edge_agent.web.settings import WebTable
from edge_agent.web.users import User, UserFile, write_users

ANNA, BEN = "correct horse battery", "staple of another kind"
HASHES = {ANNA: hashed(ANNA), BEN: hashed(BEN)}


class Wish(BaseModel):
    """A body that tries to say who sends it."""

    conclusion: str
    officer: str = ""


class Said(BaseModel):
    """Who the server took the sender for."""

    officer: str
    conclusion: str
    site: str


async def decide(officer: Officer, site: str, wish: Wish) -> Said:
    """Decide."""
    return Said(officer=officer.name, conclusion=wish.conclusion, site=site)


async def oversee(officer: Officer) -> dict[str, str]:
    """Only supervisors."""
    return {"officer": officer.name}


async def tile(site: str) -> Blob:
    return Blob(zlib.compress(site.encode()), encoding="deflate")


async def saved() -> Blob:
    return Blob(b"a,b", "text/csv", file_name='li"st\r\nX: 1.csv')


async def broken() -> Said:
    raise RuntimeError("secret of the inside")


async def unknown() -> Said:
    raise UnknownScan("no scan 7")


async def gone() -> Said:
    raise BlobGone("taken by retention")


async def silent() -> Said:
    raise PeerSilent("no answer")


async def ours() -> Said:
    raise LedgerFailed("/var/lib/edge-agent/ledger.db: bad")


async def impatient() -> Said:
    raise TimeoutError


async def slow() -> Said:
    await asyncio.sleep(60)
    raise AssertionError


ROUTES = [
    Route("POST", "/api/{site}/decide", decide),
    Route("GET", "/api/oversee", oversee, roles=frozenset({OfficerRole.SUPERVISOR})),
    Route("GET", "/api/{site}/tile", tile),
    Route("GET", "/api/saved", saved),
    Route("GET", "/api/broken", broken),
    Route("GET", "/api/unknown", unknown),
    Route("GET", "/api/gone", gone),
    Route("GET", "/api/silent", silent),
    Route("GET", "/api/ours", ours),
    Route("GET", "/api/slow", slow, most_s=0.02),
    Route("GET", "/api/impatient", impatient),
    Route("POST", "/api/{site}/small", decide, most_bytes=100),
    Route("GET", "/api/poll", oversee, keeps_session=False),
]


def users_file(folder: Path) -> Path:
    path = folder / "users.json"
    anna = User(name="anna", roles={OfficerRole.ANALYST}, password=HASHES[ANNA])
    ben = User(name="ben", roles={OfficerRole.SUPERVISOR, OfficerRole.ANALYST}, password=HASHES[BEN])
    write_users(path, UserFile(users=(anna, ben)))
    return path


@pytest.fixture(autouse=True)
def log():
    """The lines of the log while a test runs."""
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
def site(tmp_path: Path):
    """The application with a user file, and its clock."""
    clock = ManualClock()
    app = build_app(ROUTES, WebTable(users=users_file(tmp_path), idle_minutes=30, session_hours=10), clock)
    yield app, clock
    app.close()


def asked(app: WebApp, dialogue: Callable[[httpx.AsyncClient], Awaitable[object]], **how: object) -> object:
    async def run() -> object:
        async with browser(app, **how) as client:
            return await dialogue(client)

    return asyncio.run(run())


async def log_in(client: httpx.AsyncClient, name: str = "anna", password: str = ANNA) -> httpx.Response:
    return await client.post("/login", json={"name": name, "password": password})


def refusal(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"code", "detail", "hint"}
    return answer.status_code, body["code"]


# ---------------------------------------------------------------------------------------------------------------------- login


def test_without_login_there_is_nothing(site) -> None:
    async def dialogue(client):
        for route in ROUTES:
            answer = await client.request(route.method, route.path.replace("{site}", "north"), json={"conclusion": "x"})
            assert refusal(answer) == (401, "login-required"), route.path
        assert refusal(await client.get("/me")) == (401, "login-required")

    asked(site[0], dialogue)


def test_an_officer_logs_in_acts_under_the_own_name_and_logs_out(site) -> None:
    async def dialogue(client):
        answer = await log_in(client)
        assert answer.json() == {"name": "anna", "roles": ["analyst"], "login": "users"}
        assert (await client.get("/me")).json()["name"] == "anna"
        said = await client.post("/api/north/decide", json={"conclusion": "suspicious"})
        assert said.json() == {"officer": "anna", "conclusion": "suspicious", "site": "north"}
        answer = await client.post("/logout")
        assert answer.status_code == 204
        assert refusal(await client.get("/me")) == (401, "login-required")

    asked(site[0], dialogue)


def test_officer_a_cannot_act_as_b(site) -> None:
    """Whatever the body, the query or a header says: the officer is the session's."""

    async def dialogue(client):
        await log_in(client)
        said = await client.post(
            "/api/north/decide?officer=ben",
            json={"conclusion": "x", "officer": "ben"},
            headers={"X-Remote-User": "ben", "X-Remote-Roles": "supervisor", "Officer": "ben"},
        )
        assert said.json()["officer"] == "anna"

    asked(site[0], dialogue)


def test_a_role_is_needed_where_one_is_asked_for(site) -> None:
    async def dialogue(client):
        await log_in(client)
        assert refusal(await client.get("/api/oversee")) == (403, "role-missing")
        await log_in(client, "ben", BEN)
        assert (await client.get("/api/oversee")).json() == {"officer": "ben"}

    asked(site[0], dialogue)


@pytest.mark.parametrize(("name", "password"), [("anna", BEN), ("nobody", ANNA), ("anna", " " + ANNA), ("anna", ANNA.upper())])
def test_wrong_logins_all_read_the_same(site, name: str, password: str) -> None:
    async def dialogue(client):
        answer = await log_in(client, name, password)
        assert refusal(answer) == (401, "login-refused")
        assert "set-cookie" not in answer.headers
        return answer.content

    assert asked(site[0], dialogue) == asked(site[0], lambda client: _content(log_in(client, "ghost", "wrong wrong")))


async def _content(answer) -> bytes:
    return (await answer).content


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(site) -> None:
    (cookie,) = asked(site[0], _cookies_of_login)
    name, _, rest = cookie.partition("=")
    assert name == "session"
    assert {part.strip().lower() for part in rest.split(";")[1:]} == {"httponly", "path=/", "samesite=strict"}


def test_behind_encryption_the_cookie_is_for_encrypted_connections_of_this_host_only(tmp_path: Path) -> None:
    app = build_app(ROUTES, WebTable(users=users_file(tmp_path), behind_proxy=True), ManualClock())
    (cookie,) = asked(app, _cookies_of_login)
    app.close()
    assert cookie.startswith("__Host-session=")
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {"httponly", "path=/", "samesite=strict", "secure"}


async def _cookies_of_login(client: httpx.AsyncClient) -> list[str]:
    return (await log_in(client)).headers.get_list("set-cookie")


def test_a_cookie_that_was_planted_before_the_login_is_worth_nothing_after_it(site) -> None:
    """Session fixation: the login makes a value that nobody has seen."""

    async def dialogue(client):
        client.cookies.set("session", "planted-by-somebody")
        assert refusal(await client.get("/me")) == (401, "login-required")
        (cookie,) = await _cookies_of_login(client)
        assert "planted-by-somebody" not in cookie
        client.cookies.clear()
        answer = await client.get("/me", headers={"Cookie": "session=planted-by-somebody"})
        assert refusal(answer) == (401, "login-required")

    asked(site[0], dialogue)


def test_logging_in_anew_ends_the_session_of_before(site) -> None:
    async def dialogue(client):
        await log_in(client)
        before = client.cookies["session"]
        await log_in(client, "ben", BEN)
        assert client.cookies["session"] != before
        client.cookies.clear()
        assert refusal(await client.get("/me", headers={"Cookie": f"session={before}"})) == (401, "login-required")

    asked(site[0], dialogue)


def test_an_empty_chair_is_logged_out_even_though_its_page_polls(site) -> None:
    app, clock = site

    async def dialogue(client):
        await log_in(client, "ben", BEN)
        for _ in range(6):
            clock.advance(299)
            assert (await client.get("/api/poll")).status_code == 200
        clock.advance(10)
        assert refusal(await client.get("/api/poll")) == (401, "login-required")

    asked(app, dialogue)


def test_a_lock_another_password_and_another_role_are_in_force_at_once(site, tmp_path: Path) -> None:
    app, clock = site
    path = tmp_path / "users.json"

    def change(**what: object) -> None:
        anna = User(name="anna", roles={OfficerRole.ANALYST}, password=HASHES[ANNA]).model_copy(update=what)
        write_users(path, UserFile(users=(anna,)))
        clock.advance(1)

    async def dialogue(client):
        await log_in(client)
        change(roles=frozenset({OfficerRole.SUPERVISOR}))
        assert (await client.get("/me")).json()["roles"] == ["supervisor"]
        change(is_locked=True)
        assert refusal(await client.get("/me")) == (401, "login-required")
        assert refusal(await log_in(client)) == (401, "login-refused")
        change()
        assert refusal(await client.get("/me")) == (401, "login-required")
        await log_in(client)
        change(password=HASHES[BEN])
        assert refusal(await client.get("/me")) == (401, "login-required")
        assert (await log_in(client, "anna", BEN)).status_code == 200

    asked(app, dialogue)


def test_a_spoiled_or_lost_user_file_leaves_the_officers_of_before_and_is_told(site, tmp_path: Path, log) -> None:
    app, clock = site

    async def dialogue(client):
        await log_in(client)
        (tmp_path / "users.json").write_text("{}x")
        clock.advance(1)
        assert (await client.get("/me")).status_code == 200
        (tmp_path / "users.json").unlink()
        clock.advance(1)
        assert (await client.get("/me")).status_code == 200

    asked(app, dialogue)
    assert [line["code"] for line in log if line["event"] == "users_unreadable"] == ["config-invalid", "config-invalid"]


def test_guessing_is_slowed_and_the_right_password_waits_with_the_wrong_ones(site) -> None:
    app, clock = site

    async def dialogue(client):
        answers = [refusal(await log_in(client, "anna", f"guess number {number}")) for number in range(7)]
        assert answers == [(401, "login-refused")] * 5 + [(429, "too-soon")] * 2
        answer = await log_in(client)
        assert refusal(answer) == (429, "too-soon")
        wait = int(answer.headers["retry-after"])
        clock.advance(wait)
        assert (await log_in(client)).status_code == 200

    asked(app, dialogue)


def test_a_login_never_says_its_password_back(site) -> None:
    async def dialogue(client):
        answer = await client.post("/login", json={"name": "anna", "password": "p" * 300})
        assert refusal(answer) == (422, "request-invalid")
        assert "ppp" not in answer.text
        assert answer.json()["detail"].startswith("body.password:")

    asked(site[0], dialogue)


# ------------------------------------------------------------------------------------------------------- other ways of logging in


def test_without_login_everybody_at_this_machine_is_the_configured_officer_and_nobody_elsewhere() -> None:
    app = build_app(ROUTES, WebTable(login="none", officer="desk-3", roles=["analyst"]), ManualClock())
    assert asked(app, _me)["name"] == "desk-3"
    assert asked(app, _me, address="::1")["name"] == "desk-3"
    assert asked(app, _me, address="192.0.2.7")["code"] == "login-required"


PROXY = {"login": "proxy", "proxy_addresses": ["127.0.0.1", "2001:db8::5"], "behind_proxy": True}


async def _me(client: httpx.AsyncClient) -> dict[str, object]:
    return (await client.get("/me")).json()


def test_a_proxy_names_the_officer_and_nobody_else_does() -> None:
    app = build_app(ROUTES, WebTable(**PROXY), ManualClock())
    headers = {"X-Remote-User": "carla"}
    assert asked(app, _me, headers=headers) == {"name": "carla", "roles": ["analyst"], "login": "proxy"}
    assert asked(app, _me, address="2001:db8::5", headers=headers)["name"] == "carla"
    assert asked(app, _me, address="192.0.2.7", headers=headers)["code"] == "login-required"
    assert asked(app, _me)["code"] == "login-required"


def test_roles_come_from_a_header_only_where_the_configuration_names_it() -> None:
    """Elsewhere the proxy would pass on what a browser wrote there itself."""
    headers = {"X-Remote-User": "carla", "X-Remote-Roles": "Supervisor, king"}
    plain = build_app(ROUTES, WebTable(**PROXY), ManualClock())
    assert asked(plain, _me, headers=headers)["roles"] == ["analyst"]
    named = build_app(ROUTES, WebTable(**PROXY, proxy_roles_header="X-Remote-Roles"), ManualClock())
    assert asked(named, _me, headers=headers)["roles"] == ["supervisor"]
    assert asked(named, _me, headers={"X-Remote-User": "carla"})["code"] == "role-missing"


@pytest.mark.parametrize("name", ["", "   ", "x" * 65])
def test_a_proxy_s_officer_needs_a_name(name: str) -> None:
    app = build_app(ROUTES, WebTable(**PROXY), ManualClock())
    assert asked(app, _me, headers={"X-Remote-User": name})["code"] == "login-required"


def test_an_officer_whose_roles_are_all_unknown_may_do_nothing() -> None:
    app = build_app(ROUTES, WebTable(**PROXY, proxy_roles_header="X-Remote-Roles"), ManualClock())
    assert asked(app, _me, headers={"X-Remote-User": "carla", "X-Remote-Roles": "king"})["code"] == "role-missing"


def test_a_login_behind_a_proxy_is_counted_by_the_browser_s_address(tmp_path: Path) -> None:
    """What a browser writes into the header itself stands before what the proxy appends."""
    settings = WebTable(users=users_file(tmp_path), behind_proxy=True, proxy_addresses=["127.0.0.1"])
    app = build_app(ROUTES, settings, ManualClock())
    addresses = []
    app.desk._throttle.begin = lambda name, address: addresses.append((name, address))

    async def dialogue(client):
        await client.post("/login", json={"name": "x", "password": "y"}, headers={"X-Forwarded-For": "forged, 198.51.100.9"})

    asked(app, dialogue)
    asked(app, dialogue, address="192.0.2.7")
    app.close()
    assert addresses == [("x", "198.51.100.9"), ("x", "192.0.2.7")]


def test_a_proxy_is_known_however_its_address_is_spelt(tmp_path: Path) -> None:
    settings = WebTable(users=users_file(tmp_path), behind_proxy=True, proxy_addresses=["2001:DB8:0:0::5"])
    app = build_app(ROUTES, settings, ManualClock())
    addresses = []
    app.desk._throttle.begin = lambda name, address: addresses.append(address)

    async def dialogue(client):
        await client.post("/login", json={"name": "x", "password": "y"}, headers={"X-Forwarded-For": "198.51.100.9"})

    asked(app, dialogue, address="2001:db8::5")
    app.close()
    assert addresses == ["198.51.100.9"]


@pytest.mark.parametrize("configured", ["X-REMOTE-USER", "x-remote-user", "X-Remote-User"])
def test_a_proxy_s_headers_are_known_in_whatever_case(configured: str) -> None:
    app = build_app(ROUTES, WebTable(**PROXY, proxy_user_header=configured, proxy_roles_header="X-ROLES"), ManualClock())
    headers = {"x-ReMoTe-UsEr": "carla", "x-Roles": "supervisor"}
    assert asked(app, _me, headers=headers) == {"name": "carla", "roles": ["supervisor"], "login": "proxy"}


@pytest.mark.parametrize("name", ["carla", "carla müller"])
def test_a_page_of_one_officer_is_not_taken_as_another_s(name: str) -> None:
    app = build_app(ROUTES, WebTable(**PROXY), ManualClock())
    session = {"X-Remote-User": name.encode("latin-1")}
    assert asked(app, _me, headers={**session, "X-Edge-Officer": quote(name)})["name"] == name
    assert asked(app, _me, headers={**session, "X-Edge-Officer": "mallory"})["code"] == "login-required"


def test_a_server_without_its_user_file_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="edge-agent users add"):
        build_app(ROUTES, WebTable(users=tmp_path / "none.json"), ManualClock())


def test_a_user_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    users_file(tmp_path).chmod(0o640)
    with pytest.raises(ConfigInvalid, match="0600"):
        build_app(ROUTES, WebTable(users=tmp_path / "users.json"), ManualClock())


# ----------------------------------------------------------------------------------------------------- other origins, other names


@pytest.fixture
def open_site():
    return build_app(ROUTES, WebTable(login="none", hosts=["console.example"]), ManualClock())


DECIDE = ("POST", "/api/north/decide")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Edge-Agent": ""},
        {"X-Edge-Agent": "0"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_page_of_another_origin_changes_nothing(open_site, headers: dict[str, str]) -> None:
    async def dialogue(client):
        assert refusal(await client.request(*DECIDE, json={"conclusion": "x"}, headers=headers)) == (403, "cross-site")

    asked(open_site, dialogue)


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}])
def test_our_own_page_and_a_program_may(open_site, headers: dict[str, str]) -> None:
    async def dialogue(client):
        assert (await client.request(*DECIDE, json={"conclusion": "x"}, headers=headers)).status_code == 200

    asked(open_site, dialogue)


def test_a_login_is_guarded_like_everything_that_changes_something(site) -> None:
    """Login CSRF: nobody is logged in as somebody else without noticing."""

    async def dialogue(client):
        answer = await client.post("/login", json={"name": "ben", "password": BEN}, headers={"Origin": "https://evil.example"})
        assert refusal(answer) == (403, "cross-site")

    asked(site[0], dialogue)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"])
def test_what_a_form_can_send_is_no_body_of_ours(open_site, kind: str) -> None:
    async def dialogue(client):
        answer = await client.request(*DECIDE, content=b'{"conclusion": "x"}', headers={"Content-Type": kind})
        assert refusal(answer) == (422, "request-invalid")

    asked(open_site, dialogue)


def test_another_site_embeds_nothing_and_a_link_to_us_works(open_site) -> None:
    async def dialogue(client):
        for site in ("cross-site", "same-site"):
            embed = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
            assert refusal(await client.get("/api/north/tile", headers=embed)) == (403, "cross-site")
        link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        assert (await client.get("/me", headers=link)).status_code == 200

    asked(open_site, dialogue)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "evil.example:80", "[::1", "127.0.0.2", "user@evil.example"]
)
def test_a_name_that_was_bound_anew_leads_nowhere(open_site, host: str) -> None:
    """DNS rebinding: the browser believes it speaks to evil.example, and so it says in Host."""

    async def dialogue(client):
        assert refusal(await client.get("/me", headers={"Host": host})) == (421, "host-unknown")

    asked(open_site, dialogue)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "console.example"])
def test_the_server_is_reached_under_its_own_names(open_site, host: str) -> None:
    async def dialogue(client):
        assert (await client.get("/me", headers={"Host": host})).status_code == 200

    asked(open_site, dialogue)


@pytest.mark.parametrize("name", ["Host", "Origin", "Cookie", "X-Edge-Agent", "Content-Type", "Authorization", "Sec-Fetch-Site"])
def test_a_header_that_decides_comes_once(open_site, name: str) -> None:
    async def dialogue(client):
        value = {"Host": "127.0.0.1", "X-Edge-Agent": "1"}.get(name, "a")
        request = client.build_request("GET", "/me")
        request.headers = httpx.Headers(
            [*((k, v) for k, v in request.headers.raw if k.lower() != name.lower().encode()), (name, value), (name, value)]
        )
        assert refusal(await client.send(request)) == (422, "request-invalid")

    asked(open_site, dialogue)


def test_a_second_user_header_behind_a_proxy_is_refused() -> None:
    app = build_app(ROUTES, WebTable(**PROXY), ManualClock())

    async def dialogue(client):
        request = client.build_request("GET", "/me")
        request.headers = httpx.Headers([*request.headers.raw, ("X-Remote-User", "mallory"), ("x-remote-user", "ben")])
        assert refusal(await client.send(request)) == (422, "request-invalid")

    asked(app, dialogue)


# -------------------------------------------------------------------------------------------------------------- answers and limits


def test_every_answer_carries_the_headers_that_fence_it_in(open_site) -> None:
    async def dialogue(client):
        for path in ("/me", "/nowhere", "/api/broken", "/api/north/tile"):
            headers = (await client.get(path)).headers
            assert "default-src 'self'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "permissions-policy" in headers
            assert "server" not in headers

    asked(open_site, dialogue)


def test_data_is_not_kept_and_tiles_are(open_site) -> None:
    async def dialogue(client):
        assert (await client.get("/me")).headers["cache-control"] == "no-store"
        answer = await client.get("/api/north/tile", headers={"Accept-Encoding": "identity"})
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-encoding"] == "deflate"
        assert (await client.get("/api/saved")).headers["content-disposition"] == 'attachment; filename="li_st_X_1.csv"'

    async def raw(client):
        async with client.stream("GET", "/api/saved") as answer:
            assert answer.headers["content-type"].startswith("text/csv")

    asked(open_site, raw)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/unknown", (404, "unknown-scan")),
        ("/api/gone", (410, "blob-gone")),
        ("/api/silent", (504, "peer-silent")),
        ("/api/slow", (503, "answer-too-slow")),
        ("/api/broken", (500, "internal")),
        ("/api/impatient", (500, "internal")),
        ("/api/ours", (500, "ledger-failed")),
        ("/nowhere", (404, "address-unknown")),
        ("/api/north/decide", (405, "method-unknown")),
        ("/api/north/tile/", (404, "address-unknown")),
    ],
)
def test_every_refusal_has_a_status_and_one_shape(open_site, path: str, expected: tuple[int, str]) -> None:
    async def dialogue(client):
        answer = await client.get(path)
        assert refusal(answer) == expected
        assert "secret of the inside" not in answer.text
        assert "/var/lib" not in answer.text

    asked(open_site, dialogue)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"[]",
        b'{"conclusion": 3}',
        b"\xff\xfe",
        b"null",
        b"[" * 60_000,
        b'{"conclusion": ' + b"9" * 5000 + b"}",
        b'{"conclusion": "' + b"\\ud800" + b'"}',
    ],
)
def test_a_body_that_is_none_is_refused(open_site, body: bytes) -> None:
    async def dialogue(client):
        answer = await client.request(*DECIDE, content=body, headers={"Content-Type": "application/json"})
        assert refusal(answer) == (422, "request-invalid")

    asked(open_site, dialogue)


def test_a_body_is_bounded_whether_its_length_is_told_or_not(open_site) -> None:
    async def parts():
        for _ in range(50):
            yield b" " * 10

    async def dialogue(client):
        large = json.dumps({"conclusion": "x" * 100})
        told = await client.post("/api/north/small", content=large, headers={"Content-Type": "application/json"})
        assert refusal(told) == (413, "too-large")
        untold = await client.post("/api/north/small", content=parts(), headers={"Content-Type": "application/json"})
        assert refusal(untold) == (413, "too-large")
        fits = await client.post("/api/north/small", json={"conclusion": "x"})
        assert fits.status_code == 200

    asked(open_site, dialogue)


def test_whoever_may_not_ask_sends_no_body(site) -> None:
    """The body of a stranger is not read: it would be work and memory for nothing."""
    taken = []

    async def parts():
        taken.append(True)
        yield b"{}"

    async def dialogue(client):
        answer = await client.post("/api/north/decide", content=parts(), headers={"Content-Type": "application/json"})
        assert refusal(answer) == (401, "login-required")
        assert answer.headers["connection"] == "close"

    asked(site[0], dialogue)
    assert taken == []


def test_the_description_names_every_route_and_every_refusal(open_site) -> None:
    described = open_site.openapi()
    assert described["openapi"].startswith("3.1")
    operation = described["paths"]["/api/{site}/decide"]["post"]
    assert {"200", "401", "403", "408", "413", "421", "422", "500", "503"} == set(operation["responses"])
    for path in described["paths"].values():
        for each in path.values():
            for status, answer in each["responses"].items():
                if int(status) >= 400:
                    assert answer["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}


# --------------------------------------------------------------------------------------------------------------------- the log


def test_the_log_names_nobody_and_holds_no_secret(site, log) -> None:
    """Canaries in every place where a request can carry something: none of them comes out in a line of the log."""
    canaries = ["kanari-name", "kanari-password", "kanari-path", "kanari-query", "kanari-body", "kanari-header"]

    async def dialogue(client):
        await log_in(client, "kanari-name", "kanari-password-1")
        await log_in(client)
        await client.get("/kanari-path?q=kanari-query", headers={"X-Note": "kanari-header"})
        await client.post("/api/kanari-path/decide", json={"conclusion": "kanari-body"})
        await client.post("/api/kanari-path/decide", json={"x": "kanari-body"})
        await client.get("/me", headers={"Host": "kanari-header"})
        await client.get("/api/ours")
        return client.cookies["session"]

    token = asked(site[0], dialogue)
    text = repr(log)
    assert {line["event"] for line in log} == {"login_refused", "logged_in", "web_answered", "request_refused"}
    assert [canary for canary in (*canaries, token, "anna", ANNA) if canary in text] == []


def test_a_fault_of_ours_is_in_the_log_with_its_place(open_site, log) -> None:
    asked(open_site, lambda client: client.get("/api/broken"))
    (line,) = [line for line in log if line["event"] == "request_failed"]
    assert line["verb"] == "GET /api/broken"
    assert isinstance(line["exc_info"], RuntimeError)
