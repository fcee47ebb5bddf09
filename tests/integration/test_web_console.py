"""The browser console's server over a real site: queue, scan, pictures, decisions; what is saved, and what is only kept."""

import asyncio
import json
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from edge_agent.console import owed
from edge_agent.console.blind import is_chosen
from edge_agent.console.client import Phase, Undecided
from edge_agent.console.owed import Looked
from edge_agent.domain.assessment import BlobRef, FactKind
from edge_agent.domain.ids import FactId, ScanId, ScannerId, SiteId, fact_id
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.errors import MalformedMessage, StateUnusable
from edge_agent.formats.package import write_package
from edge_agent.ledger.blobs import BlobStore
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Entry
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.drops import load_picture
from edge_agent.testing.factories import SITE, a_capture, an_acceptance, an_arrival, particulars
from edge_agent.testing.loopback import Keyring, Setting, loopback_site
from edge_agent.testing.site_journal import alert_for, assessment, detection, scan_named, set_aside
from edge_agent.testing.web_console import console_config, web_console
from edge_agent.transport.keys import Consumer, Role
from edge_agent.wire.frames import topic
from edge_agent.wire.handed_over import DeclaredPart, GoodsPart
from edge_agent.wire.heartbeat import CertificatePart, SiteState
from edge_agent.wire.messages import AuditBody, BlobPart, BundlePart, ControlBody, FramePart, ReferralBody, VerdictBody, decode, encode
from edge_agent.wire.redaction import officer_identity
from edge_agent.wire.verbs import Verb

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@pytest.fixture(autouse=True)
def _a_site_has_the_time_it_needs(monkeypatch):
    """These laws say what is answered, not how soon: the machine may be busy, its disk slow."""
    for name in ("deciding.ANSWER_WITHIN_S", "desk._PICTURE_WITHIN_S", "desk._TOKEN_WITHIN_S"):
        monkeypatch.setattr(f"edge_agent.console.{name}", 40.0)


def entry_of(body):
    where = topic(SiteId(body.site), ScannerId(body.scanner) if body.scanner else None, body.kind)
    return Entry(FactId(body.fact_id), ScanId(body.scan_id), FactKind(body.kind), where, encode(body))


def judged(name, conclusion="alert", **more):
    now = SystemClock().now()
    body = assessment(SITE, name, conclusion, now, frames=[FramePart(view="top", width=1000, height=400, to_native=IDENTITY)])
    if conclusion == "alert":
        body = body.model_copy(update={"findings": [detection("weapon")], "reasons": [alert_for("weapon")]})
    return body.model_copy(update={"decide_by": now + timedelta(minutes=5), **more})


def supervised(keys):
    return [Consumer("console-1", keys.console.public, Role.CONSOLE, supervisors=True, controls=True)]


@asynccontextmanager
async def at_work(folder, *bodies, config=None, setting=None):
    async with loopback_site(folder / "site", setting) as site:
        await site.add(*(entry_of(body) for body in bodies))
        async with web_console(folder, [("north", site)], config) as console:
            await console.live()
            yield site, console


def in_loop(law):
    def test(tmp_path):
        (tmp_path / "site").mkdir()
        asyncio.run(law(tmp_path))

    test.__name__ = law.__name__
    return test


async def said(site, kind):
    return [body for row in await site.ledger.rows(0, 500, 1 << 24) if isinstance(body := decode(row.body), kind)]


def a_verdict(conclusion="suspicious", **more):
    return {"verdict_id": str(uuid.uuid4()), "revision": 1, "conclusion": conclusion, **more}


def address(name, *rest):
    return "/".join(["/api/scans/north", scan_named(SITE, name), *rest])


# The queue


@in_loop
async def test_the_most_urgent_stands_first_then_the_newest(folder):
    bodies = [
        judged("old-alert"),
        judged("clear", "no-alert"),
        judged("dark", "unassessable"),
        judged("new-alert"),
        set_aside(SITE, "broken"),
    ]
    async with at_work(folder, *bodies) as (_, console):
        rows = await console.rows()
        names = {scan_named(SITE, name): name for name in ("old-alert", "clear", "dark", "new-alert", "broken")}
        assert [names[row["scan_id"]] for row in rows] == ["new-alert", "old-alert", "dark", "broken", "clear"]
        assert [row["state"] for row in rows] == ["open", "open", "open", "set-aside", "clear"]
        assert rows[0]["top"] == ["weapon", 0.9]
        assert rows[0]["decide_by"] is not None
        assert rows[-1]["decide_by"] is None


@in_loop
async def test_filters_and_pages_cut_the_same_order(folder):
    bodies = [judged(f"s{number}", "alert" if number % 2 else "no-alert") for number in range(10)]
    async with at_work(folder, *bodies) as (_, console):
        whole = await console.rows()
        assert await console.rows("?offset=3&limit=4") == whole[3:7]
        assert await console.rows("?state=open") == [row for row in whole if row["state"] == "open"]
        assert await console.rows("?conclusion=alert,unassessable&site=north") == [row for row in whole if row["conclusion"] == "alert"]
        assert await console.rows("?site=elsewhere") == []


@in_loop
async def test_a_committed_scan_is_in_the_queue(folder):
    async with at_work(folder) as (site, console):
        await site.add(entry_of(judged("a")))
        await console.until(lambda: console.console.desk.queue.find("north", scan_named(SITE, "a")) is not None)


@in_loop
async def test_goods_and_file_names_come_as_they_are_and_break_no_json(folder):
    hostile = '</script><script>alert(1)</script>"\\\u202e\x07 \ud83d\ude00'.encode("utf-16", "surrogatepass").decode("utf-16")
    declared = DeclaredPart(goods=[GoodsPart(hs="9403", description=hostile)], source="manifest")
    async with at_work(folder, judged("a", declared=declared)) as (_, console):
        (row,) = await console.rows()
        assert row["goods"] == f"9403 {hostile}"
        assert (await console.get(address("a")))["declared"]["goods"][0]["description"] == hostile


# One scan


@in_loop
async def test_a_scan_tells_what_was_found_and_where(folder):
    async with at_work(folder, judged("a")) as (_, console):
        scan = await console.get(address("a"))
        assert scan["machine"]["conclusion"] == "alert"
        (finding,) = scan["machine"]["findings"]
        assert (finding["label"], finding["boxes"], finding["alerts"]) == ("weapon", [[1.0, 2.0, 30.0, 40.0]], True)
        assert scan["frames"][0]["width"] == 1000
        assert (scan["order"], scan["wants_reason"], scan["said"]) == ("assisted", False, [])
        assert scan["provenance"]["policy_digest"] == "d0"


@in_loop
async def test_an_unknown_scan_or_site_is_said_to_be_unknown(folder):
    async with at_work(folder) as (_, console):
        for place in (address("a"), f"/api/scans/south/{scan_named(SITE, 'a')}", "/api/scans/north/nonsense"):
            assert (await console.get(place, 404))["code"] == "unknown-scan"


@in_loop
async def test_opening_a_scan_stands_in_the_journal_with_the_officers_token_once(folder):
    async with at_work(folder, judged("a")) as (site, console):
        for _ in range(3):
            await console.get(address("a"))
        record = console.console.desk.queue.find("north", scan_named(SITE, "a"))
        await console.until(lambda: bool(record.said))
        opened = [body for body in await said(site, AuditBody) if body.event.code == "opened"]
        assert len(opened) == len({f"{body.produced_at:%Y-%m-%dT%H}" for body in opened})  # once an hour, and a new one may begin meanwhile
        assert opened[0].event.params["workstation"] == "console-1"
        (token,) = {body.event.params["officer"] for body in opened}
        assert (await site.ledger.identities([token]))[0].value == "officer"


# Deciding


@in_loop
async def test_a_verdict_is_the_sessions_officers_and_saved_means_committed(folder):
    async with at_work(folder, judged("a")) as (site, console):
        scan = await console.get(address("a"))
        marks = {"findings": [{"id": 0, "agrees": False}], "missed": [{"view": "top", "box": [10, 20, 30.5, 40], "label": "drugs"}]}
        entry = a_verdict("suspicious", assessment=scan["machine"]["fact_id"], note=" seen <b>here</b>\n twice ", **marks)
        done = await console.post(address("a", "verdict"), entry)
        assert done["state"] == "saved"
        (verdict,) = await said(site, VerdictBody)
        assert (verdict.conclusion, verdict.workstation, verdict.order) == ("suspicious", "console-1", "assisted")
        assert verdict.assessment == scan["machine"]["fact_id"]
        assert [word.model_dump() for word in verdict.findings] == [{"id": 0, "agrees": False}]
        assert verdict.missed[0].box == (10.0, 20.0, 30.5, 40.0)
        officer, note = await site.ledger.identities([verdict.officer, verdict.note.token])
        assert (officer.value, note.value) == ("officer", "seen <b>here</b>\ntwice")
        assert b"seen" not in encode(verdict)
        await console.until(lambda: console.console.desk.queue.find("north", scan_named(SITE, "a")).is_revealed)
        (row,) = await console.rows()
        assert (row["state"], row["rank"]) == ("decided", 0)
        (word,) = [one for one in (await console.get(address("a")))["said"] if one["kind"] == "verdict"]
        assert (word["is_mine"], word["conclusion"]) == (True, "suspicious")
        values = (await console.post("/api/identities", {"site": "north", "scan_ids": [scan_named(SITE, "a")]}))["values"]
        assert [(one["kind"], one["value"]) for one in values] == [("note", "seen <b>here</b>\ntwice")]


@in_loop
async def test_the_same_decision_sent_again_is_one_decision(folder):
    async with at_work(folder, judged("a")) as (site, console):
        entry = a_verdict()
        first, again = [await console.post(address("a", "verdict"), entry) for _ in range(2)]
        assert first == again
        assert len(await said(site, VerdictBody)) == 1


@in_loop
async def test_no_field_lets_one_officer_speak_as_another(folder):
    async with at_work(folder, judged("a")) as (site, console):
        refused = await console.post(address("a", "verdict"), a_verdict(officer="somebody-else"), 422)
        assert refused["code"] == "request-invalid"
        assert await said(site, VerdictBody) == []


@in_loop
async def test_deciding_against_an_alert_needs_a_reason_of_the_catalogue(folder):
    async with at_work(folder, judged("a")) as (_, console):
        assert (await console.post(address("a", "verdict"), a_verdict("not-suspicious"), 422))["code"] == "reason-required"
        wrong = a_verdict("not-suspicious", reasons=["because I say so"])
        assert (await console.post(address("a", "verdict"), wrong, 422))["code"] == "request-invalid"
        done = await console.post(address("a", "verdict"), a_verdict("not-suspicious", reasons=["documents-checked"]))
        assert done["state"] == "saved"


@pytest.mark.parametrize(
    ("missed", "code"),
    [
        ({"view": "side", "box": [0, 0, 1, 1], "label": "drugs"}, "malformed"),
        ({"view": "top", "box": [5, 0, 5, 1], "label": "drugs"}, "malformed"),
        ({"view": "top", "box": [0, 0, 1001, 1], "label": "drugs"}, "malformed"),
        ({"view": "top", "box": [0, 0, 1, 1], "label": "Mr Smith's bag"}, "free-text"),
    ],
    ids=["no such view", "no area", "beyond the picture", "free text"],
)
def test_marks_that_cannot_be_are_refused_by_the_site_and_kept_by_nobody(tmp_path, missed, code):
    @in_loop
    async def law(folder):
        async with at_work(folder, judged("a")) as (site, console):
            done = await console.post(address("a", "verdict"), a_verdict(missed=[missed]))
            assert (done["state"], done["code"]) == ("refused", code)
            assert await said(site, VerdictBody) == []
            assert [one["code"] for one in (await console.get("/api/mine"))["waiting"]] == [code]
            (told,) = (folder / "console/outbox").iterdir()  # that it was refused, and nothing of what it said
            assert not {"missed", "note", "content"} & set(json.loads(told.read_bytes()))

    law(tmp_path)


@in_loop
async def test_words_about_findings_that_were_not_shown_are_refused(folder):
    async with at_work(folder, judged("a")) as (site, console):
        shown = (await console.get(address("a")))["machine"]["fact_id"]
        for assessment_shown, finding in ((None, 0), (shown, 7)):
            entry = a_verdict(assessment=assessment_shown, findings=[{"id": finding, "agrees": True}])
            done = await console.post(address("a", "verdict"), entry)
            assert (done["state"], done["code"]) == ("refused", "malformed")
        assert await said(site, VerdictBody) == []


@in_loop
async def test_a_supervisor_counts_as_one_only_at_a_workstation_enrolled_for_it(folder):
    keys = Keyring()
    setting = Setting(keys=keys, consumers=supervised(keys))
    async with at_work(folder, judged("a"), setting=setting) as (site, console):
        assert (await console.get("/api/me"))["supervises"] == ["north"]
        await console.post(address("a", "verdict"), a_verdict())
        assert [body.is_supervisor for body in await said(site, VerdictBody)] == [True]


@in_loop
async def test_at_another_workstation_a_supervisor_is_an_analyst(folder):
    async with at_work(folder, judged("a")) as (site, console):
        assert (await console.get("/api/me"))["supervises"] == []
        await console.post(address("a", "verdict"), a_verdict())
        assert [body.is_supervisor for body in await said(site, VerdictBody)] == [False]


@in_loop
async def test_passing_on_is_a_referral_of_the_officer(folder):
    async with at_work(folder, judged("a")) as (site, console):
        await console.post(address("a", "verdict"), a_verdict("refer", note="to the night shift"))
        (referral,) = await said(site, ReferralBody)
        assert (referral.reason.code, referral.workstation) == ("passed-on", "console-1")
        assert referral.note is not None
        await console.until(lambda: console.console.desk.queue.find("north", scan_named(SITE, "a")).is_revealed)
        assert [row["state"] for row in await console.rows()] == ["referred"]


@in_loop
async def test_a_note_may_hold_the_joiners_that_hindi_is_written_with_and_no_other_sign_that_is_not_seen(folder):
    async with at_work(folder, judged("a"), judged("b")) as (site, console):
        note = "\u0915\u094d\u200d\u0937 \u0915\u094d\u200c\u0937\nsecond line"
        assert (await console.post(address("a", "verdict"), a_verdict(note=note)))["state"] == "saved"
        (verdict,) = await said(site, VerdictBody)
        (value,) = await site.ledger.identities([verdict.note.token])
        assert value.value == note
        done = await console.post(address("b", "verdict"), a_verdict(note="bell \x07"))
        assert (done["state"], done["code"]) == ("refused", "malformed")


@in_loop
async def test_a_systematic_fault_reaches_the_journal_and_the_supervisors_list(folder):
    async with at_work(folder, judged("a")) as (site, console):
        entry = {"fault_id": str(uuid.uuid4()), "site": "north", "scan_id": scan_named(SITE, "a"), "revision": 1, "what": "misses"}
        done = await console.post("/api/faults", {**entry, "note": "three today"})
        assert done["state"] == "saved"
        await console.until(lambda: bool(console.console.desk.queue.faults()))
        (fault,) = (await console.get("/api/faults"))["faults"]
        assert (fault["what"], fault["workstation"]) == ("misses", "console-1")
        token = (await site.ledger.identities([fault["note"]]))[0]
        assert token.value == "three today"


# Blind first


def blind_names(share):
    names = [f"scan-{number}" for number in range(200)]
    return next(name for name in names if is_chosen(scan_named(SITE, name), share))


@in_loop
async def test_a_blind_scan_tells_nothing_of_the_machine_until_somebody_decided(folder):
    config = console_config(folder, blind={"share": 0.5})
    name = blind_names(0.5)
    async with at_work(folder, judged(name), config=config) as (site, console):
        (row,) = await console.rows()
        assert (row["is_blind"], row["rank"], row["conclusion"], row["top"], row["decide_by"]) == (True, 3, None, None, None)
        scan = await console.get(address(name))
        assert (scan["machine"], scan["order"]) == (None, "blind-first")
        assert "weapon" not in json.dumps(scan)
        done = await console.post(address(name, "verdict"), a_verdict("not-suspicious"))  # no reason is asked for: it would tell
        assert done["state"] == "saved"
        await console.until(lambda: console.console.desk.queue.find("north", scan_named(SITE, name)).is_revealed)
        scan = await console.get(address(name))
        assert (scan["machine"]["conclusion"], scan["order"], scan["wants_reason"]) == ("alert", "after-reveal", True)
        assert scan["row"]["state"] == "open"
        assert (await console.post(address(name, "verdict"), a_verdict("not-suspicious"), 422))["code"] == "reason-required"
        await console.post(address(name, "verdict"), a_verdict("not-suspicious", reasons=["packing-or-pallet"]))
        assert [body.order for body in await said(site, VerdictBody)] == ["blind-first", "after-reveal"]
        await console.until(lambda: not console.console.desk.queue.find("north", scan_named(SITE, name)).wants_reason)
        assert (await console.get(address(name)))["row"]["state"] == "decided"


@in_loop
async def test_a_covered_scan_that_nobody_has_decided_in_time_is_uncovered_by_the_sites_clock(folder):
    chosen = blind_names(0.5)
    told = next(name for name in (f"scan-{number}" for number in range(200)) if not is_chosen(scan_named(SITE, name), 0.5))
    past = SystemClock().now() - timedelta(hours=1)
    clocked = judged(told, produced_at=past, decide_by=past + timedelta(minutes=5))  # the console learns the clock of such a scan
    covered = judged(chosen, "no-alert", produced_at=past, decide_by=None)
    async with at_work(folder, covered, clocked, config=console_config(folder, blind={"share": 0.5})) as (_, console):
        record = console.console.desk.queue.find("north", scan_named(SITE, chosen))
        await console.until(lambda: not record.is_blind)
        row = next(row for row in await console.rows() if row["scan_id"] == scan_named(SITE, chosen))
        assert (row["state"], row["conclusion"], row["is_blind"]) == ("clear", "no-alert", False)
        assert (await console.get(address(chosen)))["order"] == "after-reveal"


def test_a_cover_that_cannot_be_lifted_ends_no_link(tmp_path, monkeypatch):
    def breaks(*_):
        raise RuntimeError("a fault of ours")

    async def law(folder):
        async with at_work(folder, config=console_config(folder, blind={"share": 0.5})) as (site, console):
            monkeypatch.setattr(console.console.desk.queue, "lift_covers", breaks)
            await console.until(lambda: console.links[0].broken > 0)
            await site.add(entry_of(judged("a")))
            await console.until(lambda: console.console.desk.queue.find("north", scan_named(SITE, "a")) is not None)

    in_loop(law)(tmp_path)


# Pictures


async def with_a_package(site):
    pixels = load_picture(700, 1301)
    view = View("side", (Plane(Quantity.TRANSMISSION, Energy.HIGH, pixels),), (5.0, 5.0))
    acceptance = an_acceptance(an_arrival("scan-1"))
    name, about = acceptance.decision.scan_id, particulars()
    await site.ledger.call(Ledger.accept, [acceptance])
    job = await site.ledger.call(Ledger.claim, SystemClock().now())
    sha256, size = BlobStore(site.state_dir / "blobs").put(b"\x89PNG heat")
    body = assessment(SITE, "x", "alert", SystemClock().now()).model_copy(
        update={"scan_id": name, "blobs": [BlobPart(sha256=sha256, bytes=size, media_type="image/png", role="heatmap:side")]}
    )
    heat = BlobRef(sha256, size, "image/png", "heatmap:side")
    body = body.model_copy(update={"fact_id": fact_id(name, "assessment", 1, "pixels")})
    await site.ledger.call(Ledger.complete, job.job_id, entry_of(body), (heat,))
    scan = Scan(name, 1, ScannerRef(ScannerId("gate-1"), "sim-cargo"), a_capture(), about.subject, (view,), about.declaration, ())
    package = write_package(scan, (), site.state_dir / "packages" / "a.scan.zip")
    await site.ledger.call(Ledger.mark_packed, job.job_id, "packages/a.scan.zip", package.scan_json_sha256)
    return name, pixels, sha256


@in_loop
async def test_tiles_are_the_bare_samples_at_full_depth(folder):
    async with loopback_site(folder / "site") as site:
        name, pixels, sha256 = await with_a_package(site)
        async with web_console(folder, [("north", site)]) as console:
            await console.live()
            base = f"/api/scans/north/{name}"
            planes = await console.get(f"{base}/r1/planes")
            assert planes["tile"] == 512
            (plane,) = planes["planes"]
            assert (plane["width"], plane["height"], plane["bits"], plane["pitch_mm"]) == (1301, 700, 16, [5.0, 5.0])
            answer = await console.browser.get(f"{base}/r1/tiles/side/{plane['plane']}/0/2/1")
            assert answer.headers["content-type"] == "application/octet-stream"
            assert answer.headers["cache-control"] == "no-store"  # a browser that kept it would outlast the officer's session
            assert np.array_equal(np.frombuffer(answer.content, "<u2").reshape(188, 277), pixels[512:700, 1024:1301])
            heat = await console.browser.get(f"{base}/blobs/{sha256}")
            assert (heat.content, heat.headers["content-type"]) == (b"\x89PNG heat", "image/png")
            for place in (
                "r1/tiles/side/transmission/high/0/9/9",
                "r1/tiles/top/transmission/high/0/0/0",
                "r1/tiles/x",
                f"blobs/{'ab' * 32}",
            ):
                assert (await console.get(f"{base}/{place}", 404))["code"] == "unknown-blob"


# Identifiers


@in_loop
async def test_a_note_that_was_erased_at_the_site_is_shown_no_more(folder):
    async with at_work(folder, judged("a")) as (site, console):
        await console.post(address("a", "verdict"), a_verdict(note="he waved"))
        record = console.console.desk.queue.find("north", scan_named(SITE, "a"))
        await console.until(lambda: record.is_revealed)
        asked = {"site": "north", "scan_ids": [scan_named(SITE, "a")]}
        (note,) = (await console.post("/api/identities", asked))["values"]
        assert note["value"] == "he waved"
        (token,) = await site.ledger.tokenise([officer_identity("officer")])
        viewed = [body.event for body in await said(site, AuditBody) if body.event.code == "identities-viewed"]
        assert {event.params["officer"] for event in viewed} == {token.token}  # the officer, not the workstation alone
        assert await site.ledger.call(Ledger.erase, [note["token"]]) == 1
        assert (await console.post("/api/identities", asked))["values"] == []


# A link that is cut, a console that is restarted


@in_loop
async def test_more_views_than_are_kept_while_a_site_answers_slowly_end_nothing(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owed, "_MOST_OWED", 40)
        await more_views_than_are_kept(folder)


async def more_views_than_are_kept(folder):
    async with at_work(folder, judged("a")) as (_, console):
        asked, go_on = [], asyncio.Event()

        async def slow(scan, revision, officer):
            asked.append(officer)
            await go_on.wait()

        console.links[0].client.opened = slow
        desk = console.console.desk
        await desk.note_view(Looked("north", scan_named(SITE, "a"), 1, "officer-0"))
        await console.until(lambda: bool(asked))
        for number in range(1, 42):
            await desk.note_view(Looked("north", scan_named(SITE, "a"), 1, f"officer-{number}"))
        assert len(list((folder / "console/views").iterdir())) == 40
        go_on.set()
        await console.until(lambda: "officer-41" in asked)
        await console.until(lambda: not list((folder / "console/views").iterdir()))
        assert len(asked) == len(set(asked)) == 41  # officer-1 was given up


@in_loop
async def test_a_view_while_the_site_is_silent_is_journalled_when_it_is_back(folder):
    setting = Setting(keys=Keyring())
    running = loopback_site(folder / "site", setting)
    site = await running.__aenter__()
    await site.add(entry_of(judged("a")))
    ports = {"sync": site.sync, "live": site.live, "blob": site.blob}
    async with web_console(folder, [("north", site)]) as console:
        await console.live()
        await running.__aexit__(None, None, None)
        await console.get(address("a"))
        async with loopback_site(folder / "site", replace(setting, **ports)) as again:
            record = console.console.desk.queue.find("north", scan_named(SITE, "a"))
            await console.until(lambda: bool(record.said))
            assert [body.event.code for body in await said(again, AuditBody)] == ["opened"]


@in_loop
async def test_a_view_that_is_owed_outlives_the_console(folder):
    setting = Setting(keys=Keyring())
    running = loopback_site(folder / "site", setting)
    site = await running.__aenter__()
    await site.add(entry_of(judged("a")))
    ports = {"sync": site.sync, "live": site.live, "blob": site.blob}
    async with web_console(folder, [("north", site)]) as console:
        await console.live()
        await running.__aexit__(None, None, None)
        await console.get(address("a"))
    (file,) = (folder / "console/views").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    async with loopback_site(folder / "site", replace(setting, **ports)) as again, web_console(folder, [("north", again)]) as console:
        await console.until(lambda: not list((folder / "console/views").iterdir()))
        assert [body.event.code for body in await said(again, AuditBody)] == ["opened"]


# What waits for somebody, however old


async def at_its_end(folder, bodies, config=None, rows=3):
    """A console that begins with the newest ``rows`` rows of a journal."""
    async with loopback_site(folder / "site") as site:
        await site.add(*(entry_of(body) for body in bodies))
        async with web_console(folder, [("north", site)], config, rows=rows) as console:
            await console.until(lambda: console.links[0].is_whole)
            yield site, console


@in_loop
async def test_an_undecided_alert_of_long_ago_stands_in_the_queue_of_a_console_that_begins_later(folder):
    old = [judged("old-alert"), judged("dark", "unassessable"), judged("done"), *(judged(f"s{number}", "no-alert") for number in range(9))]
    names = {scan_named(SITE, name): name for name in ("old-alert", "dark", "done", "s8", "s7", "s6", "s0")}
    async for _, console in at_its_end(folder, old):
        shown = [names.get(row["scan_id"]) for row in await console.rows()]
        assert shown[:3] == ["done", "old-alert", "dark"]
        assert "s0" not in shown
        (north,) = (await console.get("/api/sites"))["sites"]
        assert (north["unshown"], north["open"], north["broken"]) == (0, 3, 0)
        assert (await console.get(address("old-alert")))["machine"]["conclusion"] == "alert"
        (trust,) = (await console.get("/api/trust"))["sites"]
        assert trust["scans"] == 3  # of figures the newest count only: those of before were chosen because they wait
        assert (await console.post(address("done", "verdict"), a_verdict()))["state"] == "saved"
    async for _, console in at_its_end(folder, [judged("new", "no-alert")]):
        assert [names.get(row["scan_id"]) for row in await console.rows()][:2] == ["old-alert", "dark"]


@in_loop
async def test_what_has_no_room_is_counted_on_the_queue(folder):
    config = console_config(folder, queue={"newest": 10})
    async for _, console in at_its_end(folder, [judged(f"a{number}") for number in range(70)], config):
        (north,) = (await console.get("/api/sites"))["sites"]
        assert north["scans"] == north["open"]
        assert north["unshown"] == 70 - north["scans"]
        assert north["unshown"] > 0


@in_loop
async def test_a_site_that_cannot_tell_what_waits_leaves_it_unknown(folder):
    async with loopback_site(folder / "site") as site:
        await site.add(entry_of(judged("a")))
        async with web_console(folder, [("north", site)]) as console:

            async def too_old(before, most):
                raise MalformedMessage("this site does not know the verb")

            console.links[0].client.undecided = too_old
            await console.live()
            await console.until(lambda: console.console.desk.queue.find("north", scan_named(SITE, "a")) is not None)
            assert (await console.get("/api/sites"))["sites"][0]["unshown"] is None


@in_loop
async def test_an_ok_that_cannot_be_read_is_no_refusal_and_the_decision_counts_once(folder):
    async with at_work(folder, judged("a")) as (site, console):
        client, garbled = console.links[0].client, []
        asked = client._asked

        async def garbles_the_first(verb, request):
            reply = await asked(verb, request)
            if verb != Verb.VERDICT or garbled:
                return reply
            garbled.append(verb)
            return replace(reply, content={"seq": "seven"})

        client._asked = garbles_the_first
        entry = a_verdict()
        done = await console.post(address("a", "verdict"), entry)
        assert done["state"] in ("saved", "waiting")  # as soon as it was asked again
        assert done["state"] == "saved" or done["code"] == "answer-unreadable"
        outbox = console.console.outbox
        await console.until(lambda: not outbox.waiting("officer"))
        assert garbled
        assert [body.cause for body in await said(site, VerdictBody)] == [entry["verdict_id"]]


@in_loop
async def test_an_answer_that_leads_nowhere_is_not_asked_for_without_end(folder):
    async with loopback_site(folder / "site") as site:
        await site.add(entry_of(judged("a")))
        async with web_console(folder, [("north", site)]) as console:
            asked = []

            async def same_again(before, most):
                asked.append(before)
                return Undecided([], [], first=1, after=before)

            console.links[0].client.undecided = same_again
            await console.live()
            await console.until(lambda: bool(asked))
            await asyncio.sleep(0)
            assert (await console.get("/api/sites"))["sites"][0]["unshown"] is None
            assert len(asked) == 1


# What is in force


def in_force(policy="a" * 64, version="1.0.0", **more):
    bundle = BundlePart(name="detector", version=version, sha256="c" * 64, state="commissioned")
    return Setting(state=lambda: SiteState(state="healthy", policy_digest=policy, bundles=[bundle], **more))


@in_loop
async def test_sites_say_what_commissioning_found_and_where_another_policy_or_model_is_in_force(folder):
    moment = SystemClock().now()
    found = CertificatePart(subject="cargo", alarms=3, n=300, low=0.002, high=0.03, is_held_out=True, made_at=moment, not_after=moment)
    settings = {
        "usual": in_force(certificates=[found]),
        "same": in_force(),
        "policy": in_force(policy="b" * 64),
        "models": in_force(version="0.9.0"),
        "too": in_force(),
    }
    async with AsyncExitStack() as stack:
        sites = []
        for name, setting in settings.items():
            (folder / name).mkdir()
            sites.append((name, await stack.enter_async_context(loopback_site(folder / name, setting))))
        console = await stack.enter_async_context(web_console(folder, sites))
        await console.until(lambda: all(link.client.heartbeat is not None for link in console.links))
        shown = {site["name"]: site for site in (await console.get("/api/sites"))["sites"]}
        assert {name: site["drift"] for name, site in shown.items()} == {
            "usual": [],
            "same": [],
            "policy": ["policy-drifted"],
            "models": ["bundles-drifted"],
            "too": [],
        }
        (told,) = shown["usual"]["certificates"]
        assert (told["alarms"], told["n"], told["low"], told["high"], told["is_held_out"]) == (3, 300, 0.002, 0.03, True)
        trust = {site["site"]: site for site in (await console.get("/api/trust"))["sites"]}
        assert (trust["usual"]["certificates"], trust["same"]["certificates"]) == ([told], [])


# A fact that our own code breaks on


@in_loop
async def test_a_fact_that_breaks_the_queue_ends_no_site_and_is_shown(folder):
    async with at_work(folder, judged("a")) as (site, console):
        queue = console.console.desk.queue
        taken = queue.apply

        def breaks(name, fact):
            if fact.body.scan_id == scan_named(SITE, "bad"):
                raise ZeroDivisionError
            taken(name, fact)

        queue.apply = breaks
        await site.add(entry_of(judged("bad")), entry_of(judged("good")))
        await console.until(lambda: queue.find("north", scan_named(SITE, "good")) is not None)
        assert queue.find("north", scan_named(SITE, "bad")) is None
        (north,) = (await console.get("/api/sites"))["sites"]
        assert (north["broken"], north["phase"]) == (1, "live")


@in_loop
async def test_what_the_site_did_not_answer_is_kept_and_sent_after_a_restart_of_both(folder):
    keys = Keyring()
    entry = a_verdict("suspicious", note="kept")
    setting = Setting(keys=keys)
    async with loopback_site(folder / "site", setting) as site:
        await site.add(entry_of(judged("a")))
        async with web_console(folder, [("north", site)], sync="") as console:
            await console.live()
            ports = {"sync": site.sync, "live": site.live, "blob": site.blob}
            link = console.links[0]

            async def silent(request):
                await asyncio.sleep(60)

            link.client.submit = silent
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("edge_agent.console.deciding.ANSWER_WITHIN_S", 0.2)
                done = await console.post(address("a", "verdict"), entry)
            assert done["state"] == "waiting"
            assert [one["state"] for one in (await console.get("/api/mine"))["waiting"]] == ["waiting"]
        (file,) = (folder / "console/outbox").iterdir()
        assert file.stat().st_mode & 0o077 == 0
        assert await said(site, VerdictBody) == []
    async with loopback_site(folder / "site", replace(setting, **ports)) as site, web_console(folder, [("north", site)]) as console:
        await console.live()
        await console.until(lambda: not list((folder / "console/outbox").iterdir()))
        (verdict,) = await said(site, VerdictBody)
        assert verdict.cause == entry["verdict_id"]


@in_loop
async def test_a_file_that_is_not_ours_in_the_outbox_stops_the_start_and_stays(folder):
    outbox = folder / "console/outbox"
    outbox.mkdir(parents=True)
    (outbox / "x.json").write_text("{}")
    async with loopback_site(folder / "site") as site:
        with pytest.raises(StateUnusable):
            async with web_console(folder, [("north", site)]):
                pass
    assert (outbox / "x.json").read_text() == "{}"


# The stream


@in_loop
async def test_a_page_hears_of_changes_since_the_queue_it_read(folder):
    async with at_work(folder, judged("a")) as (site, console):
        queue = await console.get("/api/queue")
        await site.add(entry_of(judged("b")))
        await console.until(lambda: console.console.desk.queue.find("north", scan_named(SITE, "b")) is not None)
        hub = console.console.hub
        heard = hub.events("officer", queue["id"])
        first, second = await anext(heard), await anext(heard)
        await heard.aclose()
        assert (first.name, [row["scan_id"] for row in json.loads(first.data)["rows"]]) == ("rows", [scan_named(SITE, "b")])
        assert (second.name, json.loads(second.data)["sites"][0]["phase"]) == ("state", "live")
        resumed = hub.events("officer", first.id)
        assert (await anext(resumed)).name == "state"
        await resumed.aclose()
        stranger = hub.events("officer", "elsewhere-3")
        assert (await anext(stranger)).name == "reset"
        await stranger.aclose()


@in_loop
async def test_an_officer_hears_of_his_own_decisions_only(folder):
    async with at_work(folder, judged("a")) as (_, console):
        hub = console.console.hub
        mine, other = hub.events("officer", ""), hub.events("somebody", "")
        assert [(await anext(mine)).name, (await anext(other)).name] == ["state", "state"]
        await console.post(address("a", "verdict"), a_verdict())
        names = [event.name for event in [await anext(mine) for _ in range(3)]]
        assert "submission" in names
        assert "submission" not in [event.name for event in [await anext(other) for _ in range(2)]]
        await mine.aclose()
        await other.aclose()


@in_loop
async def test_a_site_that_falls_silent_is_stale(folder):
    running = loopback_site(folder / "site")
    site = await running.__aenter__()
    async with web_console(folder, [("north", site)]) as console:
        await console.live()
        await running.__aexit__(None, None, None)
        await console.until(lambda: console.links[0].client.state.phase is not Phase.LIVE)
        (shown,) = (await console.get("/api/sites"))["sites"]
        assert (shown["phase"], shown["is_current"]) == ("stale", False)


# What no page of ours would send

_PARTS = ("..", "%2e%2e", "x" * 3000, "\u202e", "0", "-1", "99999999999999999999", "'; DROP TABLE journal; --", "%00", "a b")
_VALUES = (None, "", [], {}, -1, 1e308, 10**30, "x" * 5000, "\x00", "\ud800", True, [[[]]], {"code": "x"})


def hostile_addresses(scan):
    for part in _PARTS:
        yield from (f"/api/scans/{part}/{scan}", f"/api/scans/north/{part}", f"/api/scans/north/{scan}/r{part}/planes")
        yield from (f"/api/scans/north/{scan}/blobs/{part}", f"/api/scans/north/{scan}/r1/tiles/{part}", f"/api/texts/{part}")
        yield f"/api/scans/north/{scan}/r1/tiles/top/transmission/high/{part}/0/0"
        yield f"/api/queue?offset={part}&limit={part}&site={part}&state={part}"
        yield from (f"/api/trust?site={part}&kind={part}", f"/api/headquarters/{part}")


@in_loop
async def test_hostile_addresses_and_bodies_are_refused_and_never_met_with_a_fault_of_ours(folder):
    keys = Keyring()
    async with at_work(folder, judged("a"), setting=Setting(keys=keys, consumers=supervised(keys))) as (site, console):
        scan = scan_named(SITE, "a")
        for place in hostile_addresses(scan):
            answer = await console.browser.get(place)
            assert answer.status_code < 500, (place, answer.text)
        good = {
            address("a", "verdict"): a_verdict("suspicious", reasons=["threat-visible"]),
            address("a", "control"): {"control_id": str(uuid.uuid4()), "revision": 1, "result": {}, "found": []},
            "/api/faults": {"fault_id": str(uuid.uuid4()), "site": "north", "scan_id": scan, "revision": 1, "what": "other", "note": ""},
            "/api/identities": {"site": "north", "scan_ids": [scan]},
        }
        for place, entry in good.items():
            for field in [*entry, "officer"]:
                for value in _VALUES:
                    body = json.dumps({**entry, field: value}).encode()
                    answer = await console.browser.post(place, content=body, headers={"Content-Type": "application/json"})
                    assert answer.status_code < 500, (place, field, value, answer.text)
        assert {body.workstation for body in await said(site, VerdictBody)} <= {"console-1"}


@in_loop
async def test_what_the_site_does_not_know_how_to_take_is_shown_as_refused_not_as_saved(folder):
    async with at_work(folder, judged("a")) as (_, console):  # this workstation is not enrolled for examination results
        form = await console.get("/api/control-form")
        assert form["version"]
        result = {"conclusion": "nothing-found", "office": "north", "examined_at": "2026-03-02T12:00:00Z"}
        entry = {"control_id": str(uuid.uuid4()), "revision": 1, "result": result}
        done = await console.post(address("a", "control"), entry)
        assert (done["state"], done["code"]) == ("refused", "not-allowed")


@in_loop
async def test_an_examination_result_entered_here_is_the_officers_at_the_site(folder):
    keys = Keyring()
    async with at_work(folder, judged("a"), setting=Setting(keys=keys, consumers=supervised(keys))) as (site, console):
        result = {"conclusion": "nothing-found", "office": "north", "examined_at": "2026-03-02T12:00:00Z", "remarks": "all opened"}
        entry = {"control_id": str(uuid.uuid4()), "revision": 1, "result": result}
        assert (await console.post(address("a", "control"), entry))["state"] == "saved"
        (control,) = await said(site, ControlBody)
        officer, remarks = await site.ledger.identities([control.officer, control.remarks.token])
        assert (officer.value, remarks.value, control.submitted_by) == ("officer", "all opened", "console-1")
        await console.until(lambda: console.console.desk.queue.find("north", scan_named(SITE, "a")).is_revealed)
        assert [row["state"] for row in await console.rows()] == ["examined"]
