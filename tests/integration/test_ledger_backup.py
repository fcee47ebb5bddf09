"""Backup beside a running writer, restore under a new epoch, copies of a ledger: numbers are never told twice with another content."""

import os
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from edge_agent.cli.main import main
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import ScannerId, Seq
from edge_agent.errors import ConfigUnreadable, LedgerBusy, LedgerDamaged, LedgerFailed, LedgerForeign
from edge_agent.ledger import backup as backup_module
from edge_agent.ledger import epochs
from edge_agent.ledger.backup import NEXT, Copy, back_up, finish_restore, restore
from edge_agent.ledger.ledger import Ledger
from edge_agent.ledger.reader import LedgerReader
from edge_agent.signing.keys import SigningKey
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SCANNER, SITE, a_scan_id, an_acceptance, an_arrival, an_assessment, an_audit
from edge_agent.wire.messages import AuditBody, decode

CLOCK = ManualClock()
KEY = SigningKey.new("harbour")


def opened(path: Path) -> Ledger:
    return Ledger.open(path, SITE, CLOCK)


def add(path: Path, *names: str) -> None:
    with closing(opened(path)) as ledger:
        for name in names:
            ledger.append(an_assessment(a_scan_id(name)))


def bodies(path: Path) -> list[bytes]:
    with closing(opened(path)) as ledger:
        return [row.body for row in ledger.rows(Seq(0), 10**6, 1 << 40)]


def epoch_of(path: Path) -> bytes:
    with closing(opened(path)) as ledger:
        return ledger.epoch


def last_audit(path: Path) -> AuditBody:
    body = decode(bodies(path)[-1])
    assert isinstance(body, AuditBody)
    return body


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "state" / "ledger.db"
    place.parent.mkdir()
    add(place, *(f"scan-{number}" for number in range(5)))
    return place


@pytest.fixture
def saved(path: Path, tmp_path: Path) -> Path:
    back_up(path, tmp_path / "backup.db")
    return tmp_path / "backup.db"


# Backup


def test_a_backup_holds_what_the_ledger_held_and_only_its_owner_reads_it(path: Path, saved: Path) -> None:
    with closing(LedgerReader.open(saved)) as copy, closing(opened(path)) as ledger:
        assert copy.rows(Seq(0), 100, 1 << 30) == ledger.rows(Seq(0), 100, 1 << 30)
        assert (copy.epoch, copy.head()) == (ledger.epoch, ledger.head())
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert [file.name for file in saved.parent.iterdir() if "part" in file.name] == []


def test_a_backup_taken_while_rows_are_written_is_one_moment_of_the_journal(path: Path, tmp_path: Path) -> None:
    stop, wrote = threading.Event(), threading.Event()

    def copied(number: int) -> Copy:
        """A copy of the journal after it has grown again."""
        wrote.clear()
        assert wrote.wait(30)
        return back_up(path, tmp_path / f"b{number}.db")

    def write() -> None:
        with closing(opened(path)) as ledger:
            number = 0
            while not stop.is_set():
                ledger.accept([an_acceptance(an_arrival(f"more-{number}"))])
                job = ledger.claim(CLOCK.now())
                assert job is not None
                ledger.complete(job.job_id, an_assessment(job.scan_id))
                number += 1
                wrote.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copies = [copied(number) for number in range(4)]
    finally:
        stop.set()
        writer.join()
    for number, copy in enumerate(copies):
        with closing(LedgerReader.open(tmp_path / f"b{number}.db")) as reader:
            counts = reader.counts()
            assert reader.verify() is None
            assert reader.head().seq == copy.last_seq == 5 + counts.assessed
            assert counts.accepted == counts.assessed + counts.set_aside + counts.in_flight
    assert copies[-1].last_seq > copies[0].last_seq >= 5


def test_a_backup_never_overwrites_and_never_names_what_does_not_verify(path: Path, saved: Path, tmp_path: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(ConfigUnreadable):
        back_up(path, saved)
    assert saved.read_bytes() == before
    with closing(apsw.Connection(str(path))) as forger:
        forger.execute("DROP TRIGGER journal_is_never_rewritten; UPDATE journal SET body = CAST('{}' AS BLOB) WHERE seq = 2")
    with pytest.raises(LedgerDamaged):
        back_up(path, tmp_path / "second.db")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["backup.db", "state"]


def test_what_was_erased_is_in_no_later_backup(path: Path, tmp_path: Path) -> None:
    with closing(opened(path)) as ledger:
        (row,) = ledger.tokenise([IdentityValue(IdentityClass.CONTAINER, "TEST0000007")])
        back_up(path, tmp_path / "before.db")
        ledger.erase([row.token])
        back_up(path, tmp_path / "after.db")
    assert b"TEST0000007" in (tmp_path / "before.db").read_bytes()
    assert b"TEST0000007" not in (tmp_path / "after.db").read_bytes()


def test_there_must_be_a_ledger_and_a_place_for_the_backup(path: Path, tmp_path: Path) -> None:
    with pytest.raises(LedgerFailed):
        back_up(tmp_path / "nothing.db", tmp_path / "out.db")
    with pytest.raises(ConfigUnreadable):
        back_up(path, tmp_path / "no-folder" / "out.db")


# Restore


def test_a_restored_ledger_goes_on_with_the_old_chain_under_a_new_epoch(path: Path, saved: Path) -> None:
    before = epoch_of(path)
    kept = bodies(path)
    add(path, "after the backup")
    restored = restore(saved, path, CLOCK)
    assert restored.from_epoch == before
    assert restored.copy.epoch == epoch_of(path) != before
    assert bodies(path)[:-1] == kept
    assert last_audit(path).event.code == epochs.RESTORED
    assert last_audit(path).event.params == {"from_epoch": before.hex(), "rows": 5}
    add(path, "one more")
    with closing(opened(path)) as ledger:
        assert ledger.verify() is None
        assert ledger.acknowledged() == {}


def test_restoring_twice_gives_two_epochs_and_opening_again_none(path: Path, saved: Path) -> None:
    first = restore(saved, path, CLOCK).copy.epoch
    second = restore(saved, path, CLOCK).copy.epoch
    assert len({first, second, epoch_of(path)}) == 2
    assert epoch_of(path) == second


def test_heads_signed_before_the_backup_still_vouch_for_the_restored_rows(path: Path, tmp_path: Path) -> None:
    with closing(opened(path)) as ledger:
        ledger.sign_head(KEY)
    back_up(path, tmp_path / "signed.db")
    restore(tmp_path / "signed.db", path, CLOCK)
    with closing(opened(path)) as ledger:
        assert (ledger.verification(KEY.public).signed_seq, ledger.signed_head()) == (5, None)
        ledger.sign_head(KEY)
        assert ledger.verification(KEY.public).heads == 2


def test_the_replaced_ledger_is_kept_whole_with_its_log(path: Path, saved: Path) -> None:
    add(path, "after the backup")
    wanted = bodies(path)
    restore(saved, path, CLOCK)
    (kept,) = (path.parent / "replaced").glob("*/ledger.db")
    with closing(LedgerReader.open(kept)) as replaced:
        assert [row.body for row in replaced.rows(Seq(0), 100, 1 << 30)] == wanted


def test_nothing_is_restored_while_the_daemon_runs(path: Path, saved: Path) -> None:
    with closing(opened(path)) as ledger:
        epoch = ledger.epoch
        with pytest.raises(LedgerBusy):
            restore(saved, path, CLOCK)
    assert epoch_of(path) == epoch


def test_a_backup_of_another_site_or_of_nothing_is_refused_and_changes_nothing(path: Path, saved: Path, tmp_path: Path) -> None:
    with closing(Ledger.open(tmp_path / "other.db", "airport", CLOCK)):
        pass
    (tmp_path / "text.db").write_bytes(b"not a database " * 300)
    scrambled = bytearray(saved.read_bytes())
    scrambled[8 * 4096 : 9 * 4096] = bytes(range(256)) * 16
    (tmp_path / "scrambled.db").write_bytes(scrambled)
    before = bodies(path), epoch_of(path)
    for name, problem in (
        ("other.db", LedgerForeign),
        ("text.db", LedgerDamaged),
        ("scrambled.db", LedgerDamaged),
        ("absent.db", ConfigUnreadable),
    ):
        with pytest.raises(problem):
            restore(tmp_path / name, path, CLOCK)
    assert (bodies(path), epoch_of(path)) == before
    assert [file.name for file in path.parent.iterdir() if NEXT in file.name] == []


def test_a_ledger_that_cannot_be_read_any_more_is_replaced(path: Path, saved: Path) -> None:
    path.write_bytes(b"\0" * 8192)
    restored = restore(saved, path, CLOCK)
    assert not restored.is_complete
    assert len(bodies(path)) == 6


def test_what_was_erased_since_the_backup_stays_erased(path: Path, tmp_path: Path) -> None:
    with closing(opened(path)) as ledger:
        erased, kept = ledger.tokenise([IdentityValue(IdentityClass.CONTAINER, text) for text in ("TEST0000008", "TEST0000009")])
    back_up(path, tmp_path / "full.db")
    with closing(opened(path)) as ledger:
        ledger.erase([erased.token])
    restored = restore(tmp_path / "full.db", path, CLOCK)
    assert (restored.erased, restored.is_complete) == (1, True)
    with closing(opened(path)) as ledger:
        assert [row.value for row in ledger.identities([erased.token, kept.token])] == [None, "TEST0000009"]
    assert b"TEST0000008" not in path.read_bytes()


class Cut(BaseException):
    """The power fails."""


def test_a_restore_that_is_cut_short_leaves_the_old_ledger_or_the_new_one(path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step that changes a name is the last one in its turn; the next opening shows one of the two states, whole."""
    old = bodies(path), epoch_of(path)
    outcomes = []
    for cut_at in range(1, 40):
        add(path, f"written in turn {cut_at}")
        before, epoch = bodies(path), epoch_of(path)
        try:
            with monkeypatch.context() as patch:
                for step in cutting(cut_at, patch):
                    step()
                restore(saved, path, CLOCK)
            finished = True
        except Cut:
            finished = False
        is_new = epoch_of(path) != epoch
        assert bodies(path)[:5] == old[0]
        assert is_new or bodies(path) == before
        with closing(opened(path)) as ledger:
            assert ledger.verify() is None
        outcomes.append(is_new)
        if finished:
            break
    else:
        raise AssertionError("the restore never came to its end")
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


def cutting(at: int, patch: pytest.MonkeyPatch) -> Iterator[object]:
    """Let the step number ``at`` fail before it is done."""
    left = [at]

    def guarded(real):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                raise Cut
            return real(*args, **kwargs)

        return call

    yield lambda: patch.setattr(os, "link", guarded(os.link))
    yield lambda: patch.setattr(os, "rename", guarded(os.rename))
    yield lambda: patch.setattr(os, "fsync", guarded(os.fsync))
    yield lambda: patch.setattr(backup_module, "sync_folder", guarded(backup_module.sync_folder))


def test_finishing_a_restore_twice_is_finishing_it_once(path: Path, saved: Path) -> None:
    restore(saved, path, CLOCK)
    before = path.read_bytes()
    finish_restore(path)
    assert path.read_bytes() == before


# Spool and ledger


def test_what_waits_without_files_is_named_and_unknown_copies_are_kept(path: Path, tmp_path: Path, capsys) -> None:
    state = path.parent
    with closing(opened(path)) as ledger:
        ledger.accept([an_acceptance(an_arrival(name)) for name in ("gone", "there")])
    (state / "spool" / "there").mkdir(parents=True)
    back_up(path, tmp_path / "b.db")
    orphan = state / "spool" / a_scan_id("later") / "r1"
    orphan.mkdir(parents=True)
    (orphan / "a.png").write_bytes(b"pixels")
    assert main(["ledger", "restore", str(tmp_path / "b.db"), "--state-dir", str(state)]) == 0
    said = capsys.readouterr().out
    assert f"files gone: {a_scan_id('gone')}" in said
    assert a_scan_id("there") not in said
    assert (state / "recovered" / a_scan_id("later") / "r1" / "a.png").read_bytes() == b"pixels"
    with closing(opened(path)) as ledger:
        known = ledger.known(SCANNER, an_arrival("later").drop_key, an_arrival("later").content_digest, ())
        assert (known.drop, known.twin) == (None, None)
        assert an_arrival("later").drop_key not in ledger.seen(ScannerId(SCANNER))


def test_a_second_restore_keeps_what_the_first_recovered(path: Path, tmp_path: Path, capsys) -> None:
    state, orphan = path.parent, path.parent / "spool" / a_scan_id("later") / "r1"
    back_up(path, tmp_path / "b.db")
    for content in (b"first", b"second", b"third"):
        orphan.mkdir(parents=True, exist_ok=True)
        (orphan / "a.png").write_bytes(content)
        assert main(["ledger", "restore", str(tmp_path / "b.db"), "--state-dir", str(state)]) == 0
    folders = sorted((state / "recovered" / a_scan_id("later")).iterdir())
    assert [(folder.name, (folder / "a.png").read_bytes()) for folder in folders] == [
        ("r1", b"first"),
        ("r1-2", b"second"),
        ("r1-3", b"third"),
    ]
    assert f"its files are in recovered/{a_scan_id('later')}/r1-3" in capsys.readouterr().out


def test_the_commands_teach_and_count(path: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "c.db"
    assert main(["ledger", "backup", "--state-dir", str(path.parent), "--out", str(out), "--json"]) == 0
    assert '"last_seq": 5' in capsys.readouterr().out
    assert main(["ledger", "check", "--state-dir", str(path.parent)]) == 0
    assert "sound" in capsys.readouterr().out
    with closing(apsw.Connection(str(path))) as forger:
        forger.execute("DROP TRIGGER journal_is_never_rewritten; UPDATE journal SET hash = zeroblob(32) WHERE seq = 2")
    assert main(["ledger", "check", "--state-dir", str(path.parent)]) == 1
    assert "row 2" in capsys.readouterr().out
    assert main(["ledger", "restore", str(out), "--state-dir", str(path.parent), "--json"]) == 0
    assert main(["ledger", "check", "--state-dir", str(path.parent)]) == 0


# Copies of the state directory


def test_a_copied_ledger_begins_an_epoch_of_its_own_and_the_original_keeps_its(path: Path, tmp_path: Path) -> None:
    epoch = epoch_of(path)
    clone = tmp_path / "clone.db"
    shutil.copy2(path, clone)
    assert epoch_of(clone) not in (epoch, b"")
    assert last_audit(clone).event.code == epochs.MOVED
    assert epoch_of(path) == epoch
    assert epoch_of(clone) == epoch_of(clone)


def test_a_disk_that_was_imaged_to_another_machine_is_told_by_the_machine(path: Path, tmp_path: Path, monkeypatch) -> None:
    epoch = epoch_of(path)
    ids = [tmp_path / name for name in ("one", "two")]
    for number, file in enumerate(ids):
        file.write_text(f"{number:032x}\n")
    monkeypatch.setattr(epochs, "_MACHINE_ID", ids[0])
    first = epoch_of(path)
    assert epoch_of(path) == first
    monkeypatch.setattr(epochs, "_MACHINE_ID", ids[1])
    second = epoch_of(path)
    assert second not in (epoch, first)
    monkeypatch.setattr(epochs, "_MACHINE_ID", tmp_path / "absent")
    assert epoch_of(path) == second


def test_a_ledger_renamed_on_its_disk_is_the_same_ledger(path: Path, tmp_path: Path) -> None:
    epoch = epoch_of(path)
    path.rename(tmp_path / "moved.db")
    assert epoch_of(tmp_path / "moved.db") == epoch


def test_a_new_epoch_needs_every_consumer_to_acknowledge_again(path: Path, tmp_path: Path) -> None:
    with closing(opened(path)) as ledger:
        head = ledger.head()
        ledger.acknowledge("hq", head.seq, head.hash, CLOCK.now())
        ledger.append(an_audit("x"))
    shutil.copy2(path, tmp_path / "clone.db")
    with closing(opened(tmp_path / "clone.db")) as clone:
        assert clone.acknowledged() == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can meet a folder of somebody else that it may write to")
def test_root_is_told_to_restore_as_the_daemons_own_user_and_nothing_changes(path: Path, saved: Path, capsys) -> None:
    before = bodies(path)
    os.chown(path.parent, 65534, 65534)
    assert main(["ledger", "restore", str(saved), "--state-dir", str(path.parent)]) == 78
    assert "sudo -u nobody edge-agent ledger restore" in capsys.readouterr().err
    assert bodies(path) == before
