"""Declarations that come late or are amended make metadata revisions of the scans they belong to, once, and of no others."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge_agent.agent.accepting import Intake
from edge_agent.agent.amendments import Amendments
from edge_agent.agent.declarations import Declarations, DeclarationsFile
from edge_agent.agent.decoders import Decoders
from edge_agent.agent.lanes import Lane
from edge_agent.agent.ledger_lane import LedgerLane
from edge_agent.agent.maps import MapStore
from edge_agent.agent.storage import Storage
from edge_agent.domain.arrival import MetadataRevision, NewScan
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import DropKey
from edge_agent.intake.spool import Spool
from edge_agent.ledger.blobs import BlobStore
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Job, JobKind
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import NOON, SITE, a_scan_id, a_set_aside, an_acceptance, an_arrival, particulars

HEADING = "container,hs,description,ref\n"
NUMBER = "ZZZU6304941"
WINDOW = timedelta(days=7)


class Site:
    """A ledger with accepted scans, a declarations file, and the loop that watches it."""

    def __init__(self, folder: Path, ledger: Ledger, lanes: tuple[Lane, Lane]) -> None:
        self.file = folder / "goods.csv"
        self.file.write_text(HEADING)
        self.ledger = ledger
        self.told = 0
        storage = Storage(LedgerLane(ledger, lanes[0]), Spool(folder / "spool"), MapStore(BlobStore(folder / "blobs")), folder, None)
        declarations = Declarations(DeclarationsFile(self.file))
        clock = ManualClock()
        self.clock = clock
        self.intake = Intake(SITE, storage, Decoders([]), lanes[1], declarations, clock, asyncio.Lock())
        self.amendments = Amendments(self.intake, declarations, WINDOW)
        self.amendments.announce_to(self._tell)

    def _tell(self) -> None:
        self.told += 1

    def scan(self, name: str, number: str) -> None:
        """Accept a scan whose side-car declared 0202 and read ``number``."""
        (row,) = self.ledger.tokenise([IdentityValue(IdentityClass.CONTAINER, number)])
        arrival = an_arrival(name)
        self.ledger.accept([an_acceptance(arrival, NewScan(a_scan_id(name), None), particulars((row.token,)))])

    def look(self) -> int:
        return asyncio.run(self.amendments.look())

    def newest(self, name: str) -> Job:
        (job,) = [job for job in self.ledger.newest_since(NOON - WINDOW) if job.scan_id == a_scan_id(name)]
        return job


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    ledger = Ledger.open(tmp_path / "ledger.db", SITE, ManualClock())
    lanes = (Lane("ledger"), Lane("spool"))
    with closing(lanes[1]), closing(lanes[0]):
        yield Site(tmp_path, ledger, lanes)
        lanes[0].finish(ledger.close)


def headings(job: Job) -> tuple[str, ...]:
    return job.particulars.declaration.headings if job.particulars.declaration is not None else ()


def test_a_late_declaration_is_concluded_again_without_new_pixels(site: Site) -> None:
    site.scan("a", NUMBER)
    site.scan("b", "ZZZU3307660")
    assert (0, 0) == (site.look(), site.told)
    site.file.write_text(HEADING + f"{NUMBER},4011,tyres,D-9\n")
    assert (1, 1) == (site.look(), site.told)
    job = site.newest("a")
    assert (JobKind.RECONCLUDE, 1, 1) == (job.kind, job.revision, job.metadata_revision)
    declaration = job.particulars.declaration
    assert declaration is not None
    assert (("4011",), "declarations", 1.0) == (headings(job), declaration.source, declaration.link.score)
    assert site.ledger.identities([declaration.ref or job.particulars.subject.identifiers[0]])[0].value == "D-9"
    assert (JobKind.ASSESS, 0) == (site.newest("b").kind, site.newest("b").metadata_revision)


def test_the_same_declaration_again_changes_nothing(site: Site) -> None:
    site.scan("a", NUMBER)
    site.file.write_text(HEADING + f"{NUMBER},4011,tyres,\n")
    assert site.look() == 1
    assert site.look() == 0
    site.file.write_text(HEADING + f"\n{NUMBER},4011,tyres,\nOTHER,0207,poultry,\n")
    assert site.look() == 0


def test_an_amended_declaration_counts_and_a_withdrawn_one_leaves_what_was_concluded(site: Site) -> None:
    site.scan("a", NUMBER)
    for text, expected in (
        (f"{NUMBER},4011,tyres,\n", (1, ("4011",))),
        (f"{NUMBER},0303,fish,\n", (1, ("0303",))),
        ("", (0, ("0303",))),
    ):
        site.file.write_text(HEADING + text)
        assert expected == (site.look(), headings(site.newest("a")))
    assert site.newest("a").metadata_revision == 2


def test_a_misread_number_links_weakly_or_strongly_as_the_digits_say(site: Site) -> None:
    site.scan("a", "ZZZU63O4941")
    site.file.write_text(HEADING + f"{NUMBER},4011,tyres,\n")
    assert site.look() == 1
    declaration = site.newest("a").particulars.declaration
    assert declaration is not None
    assert (0.8, "corrected") == (declaration.link.score, declaration.link.basis)


def test_a_set_aside_scan_is_left_alone(site: Site) -> None:
    site.scan("aside", NUMBER)
    site.ledger.set_aside(site.newest("aside").job_id, a_set_aside("aside"), "unreadable-scan")
    site.scan("other", NUMBER)
    site.file.write_text(HEADING + f"{NUMBER},4011,tyres,\n")
    assert (1, ("4011",)) == (site.look(), headings(site.newest("other")))


def test_an_erased_number_links_to_nothing_any_more(site: Site) -> None:
    site.scan("a", NUMBER)
    site.ledger.erase(site.newest("a").particulars.subject.identifiers)
    site.file.write_text(HEADING + f"{NUMBER},4011,tyres,\n")
    assert site.look() == 0


@pytest.mark.parametrize(("after", "expected"), [(WINDOW, 1), (WINDOW + timedelta(seconds=1), 0)])
def test_a_scan_is_linked_anew_only_within_the_revision_window(site: Site, after: timedelta, expected: int) -> None:
    site.scan("a", NUMBER)
    site.clock.advance(after.total_seconds())
    site.file.write_text(HEADING + f"{NUMBER},4011,tyres,\n")
    assert expected == site.look()


def test_a_broken_file_changes_nothing_and_the_mended_one_counts(site: Site) -> None:
    site.scan("a", NUMBER)
    site.file.write_text(HEADING + f"{NUMBER},meat,tyres,\n")
    assert site.look() == 0
    site.file.write_text(HEADING + f"{NUMBER},4011,tyres,\n")
    assert (1, ("4011",)) == (site.look(), headings(site.newest("a")))


def test_what_its_own_folder_brought_meanwhile_is_not_overwritten(site: Site) -> None:
    site.scan("a", NUMBER)
    before = site.newest("a")
    side_car = replace(before.particulars, partial=("low",))
    decision = MetadataRevision(a_scan_id("a"), 1, 1)
    site.ledger.accept([an_acceptance(replace(an_arrival("a"), drop_key=DropKey("a")), decision, side_car)])
    site.file.write_text(HEADING + f"{NUMBER},4011,tyres,\n")
    assert asyncio.run(site.amendments._amend([before])) == 0
    assert site.look() == 1
    assert (2, ("low",)) == (site.newest("a").metadata_revision, site.newest("a").particulars.partial)
