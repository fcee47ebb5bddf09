"""Copies of a ledger: taken while the daemon runs, and put back under a new epoch.

A restore is prepared whole under another name (``ledger.db.next``) and takes effect by that name alone: from then on whoever opens the
ledger finishes it first. So a death at any moment leaves the old ledger or the restored one, and never one of them with the write-ahead
log of the other. The replaced file is kept in ``replaced/``.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import Seq, SiteId
from edge_agent.errors import ConfigUnreadable, LedgerAbsent, LedgerDamaged, LedgerFailed, LedgerForeign, LedgerOutdated
from edge_agent.ledger import epochs, schema
from edge_agent.ledger.connection import (
    FILE_MODE,
    ProcessLock,
    copy_into,
    create_file,
    open_copier,
    open_reader,
    open_writer,
    shrink_log,
    sync_folder,
    writing,
)
from edge_agent.ledger.moments import to_us
from edge_agent.ledger.reads import LedgerReads

NEXT = "ledger.db.next"
_REPLACED = "replaced"
_FOLDER_MODE = 0o700


@dataclass(frozen=True, slots=True)
class Copy:
    """A ledger's state as a file holds it: whose, which epoch, and the last row."""

    site: SiteId
    epoch: bytes
    last_seq: Seq


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore came to. ``copy``: what is in force now; ``from_epoch``: the epoch of the backup.

    ``erased``: identities that had been erased since the backup was taken, and were so again; ``is_complete``: whether the replaced
    ledger could be asked for them.
    """

    copy: Copy
    from_epoch: bytes
    erased: int
    is_complete: bool


def back_up(ledger: Path, out: Path) -> Copy:
    """Copy a ledger as it is at one moment into a new file, beside a running daemon; the copy is verified before it gets its name.

    Erased values are not in the copy, nor is what was deleted. It costs one pass over the file, and the log cannot shrink meanwhile.

    Raises:
        ConfigUnreadable: ``out`` exists or its folder cannot be written.
        LedgerAbsent, LedgerFailed. LedgerDamaged: it is damaged: keep your last backup. DiskLow.
    """
    if not ledger.is_file():
        raise LedgerAbsent(f"there is no ledger {ledger}", {"name": ledger.name})
    part = out.with_name(f".{out.name}.part")
    with _named(out):
        if out.exists():
            raise ConfigUnreadable(f"{out}: exists; a backup never overwrites", {"file": str(out)})
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE))
    try:
        with closing(open_copier(ledger)) as connection:
            copy_into(connection, part)
        copy = verified_copy(part)
        with _named(out):
            _sync_file(part)
            part.rename(out)
            sync_folder(out.parent)
    finally:
        part.unlink(missing_ok=True)
    return copy


def verified_copy(path: Path) -> Copy:
    """Read all of a ledger in a file: every page, every link of the chain, every signed head.

    Raises:
        LedgerDamaged, LedgerForeign, LedgerOutdated, LedgerFailed.
    """
    with closing(open_reader(path)) as connection:
        schema.check(connection)
        reads = LedgerReads(connection)
        found = reads.verification()
        if found.bad_seq is not None:
            raise LedgerDamaged("the journal does not verify", {"seq": found.bad_seq, "why": found.why})
        return Copy(reads.site, reads.epoch, reads.head().seq)


def restore(backup: Path, ledger: Path, clock: Clock) -> Restored:
    """Put a backup in the place of a ledger, under a new epoch; the daemon must be stopped.

    Identities that were erased since stay erased. What consumers had acknowledged is forgotten, so that nothing goes before they have
    the new epoch.

    Raises:
        LedgerBusy: the daemon runs. ConfigUnreadable: no such backup.
        LedgerDamaged: the backup does not verify. LedgerForeign: it is of another site. DiskLow, LedgerFailed.
    """
    with closing(ProcessLock(ledger.with_name(f"{ledger.name}.lock"))):
        finish_restore(ledger)
        prepared = ledger.with_name(f".{NEXT}.part")
        try:
            with _named(backup):
                _clear(prepared)
                create_file(prepared)
                shutil.copyfile(backup, prepared)
            restored = _renewed(prepared, ledger, clock)
            with _named(ledger):
                _sync_file(prepared)
                prepared.rename(ledger.with_name(NEXT))
                sync_folder(ledger.parent)
        finally:
            _clear(prepared)
        finish_restore(ledger)
    return restored


def finish_restore(ledger: Path) -> None:
    """Let a prepared restore take effect; nothing happens where there is none. The caller holds the ledger's lock."""
    prepared = ledger.with_name(NEXT)
    if not prepared.exists():
        return
    with _named(ledger):
        folder = ledger.parent / _REPLACED / str(prepared.stat().st_mtime_ns)
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        for name in (ledger.name, f"{ledger.name}-wal"):
            if ledger.with_name(name).exists() and not (folder / name).exists():
                os.link(ledger.with_name(name), folder / name)
        for changed in (folder, folder.parent, ledger.parent):
            sync_folder(changed)
        for end in ("-wal", "-shm"):
            ledger.with_name(f"{ledger.name}{end}").unlink(missing_ok=True)
        sync_folder(
            ledger.parent
        )  # a power cut must not keep the rename and forget the removal: the old log would be read into the new file
        prepared.rename(ledger)
        sync_folder(ledger.parent)


def _renewed(prepared: Path, ledger: Path, clock: Clock) -> Restored:
    """Bring the copy up to date, check it, and begin its epoch; it is one plain file afterwards."""
    with closing(open_writer(prepared)) as connection:
        site, before = schema.owner(connection)
        owner, erased = _of_replaced(ledger)
        if owner not in (None, site):
            raise LedgerForeign("the backup is of another site", {"site": site})
        schema.prepare(connection, site, to_us(clock.now()))
        found = LedgerReads(connection).verification()
        if found.bad_seq is not None:
            raise LedgerDamaged("the backup's journal does not verify", {"seq": found.bad_seq, "why": found.why})
        with writing(connection):
            count = _erase_again(connection, erased)
            epoch = epochs.begin(connection, site, epochs.RESTORED, clock.now())
            epochs.forget_place(connection)
        shrink_log(connection)
        copy = Copy(site, epoch, LedgerReads(connection).head().seq)
    return Restored(copy, before, count, is_complete=owner is not None)


def _of_replaced(ledger: Path) -> tuple[SiteId | None, list[tuple[str, int]]]:
    """Give the site of the ledger that goes, and what was erased in it; None where it is absent or cannot be read any more."""
    if not ledger.is_file():
        return None, []
    try:
        with closing(open_reader(ledger)) as connection:
            site, _ = schema.owner(connection)
            return site, list(connection.execute("SELECT token, erased_us FROM identity WHERE erased_us IS NOT NULL"))
    except (LedgerDamaged, LedgerFailed, LedgerOutdated, apsw.Error):
        return None, []


def _erase_again(connection: apsw.Connection, erased: list[tuple[str, int]]) -> int:
    count = 0
    for token, at_us in erased:
        connection.execute(
            "UPDATE identity SET value = NULL, salt = NULL, erased_us = ? WHERE token = ? AND value IS NOT NULL", (at_us, token)
        )
        count += connection.changes()
    return count


def _clear(prepared: Path) -> None:
    for end in ("", "-wal", "-shm"):
        prepared.with_name(f"{prepared.name}{end}").unlink(missing_ok=True)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise ConfigUnreadable(f"{path}: {problem.strerror}", {"file": str(path)}) from problem
