"""An archive in a PostgreSQL database: for headquarters that outgrow one file. One writer (an advisory lock), any number of readers.

A lost connection is an ``ArchiveAway``, and the next call connects anew; nothing of a transaction that was cut is kept, unless the cut
came during the commit itself: then the cursors tell.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Self

import psycopg
from psycopg import errors

from edge_agent.collector.archive import schema_postgres as schema
from edge_agent.collector.archive.port import Value
from edge_agent.collector.archive.stories import CASE_VERSION
from edge_agent.errors import ArchiveAway, ArchiveBusy, ArchiveDamaged, ArchiveMissing, ConfigInvalid, DiskLow

_OLDEST_SERVER = 150_000
_CONNECT_S = 5
_LOCK = "SELECT pg_advisory_lock(1162430545, hashtext(current_schema()))"
"""One writer a schema; held by the session, so a writer that dies lets it go."""
_BY_INDEX = "SET random_page_cost = 1.1; SET plan_cache_mode = force_custom_plan"
"""What the writer asks for lies in memory, and a plan made while a table was small is not kept: no statement reads a table whole."""
_VERSION = "SELECT value FROM setting WHERE name = 'version'"
_SET_VERSION = "INSERT INTO setting VALUES ('version', %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

_Connection = psycopg.Connection[tuple[Any, ...]]


class PostgresDatabase:
    """Satisfies ``port.Database``."""

    def __init__(self, address: str, *, writes: bool) -> None:
        self._address = address
        self._writes = writes
        self._months: set[str] = set()
        self._connection: _Connection | None = None
        self._is_inside = False
        self._session = 0

    @classmethod
    def open(cls, address: str) -> Self:
        """Connect for writing, make the tables where there are none, and bring them up to date.

        Raises:
            ArchiveBusy: another collector holds it.
            ArchiveAway: the server does not answer.
            ArchiveDamaged: the tables are of a newer version or not ours.
            ConfigInvalid: the server is too old, or not fit to keep what it confirmed.
        """
        return cls._connected(address, writes=True)

    @classmethod
    def read(cls, address: str) -> Self:
        """Connect for reading.

        Raises:
            ArchiveAway: the server does not answer.
            ArchiveDamaged: the tables are of another version.
            ConfigInvalid: there is no archive yet, or the server is too old.
        """
        return cls._connected(address, writes=False)

    @classmethod
    def _connected(cls, address: str, *, writes: bool) -> Self:
        database = cls(address, writes=writes)
        with _mapped():
            database._reach()
        return database

    @property
    def session(self) -> int:
        """Number of the connection, from 1; the writer's lock went with the one before."""
        return self._session

    def execute(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and give its rows."""
        with _mapped():
            cursor = self._reach().execute(_translated(sql), values)
            return cursor.fetchall() if cursor.description is not None else []

    def run_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run one statement once for each of ``rows``, without waiting for each answer."""
        if rows:
            with _mapped(), self._reach().cursor() as cursor:
                cursor.executemany(_translated(sql), rows)

    def add(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> None:
        """Insert rows that are known to be new, by COPY."""
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with _mapped(), self._reach().cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; on the server's disk when it is left without an error."""
        with _mapped():
            connection = self._reach()
            self._is_inside = True
            try:
                with connection.transaction():
                    yield
            finally:
                self._is_inside = False

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything that is read inside is of one moment."""
        with _mapped():
            connection = self._reach()
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self._is_inside = True
            try:
                yield
            finally:
                self._is_inside = False
                if not connection.closed:
                    connection.rollback()

    def make_room(self, at_us: int) -> None:
        """Make the partitions of the month in which ``at_us`` lies, and of the next."""
        month = schema.month_of(at_us)
        for needed in (month, schema.next_month(month)):
            name = f"{needed:%Y%m}"
            if name not in self._months:
                with _mapped():
                    self._reach().execute(schema.partitions(needed))
                self._months.add(name)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _reach(self) -> _Connection:
        """Give the connection; a new one where the last was lost, but never in the middle of a transaction."""
        connection = self._connection
        if connection is None or connection.closed:
            if self._is_inside:
                raise ArchiveAway("the connection was lost in the middle of a transaction")
            connection = self._connection = _connect(self._address, writes=self._writes)
            self._session += 1
        return connection


def _connect(address: str, *, writes: bool) -> _Connection:
    try:
        connection = psycopg.connect(address, autocommit=True, connect_timeout=_CONNECT_S, application_name="edge-agent")
    except psycopg.ProgrammingError as problem:
        raise ConfigInvalid(f"archive: {problem}", {"key": "archive"}) from problem
    try:
        _check_server(connection)
        if writes:
            _prepare(connection)
        else:
            connection.execute("SET default_transaction_read_only = on")
            _check_version(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_server(connection: _Connection) -> None:
    if connection.info.server_version < _OLDEST_SERVER:
        raise ConfigInvalid("archive: PostgreSQL 15 or later is needed", {"key": "archive", "server": connection.info.server_version})
    for name, needed in (("server_encoding", "UTF8"), ("fsync", "on"), ("full_page_writes", "on")):
        found = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
        if found != (needed,):
            raise ConfigInvalid(f"archive: the server must run with {name} = {needed}", {"key": "archive"})
    connection.execute("SET synchronous_commit = on")


def _prepare(connection: _Connection) -> None:
    """Take the writer's lock and bring the tables from whatever version to today's, all steps or none."""
    connection.execute("SET lock_timeout = '2s'")  # the server ends the session of a writer that is gone some time after its client
    try:
        connection.execute(_LOCK)
    except psycopg.errors.LockNotAvailable as problem:
        raise ArchiveBusy("another process writes this archive") from problem
    connection.execute("RESET lock_timeout")
    connection.execute(_BY_INDEX)
    version = _known_version(connection)
    if version < schema.VERSION:
        with connection.transaction():
            for step in schema.STEPS[version:]:
                connection.execute(step)
            connection.execute(_SET_VERSION, (str(schema.VERSION),))
            if version == 0:
                connection.execute("INSERT INTO setting VALUES ('case', %s)", (CASE_VERSION,))  # there is nothing to fold anew


def _check_version(connection: _Connection) -> None:
    version = _known_version(connection)
    if version == 0:
        raise ArchiveMissing("archive: no archive yet; `edge-agent collect` makes it", {"key": "archive"})
    if version != schema.VERSION:
        raise ArchiveDamaged(f"archive of version {version}; `edge-agent collect` brings it to {schema.VERSION}")


def _known_version(connection: _Connection) -> int:
    """Give the version of the tables, 0 where there are none. They must be ours and not newer than this program."""
    (is_there,) = connection.execute("SELECT to_regclass('setting') IS NOT NULL").fetchone() or (False,)
    found = connection.execute(_VERSION).fetchone() if is_there else ("0",)
    if found is None or not found[0].isdecimal():
        raise ArchiveDamaged("the database holds tables that are not an archive of this program")
    version = int(found[0])
    if version > schema.VERSION:
        raise ArchiveDamaged(f"archive of version {version}; this program knows up to {schema.VERSION}")
    return version


@lru_cache(maxsize=256)
def _translated(sql: str) -> str:
    """Give a statement with the placeholders of this driver."""
    return sql.replace("%", "%%").replace("?", "%s")


@contextmanager
def _mapped() -> Iterator[None]:
    """Give PostgreSQL's errors the names of this program; everything else is a bug and goes on up."""
    try:
        yield
    except errors.DiskFull as problem:
        raise DiskLow("no space left for the archive") from problem
    except errors.LockNotAvailable as problem:
        raise ArchiveBusy("the archive is locked") from problem
    except (errors.DataCorrupted, errors.IndexCorrupted, errors.DuplicateTable, errors.UndefinedTable, errors.UndefinedColumn) as problem:
        raise ArchiveDamaged(_words(problem)) from problem
    except (errors.ReadOnlySqlTransaction, errors.InsufficientPrivilege) as problem:
        raise ConfigInvalid(f"archive: {_words(problem)}", {"key": "archive"}) from problem
    except (psycopg.OperationalError, psycopg.InterfaceError) as problem:
        raise ArchiveAway(_words(problem)) from problem


def _words(problem: psycopg.Error) -> str:
    """Give the first line of what the server or the driver says: it holds no value of ours."""
    return str(problem).partition("\n")[0] or type(problem).__name__
