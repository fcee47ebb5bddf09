"""The archive's tables in SQLite. ``journal`` and ``cursor`` are the truth; every other table but ``head`` can be made from ``journal``."""

APPLICATION_ID = 0x45494851
"""``EIHQ``: tells ``file(1)`` and us what the database is."""

PRAGMAS: tuple[tuple[str, str, str | int], ...] = (
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    ("foreign_keys", "ON", 1),
    ("trusted_schema", "OFF", 0),
    ("cell_size_check", "ON", 1),
    ("busy_timeout", "5000", 5000),
    ("journal_size_limit", "67108864", 67108864),
    ("cache_size", "-32768", -32768),
)
"""(name, value to set, value to read back). 32 MiB of pages are kept: facts and scans have random names, so every row touches old pages."""

TABLES = """
-- Every row of every site, byte for byte, in the site's order. A restored site begins a new epoch.
CREATE TABLE journal (
    site TEXT NOT NULL, epoch BLOB NOT NULL, seq INTEGER NOT NULL, prev_seq INTEGER NOT NULL,
    topic TEXT NOT NULL, body BLOB NOT NULL, hash BLOB NOT NULL, received_us INTEGER NOT NULL,
    PRIMARY KEY (site, epoch, seq)
) STRICT;

-- The verified prefix: everything up to (seq, hash) is in `journal`. Moves in the transaction that adds the rows.
CREATE TABLE cursor (
    site TEXT NOT NULL, epoch BLOB NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL, moved_us INTEGER NOT NULL,
    PRIMARY KEY (site, epoch)
) STRICT;

-- Each fact once, whatever epoch brought it first.
CREATE TABLE fact (
    site TEXT NOT NULL, fact_id TEXT NOT NULL, kind TEXT NOT NULL, epoch BLOB NOT NULL, seq INTEGER NOT NULL,
    scanner TEXT NOT NULL, scan_id TEXT, revision INTEGER NOT NULL, supersedes TEXT,
    produced_us INTEGER NOT NULL, conclusion TEXT,
    UNIQUE (site, fact_id)
) STRICT;

CREATE TABLE unread (
    site TEXT NOT NULL, epoch BLOB NOT NULL, seq INTEGER NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (site, epoch, seq)
) STRICT;

CREATE TABLE assessment (
    site TEXT NOT NULL, fact_id TEXT NOT NULL, subject TEXT NOT NULL, taken_us INTEGER, provider TEXT NOT NULL,
    policy_digest TEXT NOT NULL, is_advisory INTEGER NOT NULL,
    PRIMARY KEY (site, fact_id)
) STRICT;

CREATE TABLE finding (
    site TEXT NOT NULL, fact_id TEXT NOT NULL, type TEXT NOT NULL, label TEXT, score REAL NOT NULL,
    view TEXT NOT NULL, bundle TEXT NOT NULL, is_alerting INTEGER NOT NULL
) STRICT;
CREATE INDEX finding_of_fact ON finding (site, fact_id);

CREATE TABLE reason (site TEXT NOT NULL, fact_id TEXT NOT NULL, code TEXT NOT NULL, label TEXT) STRICT;
CREATE INDEX reason_of_fact ON reason (site, fact_id);

CREATE TABLE obstacle (
    site TEXT NOT NULL, fact_id TEXT NOT NULL, code TEXT NOT NULL, view TEXT, is_blocking INTEGER NOT NULL
) STRICT;
CREATE INDEX obstacle_of_fact ON obstacle (site, fact_id);

-- One row a scan: the last outcome of its newest revision. This is what reports count.
CREATE TABLE outcome (
    site TEXT NOT NULL, scan_id TEXT NOT NULL, revision INTEGER NOT NULL, fact_id TEXT NOT NULL, scanner TEXT NOT NULL,
    capture_kind TEXT NOT NULL, selection TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
    produced_us INTEGER NOT NULL,
    PRIMARY KEY (site, scan_id)
) STRICT;
CREATE INDEX outcome_by_time ON outcome (produced_us);
"""

HEADS = """
-- What each site signed about its journal, kept even where it contradicts the rows: then above all it is evidence.
CREATE TABLE head (
    site TEXT NOT NULL, epoch BLOB NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL, at_us INTEGER NOT NULL,
    key BLOB NOT NULL, signature BLOB NOT NULL, received_us INTEGER NOT NULL,
    PRIMARY KEY (site, epoch, seq, hash, key)
) STRICT, WITHOUT ROWID;
"""

LIVE_AND_CASES = """
-- Rows that came ahead of the verified prefix. One that the prefix reaches goes; one that it contradicts stays, as evidence.
CREATE TABLE live (
    site TEXT NOT NULL, epoch BLOB NOT NULL, seq INTEGER NOT NULL, prev_seq INTEGER NOT NULL,
    topic TEXT NOT NULL, body BLOB NOT NULL, hash BLOB NOT NULL, received_us INTEGER NOT NULL,
    PRIMARY KEY (site, epoch, seq)
) STRICT;

-- One row a scan: all its facts folded into the flat values that figures are made of, as JSON.
CREATE TABLE scan_case (
    site TEXT NOT NULL, scan_id TEXT NOT NULL, produced_us INTEGER NOT NULL, scanner TEXT NOT NULL, kind TEXT NOT NULL,
    outcome TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (site, scan_id)
) STRICT;
CREATE INDEX case_by_time ON scan_case (produced_us, site, scan_id);
CREATE INDEX case_of_site ON scan_case (site, produced_us, scan_id);

CREATE TABLE setting (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT;

-- When headquarters first had the row behind each, so that PostgreSQL finds the month in which it lies; here for the same queries.
ALTER TABLE fact ADD COLUMN received_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE finding ADD COLUMN received_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outcome ADD COLUMN received_us INTEGER NOT NULL DEFAULT 0;
UPDATE fact SET received_us = coalesce((
    SELECT j.received_us FROM journal AS j WHERE j.site = fact.site AND j.epoch = fact.epoch AND j.seq = fact.seq), 0);
UPDATE finding SET received_us = (SELECT f.received_us FROM fact AS f WHERE f.site = finding.site AND f.fact_id = finding.fact_id);
UPDATE outcome SET received_us = (SELECT f.received_us FROM fact AS f WHERE f.site = outcome.site AND f.fact_id = outcome.fact_id);
CREATE INDEX fact_of_scan ON fact (site, scan_id);
"""

BY_TIME = """
-- A report reads the facts of its days, and of those of its own kinds only what it needs.
CREATE INDEX fact_by_time ON fact (produced_us, site, kind);
CREATE INDEX health_of_site ON fact (site, produced_us, received_us) WHERE kind = 'health';
CREATE INDEX audit_of_site ON fact (produced_us, site, fact_id) WHERE kind = 'audit' AND scan_id IS NULL;
CREATE INDEX shadow_of_scan ON fact (site, scan_id, produced_us) WHERE kind = 'shadow';
"""

STEPS: tuple[str, ...] = (TABLES, HEADS, LIVE_AND_CASES, BY_TIME)
"""Script n brings an archive from version n to n + 1; a released script is never edited."""
VERSION = len(STEPS)
