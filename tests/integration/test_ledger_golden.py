"""The ledger that the first release wrote is opened, brought up to date and read, row by row, by today's code."""

import hashlib
import json
import shutil
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from edge_agent.domain.ids import ScannerId, Seq
from edge_agent.errors import LedgerOutdated
from edge_agent.ledger import schema
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.reader import LedgerReader
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SITE, a_scan_id, an_assessment, an_audit
from edge_agent.wire.messages import decode

GOLDEN = Path(__file__).resolve().parents[1] / "golden/ledger-1"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(shutil.copy(GOLDEN / "ledger.db", tmp_path / "ledger.db"))


@pytest.fixture
def ledger(path: Path):
    with closing(Ledger.open(path, SITE, ManualClock())) as opened:
        yield opened


def test_the_golden_file_is_of_the_first_version_and_small() -> None:
    with closing(apsw.Connection(str(GOLDEN / "ledger.db"), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        assert connection.pragma("user_version") == 1
    assert (GOLDEN / "ledger.db").stat().st_size < 200_000


def test_every_row_comes_back_byte_for_byte_and_the_chain_holds(ledger: Ledger) -> None:
    assert ledger.epoch.hex() == EXPECTED["epoch"]
    rows = ledger.rows(Seq(0), 1000, 1 << 30)
    told = [(row.seq, row.topic, row.hash.hex(), hashlib.sha256(row.body).hexdigest()) for row in rows]
    assert told == [(row["seq"], row["topic"], row["hash"], row["body_sha256"]) for row in EXPECTED["rows"]]
    head = ledger.head()
    assert {"seq": head.seq, "hash": head.hash.hex(), "first": head.first} == EXPECTED["head"]
    assert ledger.verify() is None


def test_every_body_is_read_by_todays_models(ledger: Ledger) -> None:
    kinds = [decode(row.body).kind for row in ledger.rows(Seq(0), 1000, 1 << 30)]
    assert kinds == [row["kind"] for row in EXPECTED["rows"]]
    assert {"assessment", "verdict", "control", "set-aside", "referral", "health", "audit"} <= set(kinds)


def test_everything_beside_the_journal_is_there(ledger: Ledger) -> None:
    counts = ledger.counts()
    assert {name: getattr(counts, name) for name in EXPECTED["counts"]} == EXPECTED["counts"]
    assert [item.scan_id for item in ledger.quarantined()] == EXPECTED["quarantined"]
    assert {name: said.seq for name, said in ledger.acknowledged().items()} == EXPECTED["acknowledged"]
    assert {row.token: row.value for row in ledger.identities(tuple(EXPECTED["identities"]))} == EXPECTED["identities"]
    latest = {name: ledger.latest_assessment(a_scan_id(name)) for name in EXPECTED["latest"]}
    assert {name: found and found.conclusion for name, found in latest.items()} == EXPECTED["latest"]
    assert sorted(ledger.seen(ScannerId("gate-1"))) == EXPECTED["seen"]
    assert ledger.signed_head() is None


def test_work_that_waited_then_is_done_now(ledger: Ledger) -> None:
    clock = ManualClock()
    assert ledger.recover(charge=False) == len(EXPECTED["claimed"])
    done = []
    while (job := ledger.claim(clock.now())) is not None:
        done.append(job.drop_key)
        ledger.complete(job.job_id, an_assessment(job.scan_id, job.revision, cause=f"again-{job.metadata_revision}"))
    assert done == EXPECTED["waiting_after_recovery"]
    assert ledger.counts().in_flight == 0
    assert ledger.verify() is None


def test_the_file_is_brought_up_to_date_once_and_for_all_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _tables(path)
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, "CREATE TABLE half_done (id INTEGER) STRICT; SELECT no_such_column"))
    with pytest.raises(apsw.SQLError):
        Ledger.open(path, SITE, ManualClock())
    assert _tables(path) == before
    monkeypatch.undo()
    with closing(Ledger.open(path, SITE, ManualClock())) as opened:
        opened.append(an_audit("after"))
    with closing(Ledger.open(path, SITE, ManualClock())) as again:
        assert again.head().seq == EXPECTED["head"]["seq"] + 1
    with closing(apsw.Connection(str(path))) as connection:
        assert connection.pragma("user_version") == len(schema.STEPS)


def test_a_file_brought_up_to_date_has_the_tables_of_a_new_one(path: Path, tmp_path: Path) -> None:
    for place in (path, tmp_path / "new.db"):
        Ledger.open(place, SITE, ManualClock()).close()
    assert _tables(path) == _tables(tmp_path / "new.db")


def test_reading_an_older_file_says_that_the_daemon_brings_it_up_to_date(path: Path) -> None:
    with pytest.raises(LedgerOutdated):
        LedgerReader.open(path)


def _tables(path: Path) -> list[tuple[str, str, str | None]]:
    with closing(apsw.Connection(str(path))) as connection:
        return sorted(connection.execute("SELECT type, name, sql FROM sqlite_schema"), key=str)
