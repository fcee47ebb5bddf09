"""Pages and static files: kept for ever under their digest, asked for again without, and nothing but them."""

import asyncio
import gzip
from importlib.resources import files
from pathlib import Path

import httpx
import pytest
import structlog

from edge_agent.testing.clock import ManualClock
from edge_agent.testing.web import browser
from edge_agent.web.app import build_app
from edge_agent.web.files import Assets
from edge_agent.web.settings import WebTable
from edge_agent.web.users import UserFile, write_users

MODULE = b"import './b.js';\n" * 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small tree as the console's is."""
    root = tmp_path / "static"
    (root / "console").mkdir(parents=True)
    (root / "console" / "index.html").write_bytes(b'<script type="module" src="/static/console/a.js"></script>')
    (root / "console" / "login.html").write_bytes(b"<form></form>")
    (root / "console" / "a.js").write_bytes(MODULE)
    (root / "console" / "b.js").write_bytes(b"export {};")
    (root / "console" / "notes.py").write_bytes(b"secret")
    (root / "console" / "no-suffix").write_bytes(b"secret")
    (tmp_path / "outside.js").write_bytes(b"secret")
    return root


def got(folder: Path, *paths: str, login: str = "none", headers: dict[str, str] | None = None) -> list[httpx.Response]:
    async def run() -> list[httpx.Response]:
        write_users(folder.parent / "users.json", UserFile())
        settings = WebTable(login=login, users=folder.parent / "users.json")
        app = build_app([], settings, ManualClock(), Assets(folder))
        async with browser(app, headers=headers) as client:
            answers = [await client.get(path) for path in paths]
        app.close()
        return answers

    with structlog.testing.capture_logs():
        return asyncio.run(run())


def test_a_page_leads_to_its_files_under_the_digest_of_all_of_them(folder: Path) -> None:
    digest = Assets(folder).digest
    page, module = got(folder, "/", f"/static/{digest}/console/a.js")
    assert page.text == f'<script type="module" src="/static/{digest}/console/a.js"></script>'
    assert page.headers["cache-control"] == "no-store"
    assert module.content == MODULE
    assert module.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert module.headers["content-type"] == "text/javascript; charset=utf-8"


def test_another_file_is_another_digest(folder: Path) -> None:
    before = Assets(folder).digest
    assert Assets(folder).digest == before
    (folder / "console" / "b.js").write_bytes(b"export {}; ")
    assert Assets(folder).digest != before


def test_without_the_digest_a_file_is_asked_for_again_and_not_sent_again(folder: Path) -> None:
    (first,) = got(folder, "/static/console/a.js")
    assert first.headers["cache-control"] == "no-cache"
    (again,) = got(folder, "/static/console/a.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    (folder / "console" / "a.js").write_bytes(MODULE + b"//")
    (changed,) = got(folder, "/static/console/a.js", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200


def test_text_that_is_large_enough_comes_compressed_to_those_who_take_it(folder: Path) -> None:
    packed = Assets(folder)._assets["console/a.js"].compressed
    assert gzip.decompress(packed) == MODULE
    (plain,) = got(folder, "/static/console/a.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    (small,) = got(folder, "/static/console/b.js")
    assert "content-encoding" not in small.headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/console/notes.py",
        "/static/console/no-suffix",
        "/static/console/index.html",
        "/static/../outside.js",
        "/static/console/../../outside.js",
        "/static/%2e%2e/outside.js",
        "/static/console/..%2f..%2foutside.js",
        "/static//console/a.js",
        "/static/0123456789abcdef/console/a.js",
        "/static/console/a.js%00",
        "/static/",
        "/static",
        "/console/a.js",
    ],
)
def test_nothing_else_is_served(folder: Path, path: str) -> None:
    (answer,) = got(folder, path)
    assert (answer.status_code, answer.json()["code"]) == (404, "address-unknown")


def test_whoever_is_not_logged_in_is_led_to_the_login_and_sees_no_other_page(folder: Path) -> None:
    start, login, module = got(folder, "/", "/login", "/static/console/a.js", login="users")
    assert (start.status_code, start.headers["location"]) == (303, "/login")
    assert b"script" not in start.content
    assert (login.status_code, login.text) == (200, "<form></form>")
    assert module.status_code == 200


def test_where_a_proxy_logs_officers_in_there_is_no_page_for_it(folder: Path) -> None:
    """It would ask for a password that nobody checks here."""

    async def run() -> list[int]:
        app = build_app([], WebTable(login="proxy", proxy_addresses=["127.0.0.1"], behind_proxy=True), ManualClock(), Assets(folder))
        async with browser(app) as client:
            return [(await client.get(path)).status_code for path in ("/", "/login")]

    with structlog.testing.capture_logs():
        assert asyncio.run(run()) == [401, 404]


def test_the_console_s_own_tree_is_whole() -> None:
    """What its pages and style sheets name is there; licences of what others wrote lie beside it."""
    root = files("edge_agent.web") / "static"
    assets = Assets(root)
    assert {"console/index.html", "console/login.html"} <= set(assets._pages)
    for page in assets._pages.values():
        for address in [part.split(b'"')[0].decode() for part in page.split(b'"/static/')[1:]]:
            assert address.removeprefix(f"{assets.digest}/") in assets._assets
        assert b"<style" not in page
        assert b" style=" not in page
        assert b"<script>" not in page
    vendors = {name.split("/")[1] for name in assets._assets if name.startswith("vendor/")}
    assert [vendor for vendor in vendors if not any(name.startswith(f"vendor/{vendor}/LICENSE") for name in assets._assets)] == []
