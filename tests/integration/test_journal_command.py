"""`journal verify`, `journal export`, `quarantine list` and `retry` on real ledgers."""

import json
from contextlib import closing
from datetime import UTC, datetime

import apsw
import pytest

from edge_agent.cli.main import main
from edge_agent.domain.arrival import Arrival, NewScan, Particulars
from edge_agent.domain.assessment import FactKind
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.ids import DropKey, FactId, ScanId, ScannerId, SiteId
from edge_agent.domain.member import MemberDigest
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.records import Acceptance, Entry
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.site_journal import A_SCANNER, assessment, audit, scan_named, set_aside
from edge_agent.wire.frames import topic
from edge_agent.wire.messages import encode

NORTH = SiteId("north")


def entry(body):
    where = topic(NORTH, ScannerId(body.scanner) if body.scanner else None, body.kind)
    return Entry(FactId(body.fact_id), ScanId(body.scan_id) if body.scan_id else None, FactKind(body.kind), where, encode(body))


@pytest.fixture
def state(tmp_path):
    """A state directory whose journal has seven rows."""
    with closing(Ledger.open(tmp_path / "ledger.db", NORTH, ManualClock())) as ledger:
        ledger.append(entry(audit("north", "start")))
        for n in range(6):
            ledger.append(entry(assessment("north", f"scan {n}")))
    return tmp_path


def verified(capsys, *arguments):
    code = main(["journal", "verify", "--json", *map(str, arguments)])
    return code, json.loads(capsys.readouterr().out)


def change(state, sql, *values):
    """Change the file as somebody with an editor would."""
    connection = apsw.Connection(str(state / "ledger.db"))
    triggers = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")]
    for name in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(sql, values)
    connection.close()


def test_an_untouched_journal_is_intact_and_names_its_last_hash(state, capsys):
    code, finding = verified(capsys, "--state-dir", state)
    assert (code, finding["bad_seq"], finding["last_seq"], finding["site"]) == (0, None, 7, "north")
    assert main(["journal", "verify", "--state-dir", str(state)]) == 0
    assert finding["last_hash"] in capsys.readouterr().out


def test_the_first_altered_row_is_named(state, capsys):
    change(state, "UPDATE journal SET body = CAST(replace(CAST(body AS TEXT), 'random', 'scan-all') AS BLOB) WHERE seq IN (3, 5)")
    assert main(["journal", "verify", str(state / "ledger.db")]) == 1
    assert "BROKEN at row 3" in capsys.readouterr().out


def test_a_removed_row_is_named(state, capsys):
    change(state, "DELETE FROM journal WHERE seq = 4")
    code, finding = verified(capsys, state / "ledger.db")
    assert (code, finding["bad_seq"]) == (1, 4)


def test_an_export_is_verified_without_the_ledger(state, capsys):
    out = state / "journal.jsonl"
    assert main(["journal", "export", "--state-dir", str(state), "--out", str(out)]) == 0
    whole = verified(capsys, "--state-dir", state)[1]
    code, finding = verified(capsys, out)
    assert code == 0
    assert [finding[key] for key in ("site", "epoch", "last_seq", "last_hash")] == [
        whole[key] for key in ("site", "epoch", "last_seq", "last_hash")
    ]


@pytest.mark.parametrize(
    ("spoil", "bad"),
    [
        (lambda lines: [*lines[:3], lines[3].replace("no-alert", "alert"), *lines[4:]], 3),
        (lambda lines: lines[:2] + lines[3:], 2),
        (lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]], 4),
        (lambda lines: [*lines[:6], "{}"], 6),
        (lambda lines: [*lines[:5], lines[5][:-20], *lines[6:]], 5),
    ],
    ids=["altered", "removed", "swapped", "not a row", "cut"],
)
def test_every_alteration_of_an_export_is_named_by_its_first_row(state, capsys, spoil, bad):
    out = state / "journal.jsonl"
    main(["journal", "export", "--state-dir", str(state), "--out", str(out)])
    out.write_text("\n".join(spoil(out.read_text().splitlines())) + "\n")
    capsys.readouterr()
    code, finding = verified(capsys, out)
    assert (code, finding["bad_seq"]) == (1, bad)


def test_an_export_never_overwrites(state, capsys):
    out = state / "journal.jsonl"
    out.write_text("precious")
    assert main(["journal", "export", "--state-dir", str(state), "--out", str(out)]) == 78
    assert out.read_text() == "precious"


@pytest.mark.parametrize("content", [b"", b"hello", b'{"format":"other"}\n', b"\xff\xfe\x00", b"[" * 90000])
def test_a_file_that_is_neither_is_refused(tmp_path, capsys, content):
    path = tmp_path / "something"
    path.write_bytes(content)
    assert main(["journal", "verify", str(path)]) == 1
    assert "malformed" in capsys.readouterr().err


def test_an_absent_file_is_refused(tmp_path, capsys):
    assert main(["journal", "verify", str(tmp_path / "nothing")]) == 78
    assert main(["journal", "verify", "--state-dir", str(tmp_path)]) == 78
    assert capsys.readouterr().err.count("config-unreadable") == 2


def quarantine(state, name="scan q"):
    """Accept a scan and set it aside, files and all."""
    scan = scan_named("north", name)
    stamp = Stamp(datetime(2026, 3, 2, tzinfo=UTC), "", tz_assumed=False)
    particulars = Particulars(Capture(stamp, CaptureKind.LIVE, Selection.RANDOM), Subject(SubjectKind.CARGO), None)
    member = MemberDigest("a.jpg", "picture", 3, "ab" * 32, is_pixels=True)
    arrival = Arrival(NORTH, A_SCANNER, DropKey(name), "cd" * 32, "ef" * 32)
    acceptance = Acceptance(NewScan(scan, None), arrival, (("a.jpg", 3, 1),), (member,), particulars, f"spool/{scan}/r1")
    clock = ManualClock()
    with closing(Ledger.open(state / "ledger.db", NORTH, clock)) as ledger:
        ledger.accept([acceptance])
        job = ledger.claim(clock.now())
        ledger.set_aside(job.job_id, entry(set_aside("north", name)), "unreadable-scan")
    folder = state / "quarantine" / scan / "r1"
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"bad")
    return scan


def test_what_was_set_aside_is_listed_with_its_reason(state, capsys):
    scan = quarantine(state)
    assert main(["quarantine", "list", "--state-dir", str(state), "--json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)
    assert (item["scan_id"], item["revision"], item["reason"]) == (scan, 1, "unreadable-scan")
    assert main(["quarantine", "list", "--state-dir", str(state)]) == 0
    assert "1 in quarantine" in capsys.readouterr().out


def test_a_retried_scan_waits_again_with_its_files_in_place_and_the_journal_says_so(state, capsys):
    scan = quarantine(state)
    assert main(["quarantine", "retry", "--state-dir", str(state), scan]) == 0
    assert (state / "spool" / scan / "r1" / "a.jpg").read_bytes() == b"bad"
    with closing(Ledger.open(state / "ledger.db", NORTH, ManualClock())) as ledger:
        assert ledger.claim(ManualClock().now()).scan_id == scan
        (row,) = ledger.rows(ledger.head().seq - 1, 1, 1 << 20)
    assert json.loads(row.body)["event"] == {"code": "quarantine-retried", "params": {"reason": "unreadable-scan"}}
    assert main(["journal", "verify", "--state-dir", str(state)]) == 0
    assert main(["quarantine", "retry", "--state-dir", str(state), scan]) == 1


def test_one_unknown_scan_changes_nothing(state, capsys):
    scan = quarantine(state)
    assert main(["quarantine", "retry", "--state-dir", str(state), scan, "no-such-scan"]) == 1
    assert "no-such-scan" in capsys.readouterr().err
    assert (state / "quarantine" / scan / "r1" / "a.jpg").exists()


def test_nothing_is_retried_while_the_daemon_runs(state, capsys):
    scan = quarantine(state)
    with closing(Ledger.open(state / "ledger.db", NORTH, ManualClock())):
        assert main(["quarantine", "list", "--state-dir", str(state)]) == 0
        assert main(["quarantine", "retry", "--state-dir", str(state), scan]) == 1
    assert "ledger-busy" in capsys.readouterr().err
    assert (state / "quarantine" / scan / "r1" / "a.jpg").exists()


def test_a_retry_that_died_after_the_move_is_finished_by_the_next(state):
    scan = quarantine(state)
    (state / "spool" / scan).mkdir(parents=True)
    (state / "quarantine" / scan / "r1").rename(state / "spool" / scan / "r1")
    assert main(["quarantine", "retry", "--state-dir", str(state), scan]) == 0


def test_a_scan_whose_copy_is_gone_is_not_retried(state, capsys):
    scan = quarantine(state)
    (state / "quarantine" / scan / "r1" / "a.jpg").unlink()
    (state / "quarantine" / scan / "r1").rmdir()
    assert main(["quarantine", "retry", "--state-dir", str(state), scan]) == 1
    assert main(["quarantine", "list", "--state-dir", str(state), "--json"]) == 0
    assert scan in capsys.readouterr().out
