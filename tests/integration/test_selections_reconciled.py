"""Lists and numberings against a real ledger: what is missing becomes a fact once, whatever comes in which order."""

import asyncio
import json
from contextlib import closing
from datetime import timedelta

import pytest

from edge_agent.agent.accepting import Intake
from edge_agent.agent.decoders import Decoders
from edge_agent.agent.lanes import Lane
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.maps import MapStore
from edge_agent.agent.selection_lists import SelectionLists
from edge_agent.agent.selections import Reconciliation
from edge_agent.agent.storage import Storage
from edge_agent.cli.main import main
from edge_agent.domain.arrival import NewRevision, NewScan
from edge_agent.domain.capture import Selection
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.intake.spool import Spool
from edge_agent.ledger.blobs import BlobStore
from edge_agent.ledger.ledger import Ledger
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.drops import cargo_profile
from edge_agent.testing.factories import SCANNER, SITE, a_scan_id, an_acceptance, an_arrival, particulars

HEAD = "container,scanner,reason,campaign,selected_at,due\n"
HOUR = 3600.0


class Site:
    def __init__(self, folder, ledger, lanes, clock):
        self.folder, self.ledger, self.lanes, self.clock = folder, ledger, lanes, clock
        self.file = folder / "list.csv"
        self.start()

    def start(self, number=""):
        """As a new process would."""
        storage = Storage(
            LedgerLane(self.ledger, self.lanes[0]), Spool(self.folder / "spool"), MapStore(BlobStore(self.folder / "b")), self.folder, None
        )
        self.lists = SelectionLists(self.file, None, timedelta(hours=24))
        intake = Intake(SITE, storage, Decoders([]), self.lanes[1], None, self.clock, asyncio.Lock(), self.lists)
        profile = cargo_profile()
        object.__setattr__(profile, "number", number)
        self.reconciliation = Reconciliation(intake, {SCANNER: profile}, timedelta(hours=1))

    def write(self, *lines):
        self.file.write_text(HEAD + "".join(f"{line}\n" for line in lines))

    def scan(self, name, number, kind=IdentityClass.CONTAINER):
        (row,) = self.ledger.tokenise([IdentityValue(kind, number)])
        self.ledger.accept([an_acceptance(an_arrival(name), NewScan(a_scan_id(name), None), particulars((row.token,)))])

    def look(self, hours=0.0):
        self.clock.advance(hours * HOUR)
        return asyncio.run(self.reconciliation.look())

    def audits(self):
        bodies = [json.loads(row.body) for row in self.ledger.rows(0, 5000, 1 << 26)]
        return [(body["event"]["code"], body["event"]["params"]) for body in bodies if body["kind"] == "audit"]

    def value(self, token):
        return self.ledger.identities([token])[0].value


@pytest.fixture
def site(tmp_path):
    clock = ManualClock()
    ledger = Ledger.open(tmp_path / "ledger.db", SITE, clock)
    lanes = (Lane("ledger"), Lane("spool"))
    with closing(lanes[1]), closing(lanes[0]):
        yield Site(tmp_path, ledger, lanes, clock)
        lanes[0].finish(ledger.close)


def line(number, due="2026-03-02T14:00:00Z", reason="targeted", scanner=""):
    return f"{number},{scanner},{reason},R-7,2026-03-02T11:00:00Z,{due}"


def test_what_was_not_scanned_in_time_becomes_one_fact_with_its_token_and_not_its_number(site):
    site.write(line("CSQU3054383"), line("ZZZU6304941", reason="random"))
    site.scan("a", "csqu 305438-3")
    assert 0 == site.look()
    assert 1 == site.look(hours=3)
    assert 0 == site.look(hours=1)
    ((code, params),) = site.audits()
    assert ("selected-not-scanned", "random", "R-7") == (code, params["reason"], params["campaign"])
    assert "ZZZU6304941" == site.value(params["token"])
    assert b"ZZZU" not in b"".join(row.body for row in site.ledger.rows(0, 5000, 1 << 26))


def test_a_number_that_comes_with_the_second_revision_settles_the_selection(site):
    site.write(line("CSQU3054383"))
    site.ledger.accept([an_acceptance(an_arrival("a"), NewScan(a_scan_id("a"), None), particulars(()))])
    (row,) = site.ledger.tokenise([IdentityValue(IdentityClass.CONTAINER, "CSQU3054383")])
    site.ledger.accept([an_acceptance(an_arrival("a"), NewRevision(a_scan_id("a"), 2), particulars((row.token,)))])
    assert (0, 0) == (site.look(), site.look(hours=3))
    assert [] == site.audits()


def test_nothing_is_said_twice_after_a_restart_and_what_was_pending_is_still_awaited(site):
    site.write(line("CSQU3054383"), line("ZZZU6304941", due="2026-03-02T20:00:00Z"))
    site.look()
    site.look(hours=3)
    site.file.unlink()  # the list was rotated away
    for _ in range(2):
        site.start()
        assert 0 == site.look()
    assert 1 == site.look(hours=8)
    assert ["selected-not-scanned"] * 2 == [code for code, _ in site.audits()]


def test_a_scan_that_comes_late_is_found(site):
    site.write(line("CSQU3054383"))
    site.look()
    site.look(hours=3)
    site.scan("a", "CSQU3054383")
    assert 1 == site.look()
    code, params = site.audits()[-1]
    assert ("selected-found-late", a_scan_id("a")) == (code, params["scan_id"])
    site.start()
    site.scan("b", "CSQU3054383")
    assert 0 == site.look(hours=1)


def test_a_list_that_comes_after_its_scan_finds_it(site):
    site.scan("a", "CSQU3054383")
    site.file.write_text(HEAD)
    site.look(hours=0.5)
    site.write(line("CSQU3054383"))
    assert 0 == site.look(hours=0.5)
    assert 0 == site.look(hours=9)


def test_a_list_that_comes_after_its_due_time_says_what_is_missing_only(site):
    site.scan("a", "CSQU3054383")
    site.write(line("CSQU3054383"), line("ZZZU6304941"))
    assert 1 == site.look(hours=9)
    assert ["ZZZU6304941"] == [site.value(params["token"]) for _, params in site.audits()]


def test_another_scanner_does_not_settle_a_selection(site):
    site.write(line("CSQU3054383", scanner="other"))
    site.scan("a", "CSQU3054383")
    site.look()
    assert 1 == site.look(hours=3)


def test_a_broken_list_is_told_and_the_lines_of_before_count(site):
    site.write(line("CSQU3054383"))
    site.look()
    site.write(line("CSQU3054383"), line("X", reason="guess"))
    assert 0 == site.look()
    assert site.lists.problem is not None
    assert "line 3" in site.lists.problem.detail
    assert 1 == site.look(hours=3)
    site.write(line("CSQU3054383"))
    site.look()
    assert site.lists.problem is None


def test_an_erased_number_is_not_awaited_any_more(site):
    site.write(line("CSQU3054383"))
    site.look()
    (one,) = site.lists.listed
    site.ledger.erase([one.token])
    site.file.unlink()
    site.start()
    assert 0 == site.look(hours=3)


def test_the_reason_on_the_list_is_that_of_the_scan(site):
    site.write(line("CSQU3054383", reason="random"))
    site.look()
    read = [IdentityValue(IdentityClass.CONTAINER, "CSQU3054383")]
    assert Selection.RANDOM is site.lists.reason_for(read, SCANNER, site.clock.now())
    assert site.lists.reason_for([], SCANNER, site.clock.now()) is None


def test_five_of_five_hundred_removed_before_pick_up_are_named(site, capsys):
    numbers = [f"T{number:06d}" for number in range(500)]
    removed = set(numbers[17::100])
    assert 5 == len(removed)
    site.write(*(line(number) for number in numbers))
    site.look()
    for number in numbers:
        if number not in removed:
            site.scan(number, number)
    site.look()
    assert 5 == site.look(hours=3)
    assert removed == {site.value(params["token"]) for code, params in site.audits() if code == "selected-not-scanned"}
    capsys.readouterr()
    assert 1 == main(["selections", "--state-dir", str(site.folder), "--json"])
    assert removed == {one["number"] for one in json.loads(capsys.readouterr().out)}
    assert 1 == main(["selections", "--state-dir", str(site.folder)])
    shown = capsys.readouterr().out
    assert all(number in shown for number in removed)
    assert "495 scanned, 5 missed" in shown


def test_a_gap_in_the_scanners_numbers_becomes_a_fact_and_its_late_number_another(site):
    site.file.write_text(HEAD)
    site.start(number="^(?P<number>[0-9]+)$")
    for name in ("7", "8", "11"):
        site.scan(name, f"T{name}")
    assert 0 == site.look()
    assert 2 == site.look(hours=2)
    assert [("numbering-gap", 9), ("numbering-gap", 10)] == [(code, params["number"]) for code, params in site.audits()]
    site.scan("10", "T10")
    assert 1 == site.look()
    assert ("numbering-gap-closed", a_scan_id("10")) == (site.audits()[-1][0], site.audits()[-1][1]["scan_id"])
    for _ in range(2):
        site.start(number="^(?P<number>[0-9]+)$")
        assert 0 == site.look(hours=3)
    assert 3 == len(site.audits())
