"""Files outside SQLite reach the disk in the order that a power cut cannot spoil: content synced, then named, then the folder synced."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edge_agent.agent.results import write_results
from edge_agent.cli.journal_files import export
from edge_agent.domain.ids import ScanId, Seq
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.formats.package import write_package
from edge_agent.intake.spool import Placement, Spool, Spooled
from edge_agent.ledger.backup import back_up, restore
from edge_agent.ledger.blobs import BlobStore
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.reader import LedgerReader
from edge_agent.signing.keys import SigningKey
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SCANNER, SITE, a_capture, a_scan_id, an_assessment, an_audit, particulars

SCAN = ScanId("0f3a3c52-0000-5000-8000-000000000001")


@dataclass(frozen=True)
class Call:
    """One system call that matters. ``size``: of the file at that moment, -1 for folders."""

    what: str
    path: str
    target: str = ""
    size: int = -1


class Recorder:
    """Writes down what is synced and renamed, in order."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls: list[Call] = []
        fsync, rename = os.fsync, os.rename

        def recorded_fsync(descriptor: int) -> None:
            path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
            size = -1 if Path(path).is_dir() else os.fstat(descriptor).st_size
            fsync(descriptor)
            self.calls.append(Call("fsync", path, size=size))

        def recorded_rename(source: str, target: str, **more: int) -> None:
            rename(source, target, **more)
            self.calls.append(Call("rename", str(source), str(target)))

        patch.setattr(os, "fsync", recorded_fsync)
        patch.setattr(os, "rename", recorded_rename)

    def check(self, path: Path) -> None:
        """Hold the calls that brought ``path`` (a file, or a folder of files) to its place against the order."""
        named = max(number for number, call in enumerate(self.calls) if call.what == "rename" and call.target == str(path))
        source = self.calls[named].path
        before, after = self.calls[:named], self.calls[named + 1 :]
        contents = [(source, path)] if path.is_file() else [(f"{source}/{file.name}", file) for file in path.iterdir()]
        for written, file in contents:
            assert Call("fsync", written, size=file.stat().st_size) in before, f"{file.name} was named before its content was synced"
        if path.is_dir():
            assert any(call.what == "fsync" and call.path == source for call in before), "the names inside were not synced"
        assert any(call.what == "fsync" and call.path == str(path.parent) for call in after), "the new name was not synced"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    with monkeypatch.context() as patch:
        yield Recorder(patch)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    ledger = Ledger.open(tmp_path / "ledger.db", SITE, ManualClock())
    ledger.append(an_audit())
    ledger.close()
    return tmp_path / "ledger.db"


def test_a_blob(tmp_path: Path, calls: Recorder) -> None:
    digest, _ = BlobStore(tmp_path / "blobs").put(b"pixels")
    calls.check(tmp_path / "blobs" / digest[:2] / digest)
    assert any(call.path == str(tmp_path / "blobs") for call in calls.calls), "the blob's folder was not synced into its parent"


def test_a_package_and_the_folders_of_its_day(tmp_path: Path, calls: Recorder) -> None:
    out = write_package(a_scan(), (), tmp_path / "packages/2026/03/02/a.scan.zip").path
    calls.check(out)
    named = [call.path for call in calls.calls if call.what == "fsync"]
    places = [named.index(str(folder)) for folder in reversed(out.parents) if folder.is_relative_to(tmp_path) and folder != out.parent]
    assert places == sorted(places), "a folder was named before the one that it lies in"


def a_scan() -> Scan:
    top = View("top", (Plane(Quantity.DISPLAY, Energy.SINGLE, np.full((8, 8), 7, np.uint8)),), None)
    return Scan(SCAN, 1, ScannerRef(SCANNER, "sim-cargo"), a_capture(), particulars().subject, (top,), None, ())


def test_a_revision_in_the_spool_and_in_quarantine(tmp_path: Path, calls: Recorder) -> None:
    spool = Spool(tmp_path / "spool")
    folder = tmp_path / "spool" / ".incoming" / "copy"
    folder.mkdir()
    with (folder / "a.png").open("wb") as file:
        file.write(b"pixels")
        file.flush()
        os.fsync(file.fileno())
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    (placed,) = spool.place([Placement(Spooled(folder, ()), SCAN, 1)])
    calls.check(placed)
    calls.calls.clear()
    aside = spool.set_aside(SCAN, 1, tmp_path / "quarantine")
    synced = {call.path for call in calls.calls if call.what == "fsync"}
    assert {str(aside.parent), str(aside.parent.parent), str(placed.parent)} <= synced


def test_a_backup_and_a_restore(ledger: Path, tmp_path: Path, calls: Recorder) -> None:
    back_up(ledger, tmp_path / "backup.db")
    calls.check(tmp_path / "backup.db")
    calls.calls.clear()
    restore(tmp_path / "backup.db", ledger, ManualClock())
    names = [(call.what, Path(call.path).name, Path(call.target).name) for call in calls.calls]
    prepared = names.index(("rename", ".ledger.db.next.part", "ledger.db.next"))
    placed = names.index(("rename", "ledger.db.next", "ledger.db"))
    assert ("fsync", ".ledger.db.next.part", "") in names[:prepared]
    folder = ("fsync", tmp_path.name, "")
    assert folder in names[prepared:placed]
    assert folder in names[placed:]


def test_an_export(ledger: Path, tmp_path: Path, calls: Recorder) -> None:
    reader = LedgerReader.open(ledger)
    export(reader, tmp_path / "journal.jsonl", lambda _done, _of: None)
    reader.close()
    calls.check(tmp_path / "journal.jsonl")


def test_a_key_file(tmp_path: Path, calls: Recorder) -> None:
    for path in SigningKey.new("site").save(tmp_path):
        place = calls.calls.index(Call("fsync", str(path), size=path.stat().st_size))
        assert Call("fsync", str(tmp_path)) in calls.calls[place:], "the key's name was not synced"


def test_results_are_on_the_disk_before_they_count_as_written(tmp_path: Path, calls: Recorder) -> None:
    with closing(Ledger.open(tmp_path / "other.db", SITE, ManualClock())) as ledger:
        ledger.append(an_assessment(a_scan_id("a")))
        rows = ledger.rows(Seq(0), 10, 1 << 20)
    (tmp_path / "results").mkdir()
    assert write_results(tmp_path / "results", rows, ["json"]) == 1
    (written,) = (tmp_path / "results").iterdir()
    calls.check(written)
