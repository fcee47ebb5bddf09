"""Tables of the ledger and the steps from one version of them to the next.

Times are whole microseconds since 1970 in UTC (``*_us``). Rules that are cheap to keep are kept by the file itself, so that no
later code can break them unnoticed: the journal is append-only, a job leaves ``assessed`` never and ``set-aside`` only to wait
again, and a job is closed exactly when it names the fact that closed it.
"""

import secrets
from collections.abc import Callable

import apsw

from edge_agent.domain.ids import SiteId
from edge_agent.errors import LedgerDamaged, LedgerForeign, LedgerOutdated
from edge_agent.ledger.connection import one, reading, writing
from edge_agent.wire.chain import EPOCH_BYTES

_STEPS_BETWEEN = 10_000
"""Steps of SQLite's machine, below a ms, after which a check asks whether to go on."""
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

# Signed heads may be of earlier epochs: a restored ledger goes on with the old chain under a new epoch. `machine` and `inode` say where
# the file was last opened for writing, so that a copy of it is told from the file itself; `checked_us`: when all of it was last checked.
_SECOND_HEADS = """
CREATE TABLE head (
    epoch      BLOB NOT NULL CHECK (length(epoch) = 16),
    seq        INTEGER NOT NULL CHECK (seq >= 1),
    hash       BLOB NOT NULL CHECK (length(hash) = 32),
    at_us      INTEGER NOT NULL,
    key        BLOB NOT NULL CHECK (length(key) = 32),
    signature  BLOB NOT NULL CHECK (length(signature) = 64),
    PRIMARY KEY (seq, epoch)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER heads_go_with_their_rows AFTER UPDATE OF first_seq ON meta
    BEGIN DELETE FROM head WHERE seq < NEW.first_seq - 1; END;
ALTER TABLE meta ADD COLUMN machine TEXT;
ALTER TABLE meta ADD COLUMN inode INTEGER;
ALTER TABLE meta ADD COLUMN checked_us INTEGER;
"""

# What was taken off the disk stays named here: in `job.evicted` by kind, and in `eviction` until the file is really gone. `until_us`: up
# to when days of keeping are counted. `salt` makes the digests that stand in the place of forgotten file names. `sidecar`: whose side-cars
# lie among the blobs.
_SECOND_RETENTION = """
ALTER TABLE job ADD COLUMN evicted TEXT NOT NULL DEFAULT '';
CREATE TABLE hold (
    scan_id    TEXT PRIMARY KEY,
    reason     TEXT NOT NULL,
    placed_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE eviction (
    path  TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE TABLE retention (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    until_us  INTEGER NOT NULL,
    salt      BLOB NOT NULL CHECK (length(salt) = 16)
) STRICT;
INSERT INTO retention (id, until_us, salt) VALUES (1, 0, randomblob(16));
CREATE INDEX job_by_fact ON job (fact_id);
CREATE TABLE sidecar (
    sha256   TEXT NOT NULL,
    scan_id  TEXT NOT NULL,
    PRIMARY KEY (sha256, scan_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX sidecar_by_scan ON sidecar (scan_id);
INSERT OR IGNORE INTO sidecar (sha256, scan_id)
    SELECT member.value ->> 'sha256', job.scan_id FROM job, json_each(job.members) AS member WHERE NOT member.value ->> 'is_pixels';
CREATE TRIGGER job_names_its_sidecars AFTER INSERT ON job
    BEGIN
        INSERT OR IGNORE INTO sidecar (sha256, scan_id)
            SELECT member.value ->> 'sha256', NEW.scan_id FROM json_each(NEW.members) AS member WHERE NOT member.value ->> 'is_pixels';
    END;
"""

# Consignments that were selected for scanning: `scanner` empty = any; `selected_us`: from when on a scan counts.
_SECOND_SELECTIONS = """
CREATE TABLE selection (
    token        TEXT NOT NULL,
    selected_us  INTEGER NOT NULL,
    scanner      TEXT NOT NULL,
    reason       TEXT NOT NULL,
    campaign     TEXT NOT NULL,
    due_us       INTEGER NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'scanned', 'missed', 'late')),
    scan_id      TEXT,
    PRIMARY KEY (token, selected_us, scanner),
    CHECK ((state IN ('scanned', 'late')) = (scan_id IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX selection_by_due ON selection (due_us);
"""

# A result of an examination may name its scan by a number: the scans of the weeks before are searched for it.
_SECOND_EXAMINATIONS = """
CREATE INDEX job_by_acceptance ON job (accepted_us);
"""

_SECOND = _SECOND_HEADS + _SECOND_RETENTION + _SECOND_SELECTIONS + _SECOND_EXAMINATIONS

STEPS: tuple[str, ...] = (_FIRST, _SECOND)
"""Script n brings a file from version n to n + 1; a released script is never edited.

The second is in the making: whoever needs tables for it writes a constant like ``_SECOND_HEADS`` and adds it to ``_SECOND``.
"""


def _never() -> bool:
    return False


def prepare(connection: apsw.Connection, site: SiteId, now_us: int, is_late: Callable[[], bool] = _never) -> bool:
    """Create the tables in an empty file or bring an older file up to date, then check that it is this site's and whole.

    Gives whether every page was read before ``is_late`` said to stop.

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
    found, _ = identity_of(connection)
    if found != site:
        raise LedgerForeign("the ledger belongs to another site", {"site": found})
    return check(connection, is_late)


def check(connection: apsw.Connection, is_late: Callable[[], bool] = _never) -> bool:
    """Read every page (some seconds for a gigabyte) and refuse a file with any fault; give whether ``is_late`` let it come to its end.

    Raises:
        LedgerForeign, LedgerOutdated, LedgerDamaged.
    """
    require_current(connection)
    connection.set_progress_handler(is_late, _STEPS_BETWEEN)
    try:
        with reading(connection):
            findings = [str(row[0]) for row in connection.execute("PRAGMA quick_check(10)")]
    except apsw.InterruptError:
        return False
    finally:
        connection.set_progress_handler(None)
    if findings != ["ok"]:
        raise LedgerDamaged(f"integrity check: {findings[0]}", {"findings": len(findings)})
    return True


def require_current(connection: apsw.Connection) -> None:
    """Refuse what is no ledger of today's version.

    Raises:
        LedgerForeign, LedgerOutdated, LedgerDamaged.
    """
    version = _version(connection)
    if version == 0:
        raise LedgerDamaged("the file holds no ledger")
    if version != len(STEPS):
        raise LedgerOutdated("an older version wrote this ledger", {"found": version, "known": len(STEPS)})


def owner(connection: apsw.Connection) -> tuple[SiteId, bytes]:
    """Give the site and the epoch of a ledger of any version up to today's.

    Raises:
        LedgerForeign: a newer version wrote it. LedgerDamaged: the file holds no ledger.
    """
    if _version(connection) == 0:
        raise LedgerDamaged("the file holds no ledger")
    return identity_of(connection)


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
