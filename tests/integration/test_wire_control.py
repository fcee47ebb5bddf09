"""CONTROL, and verdicts on scans that nobody saw: who may say what, once, in words of the catalogue."""

import asyncio
import uuid
from contextlib import asynccontextmanager

import pytest

from edge_agent.domain.standing import Voice
from edge_agent.errors import FreeTextRefused, MalformedMessage, NotAllowed, UnknownScan
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.factories import a_scan_id, a_set_aside, an_assessment
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
        assert [part.model_dump() for part in body.found] == [FOUND]
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
