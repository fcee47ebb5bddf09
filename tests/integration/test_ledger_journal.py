"""The journal: numbered without holes, chained, append-only, and any edit is found."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from edge_agent.domain.assessment import FactKind
from edge_agent.domain.ids import FactId, ScanId, Seq
from edge_agent.errors import Diverged, TooLarge
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Entry
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import NOON, SITE, a_scan_id, a_set_aside, a_verdict, an_assessment, an_audit
from edge_agent.wire.chain import first_break

FOREVER = 1 << 30
SCAN = a_scan_id()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path / "ledger.db", SITE, ManualClock())) as opened:
        yield opened


def fill(ledger: Ledger, count: int) -> None:
    for number in range(count):
        ledger.append(an_assessment(a_scan_id(f"scan-{number}")) if number % 2 else an_audit(f"cause-{number}"))


def rewrite(path: Path, statement: str, values: tuple[object, ...] = ()) -> None:
    """Change the file as somebody with the disk in his hands might: all safeguards taken off first."""
    with closing(apsw.Connection(str(path))) as forger:
        for trigger in ("journal_is_never_rewritten", "journal_keeps_what_meta_says"):
            forger.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        forger.execute("PRAGMA ignore_check_constraints=1")
        forger.execute(statement, values)  # type: ignore[arg-type]


def test_an_empty_journal_starts_from_its_epoch(ledger: Ledger) -> None:
    head = ledger.head()
    assert (head.first, head.seq, head.hash) == (1, 0, head.epoch)
    assert len(head.epoch) == 16
    assert ledger.hash_at(Seq(0)) == head.epoch
    assert ledger.verify() is None


def test_numbers_run_from_one_without_holes_and_every_row_continues_the_chain(ledger: Ledger) -> None:
    fill(ledger, 7)
    rows = ledger.rows(Seq(0), 100, FOREVER)
    assert [row.seq for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert first_break(rows, ledger.epoch, Seq(0)) is None
    assert (ledger.head().seq, ledger.head().hash) == (7, rows[-1].hash)
    assert ledger.verify() is None


def test_each_row_names_the_previous_of_its_own_topic(ledger: Ledger) -> None:
    fill(ledger, 5)
    assert [row.prev_seq for row in ledger.rows(Seq(0), 100, FOREVER)] == [0, 0, 1, 2, 3]
    assert ledger.topic_heads() == {"ei1/harbour/gate-1/assessment/": 4, "ei1/harbour/~/audit/": 5}


def test_the_exact_bytes_come_back(ledger: Ledger) -> None:
    entry = an_assessment(SCAN, conclusion="alert")
    ledger.append(entry)
    (row,) = ledger.rows(Seq(0), 1, FOREVER)
    assert (row.body, row.topic) == (entry.body, entry.topic)


def test_the_same_fact_again_is_found_not_added(ledger: Ledger) -> None:
    first = ledger.append(a_verdict(SCAN, cause="verdict-1"))
    ledger.append(an_audit())
    again = ledger.append(a_verdict(SCAN, conclusion="not-suspicious", cause="verdict-1"))
    assert (first.seq, first.is_new, again.seq, again.is_new) == (1, True, 1, False)
    assert ledger.head().seq == 2
    assert b'"suspicious"' in ledger.rows(Seq(0), 1, FOREVER)[0].body
    assert (ledger.has_fact(first.fact_id), ledger.has_fact(FactId("never"))) == (1, None)


@pytest.mark.parametrize(
    ("after", "max_rows", "max_bytes", "expected"),
    [
        (0, 3, FOREVER, [1, 2, 3]),
        (4, 100, FOREVER, [5, 6]),
        (6, 100, FOREVER, []),
        (99, 100, FOREVER, []),
        (0, 100, 1, [1]),
        (0, 100, 0, [1]),
    ],
)
def test_rows_come_in_bounded_pages_with_one_at_least(
    ledger: Ledger, after: int, max_rows: int, max_bytes: int, expected: list[int]
) -> None:
    fill(ledger, 6)
    assert [row.seq for row in ledger.rows(Seq(after), max_rows, max_bytes)] == expected


def test_a_page_never_exceeds_its_bytes_once_it_has_a_row(ledger: Ledger) -> None:
    fill(ledger, 6)
    whole = ledger.rows(Seq(0), 100, FOREVER)
    cost = [len(row.body) + len(row.topic) + 64 for row in whole]
    assert len(ledger.rows(Seq(0), 100, sum(cost[:3]))) == 3
    assert len(ledger.rows(Seq(0), 100, sum(cost[:3]) - 1)) == 2


def test_a_hash_is_known_for_kept_rows_only(ledger: Ledger) -> None:
    fill(ledger, 2)
    rows = ledger.rows(Seq(0), 100, FOREVER)
    assert [ledger.hash_at(Seq(number)) for number in (-1, 0, 1, 2, 3)] == [None, ledger.epoch, rows[0].hash, rows[1].hash, None]


def test_the_latest_assessment_is_that_of_the_highest_revision(ledger: Ledger) -> None:
    ledger.append(an_assessment(SCAN, revision=2, conclusion="no-alert"))
    ledger.append(an_assessment(SCAN, revision=1, conclusion="alert"))
    ledger.append(an_assessment(a_scan_id("other"), revision=9))
    ledger.append(a_set_aside(SCAN, revision=3))
    latest = ledger.latest_assessment(SCAN)
    assert latest is not None
    assert (latest.seq, latest.revision, latest.conclusion) == (1, 2, "no-alert")


def test_of_one_revision_the_last_assessment_counts(ledger: Ledger) -> None:
    ledger.append(an_assessment(SCAN, conclusion="alert", cause="pixels"))
    again = an_assessment(SCAN, conclusion="no-alert", cause="metadata-1")
    ledger.append(again)
    latest = ledger.latest_assessment(SCAN)
    assert latest is not None
    assert (latest.fact_id, latest.conclusion, latest.body) == (again.fact_id, "no-alert", again.body)


def test_a_scan_without_assessment_has_no_latest_one(ledger: Ledger) -> None:
    ledger.append(a_set_aside(SCAN))
    assert ledger.latest_assessment(SCAN) is None
    assert ledger.latest_assessment(ScanId("unknown")) is None


def test_a_body_over_its_limit_is_refused_and_leaves_no_hole(ledger: Ledger) -> None:
    huge = replace(an_audit(), body=b" " * (64 * 1024 + 1))
    with pytest.raises(TooLarge):
        ledger.append(huge)
    assert ledger.append(an_audit()).seq == 1


@pytest.mark.parametrize(
    "entry",
    [
        replace(an_audit(), body=b"{}"),
        replace(an_audit(), fact_id=FactId("other")),
        replace(an_audit(), scan_id=SCAN),
        replace(an_audit(), kind=FactKind.HEALTH),
        replace(an_audit(), topic="ei1/harbour/gate-1/audit/"),
        replace(an_audit(), topic="ei1/elsewhere/~/audit/"),
    ],
    ids=["unreadable body", "fact", "scan", "kind", "scanner", "site"],
)
def test_an_entry_that_contradicts_its_body_is_refused(ledger: Ledger, entry: Entry) -> None:
    with pytest.raises(ValueError, match="journal entry"):
        ledger.append(entry)
    assert ledger.head().seq == 0


def test_an_acknowledgement_is_kept_as_it_was_last_said(ledger: Ledger) -> None:
    fill(ledger, 3)
    rows = ledger.rows(Seq(0), 100, FOREVER)
    ledger.acknowledge("hq", Seq(3), rows[2].hash, NOON)
    ledger.acknowledge("hq", Seq(2), rows[1].hash, NOON + timedelta(seconds=9))
    ledger.acknowledge("archive", Seq(0), ledger.epoch, NOON)
    said = ledger.acknowledged()
    assert {name: (row.seq, row.hash, row.at) for name, row in said.items()} == {
        "hq": (2, rows[1].hash, NOON + timedelta(seconds=9)),
        "archive": (0, ledger.epoch, NOON),
    }
    assert said["hq"].epoch == ledger.epoch


@pytest.mark.parametrize("seq", [0, 1, 2], ids=["wrong epoch", "wrong hash", "row not there"])
def test_a_consumer_that_holds_other_rows_has_diverged(ledger: Ledger, seq: int) -> None:
    fill(ledger, 1)
    with pytest.raises(Diverged):
        ledger.acknowledge("hq", Seq(seq), b"x" * 32, NOON)
    assert ledger.acknowledged() == {}


@pytest.mark.parametrize("statement", ["UPDATE journal SET created_us = 0", "DELETE FROM journal", "DELETE FROM journal WHERE seq = 2"])
def test_the_file_itself_refuses_to_rewrite_the_journal(ledger: Ledger, tmp_path: Path, statement: str) -> None:
    fill(ledger, 2)
    with closing(apsw.Connection(str(tmp_path / "ledger.db"))) as other, pytest.raises(apsw.ConstraintError):
        other.execute(statement)
    assert ledger.verify() is None


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE journal SET body = CAST(replace(CAST(body AS TEXT), 'no-alert', 'alert') AS BLOB) WHERE seq = 4", 4),
        ("UPDATE journal SET body = CAST(CAST(body AS TEXT) || ' ' AS BLOB) WHERE seq = 3", 3),
        ("UPDATE journal SET hash = zeroblob(32) WHERE seq = 6", 6),
        ("DELETE FROM journal WHERE seq = 3", 3),
        ("DELETE FROM journal WHERE seq = 6", 6),
        ("UPDATE journal SET prev_seq = 1 WHERE seq = 5", 5),
        ("UPDATE journal SET topic = 'ei1/harbour/gate-2/assessment/' WHERE seq = 2", 2),
        ("UPDATE journal SET kind = 'audit' WHERE seq = 2", 2),
        ("UPDATE journal SET kind = 'nonsense' WHERE seq = 2", 2),
        ("UPDATE journal SET fact_id = 'other' WHERE seq = 1", 1),
        ("UPDATE journal SET scan_id = NULL WHERE seq = 4", 4),
        ("UPDATE meta SET epoch = randomblob(16), before_first = randomblob(16)", 1),
        ("UPDATE topic SET head = 2 WHERE topic LIKE '%assessment%'", 7),
    ],
)
def test_verification_names_the_first_row_that_was_altered(ledger: Ledger, tmp_path: Path, statement: str, broken: int) -> None:
    fill(ledger, 6)
    assert ledger.verify() is None
    rewrite(tmp_path / "ledger.db", statement)
    assert ledger.verify() == broken


def test_a_verification_walks_through_more_than_one_page(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger, 1100)
    assert ledger.verify() is None
    rewrite(tmp_path / "ledger.db", "UPDATE journal SET hash = zeroblob(32) WHERE seq = 1050")
    assert ledger.verify() == 1050


def test_a_journal_whose_oldest_rows_went_by_retention_still_verifies(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger, 9)
    before = ledger.hash_at(Seq(4))
    with closing(apsw.Connection(str(tmp_path / "ledger.db"))) as other:
        other.execute("UPDATE meta SET first_seq = 5, before_first = ?", (before,))
        other.execute("DELETE FROM journal WHERE seq < 5")
    assert ledger.verify() is None
    assert (ledger.head().first, ledger.hash_at(Seq(4)), ledger.hash_at(Seq(3))) == (5, before, None)
    assert ledger.append(an_audit("after")).seq == 10
