"""Carries out what retention planned: first decided in one transaction, then taken off the disk.

A plan is made from a look beside the writer, so every scan is looked at again here: where anything happened to it since, it stays. What
was decided is listed in the table ``eviction`` until the file is gone, so that a crash in between leaves nothing behind.

The functions that take a connection run inside a transaction of ``Ledger.transact``.
"""

import hashlib
import hmac
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import apsw

from edge_agent.domain.assessment import FactKind
from edge_agent.domain.ids import DropKey, ScanId, ScannerId, Seq
from edge_agent.ledger.arrivals import FINGERPRINT
from edge_agent.ledger.connection import one, sync_folder
from edge_agent.ledger.jobs import MEMBERS
from edge_agent.ledger.moments import from_us, to_us
from edge_agent.ledger.records import Fingerprint
from edge_agent.ledger.retention import Eviction, Holding, Kind, Word, is_enforcement, is_undecided

_MARKS = {Kind.PACKAGE: "package", Kind.ORIGINALS: "originals", Kind.QUARANTINE: "quarantine"}
_WORDS = (
    "SELECT kind, CASE WHEN kind IN ('assessment', 'verdict', 'control') THEN CAST(body AS TEXT) ->> 'conclusion' END"
    " FROM journal WHERE scan_id = ? ORDER BY seq"
)
_NAMED_AGAIN = (
    "DELETE FROM eviction WHERE path LIKE 'blobs/%' AND substr(path, 10) IN (SELECT sha256 FROM blob UNION ALL SELECT sha256 FROM sidecar)"
)
_FOLDERS = ("spool", "packages", "blobs", "quarantine")


@dataclass(slots=True)
class Tally:
    """What one sweep did: how many things of each kind, about how many bytes, rows of the journal and scans forgotten with them."""

    kinds: Counter[Kind] = field(default_factory=Counter)
    bytes: int = 0
    rows: int = 0
    scans: int = 0
    names: int = 0
    identities: int = 0

    def add(self, other: "Tally") -> None:
        """Count another sweep's work in."""
        self.kinds.update(other.kinds)
        self.bytes += other.bytes
        self.rows += other.rows
        self.scans += other.scans
        self.names += other.names
        self.identities += other.identities

    @property
    def is_nothing(self) -> bool:
        """Whether nothing went."""
        return not (self.kinds or self.rows or self.names or self.identities)

    def counts(self) -> dict[str, int]:
        """Give the counts by name, for facts and log lines; zeros are left out."""
        counted = {kind.name.lower(): count for kind, count in sorted(self.kinds.items())}
        counted["names"] = counted.get("names", 0) + self.names
        counted |= {"rows": self.rows, "scans": self.scans, "identities": self.identities, "bytes": self.bytes}
        return {name: count for name, count in counted.items() if count}


Work: TypeAlias = Callable[[apsw.Connection], Tally]


def decide(connection: apsw.Connection, evictions: Sequence[Eviction], holdings: Mapping[ScanId, Holding]) -> Tally:
    """Note what goes; scans to which something happened since ``holdings`` were read are left out."""
    tally = Tally()
    unchanged: dict[ScanId, bool] = {}
    for eviction in evictions:
        item = eviction.item
        if not unchanged.setdefault(item.scan_id, _is_unchanged(connection, holdings[item.scan_id])):
            continue
        if item.kind is Kind.BLOBS:
            _let_blobs_go(connection, item.scan_id)
        elif item.kind is Kind.NAMES:
            _forget_names(connection, item.scan_id)
        else:
            connection.execute(
                "UPDATE job SET evicted = trim(evicted || ' ' || ?) WHERE scan_id = ? AND revision = ?",
                (_MARKS[item.kind], item.scan_id, item.revision),
            )
            _list(connection, item.path)
        tally.kinds[item.kind] += 1
        tally.bytes += item.bytes
    return tally


def pending(connection: apsw.Connection) -> list[str]:
    """Give the paths, relative to the state directory, that were decided and may still be on the disk.

    A blob that a later fact names again is struck off: it was found in its place, so nobody wrote it anew.
    """
    connection.execute(_NAMED_AGAIN)
    return [path for (path,) in connection.execute("SELECT path FROM eviction ORDER BY path")]


def done(connection: apsw.Connection, paths: Sequence[str]) -> None:
    """Note that these are off the disk."""
    connection.executemany("DELETE FROM eviction WHERE path = ?", [(path,) for path in paths])


def take_off(state_dir: Path, path: str) -> None:
    """Remove a file, or a folder with all that is in it, for good; nothing happens when it is not there.

    Raises:
        ValueError: the path does not lie where such things lie: a fault of the program, or an altered ledger.
        OSError: the disk refuses.
    """
    target = state_dir / path
    if ".." in Path(path).parts or Path(path).parts[:1][0] not in _FOLDERS or len(Path(path).parts) < 2:
        raise ValueError(f"retention removes nothing outside {', '.join(_FOLDERS)}")
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
    if target.parent.is_dir():
        sync_folder(target.parent)


def cut(connection: apsw.Connection, last: Seq, holdings: Mapping[ScanId, Holding]) -> Tally:
    """Delete the journal up to row ``last`` with the jobs that its facts closed; the chain goes on from the hash before the rest.

    Nothing is deleted when something happened to one of its scans since ``holdings`` were read.
    """
    row = connection.execute("SELECT hash FROM journal WHERE seq = ?", (last,)).fetchone()
    named = [ScanId(scan) for (scan,) in connection.execute("SELECT DISTINCT scan_id FROM journal WHERE seq <= ?", (last,)) if scan]
    if row is None or not all(_is_unchanged(connection, holdings[scan]) for scan in named if scan in holdings):
        return Tally()
    connection.execute("UPDATE meta SET first_seq = ?, before_first = ?", (last + 1, row[0]))
    gone = "SELECT DISTINCT scan_id FROM job WHERE fact_id IN (SELECT fact_id FROM journal WHERE seq <= ?)"
    scans = [(scan,) for (scan,) in connection.execute(gone, (last,))]
    connection.executemany("DELETE FROM job WHERE scan_id = ?", scans)
    connection.executemany("DELETE FROM sidecar WHERE scan_id = ?", scans)
    connection.execute("DELETE FROM blob WHERE fact_id IN (SELECT fact_id FROM journal WHERE seq <= ?)", (last,))
    connection.execute("DELETE FROM journal WHERE seq <= ?", (last,))
    return Tally(rows=connection.changes(), scans=len(scans))


def counted_until(connection: apsw.Connection) -> datetime | None:
    """Give up to when ages were counted last; None before the first count."""
    until: int = one(connection, "SELECT until_us FROM retention")[0]
    return from_us(until) if until else None


def count_until(connection: apsw.Connection, until: datetime) -> None:
    """Note up to when ages are counted."""
    connection.execute("UPDATE retention SET until_us = ?", (to_us(until),))


def holds(connection: apsw.Connection) -> dict[ScanId, str]:
    """Give the journalled holds: scan and reason."""
    return {ScanId(scan): reason for scan, reason in connection.execute("SELECT scan_id, reason FROM hold ORDER BY scan_id")}


def note_hold(connection: apsw.Connection, scan: ScanId, reason: str | None, at: datetime) -> None:
    """Note a hold, or with ``reason`` None that it was released."""
    if reason is None:
        connection.execute("DELETE FROM hold WHERE scan_id = ?", (scan,))
    else:
        connection.execute("INSERT OR REPLACE INTO hold (scan_id, reason, placed_us) VALUES (?,?,?)", (scan, reason, to_us(at)))


def forgotten(connection: apsw.Connection, scanner: ScannerId, drops: Sequence[tuple[DropKey, Fingerprint]]) -> list[DropKey]:
    """Give those of ``drops`` that were dealt with, unchanged, before their names were forgotten."""
    if not drops or connection.execute("SELECT 1 FROM seen WHERE scanner = ? AND drop_key >= '~' LIMIT 1", (scanner,)).fetchone() is None:
        return []
    salt = _salt(connection)
    found = []
    for key, fingerprint in drops:
        row = connection.execute(
            "SELECT fingerprint FROM seen WHERE scanner = ? AND drop_key = ?", (scanner, _digest(salt, key))
        ).fetchone()
        if row is not None and row[0] == _masked(salt, fingerprint):
            found.append(key)
    return found


def words_of(connection: apsw.Connection, scan: ScanId) -> tuple[Word, ...]:
    """Give what was said of a scan, in the journal's order."""
    return tuple(Word(FactKind(kind), conclusion or "") for kind, conclusion in connection.execute(_WORDS, (scan,)))


def is_ordinary(connection: apsw.Connection, scan: ScanId) -> bool:
    """Tell whether a scan's own files may go once its package is written.

    That is so when nothing ever spoke against it, nobody is still to decide, and no hold is on it. The newest word alone would not do: a
    revision that alerted stays evidence whatever the next one shows.
    """
    words = words_of(connection, scan)
    is_held = connection.execute("SELECT 1 FROM hold WHERE scan_id = ?", (scan,)).fetchone() is not None
    return not (is_held or is_enforcement(words) or is_undecided(words))


def _is_unchanged(connection: apsw.Connection, holding: Holding) -> bool:
    scan = (holding.scan_id,)
    newest = connection.execute("SELECT max(seq) FROM journal WHERE scan_id = ?", scan).fetchone()
    is_open = connection.execute("SELECT 1 FROM job WHERE scan_id = ? AND state IN ('waiting', 'claimed') LIMIT 1", scan).fetchone()
    return newest is not None and (newest[0] or 0) == holding.last_seq and is_open is None


def _let_blobs_go(connection: apsw.Connection, scan: ScanId) -> None:
    """Take a scan's name off its blobs; those that no other scan names go."""
    own = "fact_id IN (SELECT fact_id FROM journal WHERE scan_id = ?1)"
    named = [
        digest
        for (digest,) in connection.execute(
            f"SELECT sha256 FROM blob WHERE {own} UNION SELECT sha256 FROM sidecar WHERE scan_id = ?1",  # noqa: S608 - no outside text
            (scan,),
        )
    ]
    connection.execute(f"DELETE FROM blob WHERE {own}", (scan,))  # noqa: S608 - no outside text
    connection.execute("DELETE FROM sidecar WHERE scan_id = ?", (scan,))
    for digest in named:
        others = "SELECT 1 FROM blob WHERE sha256 = ?1 UNION ALL SELECT 1 FROM sidecar WHERE sha256 = ?1 LIMIT 1"
        if connection.execute(others, (digest,)).fetchone() is None:
            _list(connection, f"blobs/{digest[:2]}/{digest}")


def _forget_names(connection: apsw.Connection, scan: ScanId) -> None:
    """Put digests in the place of file names. What the scanner's folder still shows is known by them; nobody can read them."""
    salt = _salt(connection)
    rows = connection.execute(
        "SELECT job_id, scanner, drop_key, members FROM job WHERE scan_id = ? AND evicted NOT LIKE '%names%'", (scan,)
    )
    for job, scanner, key, members in list(rows):
        nameless = tuple(replace(member, name=f"member-{n}") for n, member in enumerate(MEMBERS.validate_json(members), start=1))
        connection.execute(
            "UPDATE job SET drop_key = ?, members = ?, evicted = trim(evicted || ' names') WHERE job_id = ?",
            (_digest(salt, key), MEMBERS.dump_json(nameless).decode(), job),
        )
        _forget_seen(connection, salt, scanner, key)


def forget_unworked(connection: apsw.Connection, before: datetime) -> Tally:
    """Put digests in the place of names that made no work of their own (duplicates) and were seen before."""
    salt = _salt(connection)
    rows = connection.execute(
        "SELECT scanner, drop_key FROM seen WHERE seen_us <= ? AND drop_key < '~' AND NOT EXISTS"
        " (SELECT 1 FROM job WHERE job.scanner = seen.scanner AND job.drop_key = seen.drop_key) LIMIT 10000",
        (to_us(before),),
    )
    found = list(rows)
    for scanner, key in found:
        _forget_seen(connection, salt, scanner, key)
    return Tally(names=len(found))


def _forget_seen(connection: apsw.Connection, salt: bytes, scanner: str, key: str) -> None:
    """Forget the name under which a drop was seen, unless a later scan came under the same one."""
    again = "SELECT 1 FROM job WHERE scanner = ? AND drop_key = ? LIMIT 1"
    seen = connection.execute("SELECT fingerprint FROM seen WHERE scanner = ? AND drop_key = ?", (scanner, key)).fetchone()
    if seen is not None and connection.execute(again, (scanner, key)).fetchone() is None:
        masked = _masked(salt, FINGERPRINT.validate_json(seen[0]))
        connection.execute(
            "UPDATE OR REPLACE seen SET drop_key = ?, fingerprint = ? WHERE scanner = ? AND drop_key = ?",
            (_digest(salt, key), masked, scanner, key),
        )


def _masked(salt: bytes, fingerprint: Fingerprint) -> str:
    """Give a fingerprint with digests for names."""
    return FINGERPRINT.dump_json(tuple((_digest(salt, name), size, mtime) for name, size, mtime in fingerprint)).decode()


def _salt(connection: apsw.Connection) -> bytes:
    salt: bytes = one(connection, "SELECT salt FROM retention")[0]
    return salt


def _digest(salt: bytes, key: str) -> str:
    return "~" + hmac.new(salt, key.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


def _list(connection: apsw.Connection, path: str) -> None:
    connection.execute("INSERT OR IGNORE INTO eviction (path) VALUES (?)", (path,))
