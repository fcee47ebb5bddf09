"""The pictures of the console in the docs: simulated scans only, judged by the shipped models, seen in a real browser.

Runs when ``EDGE_AGENT_SCREENSHOTS`` names the folder that the pictures go to (``make screenshots``).
"""

import os
from pathlib import Path
from time import sleep

import pytest

from benchmarks.browser import DESK, TABLET, Wish
from benchmarks.office import Office, Reached
from benchmarks.officer import Officer
from benchmarks.site import COMMAND, Process, Scanner, Settings, Site, running
from benchmarks.small_site import ANY_DISK
from edge_agent.ledger.reader import LedgerReader
from tests.console.conftest import until_said, until_served

OUT = os.getenv("EDGE_AGENT_SCREENSHOTS")
pytestmark = [pytest.mark.skipif(OUT is None, reason="EDGE_AGENT_SCREENSHOTS is not set"), pytest.mark.timeout(900)]
SCANNERS = (Scanner("portal-1", "sim-cargo", "cargo"), Scanner("parcels-1", "sim-parcel", "parcel"))
SCANS = 5
_BEST = """async () => {
    const rows = (await (await fetch('/api/queue?limit=100')).json()).rows;
    const best = rows.filter((row) => row.scanner === 'portal-1').sort((a, b) => (b.top?.[1] ?? 0) - (a.top?.[1] ?? 0))[0] ?? rows[0];
    return best.scan_id;
}"""


def simulated(site, number, scanner):
    options = ("--profile", scanner.profile, "--scans", str(SCANS), "--interval", "0.5", "--habit", "mixed", "--threat-share", "0.7")
    command = (*COMMAND, "sim", "--out", str(site.watched(scanner.id)), *options, "--seed", str(11 + number))
    return Process(f"sim-{scanner.id}", command, site.folder / f"sim-{scanner.id}.log")


def outcomes(site):
    reader = LedgerReader.open(site.state_dir / "ledger.db")
    try:
        counts = reader.counts()
        return counts.assessed + counts.set_aside
    finally:
        reader.close()


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    site = Site.prepared(tmp_path_factory.mktemp("demo"), Settings(SCANNERS, extra=""))
    text = site.agent_toml.read_text().replace('name = "console"', 'name = "console"\ncontrols = true\nsupervisors = true')
    site.agent_toml.write_text(f"{text}\n[space]\n{ANY_DISK}")
    daemon = site.daemon()
    with running(daemon):
        until_said(daemon, timeout_s=120)
        scanners = [simulated(site, number, scanner) for number, scanner in enumerate(SCANNERS)]
        with running(*scanners):
            while outcomes(site) < SCANS * len(SCANNERS):
                daemon.fail_if_ended()
                sleep(0.5)
        office = Office(site.folder / "office", [Reached("demo", site.endpoint, site.keys["site"].public)], site.keys["console"])
        console = office.process()
        with running(console):
            until_served(office, console)
            yield office


def keep(path, picture):
    path.write_bytes(picture)  # playwright itself writes files on a thread that stays


LOOKS = [
    ("dark", "en", DESK, "", ("queue", "scan")),
    ("light", "en", TABLET, "-light", ("results",)),
    ("dark", "ar", DESK, "-arabic", ("scan",)),
]


@pytest.mark.parametrize(("theme", "language", "size", "name", "places"), LOOKS)
def test_the_pages_are_taken(chromium, office, theme, language, size, name, places):
    folder = Path(OUT)

    async def law(stage):
        kept = f"localStorage.setItem('theme', '{theme}'); localStorage.setItem('language', '{language}');"
        await stage.context.add_init_script(f"if (location.protocol.startsWith('http')) {{ {kept} }}")
        officer = await Officer.logged_in(stage, office.url, "chandra")
        await officer.page.keyboard.press("j")
        scan = await officer.page.evaluate(_BEST)
        for place in places:
            if place == "scan":
                await officer.opens("demo", scan)
                await officer.page.locator(".pane .wait").wait_for(state="hidden")
            elif place != "queue":
                await officer.page.evaluate(
                    "(place) => { location.hash = place; }", f"#/{place}" + (f"/demo/{scan}" if place == "results" else "")
                )
            await officer.settled()
            keep(folder / f"console-{place}{name}.png", await officer.page.screenshot())

    chromium.run(law, Wish(viewport=size))
    assert all((folder / f"console-{place}{name}.png").stat().st_size > 10_000 for place in places)
