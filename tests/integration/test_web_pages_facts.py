"""What the pages need of the console's server: reports of faults by who asks, labels of the models in force, languages, wrong answers."""

import asyncio
import uuid
from contextlib import asynccontextmanager

from edge_agent.console.looking import Looking, Offers
from edge_agent.domain.assessment import FactKind
from edge_agent.domain.ids import FactId, ScanId, ScannerId, SiteId
from edge_agent.ledger.records import Entry
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.factories import SITE
from edge_agent.testing.loopback import Setting, loopback_site
from edge_agent.testing.site_journal import assessment, scan_named
from edge_agent.testing.web_console import console_config, web_console
from edge_agent.web.session import Officer, OfficerRole
from edge_agent.wire.frames import topic
from edge_agent.wire.heartbeat import SiteState
from edge_agent.wire.messages import encode

SCAN = scan_named(SITE, "a")


@asynccontextmanager
async def at_work(folder, setting=None):
    (folder / "site").mkdir()
    body = assessment(SITE, "a", "alert", SystemClock().now())
    where = topic(SiteId(SITE), ScannerId(body.scanner), body.kind)
    async with loopback_site(folder / "site", setting) as site:
        await site.add(Entry(FactId(body.fact_id), ScanId(body.scan_id), FactKind(body.kind), where, encode(body)))
        async with web_console(folder, [("north", site)], console_config(folder)) as console:
            await console.live()
            await console.until(lambda: console.console.desk.queue.find("north", SCAN) is not None)
            yield console


def test_reports_of_faults_are_told_to_who_made_them_and_to_who_oversees(tmp_path):
    async def law():
        async with at_work(tmp_path) as console:
            entry = {"fault_id": str(uuid.uuid4()), "site": "north", "scan_id": SCAN, "revision": 1, "what": "misses"}
            assert (await console.post("/api/faults", entry))["state"] == "saved"
            await console.until(lambda: bool(console.console.desk.queue.faults()))
            (mine,) = (await console.get("/api/faults"))["faults"]
            looking = Looking(console.console.desk, console.console.outbox, console.console.hub, Offers(0.0, ()))
            seen = [await looking.faults(Officer("bilal", frozenset({role}))) for role in (OfficerRole.ANALYST, OfficerRole.AUDITOR)]
            assert mine["is_mine"]
            assert [[one.is_mine for one in told.faults] for told in seen] == [[], [False]]

    asyncio.run(law())


def test_what_the_models_in_force_can_find_is_told_with_the_site(tmp_path):
    async def law():
        setting = Setting(state=lambda: SiteState(state="healthy", labels=["handgun", "knife"]))
        async with at_work(tmp_path, setting) as console:
            (site,) = (await console.get("/api/sites"))["sites"]
            assert ["handgun", "knife"] == site["labels"]

    asyncio.run(law())


def test_there_is_a_catalogue_of_every_language_that_is_offered(tmp_path):
    async def law():
        async with at_work(tmp_path) as console:
            offered = (await console.get("/api/texts"))["languages"]
            assert {"ar", "en", "fr"} <= set(offered)
            assert offered == [(await console.get(f"/api/texts/{one}"))["language"] for one in offered]

    asyncio.run(law())


def test_a_refused_result_names_the_answers_that_are_wrong(tmp_path):
    async def law():
        async with at_work(tmp_path) as console:
            entry = {
                "control_id": str(uuid.uuid4()),
                "revision": 1,
                "result": {"conclusion": "found"},
                "found": [{"what": "no such thing"}],
            }
            told = await console.post(f"/api/scans/north/{SCAN}/control", entry, 422)
            assert told["code"] == "form-refused"
            assert {"examined_at", "found.0.what"} <= told["fields"].keys()
            plain = await console.post("/api/identities", {"site": "elsewhere", "scan_ids": [SCAN]}, 404)
            assert plain.keys() == {"code", "detail", "hint"}

    asyncio.run(law())
