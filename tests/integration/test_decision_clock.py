"""The decision clock in the site: what nobody decides in time is referred, once, and never cleared; a restart forgets nothing."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

from edge_agent.agent.lanes import Lane
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.referring import Referring
from edge_agent.domain.assessment import FactKind
from edge_agent.domain.ids import FactId, ScanId, ScannerId, SiteId, fact_id
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Entry
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SITE
from edge_agent.testing.site_journal import assessment, scan_named
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import CodeParams, ControlBody, ReferralBody, VerdictBody, decode, encode

CLOCK_S = 300


def entry_of(body):
    where = topic(SiteId(body.site), ScannerId(body.scanner) if body.scanner else None, body.kind)
    return Entry(FactId(body.fact_id), ScanId(body.scan_id), FactKind(body.kind), where, encode(body))


class AtTheSite:
    """A ledger with the clock's helper over it."""

    def __init__(self, ledger, clock):
        self.ledger = ledger
        self.clock = clock
        self.rings = 0
        self.restart()

    def restart(self):
        self.referring = Referring(self.ledger, SITE, self.clock, self.ring)

    def ring(self):
        self.rings += 1

    async def add(self, *bodies):
        for body in bodies:
            await self.ledger.append(entry_of(body))

    async def after(self, seconds):
        self.clock.advance(seconds)
        await self.referring.step()
        rows = await self.ledger.rows(0, 500, 1 << 24)
        return [body for body in (decode(row.body) for row in rows) if isinstance(body, ReferralBody) and body.officer is None]

    def judged(self, name, conclusion="alert", **more):
        decide_by = None if conclusion == "no-alert" else self.clock.now() + timedelta(seconds=CLOCK_S)
        return assessment(SITE, name, conclusion, self.clock.now(), decide_by=decide_by, **more)

    def verdict(self, name, conclusion="not-suspicious", revision=1, order="assisted", cause="v1"):
        scan = scan_named(SITE, name)
        return VerdictBody(
            fact_id=fact_id(scan, "verdict", revision, cause), site=SITE, scanner="gate-1", scan_id=scan, revision=revision, cause=cause,
            produced_at=self.clock.now(), conclusion=conclusion, officer="ab" * 16, workstation="console-1", is_supervisor=False,
            reasons=[CodeParams(code="documents-checked")], decided_at=self.clock.now(), order=order,
        )  # fmt: skip

    def control(self, name, conclusion):
        scan = scan_named(SITE, name)
        return ControlBody(
            fact_id=fact_id(scan, "control", 1, conclusion), site=SITE, scanner="gate-1", scan_id=scan, revision=1, cause=conclusion,
            produced_at=self.clock.now(), conclusion=conclusion, found=[], office="north",
        )  # fmt: skip


@asynccontextmanager
async def a_site(folder):
    lane, clock = Lane("ledger"), ManualClock()
    ledger = await lane.run(Ledger.open, folder / "ledger.db", SITE, clock)
    try:
        yield AtTheSite(LedgerLane(ledger, lane), clock)
    finally:
        await lane.run(ledger.close)
        lane.close()


def in_loop(law):
    def test(tmp_path):
        async def run():
            async with a_site(tmp_path) as site:
                await law(site)

        asyncio.run(run())

    test.__name__ = law.__name__
    return test


@in_loop
async def test_an_alert_nobody_decides_is_referred_by_the_clock_once(site):
    await site.add(site.judged("a"))
    assert await site.after(CLOCK_S - 1) == []
    (referral,) = await site.after(1)
    assert (referral.scan_id, referral.revision, referral.reason.code) == (scan_named(SITE, "a"), 1, "decision-clock")
    assert referral.workstation is None
    assert len(await site.after(3600)) == 1
    assert site.rings == 1


@in_loop
async def test_what_the_machine_could_not_judge_waits_too_and_what_it_passed_does_not(site):
    await site.add(site.judged("dark", "unassessable"), site.judged("clear", "no-alert"))
    assert [one.scan_id for one in await site.after(CLOCK_S)] == [scan_named(SITE, "dark")]


@in_loop
async def test_a_decision_in_time_stops_the_clock(site):
    names = ("a", "b", "c", "d")
    await site.add(*(site.judged(name) for name in names))
    await site.add(site.verdict("a"), site.verdict("b", "suspicious"), site.verdict("c", "rescan"), site.control("d", "found"))
    assert await site.after(CLOCK_S) == []


@in_loop
async def test_a_decision_between_two_looks_counts_although_the_scan_was_seen_to_wait(site):
    await site.add(site.judged("a"))
    assert await site.after(1) == []
    await site.add(site.verdict("a"))
    assert await site.after(CLOCK_S) == []


@in_loop
async def test_an_examination_that_did_not_take_place_answers_nothing(site):
    await site.add(site.judged("a"), site.control("a", "not-examined"))
    assert len(await site.after(CLOCK_S)) == 1


@in_loop
async def test_a_word_on_an_older_revision_is_stale_and_the_new_clock_runs(site):
    await site.add(site.judged("a"))
    site.clock.advance(10)
    scan = scan_named(SITE, "a")
    newer = site.judged("a", revision=2, fact_id=fact_id(scan, "assessment", 2, "pixels"))
    await site.add(newer, site.verdict("a", revision=1))
    assert await site.after(CLOCK_S - 10) == []  # the first clock went with the first revision
    (referral,) = await site.after(10)
    assert referral.revision == 2


@in_loop
async def test_a_blind_word_against_an_alert_does_not_stop_the_clock_until_it_is_confirmed(site):
    await site.add(site.judged("a"), site.verdict("a", order="blind-first"))
    await site.add(site.judged("b"), site.verdict("b", order="blind-first"), site.verdict("b", order="after-reveal", cause="v2"))
    await site.add(site.judged("c"), site.verdict("c", "suspicious", order="blind-first"))
    await site.add(site.judged("d", "unassessable"), site.verdict("d", order="blind-first"))
    assert [one.scan_id for one in await site.after(CLOCK_S)] == [scan_named(SITE, "a")]


@in_loop
async def test_a_restart_takes_up_what_waited_and_refers_nothing_twice(site):
    await site.add(site.judged("before"), site.judged("decided"), site.verdict("decided"))
    assert await site.after(1) == []
    site.restart()
    assert [one.scan_id for one in await site.after(CLOCK_S)] == [scan_named(SITE, "before")]
    site.restart()
    assert len(await site.after(1)) == 1


@in_loop
async def test_scans_become_due_in_the_order_of_their_clocks_not_of_the_journal(site):
    late = site.judged("late")
    early = site.judged("early").model_copy(update={"decide_by": site.clock.now() + timedelta(seconds=60)})
    await site.add(late, early)
    assert [one.scan_id for one in await site.after(60)] == [scan_named(SITE, "early")]
    assert len(await site.after(CLOCK_S)) == 2


@in_loop
async def test_more_rows_than_one_look_takes_hide_nothing(site):
    await site.add(*(site.judged(f"s{number}", "no-alert") for number in range(30)), site.judged("last"))
    from edge_agent.ledger import undecided

    before, undecided.WINDOW = undecided.WINDOW, 7
    try:
        assert [one.scan_id for one in await site.after(CLOCK_S)] == [scan_named(SITE, "last")]
    finally:
        undecided.WINDOW = before
