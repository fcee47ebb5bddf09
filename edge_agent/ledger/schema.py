"""Tables of the ledger and the steps from one version of them to the next.

Times are whole microseconds since 1970 in UTC (``*_us``). Rules that are cheap to keep are kept by the file itself, so that no
later code can break them unnoticed: the journal is append-only, a job leaves ``assessed`` never and ``set-aside`` only to wait
again, and a job is closed exactly when it names the fact that closed it.
"""

import secrets

import apsw

from edge_agent.domain.ids import SiteId
from edge_agent.errors import LedgerDamaged, LedgerForeign
from edge_agent.ledger.connection import one, reading, writing
from edge_agent.wire.chain import EPOCH_BYTES

_APPLICATION_ID = 0x45444731  # "EDG1": tells a ledger from any other SQLite file

_FIRST = """
CREATE TABLE meta (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    site          TEXT NOT NULL,
    epoch         BLOB NOT NULL CHECK (length(epoch) = 16),
    created_us    INTEGER NOT NULL,
    first_seq     INTEGER NOT NULL DEFAULT 1,
    before_first  BLOB NOT NULL
) STRICT;

CREATE TABLE journal (
    seq         INTEGER PRIMARY KEY,
    fact_id     TEXT NOT NULL UNIQUE,
    scan_id     TEXT,
    kind        TEXT NOT NULL,
    topic       TEXT NOT NULL,
    prev_seq    INTEGER NOT NULL CHECK (prev_seq >= 0 AND prev_seq < seq),
    created_us  INTEGER NOT NULL,
    body        BLOB NOT NULL CHECK (length(body) <= 65536),
    hash        BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX journal_by_scan ON journal (scan_id, kind) WHERE scan_id IS NOT NULL;
CREATE TRIGGER journal_is_never_rewritten BEFORE UPDATE ON journal
    BEGIN SELECT RAISE(ABORT, 'journal rows are never rewritten'); END;
CREATE TRIGGER journal_keeps_what_meta_says BEFORE DELETE ON journal WHEN OLD.seq >= (SELECT first_seq FROM meta)
    BEGIN SELECT RAISE(ABORT, 'journal rows go by retention only'); END;

CREATE TABLE topic (
    topic  TEXT PRIMARY KEY,
    head   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE job (
    job_id             INTEGER PRIMARY KEY,
    scan_id            TEXT NOT NULL,
    revision           INTEGER NOT NULL CHECK (revision >= 1),
    metadata_revision  INTEGER NOT NULL CHECK (metadata_revision >= 0),
    kind               TEXT NOT NULL CHECK (kind IN ('assess', 'reconclude')),
    state              TEXT NOT NULL CHECK (state IN ('waiting', 'claimed', 'assessed', 'set-aside')),
    scanner            TEXT NOT NULL,
    drop_key           TEXT NOT NULL,
    content_digest     TEXT,
    metadata_digest    TEXT NOT NULL,
    identifiers        TEXT NOT NULL,
    priority           INTEGER NOT NULL,
    accepted_us        INTEGER NOT NULL,
    not_before_us      INTEGER,
    is_suspect         INTEGER NOT NULL DEFAULT 0 CHECK (is_suspect IN (0, 1)),
    attempts           INTEGER NOT NULL DEFAULT 0,
    charges            INTEGER NOT NULL DEFAULT 0,
    retries            INTEGER NOT NULL DEFAULT 0,
    spool              TEXT NOT NULL,
    members            TEXT NOT NULL,
    particulars        TEXT NOT NULL,
    closed_us          INTEGER,
    fact_id            TEXT REFERENCES journal (fact_id),
    reason             TEXT,
    package_path       TEXT,
    package_sha256     TEXT,
    UNIQUE (scan_id, revision, metadata_revision),
    CHECK ((kind = 'assess') = (metadata_revision = 0)),
    CHECK ((state IN ('assessed', 'set-aside')) = (fact_id IS NOT NULL)),
    CHECK ((state = 'set-aside') = (reason IS NOT NULL)),
    CHECK ((state IN ('assessed', 'set-aside')) = (closed_us IS NOT NULL)),
    CHECK (package_path IS NULL OR state = 'assessed')
) STRICT;
CREATE INDEX job_by_state ON job (kind, state);
CREATE INDEX job_waiting ON job (is_suspect, priority DESC, job_id) WHERE state = 'waiting';
CREATE INDEX job_claimed ON job (is_suspect) WHERE state = 'claimed';
CREATE INDEX job_unpacked ON job (job_id) WHERE state = 'assessed' AND kind = 'assess' AND package_path IS NULL;
CREATE INDEX job_by_drop ON job (scanner, drop_key);
CREATE INDEX job_by_pixels ON job (content_digest) WHERE content_digest IS NOT NULL;
CREATE TRIGGER job_states_move_forward BEFORE UPDATE OF state ON job
    WHEN OLD.state = 'assessed'
      OR (OLD.state = 'set-aside' AND NEW.state <> 'waiting')
      OR (OLD.state = 'waiting' AND NEW.state = 'assessed')
    BEGIN SELECT RAISE(ABORT, 'a job cannot take this step'); END;
CREATE TRIGGER job_begins_waiting BEFORE INSERT ON job WHEN NEW.state <> 'waiting'
    BEGIN SELECT RAISE(ABORT, 'a job begins waiting'); END;
CREATE TRIGGER job_is_never_forgotten BEFORE DELETE ON job WHEN OLD.state IN ('waiting', 'claimed')
    BEGIN SELECT RAISE(ABORT, 'an accepted scan is never forgotten'); END;

CREATE TABLE seen (
    scanner      TEXT NOT NULL,
    drop_key     TEXT NOT NULL,
    fingerprint  TEXT NOT NULL,
    seen_us      INTEGER NOT NULL,
    PRIMARY KEY (scanner, drop_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE consumer (
    name   TEXT PRIMARY KEY,
    epoch  BLOB NOT NULL,
    seq    INTEGER NOT NULL,
    hash   BLOB NOT NULL,
    at_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE identity (
    token       TEXT PRIMARY KEY,
    class       TEXT NOT NULL,
    value       TEXT,
    salt        BLOB,
    commitment  TEXT NOT NULL,
    created_us  INTEGER NOT NULL,
    erased_us   INTEGER,
    CHECK ((value IS NULL) = (salt IS NULL)),
    CHECK ((value IS NULL) = (erased_us IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX identity_by_value ON identity (class, value) WHERE value IS NOT NULL;

CREATE TABLE blob (
    sha256      TEXT NOT NULL,
    fact_id     TEXT NOT NULL REFERENCES journal (fact_id),
    role        TEXT NOT NULL,
    bytes       INTEGER NOT NULL,
    media_type  TEXT NOT NULL,
    PRIMARY KEY (fact_id, role, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_by_digest ON blob (sha256);
"""

STEPS: tuple[str, ...] = (_FIRST,)
"""Script n brings a file from version n to n + 1; a released script is never edited."""


def prepare(connection: apsw.Connection, site: SiteId, now_us: int) -> None:
    """Create the tables in an empty file or bring an older file up to date, then check that it is this site's and whole.

    Raises:
        LedgerForeign: another site's, or written by a newer version.
        LedgerDamaged: not a ledger, or its integrity check fails.
        DiskLow, LedgerFailed.
    """
    version = _version(connection)
    if version < len(STEPS):
        with writing(connection):
            for script in STEPS[version:]:
                connection.execute(script)
            connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={len(STEPS)}")
            if version == 0:
                _begin(connection, site, now_us)
    check(connection)
    owner, _ = identity_of(connection)
    if owner != site:
        raise LedgerForeign("the ledger belongs to another site", {"site": owner})


def check(connection: apsw.Connection) -> None:
    """Read every page (some seconds for a gigabyte) and refuse a file with any fault.

    Raises:
        LedgerForeign, LedgerDamaged.
    """
    if _version(connection) != len(STEPS):
        raise LedgerDamaged("the file holds no ledger")
    with reading(connection):
        findings = [str(row[0]) for row in connection.execute("PRAGMA quick_check(10)")]
    if findings != ["ok"]:
        raise LedgerDamaged(f"integrity check: {findings[0]}", {"findings": len(findings)})


def identity_of(connection: apsw.Connection) -> tuple[SiteId, bytes]:
    """Give the site and the epoch that the file was made for."""
    with reading(connection):
        site, epoch = one(connection, "SELECT site, epoch FROM meta")
    return SiteId(site), epoch


def _version(connection: apsw.Connection) -> int:
    with reading(connection):
        version = int(connection.pragma("user_version"))
        kind = int(connection.pragma("application_id"))
        is_empty = one(connection, "SELECT count(*) FROM sqlite_schema")[0] == 0
    if not is_empty and kind != _APPLICATION_ID:
        raise LedgerDamaged("the file is a database, but no ledger")
    if version > len(STEPS):
        raise LedgerForeign("a newer version wrote this ledger", {"found": version, "known": len(STEPS)})
    return 0 if is_empty else version


def _begin(connection: apsw.Connection, site: SiteId, now_us: int) -> None:
    epoch = secrets.token_bytes(EPOCH_BYTES)
    connection.execute("INSERT INTO meta (id, site, epoch, created_us, before_first) VALUES (1, ?, ?, ?, ?)", (site, epoch, now_us, epoch))
