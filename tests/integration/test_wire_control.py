"""CONTROL, and verdicts on scans that nobody saw: who may say what, once, in words of the catalogue."""

import asyncio
import uuid
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from edge_agent.domain.capture import CaptureKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.standing import Voice
from edge_agent.errors import AmbiguousReference, FormRefused, FreeTextRefused, MalformedMessage, NotAllowed, UnknownScan
from edge_agent.ledger.inventory import open_inventory
from edge_agent.ledger.ledger import Ledger
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import NOON, a_scan_id, a_set_aside, an_acceptance, an_arrival, an_assessment, particulars
from edge_agent.testing.loopback import Keyring, Setting, loopback_site
from edge_agent.transport.keys import Consumer, Role
from edge_agent.wire.facts import standing_of
from edge_agent.wire.messages import ControlBody, VerdictBody, decode

SCAN, ASIDE = a_scan_id("a"), a_scan_id("b")
FOUND = {"what": "cigarettes", "where": "wall", "hs": "2402", "quantity": "20000 pieces", "concealment": "false-wall", "form": "loose"}


def in_loop(law):
    def test(tmp_path):
        asyncio.run(law(tmp_path))

    test.__name__ = law.__name__
    return test


@asynccontextmanager
async def site_with_scans(folder, setting=None):
    async with loopback_site(folder, setting) as site:
        await site.add(an_assessment(SCAN), a_set_aside(ASIDE))
        yield site


def control(**change):
    at = {"at": SystemClock().now().isoformat(), "office": "harbour-control"}
    return {"control_id": str(uuid.uuid4()), "scan_id": SCAN, "revision": 1, "conclusion": "found", "found": [FOUND], **at, **change}


def verdict(**change):
    officer = {"officer": "Officer 7", "at": SystemClock().now().isoformat()}
    return {"verdict_id": str(uuid.uuid4()), "scan_id": ASIDE, "revision": 1, "conclusion": "rescan", **officer, **change}


async def bodies(site, kind):
    return [body for row in await site.ledger.rows(0, 100, 1 << 20) if isinstance(body := decode(row.body), kind)]


@in_loop
async def test_a_control_result_is_committed_before_it_is_answered_and_stands_above_all(folder):
    async with site_with_scans(folder) as site:
        reply = await site.link(site.keys.collector).request("CONTROL", control())
        (row,) = await site.ledger.rows(2, 9, 1 << 20)
        body = decode(row.body)
        assert (reply.content["seq"], reply.content["fact_id"]) == (3, body.fact_id)
        assert row.topic == "ei1/harbour/gate-1/control/"
        assert (body.conclusion, body.office, body.submitted_by) == ("found", "harbour-control", "hq")
        assert [part.model_dump() for part in body.found] == [{**FOUND, "details": {}}]
        told = [decode(row.body) for row in await site.ledger.rows(0, 9, 1 << 20)]
        assert standing_of(body for body in told if body.scan_id == SCAN).voice is Voice.EXAMINATION


@in_loop
async def test_the_same_control_id_is_one_fact_whatever_is_said_with_it(folder):
    async with site_with_scans(folder) as site:
        link = site.link(site.keys.collector)
        first = control()
        answers = [
            (await link.request("CONTROL", asked)).content for asked in (first, first, {**first, "conclusion": "not-examined", "found": []})
        ]
        assert answers == [answers[0]] * 3
        assert len(await bodies(site, ControlBody)) == 1


@in_loop
async def test_a_scan_that_was_set_aside_can_be_examined(folder):
    async with site_with_scans(folder) as site:
        await site.link(site.keys.collector).request("CONTROL", control(scan_id=ASIDE, conclusion="nothing-found", found=[]))
        (body,) = await bodies(site, ControlBody)
        assert (body.scan_id, body.scanner) == (ASIDE, "gate-1")


@in_loop
async def test_a_console_sends_no_control_results(folder):
    async with site_with_scans(folder) as site:
        with pytest.raises(NotAllowed):
            await site.link(site.keys.console).request("CONTROL", control())
        assert not await bodies(site, ControlBody)


@in_loop
async def test_a_control_result_that_is_none_is_refused_and_leaves_no_row(folder):
    cases = [
        (control(scan_id=a_scan_id("nobody")), UnknownScan),
        (control(revision=2), UnknownScan),
        (control(scan_id=ASIDE, revision=2), UnknownScan),
        (control(found=[]), MalformedMessage),
        (control(conclusion="nothing-found"), MalformedMessage),
        (control(conclusion="maybe"), MalformedMessage),
        (control(found=[FOUND] * 33), MalformedMessage),
        (control(found=[{**FOUND, "finder": "x"}]), MalformedMessage),
        (control(at="2026-03-02T12:00:00"), MalformedMessage),
        (control(control_id="1"), MalformedMessage),
        (control(office="Mr Smith's office"), FreeTextRefused),
        *(
            (control(found=[{**FOUND, field: "Mr Smith"}]), FreeTextRefused)
            for field in ("what", "where", "quantity", "concealment", "form")
        ),
        (control(found=[{**FOUND, "hs": "24a"}]), FreeTextRefused),
        (control(found=[{**FOUND, "quantity": "12 kg of"}]), FreeTextRefused),
    ]
    async with site_with_scans(folder) as site:
        link = site.link(site.keys.collector)
        for content, problem in cases:
            with pytest.raises(problem):
                await link.request("CONTROL", content)
        assert (await site.ledger.head()).seq == 2


@in_loop
async def test_of_a_scan_set_aside_an_officer_can_only_ask_for_another_scan_or_refer_it(folder):
    async with site_with_scans(folder) as site:
        link = site.link(site.keys.console)
        for conclusion in ("suspicious", "not-suspicious"):
            with pytest.raises(UnknownScan):
                await link.request("VERDICT", verdict(conclusion=conclusion))
        for conclusion in ("rescan", "refer"):
            await link.request("VERDICT", verdict(conclusion=conclusion))
        rows = await site.ledger.rows(2, 9, 1 << 20)
        assert [row.topic for row in rows] == ["ei1/harbour/gate-1/verdict/", "ei1/harbour/gate-1/referral/"]


@in_loop
async def test_a_later_set_aside_revision_does_not_take_away_the_verdict_on_the_one_that_was_seen(folder):
    async with site_with_scans(folder) as site:
        await site.add(a_set_aside(SCAN, 2))
        link = site.link(site.keys.console)
        await link.request("VERDICT", verdict(scan_id=SCAN, conclusion="suspicious"))
        await link.request("VERDICT", verdict(scan_id=SCAN, revision=2))
        with pytest.raises(UnknownScan):
            await link.request("VERDICT", verdict(scan_id=SCAN, revision=3))


@in_loop
async def test_only_a_workstation_enrolled_for_it_speaks_for_supervisors(folder):
    keys = Keyring()
    consumers = [
        Consumer("console-1", keys.console.public, Role.CONSOLE),
        Consumer("office", keys.collector.public, Role.CONSOLE, supervisors=True),
    ]
    async with site_with_scans(folder, Setting(keys, consumers)) as site:
        asked = verdict(scan_id=SCAN, conclusion="suspicious", supervisor=True)
        with pytest.raises(NotAllowed):
            await site.link(keys.console).request("VERDICT", asked)
        office = site.link(keys.collector)
        assert (await office.request("HELLO", {"client": "t", "build": "0"})).content["you"]["supervisors"] is True
        await office.request("VERDICT", asked)
        await office.request("VERDICT", verdict(scan_id=SCAN, conclusion="suspicious"))
        assert [body.is_supervisor for body in await bodies(site, VerdictBody)] == [True, False]


FORM = {"form": "1.0", "irregularity": "smuggling", "methods": ["dog"], "disposal": "seized"}
COCAINE = {"what": "cocaine", "quantity": "12.5 kg", "form": "powder", "details": {"purity_percent": 71.5, "packaging": "bricks"}}


def enrolled(keys, **rights):
    return [
        Consumer("console-1", keys.console.public, Role.CONSOLE, **rights),
        Consumer("hq", keys.collector.public, Role.COLLECTOR, durable=True),
    ]


@in_loop
async def test_a_console_enrolled_for_it_enters_results_and_says_whose_they_are(folder):
    keys = Keyring()
    async with site_with_scans(folder, Setting(keys, enrolled(keys, controls=True))) as site:
        link = site.link(keys.console)
        assert (await link.request("HELLO", {"client": "t", "build": "0"})).content["you"]["controls"] is True
        with pytest.raises(NotAllowed):
            await link.request("CONTROL", control())
        await link.request("CONTROL", control(officer="Officer 7"))
        (body,) = await bodies(site, ControlBody)
        row = (await site.ledger.identities([body.officer]))[0]
        assert (row.kind, row.value, body.submitted_by) == ("officer", "Officer 7", "console-1")


@in_loop
async def test_an_admin_enters_no_results_whatever_the_allow_list_says(folder):
    keys = Keyring()
    consumers = [Consumer("admin", keys.console.public, Role.ADMIN, controls=True)]
    async with site_with_scans(folder, Setting(keys, consumers)) as site:
        with pytest.raises(NotAllowed):
            await site.link(keys.console).request("CONTROL", control(officer="Officer 7"))


@in_loop
async def test_the_form_and_its_version_travel_with_the_result(folder):
    async with site_with_scans(folder) as site:
        await site.link(site.keys.collector).request("CONTROL", control(**FORM, found=[COCAINE]))
        (body,) = await bodies(site, ControlBody)
        assert ("1.0", "smuggling", ["dog"], "seized") == (body.form, body.irregularity, body.methods, body.disposal)
        assert {"purity_percent": 71.5, "packaging": "bricks"} == body.found[0].details


@in_loop
async def test_a_result_that_does_not_answer_its_form_is_refused_by_name(folder):
    async with site_with_scans(folder) as site:
        link = site.link(site.keys.collector)
        with pytest.raises(FormRefused) as refused:
            await link.request("CONTROL", control(**FORM, found=[{**COCAINE, "details": {"sticks": 5}}]))
        assert {"found.0.sticks": "not-asked"} == refused.value.fields
        with pytest.raises(FormRefused):
            await link.request("CONTROL", control(form="1.0", found=[COCAINE]))
        with pytest.raises(FreeTextRefused):
            await link.request("CONTROL", control(found=[{"what": "cocaine", "details": {"finder": "Mr Smith"}}]))
        assert not await bodies(site, ControlBody)


@in_loop
async def test_remarks_lie_in_the_erasable_table_and_the_chain_bears_their_erasure(folder):
    said = "The driver, Mr Smith, said nothing."
    async with site_with_scans(folder) as site:
        await site.link(site.keys.collector).request("CONTROL", control(remarks=said))
        (body,) = await bodies(site, ControlBody)
        rows = await site.ledger.rows(0, 100, 1 << 20)
        assert not any(b"Smith" in row.body for row in rows)
        (row,) = await site.ledger.identities([body.remarks.token])
        assert ("remark", said, body.remarks.commitment) == (row.kind, row.value, row.commitment)
        await site.ledger.call(Ledger.erase, [body.remarks.token])
        assert (await site.ledger.identities([body.remarks.token]))[0].value is None
        assert await site.ledger.call(Ledger.verify) is None


async def accept(site, name, number, *, taken=NOON, kind=CaptureKind.LIVE, paper=None):
    """Accept a scan of a container, and give its identity."""
    values = [IdentityValue(IdentityClass.CONTAINER, number)] + ([IdentityValue(IdentityClass.DECLARATION, paper)] if paper else [])
    tokens = [row.token for row in await site.ledger.tokenise(values)]
    about = particulars((tokens[0],), kind=kind)
    declaration = replace(about.declaration, ref=tokens[1] if paper else None)
    about = replace(about, capture=replace(about.capture, taken_at=Stamp(taken, "", tz_assumed=False)), declaration=declaration)
    await site.ledger.call(Ledger.accept, [an_acceptance(an_arrival(name), about=about)])
    await site.add(an_assessment(a_scan_id(name)))
    return a_scan_id(name)


def of_number(number, kind="container", at=NOON + timedelta(days=1), **change):
    named = {"scan_id": None, "revision": None, "reference": {"kind": kind, "value": number}, "at": at.isoformat()}
    return {name: value for name, value in control(**named, **change).items() if value is not None}


@in_loop
async def test_a_container_number_names_its_newest_live_scan_before_the_examination(folder):
    async with loopback_site(folder, Setting(clock=ManualClock())) as site:
        await accept(site, "old", "MSCU1234565", taken=NOON - timedelta(days=3))
        newest = await accept(site, "new", "MSCU1234565", taken=NOON - timedelta(hours=2))
        await accept(site, "after", "MSCU1234565", taken=NOON + timedelta(days=2))
        await accept(site, "staged", "MSCU1234565", taken=NOON - timedelta(hours=1), kind=CaptureKind.STAGED)
        await accept(site, "other", "TGHU7654321", taken=NOON - timedelta(hours=1))
        await site.link(site.keys.collector).request("CONTROL", of_number("mscu 123456-5"))
        (body,) = await bodies(site, ControlBody)
        assert newest == body.scan_id
        assert not any(b"1234565" in row.body for row in await site.ledger.rows(0, 100, 1 << 20))


@in_loop
async def test_a_resend_by_number_is_a_no_op_whatever_was_scanned_since(folder):
    async with loopback_site(folder, Setting(clock=ManualClock())) as site:
        await accept(site, "first", "MSCU1234565", taken=NOON - timedelta(days=2))
        link, asked = site.link(site.keys.collector), of_number("MSCU1234565")
        before = (await link.request("CONTROL", asked)).content
        await accept(site, "late", "MSCU1234565", taken=NOON - timedelta(hours=1))
        assert before == (await link.request("CONTROL", asked)).content
        assert 1 == len(await bodies(site, ControlBody))


@in_loop
async def test_a_resend_without_a_revision_is_a_no_op_whatever_was_assessed_since(folder):
    async with site_with_scans(folder) as site:
        link = site.link(site.keys.collector)
        asked = {name: value for name, value in control().items() if name != "revision"}
        before = (await link.request("CONTROL", asked)).content
        await site.add(an_assessment(SCAN, 2))
        assert before == (await link.request("CONTROL", asked)).content
        await link.request("CONTROL", {**asked, "control_id": str(uuid.uuid4())})
        assert [1, 2] == [body.revision for body in await bodies(site, ControlBody)]


@in_loop
async def test_a_declaration_names_its_scan_only_where_that_is_one_subject(folder):
    async with loopback_site(folder, Setting(clock=ManualClock())) as site:
        link = site.link(site.keys.collector)
        first = await accept(site, "first", "MSCU1234565", taken=NOON - timedelta(hours=3), paper="26IN0001")
        await link.request("CONTROL", of_number("26IN0001", "declaration"))
        assert [first] == [body.scan_id for body in await bodies(site, ControlBody)]
        await accept(site, "second", "TGHU7654321", taken=NOON - timedelta(hours=2), paper="26IN0001")
        with pytest.raises(AmbiguousReference):
            await link.request("CONTROL", of_number("26IN0001", "declaration"))


@in_loop
async def test_a_number_that_names_no_scan_here_is_refused_and_enters_no_table(folder):
    async with loopback_site(folder, Setting(clock=ManualClock())) as site:
        await accept(site, "long-ago", "MSCU1234565", taken=NOON - timedelta(days=100))
        link = site.link(site.keys.collector)
        for asked in (of_number("MSCU1234565"), of_number("TGHU7654321"), of_number("MSCU1234565", "parcel")):
            with pytest.raises(UnknownScan):
                await link.request("CONTROL", asked)
        for wrong in ({"scan_id": SCAN}, {"revision": 1}):
            with pytest.raises(MalformedMessage):
                await link.request("CONTROL", {**of_number("MSCU1234565"), **wrong})
        with pytest.raises(MalformedMessage):
            await link.request("CONTROL", {name: value for name, value in control().items() if name != "scan_id"})
        (count,) = await site.ledger.call(Ledger.transact, lambda db: db.execute("SELECT count(*) FROM identity").fetchone())
        assert 1 == count


@in_loop
async def test_what_was_remarked_is_kept_as_long_as_its_scan_and_counts_as_named_by_it(folder):
    async with loopback_site(folder, Setting(clock=ManualClock())) as site:
        scan = await accept(site, "first", "MSCU1234565", taken=NOON - timedelta(hours=1))
        await site.link(site.keys.collector).request("CONTROL", of_number("MSCU1234565", remarks="in the tank", officer="Officer 7"))
        (body,) = await bodies(site, ControlBody)
        with open_inventory(folder) as inventory:
            holding = inventory.of([scan])[scan]
        assert {body.remarks.token, body.officer} <= holding.tokens
