"""The busiest site: ten thousand scans and more arriving. Counts, not milliseconds: those are measured by ``make bench-console``."""

import pytest

from benchmarks.busy_site import BusyPlan, BusySite, named
from benchmarks.officer import Officer
from benchmarks.page_meter import heap_mb, metering
from benchmarks.site import running
from tests.console.conftest import SITE, an_office, until_said, until_served

QUEUED, ARRIVING = 10_000, 60
OPENED_FIRST, OPENED = 6, 14


@pytest.mark.timeout(1200)
def test_ten_thousand_scans_are_held_while_more_arrive_and_opened_scans_are_let_go(chromium, tmp_path):
    site = BusySite(tmp_path, BusyPlan(queued=QUEUED, rate=20, arriving=ARRIVING, pictured=40))

    async def law(stage):
        officer = await Officer.logged_in(stage, office.url)
        await officer.sees_lines(QUEUED + ARRIVING)
        lines = await officer.page.locator(".grid [role=row]").count()
        await officer.page.keyboard.press("End")
        await officer.page.keyboard.press("Home")
        last = await officer.page.evaluate("(least) => Number(document.querySelector('.grid').getAttribute('aria-rowcount')) - 1", 0)
        session = await metering(officer.page)
        held = {}
        for number in range(1, OPENED + 1):
            await officer.opens(SITE, named(number))
            if number in (OPENED_FIRST, OPENED):
                await officer.to_queue()
                await officer.settled()
                held[number] = (await heap_mb(session), await officer.page.evaluate("document.querySelectorAll('canvas').length"))
        return lines, last, held

    process = site.process()
    with running(process):
        until_said(process, timeout_s=400.0)  # ten thousand commits
        office = an_office(site, extra="[queue]\nnewest = 20000\n")
        console = office.process()
        with running(console):
            until_served(office, console)
            lines, last, held = chromium.run(law)
    assert QUEUED + ARRIVING == last
    assert lines < 100  # only what is on the screen is in the page
    assert 0 == held[OPENED][1]
    assert held[OPENED][0] < 1.15 * held[OPENED_FIRST][0] + 1.0
