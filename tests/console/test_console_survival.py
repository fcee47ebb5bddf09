"""Killed and cut off: no scan is missing, no verdict is lost or doubled, and the page says what is true.

How soon it says so is measured by ``python -m benchmarks.console_cut``, with a cut of a minute: here only that it does, for a machine may
be busy.
"""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from benchmarks.browser import Wish, until
from benchmarks.busy_site import HELD_BACK, BusyPlan, BusySite, named
from benchmarks.office import Office, Reached
from benchmarks.officer import DECISIONS_WAITING, Officer
from benchmarks.site import free_port, running
from edge_agent.testing.proxy import tcp_proxy
from tests.console.conftest import SITE, an_office, until_said, until_served

PATIENCE_MS = 90_000
BROKEN_LINES = ("net::ERR_", "status of 401", "status of 50")
"""What the browser itself writes about requests whose server was killed or cannot reach its site."""
ALERT = named(17)


@pytest.fixture
def site(tmp_path: Path) -> BusySite:
    return BusySite(tmp_path, BusyPlan(queued=60, pictured=60))


async def seen(officer, kind, text=""):
    """Wait for a bar across the page of this kind, with this text in it."""
    await officer.page.locator(f".bars .bar.{kind}", has_text=text).first.wait_for(timeout=PATIENCE_MS)


async def gone(officer, kind):
    await officer.page.locator(f".bars .bar.{kind}").first.wait_for(state="detached", timeout=PATIENCE_MS)


async def waiting(officer, count):
    """Wait until so many of the officer's decisions wait for their site."""
    await until(officer.page, DECISIONS_WAITING, count, PATIENCE_MS / 1000)


async def knows(officer, count):
    """Wait until the page's own server holds so many scans."""
    total = "async (count) => (await (await fetch('/api/queue?limit=1')).json()).total === count"
    await until(officer.page, total, count, PATIENCE_MS / 1000)


async def scans_known(officer):
    """What the page's own server says it holds."""
    answer = await officer.page.evaluate(
        "async () => (await (await fetch('/api/queue?limit=20000')).json()).rows.map((row) => row.scan_id)"
    )
    return set(answer)


def decisions(site):
    return [(body.scan_id, body.conclusion) for body in site.bodies("verdict")]


def test_a_killed_site_is_shown_as_stale_and_comes_back_with_everything(chromium, site):
    process = site.process()
    with running(process):
        until_said(process)
        office = an_office(site)
        console = office.process()

        async def law(stage):
            officer = await Officer.logged_in(stage, office.url)
            await knows(officer, 60)
            process.kill()
            await seen(officer, "stale")
            again = site.process()
            with running(again):
                until_said(again, times=2)
                await gone(officer, "stale")
                return await scans_known(officer)

        with running(console):
            until_served(office, console)
            assert {named(number) for number in range(60)} == chromium.run(law)


def test_a_verdict_given_while_the_site_is_down_is_not_called_saved_and_is_committed_once(chromium, site):
    process = site.process()
    with running(process):
        until_said(process)
        office = an_office(site)
        console = office.process()

        async def before(stage):
            officer = await Officer.logged_in(stage, office.url)
            await officer.opens(SITE, ALERT)
            process.kill()
            await seen(officer, "stale")
            await officer.decides("s")
            await seen(officer, "held")
            await waiting(officer, 1)  # the console has it on its disk
            console.kill()
            await seen(officer, "stale", "console")  # the page says by itself that it hears nothing any more

        async def after(stage):
            officer = await Officer.logged_in(stage, office.url)
            await waiting(officer, 0)
            await gone(officer, "held")

        with running(console):
            until_served(office, console)
            chromium.run(before, Wish(expects=BROKEN_LINES))
        assert [] == decisions(site)
        console = office.process()
        with running(console):
            until_served(office, console)
            again = site.process()
            with running(again):
                until_said(again, times=2)
                chromium.run(after, Wish(expects=BROKEN_LINES))
                assert [(ALERT, "suspicious")] == decisions(site)


def test_a_console_that_was_killed_shows_the_same_scans_after_its_restart(chromium, site):
    process = site.process()
    with running(process):
        until_said(process)
        office = an_office(site)

        async def law(stage):
            console = office.process()
            with running(console):
                until_served(office, console)
                officer = await Officer.logged_in(stage, office.url)
                await knows(officer, 60)
                console.kill()
                await seen(officer, "stale", "console")
            console = office.process()
            with running(console):
                until_served(office, console)
                await officer.page.get_by_label("Password").wait_for()  # sessions end with the process: the page asks for the login
                officer = await Officer.logged_in(stage, office.url)
                await knows(officer, 60)
                return await scans_known(officer)

        assert {named(number) for number in range(60)} == chromium.run(law, Wish(expects=BROKEN_LINES))


@asynccontextmanager
async def cut_lines(site, live_port):
    """SYNC and LIVE of a site behind proxies that can be made to swallow everything."""
    async with tcp_proxy() as sync, tcp_proxy(port=live_port) as live:
        sync.target, live.target = site.endpoint, f"tcp://127.0.0.1:{site.live_port}"
        yield sync, live


def test_what_came_and_what_was_decided_while_the_network_was_cut_is_there_when_it_returns_and_counts_once(chromium, tmp_path):
    live_port = free_port()
    plan = BusyPlan(queued=40, pictured=20, rate=50, arriving=100, live_shown=f"tcp://127.0.0.1:{live_port}")
    site = BusySite(tmp_path, plan)
    (site.folder / HELD_BACK).touch()

    async def law(stage):
        async with cut_lines(site, live_port) as (sync, live):
            office = Office(tmp_path / "office", [Reached(SITE, sync.endpoint, site.keys["site"].public)], site.keys["console"])
            console = office.process()
            with running(console):
                until_served(office, console)
                officer = await Officer.logged_in(stage, office.url)
                await knows(officer, 40)
                await officer.opens(SITE, ALERT)
                sync.is_open = live.is_open = False
                (site.folder / HELD_BACK).unlink()
                await seen(officer, "stale")
                await officer.decides("s")
                await waiting(officer, 1)
                await arrived(site, 140)
                while_cut = await scans_known(officer), decisions(site)
                sync.is_open = live.is_open = True
                await gone(officer, "stale")
                await waiting(officer, 0)
                await knows(officer, 140)
                await officer.to_queue()
                await officer.sees_lines(140)
                return while_cut, await scans_known(officer)

    process = site.process()
    with running(process):
        until_said(process)
        (before, decided), known = chromium.run(law, Wish(expects=BROKEN_LINES))
    assert ({named(number) for number in range(40)}, []) == (before, decided)
    assert {named(number) for number in range(140)} == known
    assert [(ALERT, "suspicious")] == decisions(site)


async def arrived(site, count):
    """Wait until the site has committed so many scans; the proxies go on meanwhile."""
    async with asyncio.timeout(PATIENCE_MS / 1000):
        while len(site.bodies("assessment")) < count:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
