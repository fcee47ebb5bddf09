"""How the ledger's file is opened, locked and changed; SQLite's errors are mapped to ours here."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw

from edge_agent.errors import DiskLow, EdgeAgentError, LedgerAbsent, LedgerBusy, LedgerDamaged, LedgerFailed, LibraryTooOld, Scalar

FILE_MODE = 0o600
_BUSY_TIMEOUT_MS = 5000
_OLDEST_SQLITE = (3, 51, 3)
_MENDED_SQLITE = ((3, 50, 7), (3, 44, 6))
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# name -> (value to set, value read back)
_WRITER_PRAGMAS: dict[str, tuple[str | int, str | int]] = {
    "journal_mode": ("WAL", "wal"),
    "synchronous": ("FULL", 2),  # NORMAL loses acknowledged commits when the power fails
    "wal_autocheckpoint": (1000, 1000),
    "journal_size_limit": (64 << 20, 64 << 20),
    "foreign_keys": (1, 1),
    "trusted_schema": (0, 0),
    "cell_size_check": (1, 1),
    "secure_delete": (1, 1),  # an erased identity must not linger in free pages
    "temp_store": ("MEMORY", 2),  # nor in temporary files
}
_READER_PRAGMAS: dict[str, tuple[str | int, str | int]] = {"query_only": (1, 1), "trusted_schema": (0, 0), "cell_size_check": (1, 1)}


class ProcessLock:
    """Keeps every other process from opening the same ledger for writing, until closed or until this process ends.

    A file of its own, because closing any descriptor of the database would drop SQLite's own locks on it.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            LedgerBusy, LedgerFailed, DiskLow.
        """
        with _file_named():
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            os.close(self._descriptor)
            raise LedgerBusy("another process holds the ledger") from problem

    def close(self) -> None:
        os.close(self._descriptor)


def check_library(found: str) -> None:
    """Refuse versions of SQLite whose write-ahead log can corrupt the file when it is reset.

    Raises:
        LibraryTooOld.
    """
    version = tuple(int(part) for part in found.split("."))
    if version < _OLDEST_SQLITE and version not in _MENDED_SQLITE:
        raise LibraryTooOld("SQLite is too old", {"sqlite": found})


def create_file(path: Path) -> None:
    """Make an empty file that its owner alone can read, and make its name durable; an existing file only has its mode set.

    Raises:
        LedgerFailed, DiskLow.
    """
    with _file_named():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE))
        path.chmod(FILE_MODE)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_writer(path: Path) -> apsw.Connection:
    """Open for writing, with every setting read back.

    Raises:
        LedgerFailed: a setting was refused (write-ahead logging does not work on network shares), or the file cannot be opened.
        LedgerDamaged: the file is no database.
    """
    with _named(None):
        return _configured(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE), _WRITER_PRAGMAS)


def open_reader(path: Path) -> apsw.Connection:
    """Open for reading beside a writer; cannot change or checkpoint the file.

    Raises:
        LedgerAbsent: there is no such file.
        LedgerFailed, LedgerDamaged.
    """
    if not path.is_file():
        raise LedgerAbsent(f"there is no ledger {path}", {"name": path.name})
    with _named(None):
        uri = f"file:{quote(str(path))}?mode=ro"
        return _configured(apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI), _READER_PRAGMAS)


def open_copier(path: Path) -> apsw.Connection:
    """Open for copying the whole file elsewhere, beside a writer; SQLite takes ``VACUUM INTO`` for writing, so the mode alone protects it.

    Raises:
        LedgerFailed, LedgerDamaged.
    """
    with _named(None):
        uri = f"file:{quote(str(path))}?mode=ro"
        pragmas = {name: values for name, values in _READER_PRAGMAS.items() if name != "query_only"}
        return _configured(apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI), pragmas)


def copy_into(connection: apsw.Connection, path: Path) -> None:
    """Write what the file holds at this moment into the empty file ``path``; it still has to be synced.

    Raises:
        DiskLow, LedgerFailed, LedgerDamaged, LedgerBusy.
    """
    with _named(connection):
        connection.execute("VACUUM INTO ?", (str(path),))


@contextmanager
def writing(connection: apsw.Connection) -> Iterator[None]:
    """Run the block as one durable transaction: all of it is on the disk afterwards, or none.

    Raises:
        DiskLow: no space; nothing was changed, and the same call may succeed later.
        LedgerFailed, LedgerDamaged, LedgerBusy.
    """
    with _named(connection):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            # A full disk may have ended the transaction already; a second rollback would hide the first error.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def reading(connection: apsw.Connection) -> Iterator[None]:
    """Run the block against one state of the file; keep it short, for the log cannot shrink meanwhile."""
    with _named(connection):
        connection.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def one(connection: apsw.Connection, query: str) -> tuple[Any, ...]:
    """Give the only row of a query that always has one."""
    for row in connection.execute(query):
        return tuple(row)
    raise LedgerDamaged("the ledger lacks a row that it always has", {"query": query})


def shrink_log(connection: apsw.Connection) -> None:
    """Move the whole write-ahead log into the file and cut it to nothing.

    Raises:
        LedgerBusy: a reader still needs the log; said at once, for the lane has other work.
        DiskLow, LedgerFailed.
    """
    connection.set_busy_timeout(0)
    try:
        with _named(connection):
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    finally:
        connection.set_busy_timeout(_BUSY_TIMEOUT_MS)


def _configured(connection: apsw.Connection, pragmas: dict[str, tuple[str | int, str | int]]) -> apsw.Connection:
    try:
        connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
        for name, (wanted, expected) in pragmas.items():
            connection.execute(f"PRAGMA {name}={wanted}")
            _require(connection.pragma(name) == expected, name)
    except BaseException:
        connection.close()
        raise
    return connection


def _require(is_set: bool, pragma: str) -> None:  # noqa: FBT001 - reads as a claim
    if not is_set:
        raise LedgerFailed("SQLite refused a setting", {"pragma": pragma})


@contextmanager
def _file_named() -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        if problem.errno in _NO_SPACE:
            raise DiskLow("no space for the ledger") from problem
        raise LedgerFailed(f"the ledger's folder refused: {problem.strerror}", {"errno": problem.errno or 0}) from problem


@contextmanager
def _named(connection: apsw.Connection | None) -> Iterator[None]:
    try:
        yield
    except apsw.Error as problem:
        translated = _translated(problem, connection)
        if translated is None:
            raise
        raise translated from problem


def _translated(problem: apsw.Error, connection: apsw.Connection | None) -> EdgeAgentError | None:
    """Give our error for one of SQLite's, or None for what can only be a fault in our own code."""
    fields: dict[str, Scalar] = {"sqlite": type(problem).__name__}
    match problem:
        case apsw.FullError():
            return DiskLow("no space for the ledger", fields)
        case apsw.IOError() if connection is not None and connection.system_errno in _NO_SPACE:
            return DiskLow("no space for the ledger", {**fields, "errno": connection.system_errno})
        case apsw.IOError() | apsw.CantOpenError() | apsw.ReadOnlyError() | apsw.PermissionsError():
            return LedgerFailed(f"the file system refused: {problem}", fields)
        case apsw.CorruptError() | apsw.NotADBError():
            return LedgerDamaged(f"the ledger's file is damaged: {problem}", fields)
        case apsw.BusyError():
            return LedgerBusy("another process keeps the ledger busy", fields)
    return None
