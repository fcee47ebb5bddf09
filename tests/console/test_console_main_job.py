"""The main job on the officer's side, through the real daemon: a scan is seen, opened, decided, and the verdict is at headquarters.

And again while the daemon is dead. How soon a scan is on the screen is measured by ``python -m benchmarks.console_cut`` (1 s at most).
"""

from pathlib import Path

import apsw
import numpy as np
import pytest

from benchmarks.browser import Wish, until
from benchmarks.office import Office, Reached
from benchmarks.officer import DECISIONS_WAITING, Officer
from benchmarks.site import running
from benchmarks.small_site import SmallSite
from edge_agent.collector.archive.store import Archive
from edge_agent.domain.ids import SiteId
from edge_agent.errors import ArchiveDamaged, ConfigInvalid
from edge_agent.telemetry.clock import SystemClock
from edge_agent.wire.messages import decode
from tests.console.conftest import until_served
from tests.console.screen import bounds, changed, steady

SITE = "demo"
CELL = (24, 16, 32, 24)
"""The bright cell of every scan of the small site, px of its 80 x 64 px: what its detector finds."""
PATIENCE_MS = 60_000
_WATCH = """() => {
    window.__seen = {};
    const look = () => document.querySelectorAll('.grid .space [role=row]').forEach((row) => {
        const id = row.querySelector('.cell.number')?.textContent;
        if (id && !row.hidden && !(id in window.__seen)) window.__seen[id] = Date.now();
    });
    new MutationObserver(look).observe(document.querySelector('.grid'), {subtree: true, childList: true, characterData: true});
    look();
}"""


@pytest.fixture
def small(tmp_path: Path) -> SmallSite:
    return SmallSite(tmp_path / "site")


def committed_ms(small, scan):
    """When the assessment of a scan was committed, ms since 1970, by the ledger."""
    db = apsw.Connection(str(small.site.state_dir / "ledger.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        ((us,),) = db.execute("SELECT created_us FROM journal WHERE scan_id = ? AND kind = 'assessment'", (scan,))
        return us / 1000
    finally:
        db.close()


def archived(small):
    """What headquarters holds of the verdicts; nothing while it is only making its archive."""
    epoch = small.rows()[0].epoch
    try:
        archive = Archive.read(small.site.folder / "archive.db", SystemClock())
    except (ArchiveDamaged, ConfigInvalid):
        return []
    with archive:
        bodies = [decode(row.body) for row in archive.rows(SiteId("demo"), epoch)]
    return [body for body in bodies if body.kind == "verdict"]


async def opens_first(officer):
    """Open the most urgent scan; give its id."""
    await officer.page.keyboard.press("j")
    await officer.page.keyboard.press("Enter")
    await officer.sees_picture()
    return await officer.page.evaluate("location.hash.split('/').pop()")


def test_a_scan_is_in_the_queue_at_once_and_its_verdict_in_the_journal_and_at_headquarters(chromium, small):
    daemon, collector = small.site.daemon(), small.site.collector()
    reached = Reached(SITE, small.site.endpoint, small.site.keys["site"].public)
    office = Office(small.site.folder / "office", [reached], small.site.keys["console"])
    with running(daemon, collector):
        small.ready(daemon)
        console = office.process()
        with running(console):
            until_served(office, console)

            async def law(stage):
                page = await stage.page(office.url + "/login")
                officer = Officer(page, office.url, "asha")
                await officer.logs_in()
                await page.locator(".links li.live").wait_for(state="attached")
                await page.evaluate(_WATCH)
                small.deliver("a.png", small.scan(7))
                await officer.sees_queue()
                seen = await page.evaluate("window.__seen")
                scan = await opens_first(officer)
                await page.keyboard.press("0")
                box = await officer.picture_box()
                await page.mouse.move(box[0] + 4, box[3] - 4)
                await officer.sees_whole_picture()
                with_box = await steady(page, box)
                await page.keyboard.press("b")
                bare = await steady(page, box, unlike=with_box)
                await officer.decides("s")
                await page.locator(".decision .outcome.saved").wait_for()
                return seen, scan, with_box, bare

            seen, scan, with_box, bare = chromium.run(law)
            small.wait_for(lambda: archived(small) != [], collector)
    assert 0 <= seen[scan[:8]] - committed_ms(small, scan) <= PATIENCE_MS
    cell, box = bounds(bare.min(axis=2) > 200), bounds(changed(with_box, bare))
    scale = (cell[2] - cell[0]) / (CELL[2] - CELL[0])
    assert np.allclose([cell[3] - cell[1]], [8 * scale], atol=2)
    assert max(abs(one - other) for one, other in zip((box[0], box[2], box[3]), (cell[0], cell[2], cell[3]), strict=True)) <= 5
    (verdict,) = small.bodies("verdict")
    assert ("suspicious", scan, "console") == (verdict.conclusion, verdict.scan_id, verdict.workstation)
    assert "asha" not in verdict.model_dump_json()
    assert [verdict.fact_id] == [body.fact_id for body in archived(small)]


def test_a_decision_of_the_time_when_the_daemon_was_dead_is_in_the_journal_and_at_headquarters_once(chromium, small):
    daemon, collector = small.site.daemon(), small.site.collector()
    reached = Reached(SITE, small.site.endpoint, small.site.keys["site"].public)
    office = Office(small.site.folder / "office", [reached], small.site.keys["console"])
    with running(daemon, collector):
        small.ready(daemon)
        small.deliver("a.png", small.scan(7))
        console = office.process()
        with running(console):
            until_served(office, console)

            async def law(stage):
                officer = await Officer.logged_in(stage, office.url)
                scan = await opens_first(officer)
                daemon.kill()
                await officer.page.locator(".bars .bar.stale").first.wait_for()
                await officer.decides("s")
                await until(officer.page, DECISIONS_WAITING, 1)
                while_dead = small.bodies("verdict")
                small.deliver("b.png", small.scan(8))
                again = small.site.daemon()
                with running(again):
                    small.ready(again)
                    await until(officer.page, DECISIONS_WAITING, 0)
                    await officer.page.locator(".bars .bar.stale").first.wait_for(state="detached")
                    await officer.to_queue()
                    await officer.sees_lines(2)
                    small.wait_for(lambda: archived(small) != [], collector)
                return scan, while_dead

            scan, while_dead = chromium.run(law, Wish(expects=("status of 50",)))
    assert [] == while_dead
    (verdict,) = small.bodies("verdict")
    assert ("suspicious", scan) == (verdict.conclusion, verdict.scan_id)
    assert [verdict.fact_id] == [body.fact_id for body in archived(small)]
    assert 2 == len({body.scan_id for body in small.bodies("assessment")})
