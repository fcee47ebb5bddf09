"""Reading beside the daemon: the same answers, no changes, no hindrance."""

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from edge_agent.domain.ids import Seq
from edge_agent.errors import LedgerDamaged, LedgerFailed
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.reader import LedgerReader
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import NOON, SITE, a_set_aside, an_acceptance, an_arrival, an_assessment, an_audit


def fill(ledger: Ledger) -> None:
    ledger.accept([an_acceptance(an_arrival(name)) for name in ("a", "b", "c")])
    first, second = ledger.claim(NOON), ledger.claim(NOON)
    assert first is not None
    assert second is not None
    ledger.complete(first.job_id, an_assessment(first.scan_id, conclusion="alert"), [])
    ledger.set_aside(second.job_id, a_set_aside(second.scan_id), "unreadable-scan")


def test_a_reader_sees_what_the_daemon_committed_while_the_daemon_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(Ledger.open(path, SITE, ManualClock())) as ledger:
        fill(ledger)
        with closing(LedgerReader.open(path)) as reader:
            assert (reader.site, reader.epoch, reader.head()) == (SITE, ledger.epoch, ledger.head())
            assert (reader.counts(), reader.quarantined()) == (ledger.counts(), ledger.quarantined())
            assert reader.rows(Seq(0), 9, 1 << 20) == ledger.rows(Seq(0), 9, 1 << 20)
            assert reader.hash_at(Seq(1)) == ledger.hash_at(Seq(1))
            ledger.append(an_audit())
            ledger.acknowledge("hq", Seq(0), ledger.epoch, NOON)
            assert (reader.head().seq, reader.acknowledged()) == (3, ledger.acknowledged())
            assert reader.verify() is None
            (row,) = reader.quarantined()
            assert reader.latest_assessment(row.scan_id) is None


def test_a_reader_works_with_no_daemon_there(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(Ledger.open(path, SITE, ManualClock())) as ledger:
        fill(ledger)
    with closing(LedgerReader.open(path)) as reader:
        assert (reader.counts().accepted, reader.verify()) == (3, None)
    with closing(Ledger.open(path, SITE, ManualClock())) as again:
        assert again.counts().accepted == 3


def test_a_reader_cannot_change_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(Ledger.open(path, SITE, ManualClock())) as ledger, closing(LedgerReader.open(path)) as reader:
        fill(ledger)
        with pytest.raises(apsw.ReadOnlyError):
            reader._db.execute("DELETE FROM seen")


def test_a_reader_finds_an_alteration(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(Ledger.open(path, SITE, ManualClock())) as ledger:
        fill(ledger)
    with closing(apsw.Connection(str(path))) as forger:
        forger.execute("DROP TRIGGER journal_is_never_rewritten")
        forger.execute("UPDATE journal SET hash = zeroblob(32) WHERE seq = 1")
    with closing(LedgerReader.open(path)) as reader:
        assert reader.verify() == 1


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(LedgerFailed):
        LedgerReader.open(tmp_path / "ledger.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a database " * 1000], ids=["empty", "garbage"])
def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    with pytest.raises(LedgerDamaged):
        LedgerReader.open(path)
    assert path.read_bytes() == content
