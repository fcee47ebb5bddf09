"""Headquarters' outbox: what has to be told to sites, in a SQLite file of its own beside the archive.

It is no part of the archive, because it cannot be pulled again from the sites, and because several processes write it: whoever imports
results enters, and the running collector sends. What a submission says is erased when it is settled, for it may hold a container's number
or free text; a keyed digest of it stays, by which the same record is known again.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw

from edge_agent.collector.submission import Committed, Event, Failed, Returned, State, Submission, next_state
from edge_agent.domain.clock import Clock
from edge_agent.domain.ids import FactId, SiteId
from edge_agent.errors import ArchiveDamaged, ConfigInvalid, TryLater
from edge_agent.ledger.connection import check_library, create_file, one, open_reader, open_writer, reading, shrink_log, writing
from edge_agent.ledger.moments import from_us, to_us

_APPLICATION_ID = 0x4549484F  # "EIHO": tells an outbox from any other SQLite file
_TABLES = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE submission (
    number      INTEGER PRIMARY KEY,
    control_id  TEXT NOT NULL UNIQUE,
    site        TEXT NOT NULL,
    record      TEXT NOT NULL,
    content     TEXT,
    digest      BLOB NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('entered', 'sent', 'at-site', 'refused')),
    tries       INTEGER NOT NULL DEFAULT 0,
    fact_id     TEXT,
    code        TEXT NOT NULL DEFAULT '',
    detail      TEXT NOT NULL DEFAULT '',
    entered_us  INTEGER NOT NULL,
    changed_us  INTEGER NOT NULL,
    CHECK ((state IN ('at-site', 'refused')) = (content IS NULL)),
    CHECK ((state IN ('sent', 'at-site')) = (fact_id IS NOT NULL))
) STRICT;
CREATE INDEX submission_by_state ON submission (state, site);
"""
_BY_RECORD = "CREATE INDEX submission_of_record ON submission (site, record, number) WHERE state = 'entered';"
_STEPS: tuple[str, ...] = (_TABLES, _BY_RECORD)
"""Script n brings the file from version n to n + 1; a released script is never edited."""
_COLUMNS = "control_id, site, record, content, entered_us, changed_us, state, tries, fact_id, code, detail, number"


class Entered(StrEnum):
    """What became of a result that somebody entered."""

    NEW = "new"
    KNOWN = "known"
    """It is here already, word for word."""
    AGAIN = "again"
    """The site had refused it, or may have lost it; it will be sent again, as it is now."""
    CHANGED = "changed"
    """Another content was sent under this record before: nothing was done."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A result to be sent. ``content``: a CONTROL request without its ``control_id``."""

    control_id: str
    site: SiteId
    record: str
    content: Mapping[str, Any]

    def __repr__(self) -> str:
        """Hide the content, which may hold personal data."""
        return f"Entry({self.record!r}, {self.site})"


class Outbox:
    """One connection to the file; many processes may have one. Whatever a method has returned from is on the disk."""

    def __init__(self, connection: apsw.Connection, clock: Clock) -> None:
        self._db = connection
        self._clock = clock

    @classmethod
    def open(cls, path: Path, clock: Clock) -> Self:
        """Open for writing; the file is made, with mode 0600, if it is absent.

        Raises:
            ConfigInvalid: its folder is absent. ArchiveDamaged: it is no outbox, or of a newer version.
            LibraryTooOld, DiskLow, LedgerBusy, LedgerFailed.
        """
        check_library(apsw.sqlite_lib_version())
        if not path.parent.is_dir():
            raise ConfigInvalid(f"outbox: {path.parent}: no such folder", {"key": "outbox"})
        create_file(path)
        connection = open_writer(path)
        try:
            _bring_up(connection, path)
        except BaseException:
            connection.close()
            raise
        return cls(connection, clock)

    @classmethod
    def read(cls, path: Path, clock: Clock) -> Self:
        """Open an existing file for reading. Errors as of ``open``; LedgerAbsent: nothing was ever entered."""
        check_library(apsw.sqlite_lib_version())
        connection = open_reader(path)
        try:
            _refuse_others(connection, path, len(_STEPS))
        except BaseException:
            connection.close()
            raise
        return cls(connection, clock)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def enter(self, entries: Iterable[Entry], *, is_lost: bool = False) -> dict[str, Entered]:
        """Take results, all or none; gives by ``control_id`` what became of each.

        ``is_lost``: the site may have lost what it once had, so what was there before is sent again; a site that has it does nothing.
        """
        with writing(self._db):
            return {entry.control_id: self._enter(entry, is_lost=is_lost) for entry in entries}

    def waiting(self) -> list[tuple[SiteId, State]]:
        """Give the sites with something to be sent or awaited, each with ``entered``, ``sent`` or both; from an index alone."""
        query = "SELECT DISTINCT site, state FROM submission WHERE state IN ('entered', 'sent') ORDER BY site, state"
        with reading(self._db):
            return [(SiteId(site), State(state)) for site, state in self._db.execute(query)]

    def of_site(self, site: SiteId, state: State, limit: int, after: int = 0) -> list[Submission]:
        """Give what of one site is in one state behind the number ``after``, oldest first, at most ``limit``."""
        query = f"SELECT {_COLUMNS} FROM submission WHERE state = ? AND site = ? AND number > ? ORDER BY number LIMIT ?"  # noqa: S608 - fixed text
        with reading(self._db):
            return [_submission(*row) for row in self._db.execute(query, (state.value, site, after, limit))]

    def due(self, site: SiteId, limit: int, after: int = 0) -> list[Submission]:
        """Give what is to be sent to a site behind the number ``after``, oldest first, at most ``limit``.

        Of each record only the oldest: an amendment must not overtake what it amends, for the newest word of an office counts.
        """
        query = f"""
            SELECT {_COLUMNS} FROM submission AS one WHERE state = 'entered' AND site = ? AND number > ? AND NOT EXISTS (
                SELECT 1 FROM submission AS older WHERE older.state = 'entered' AND older.site = one.site
                AND older.record = one.record AND older.number < one.number)
            ORDER BY number LIMIT ?"""  # noqa: S608 - fixed text
        with reading(self._db):
            return [_submission(*row) for row in self._db.execute(query, (site, after, limit))]

    def all(self, states: Sequence[State] = tuple(State)) -> list[Submission]:
        """Give every submission in one of ``states``, oldest first."""
        marks = ",".join("?" * len(states))
        query = f"SELECT {_COLUMNS} FROM submission WHERE state IN ({marks}) ORDER BY number"  # noqa: S608 - marks only
        with reading(self._db):
            return [_submission(*row) for row in self._db.execute(query, [state.value for state in states])]

    def counts(self) -> dict[State, int]:
        """Give how many there are in each state."""
        with reading(self._db):
            found = dict(self._db.execute("SELECT state, count(*) FROM submission GROUP BY state"))
        return {state: int(found.get(state.value, 0)) for state in State}

    def note(self, control_id: str, event: Event) -> State:
        """Take what happened to a submission and give its state after it; what cannot follow changes nothing.

        What is sent once more takes the identity of the fact that the site commits now: a restored site may count another revision.
        """
        with writing(self._db):
            row = self._db.execute("SELECT state FROM submission WHERE control_id = ?", (control_id,)).fetchone()
            if row is None:
                raise ValueError(f"nothing was entered as {control_id}")
            state = State(row[0])
            after = next_state(state, event)
            is_open = state in (State.ENTERED, State.SENT)
            fact = event.fact_id if isinstance(event, Committed) and is_open else None
            why = (event.code, event.detail) if isinstance(event, Failed) and is_open else ("", "")
            self._db.execute(
                "UPDATE submission SET state = ?, tries = tries + ?, fact_id = coalesce(?, fact_id), code = ?, detail = ?,"
                " content = iif(?, NULL, content), changed_us = ? WHERE control_id = ?",
                (
                    after.value,
                    int(is_open and not isinstance(event, Returned)),
                    fact,
                    *why,
                    after in (State.AT_SITE, State.REFUSED),
                    to_us(self._clock.now()),
                    control_id,
                ),
            )
        return after

    def fold(self) -> None:
        """Move the write-ahead log into the file, so that what was erased is in neither; not where another process reads just now."""
        with suppress(TryLater):
            shrink_log(self._db)

    def _enter(self, entry: Entry, *, is_lost: bool) -> Entered:
        text = json.dumps(entry.content, sort_keys=True)
        digest = self._digest(entry.site, text)
        now_us = to_us(self._clock.now())
        row = self._db.execute("SELECT state, digest FROM submission WHERE control_id = ?", (entry.control_id,)).fetchone()
        if row is None:
            self._db.execute(
                "INSERT INTO submission (control_id, site, record, content, digest, state, entered_us, changed_us)"
                " VALUES (?,?,?,?,?,'entered',?,?)",
                (entry.control_id, entry.site, entry.record, text, digest, now_us, now_us),
            )
            return Entered.NEW
        is_same = hmac.compare_digest(row[1], digest)
        if row[0] == State.REFUSED or (is_lost and is_same and row[0] == State.AT_SITE):
            self._db.execute(
                "UPDATE submission SET site = ?, content = ?, digest = ?, state = 'entered', fact_id = NULL, code = '', detail = '',"
                " changed_us = ? WHERE control_id = ?",
                (entry.site, text, digest, now_us, entry.control_id),
            )
            return Entered.AGAIN
        return Entered.KNOWN if is_same else Entered.CHANGED

    def _digest(self, site: SiteId, text: str) -> bytes:
        """Give the digest of a content, keyed, so that nobody finds a container's number by trying them all without the file."""
        salt = one(self._db, "SELECT value FROM setting WHERE name = 'salt'")[0]
        return hmac.new(salt, f"{site}\0{text}".encode(), hashlib.sha256).digest()


def _submission(*row: Any) -> Submission:  # noqa: ANN401 - columns
    control_id, site, record, content, entered_us, changed_us, state, tries, fact_id, code, detail, number = row
    return Submission(
        control_id,
        SiteId(site),
        record,
        {} if content is None else json.loads(content),
        from_us(entered_us),
        from_us(changed_us),
        State(state),
        tries,
        None if fact_id is None else FactId(fact_id),
        code,
        detail,
        number,
    )


def _bring_up(connection: apsw.Connection, path: Path) -> None:
    with writing(connection):  # two processes may find the file empty at once
        version = _refuse_others(connection, path, 0)
        for script in _STEPS[version:]:
            connection.execute(script)
        if version == 0:
            connection.execute("INSERT INTO setting (name, value) VALUES ('salt', ?)", (secrets.token_bytes(32),))
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={len(_STEPS)}")


def _refuse_others(connection: apsw.Connection, path: Path, least: int) -> int:
    """Give the file's version.

    Raises:
        ArchiveDamaged: it is no outbox, or of a version that is not known here.
    """
    version, kind = int(connection.pragma("user_version")), int(connection.pragma("application_id"))
    if (version and kind != _APPLICATION_ID) or not least <= version <= len(_STEPS):
        raise ArchiveDamaged(f"{path} is no outbox of this version", {"found": version, "known": len(_STEPS)})
    return version
