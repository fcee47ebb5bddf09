"""UNDECIDED over real sockets: every scan about which a person is still to speak, however old, and no other."""

import asyncio

import pytest

from edge_agent.errors import NotAllowed
from edge_agent.ledger import queries
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.queries import Budget
from edge_agent.telemetry.clock import SystemClock
from edge_agent.testing.factories import SITE, a_scan_id, a_verdict, an_assessment, an_audit
from edge_agent.testing.loopback import loopback_site
from edge_agent.wire.messages import decode

ROOMY = Budget(500, 1 << 20)
ALERTS = [a_scan_id(name) for name in "abcdefgh"]
DECIDED = {ALERTS[1], ALERTS[4]}
WAITING = [scan for scan in reversed(ALERTS) if scan not in DECIDED]


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.db", SITE, SystemClock())
    for scan in ALERTS:
        ledger.append(an_assessment(scan, conclusion="alert"))
        ledger.append(an_assessment(a_scan_id(f"calm {scan}")))
        ledger.append(an_audit(f"look {scan}", "viewed", scan))
    for scan in DECIDED:
        ledger.append(a_verdict(scan))
    yield ledger
    ledger.close()


def pages(ledger, most, starts=()):
    """Every page from the head back."""
    before, found = ledger.head().seq + 1, []
    while True:
        page = ledger.queries.undecided(before, starts, most, ROOMY)
        found.append(page)
        assert page.after < before
        if page.after < page.head.first:
            return found
        before = page.after + 1


@pytest.mark.parametrize("most", [1, 2, 3, 50])
@pytest.mark.parametrize("window", [1, 4, 2_000])
def test_pages_of_any_size_tell_of_the_same_scans_newest_first(ledger, monkeypatch, most, window):
    monkeypatch.setattr(queries, "_LOOKED_BACK", window)
    found = pages(ledger, most)
    assert [scan for page in found for scan in page.scans] == WAITING
    for page in found:
        assert {decode(row.body).scan_id for row in page.rows} == set(page.scans)
        assert [row.seq for row in page.rows] == sorted(row.seq for row in page.rows)


def test_names_come_without_rows(ledger):
    (page,) = pages(ledger, 0)
    assert (list(page.scans), page.rows) == (WAITING, ())


def test_a_scan_judged_again_counts_where_it_was_judged_last(ledger):
    again = ledger.append(an_assessment(ALERTS[0], 2, conclusion="alert")).seq
    assert ledger.queries.undecided(again, (), 50, ROOMY).scans == tuple(scan for scan in WAITING if scan != ALERTS[0])
    assert ledger.queries.undecided(again + 1, (), 50, ROOMY).scans[0] == ALERTS[0]


def test_verdicts_end_the_waiting(ledger):
    for scan in WAITING:
        ledger.append(a_verdict(scan))
    (page,) = pages(ledger, 50)
    assert page.scans == ()


def test_topics_leave_others_out(ledger):
    assert [scan for page in pages(ledger, 50, ("ei1/elsewhere/",)) for scan in page.scans] == []


def test_rows_that_fit_in_no_answer_leave_the_name(ledger):
    page = ledger.queries.undecided(ledger.head().seq + 1, (), 50, Budget(500, 10))
    assert (page.scans, page.rows) == ((WAITING[0],), ())


def test_an_empty_journal_has_none(tmp_path):
    ledger = Ledger.open(tmp_path / "empty.db", SITE, SystemClock())
    page = ledger.queries.undecided(1, (), 50, ROOMY)
    ledger.close()
    assert (page.scans, page.after < page.head.first) == ((), True)


def test_a_console_is_told_and_a_collector_is_not(tmp_path):
    async def law():
        async with loopback_site(tmp_path) as site:
            await site.add(an_assessment(ALERTS[0], conclusion="alert"))
            reply = await site.link(site.keys.console).request("UNDECIDED", {"before": 2})
            assert (reply.content["scans"], reply.content["n"], len(reply.rows)) == ([ALERTS[0]], 1, 1)
            assert reply.content["after"] < reply.content["first"]
            with pytest.raises(NotAllowed):
                await site.link(site.keys.collector).request("UNDECIDED", {"before": 2})

    asyncio.run(law())
