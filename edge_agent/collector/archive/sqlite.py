"""An archive in one SQLite file: one process writes (a lock file beside the database says so), reports read beside it."""

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import apsw

from edge_agent.collector.archive import schema_sqlite as schema
from edge_agent.collector.archive.port import Value
from edge_agent.collector.archive.stories import CASE_VERSION
from edge_agent.errors import ArchiveBusy, ArchiveDamaged, ArchiveMissing, ConfigInvalid, DiskLow
from edge_agent.ledger.connection import check_library, sync_folder

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class SqliteDatabase:
    """Satisfies ``port.Database``."""

    def __init__(self, connection: apsw.Connection, lock: int | None) -> None:
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> Self:
        """Create or open the file for writing, and bring its tables up to date.

        Raises:
            LibraryTooOld: this SQLite can corrupt it.
            ArchiveBusy: another collector holds it.
            ArchiveDamaged: it is no archive of ours, of a newer version, or fails its check.
            ConfigInvalid: the folder is absent or not writable.
        """
        check_library(apsw.sqlite_lib_version())
        try:
            lock = _locked(path.with_name(path.name + ".lock"))
        except OSError as problem:
            raise ConfigInvalid(f"archive: {path}: {problem.strerror}", {"key": "archive"}) from problem
        try:
            with _mapped(None):
                return cls(_for_writing(path), lock)
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open an existing file for reading, beside a collector that writes.

        Raises:
            ArchiveDamaged: it is no archive of ours, or of another version.
            ConfigInvalid: there is none yet.
        """
        check_library(apsw.sqlite_lib_version())
        if not path.is_file():
            raise ArchiveMissing(f"archive: {path}: no archive yet; `edge-agent collect` makes it", {"key": "archive"})
        with _mapped(None):
            connection = apsw.Connection(f"{path.absolute().as_uri()}?mode=ro", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
            try:
                connection.execute("PRAGMA query_only = ON; PRAGMA busy_timeout = 5000")
                _check_version(connection, path)
            except BaseException:
                connection.close()
                raise
            return cls(connection, None)

    @property
    def session(self) -> int:
        """Always 1: the file is open, and locked, for as long as this lives."""
        return 1

    def execute(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and give its rows."""
        with _mapped(self._connection):
            return list(self._connection.execute(sql, tuple(values)))

    def run_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run one statement once for each of ``rows``."""
        if not rows:
            return
        with _mapped(self._connection):
            self._connection.executemany(sql, (tuple(row) for row in rows))

    def add(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> None:
        """Insert rows that are known to be new."""
        marks = ", ".join("?" * len(columns))
        self.run_many(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608 - our own names only

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; on disk when it is left without an error."""
        with _mapped(self._connection):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite itself rolls back when the disk is full; a second ROLLBACK would hide that error.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything that is read inside is of one moment."""
        with _mapped(self._connection):
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def make_room(self, at_us: int) -> None:
        """Do nothing: there is always room but for the disk's."""

    def close(self) -> None:
        self._connection.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _locked(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as problem:
        os.close(lock)
        raise ArchiveBusy(f"{path}: held by another process") from problem
    return lock


def _for_writing(path: Path) -> apsw.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    sync_folder(path.parent)
    connection = apsw.Connection(str(path))
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: apsw.Connection, path: Path) -> None:
    is_new = not _has_tables(connection)
    if not is_new:
        _bring_up(connection, _known_version(connection, path))  # before any setting: somebody else's database is left as it is
    for name, value, expected in schema.PRAGMAS:
        connection.execute(f"PRAGMA {name} = {value}")
        found = connection.pragma(name)
        if found != expected:
            raise ArchiveDamaged(f"{path}: PRAGMA {name} reads back as {found}, not {expected}")
    if is_new:
        _bring_up(connection, 0)
    verdict = connection.pragma("quick_check")
    if verdict != "ok":
        raise ArchiveDamaged(f"{path}: {verdict}")


def _has_tables(connection: apsw.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is not None


def _bring_up(connection: apsw.Connection, version: int) -> None:
    """Take the steps from ``version`` to today's, all or none."""
    if version == schema.VERSION:
        return
    steps = "; ".join(schema.STEPS[version:])
    if version == 0:
        steps += f"; INSERT INTO setting VALUES ('case', '{CASE_VERSION}')"  # noqa: S608 - our own word; nothing is there to fold anew
    mark = f"PRAGMA application_id = {schema.APPLICATION_ID}; PRAGMA user_version = {schema.VERSION}"
    connection.execute(f"BEGIN IMMEDIATE; {steps}; {mark}; COMMIT")


def _known_version(connection: apsw.Connection, path: Path) -> int:
    """Give the version of an archive that this program can bring up to date."""
    application, version = connection.pragma("application_id"), int(connection.pragma("user_version"))
    if application != schema.APPLICATION_ID:
        raise ArchiveDamaged(f"{path}: not an archive of this program")
    if not 1 <= version <= schema.VERSION:
        raise ArchiveDamaged(f"{path}: archive of version {version}; this program knows up to {schema.VERSION}")
    return version


def _check_version(connection: apsw.Connection, path: Path) -> None:
    version = _known_version(connection, path)
    if version != schema.VERSION:
        raise ArchiveDamaged(f"{path}: archive of version {version}; `edge-agent collect` brings it to {schema.VERSION}")


@contextmanager
def _mapped(connection: apsw.Connection | None) -> Iterator[None]:
    """Give SQLite's errors the names of this program; everything else is a bug and goes on up."""
    try:
        yield
    except apsw.FullError as problem:
        raise DiskLow("no space left for the archive") from problem
    except apsw.IOError as problem:
        if connection is not None and connection.system_errno in _NO_SPACE:
            raise DiskLow("no space left for the archive") from problem
        raise
    except apsw.BusyError as problem:
        raise ArchiveBusy("the archive is locked") from problem
    except (apsw.CorruptError, apsw.NotADBError) as problem:
        raise ArchiveDamaged(str(problem)) from problem
    except (apsw.CantOpenError, apsw.PermissionsError, apsw.ReadOnlyError) as problem:
        raise ConfigInvalid(f"archive: {problem}", {"key": "archive"}) from problem
