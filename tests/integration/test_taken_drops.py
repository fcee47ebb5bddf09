"""What was taken and lies in the folder no more is forgotten by the process and not by the ledger: memory follows the folder."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.domain.ids import DropKey, ScannerId
from edge_agent.intake.grouping import group
from edge_agent.intake.look import Folder, look
from edge_agent.intake.reconcile import read_folder
from edge_agent.ledger.ledger import Ledger
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.drops import picture_profile
from edge_agent.testing.factories import SITE, an_acceptance, an_arrival

SCANNER = ScannerId("gate-1")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    watch = tmp_path / "scans"
    watch.mkdir()
    for name in ("a", "b"):
        (watch / f"{name}.png").write_bytes(name.encode())
    return Folder(SCANNER, watch, picture_profile())


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "ledger.db", SITE, ManualClock())) as ledger:
        yield ledger


def test_a_look_names_the_taken_drops_that_are_gone_and_no_others(folder: Folder) -> None:
    drops = group(SCANNER, read_folder(folder.watch, folder.profile.ignores), folder.profile)
    seen = {drop.key: drop.fingerprint for drop in drops}
    clock = ManualClock()
    assert () == look(folder, seen, {}, clock.monotonic).gone
    (folder.watch / "a.png").unlink()
    assert (DropKey("a"),) == look(folder, seen, {}, clock.monotonic).gone
    assert () == look(folder, {DropKey("b"): seen[DropKey("b")]}, {}, clock.monotonic).gone


def test_the_ledger_knows_a_taken_drop_by_its_fingerprint_as_long_as_it_is_unchanged(ledger: Ledger) -> None:
    acceptance = an_acceptance(an_arrival("a"))
    ledger.accept([acceptance])
    scanner, taken = acceptance.arrival.scanner, (DropKey("a"), acceptance.fingerprint)
    rewritten = (DropKey("a"), (("a.png", 1, 2),))
    assert [DropKey("a")] == ledger.forgotten(scanner, [taken, (DropKey("b"), acceptance.fingerprint)])
    assert [] == ledger.forgotten(scanner, [rewritten])
    assert [] == ledger.forgotten(ScannerId("another"), [taken])
