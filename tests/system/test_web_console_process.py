"""The browser console as its user starts it, over a site that comes and goes: killed with -9, it loses no decision and doubles none."""

import asyncio
import json
import os
import signal
import sys
import uuid
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from edge_agent.domain.assessment import FactKind
from edge_agent.domain.ids import FactId, ScanId, ScannerId, SiteId
from edge_agent.ledger.records import Entry
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.factories import SITE
from edge_agent.testing.loopback import Keyring, Setting, loopback_site
from edge_agent.testing.site_journal import alert_for, assessment, detection, scan_named
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import VerdictBody, decode, encode

pytestmark = pytest.mark.timeout(600)

CONFIG = """
key = "console-1.key_secret"
state_dir = "state"
[[site]]
name = "north"
endpoint = "{sync}"
server_key = "{key}"
[web]
bind = "127.0.0.1:0"
login = "none"
officer = "amara"
roles = ["analyst"]
"""


def judged(name):
    now = SystemClock().now()
    body = assessment(SITE, name, "alert", now, decide_by=now + timedelta(minutes=5))
    body = body.model_copy(update={"findings": [detection("weapon")], "reasons": [alert_for("weapon")]})
    where = topic(SiteId(SITE), ScannerId(body.scanner), body.kind)
    return Entry(FactId(body.fact_id), ScanId(body.scan_id), FactKind(body.kind), where, encode(body))


def configured(folder, keys, sync):
    pair = keys.console
    secret = folder / "console-1.key_secret"
    if not secret.exists():
        with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(f'name = "console-1"\npublic = "{pair.public}"\nsecret = "{pair.secret}"\n')
    path = folder / "console.toml"
    path.write_text(CONFIG.format(sync=sync, key=keys.server.public))
    return path


@asynccontextmanager
async def a_console(config):
    """A console process and a browser at it; what is left of it is killed."""
    command = (sys.executable, "-m", "edge_agent", "console", "--config", str(config))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(120):
            url = (await process.stdout.readline()).decode().rsplit(" ", 1)[1].strip()
        origin = url.rstrip("/")
        async with httpx.AsyncClient(
            base_url=origin, headers={"X-Edge-Agent": "1", "Origin": origin}, timeout=40, trust_env=False
        ) as browser:
            yield process, browser
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def rows_of(browser):
    return (await browser.get("/api/queue")).json()["rows"]


async def until(holds, within_s=90.0):
    async with asyncio.timeout(within_s):
        while not (found := await holds()):  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.05)
    return found


async def phase(browser):
    return (await browser.get("/api/sites")).json()["sites"][0]["phase"]


async def verdicts(site):
    bodies = [decode(row.body) for row in await site.ledger.rows(0, 500, 1 << 24)]
    return [body for body in bodies if isinstance(body, VerdictBody)]


def a_verdict():
    return {"verdict_id": str(uuid.uuid4()), "revision": 1, "conclusion": "suspicious"}


def verdict_address(name):
    return f"/api/scans/north/{scan_named(SITE, name)}/verdict"


def test_killed_and_restarted_on_either_side_no_scan_is_missing_and_each_decision_counts_once(tmp_path):
    async def law():
        setting = Setting(keys=Keyring())
        (tmp_path / "site").mkdir()
        async with loopback_site(tmp_path / "site", setting) as site:
            setting = replace(setting, sync=site.sync, live=site.live, blob=site.blob)
            config = configured(tmp_path, setting.keys, site.sync)
            await site.add(judged("a"))
            async with a_console(config) as (console, browser):
                await until(lambda: is_live(browser))
                await site.add(judged("b"))
                await until(lambda: has_rows(browser, 2))
                kept = a_verdict()
                await until(lambda: is_saved_at(browser, verdict_address("a"), kept))
                console.send_signal(signal.SIGKILL)
            assert [body.cause for body in await verdicts(site)] == [kept["verdict_id"]]
            await site.add(judged("c"))  # while no console runs
            running = a_console(config)
            console, browser = await running.__aenter__()
            await until(lambda: has_rows(browser, 3))
        # the site is gone now
        await until(lambda: is_stale(browser))
        late = a_verdict()
        answer = (await browser.post(verdict_address("b"), json=late)).json()
        assert answer["state"] == "waiting"
        console.send_signal(signal.SIGKILL)
        await running.__aexit__(None, None, None)
        async with loopback_site(tmp_path / "site", setting) as site, a_console(config) as (_, browser):

            async def is_saved():
                return len(await verdicts(site)) == 2

            await until(is_saved)
            await until(lambda: has_rows(browser, 3))
            await until(lambda: is_saved_at(browser, verdict_address("b"), late))  # the page sends it again
            assert [body.cause for body in await verdicts(site)] == [kept["verdict_id"], late["verdict_id"]]
            (officer,) = {body.officer for body in await verdicts(site)}
            assert (await site.ledger.identities([officer]))[0].value == "amara"
            assert list((tmp_path / "state/outbox").iterdir()) == []
            await heartbeats(browser)

    asyncio.run(law())


async def is_saved_at(browser, address, entry):
    """Whether the site has a decision; sent again it counts once, and a busy site may not answer in time."""
    state = (await browser.post(address, json=entry)).json()["state"]
    assert state in ("saved", "waiting")
    return state == "saved"


async def is_live(browser):
    return await phase(browser) == "live"


async def is_stale(browser):
    return await phase(browser) == "stale"


async def has_rows(browser, count):
    return len(await rows_of(browser)) == count


async def heartbeats(browser):
    """The stream beats each second, so that a page can show by itself that it is cut off."""
    beats = 0
    async with browser.stream("GET", "/api/stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async with asyncio.timeout(90):
            async for line in answer.aiter_lines():
                if line == "event: state":
                    beats += 1
                elif line.startswith('data: {"now"'):
                    assert json.loads(line[6:])["sites"][0]["name"] == "north"
                if beats == 3:
                    break
