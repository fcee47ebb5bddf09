"""The archive's tables, as SQL text. ``journal`` and ``cursor`` are the truth; every other table can be made again from ``journal``."""

APPLICATION_ID = 0x45494851
"""``EIHQ``: tells ``file(1)`` and us what the database is."""
VERSION = 2

PRAGMAS: tuple[tuple[str, str, str | int], ...] = (
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    ("foreign_keys", "ON", 1),
    ("trusted_schema", "OFF", 0),
    ("cell_size_check", "ON", 1),
    ("busy_timeout", "5000", 5000),
    ("journal_size_limit", "67108864", 67108864),
)
"""(name, value to set, value to read back)."""

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
STEPS: tuple[str, ...] = (TABLES, HEADS)
"""Script n brings an archive from version n to n + 1; a released script is never edited."""

ADD_HEAD = "INSERT OR IGNORE INTO head VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
UNFIT_HEAD = """
SELECT min(head.seq) FROM head JOIN journal USING (site, epoch, seq)
WHERE head.site = ? AND head.epoch = ? AND head.seq > ? AND head.hash <> journal.hash
"""
SIGNED_TO = """
SELECT head.seq FROM head JOIN journal USING (site, epoch, seq)
WHERE head.site = ? AND head.epoch = ? AND head.hash = journal.hash ORDER BY head.seq DESC LIMIT 1
"""
ADD_ROW = "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
ADD_FACT = "INSERT INTO fact VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (site, fact_id) DO NOTHING"
ADD_UNREAD = "INSERT INTO unread VALUES (?, ?, ?, ?)"
ADD_ASSESSMENT = "INSERT INTO assessment VALUES (?, ?, ?, ?, ?, ?, ?)"
ADD_FINDING = "INSERT INTO finding VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
ADD_REASON = "INSERT INTO reason VALUES (?, ?, ?, ?)"
ADD_OBSTACLE = "INSERT INTO obstacle VALUES (?, ?, ?, ?, ?)"
SET_OUTCOME = """
INSERT INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (site, scan_id) DO UPDATE SET
    revision = excluded.revision, fact_id = excluded.fact_id, scanner = excluded.scanner, capture_kind = excluded.capture_kind,
    selection = excluded.selection, outcome = excluded.outcome, reason = excluded.reason, produced_us = excluded.produced_us
WHERE excluded.revision >= outcome.revision
"""
SET_CURSOR = """
INSERT INTO cursor VALUES (?, ?, ?, ?, ?)
ON CONFLICT (site, epoch) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, moved_us = excluded.moved_us
"""

COUNT_OUTCOMES = """
SELECT site, scanner, capture_kind, selection, outcome, reason, produced_us / 900000000 AS quarter, count(*)
FROM outcome WHERE produced_us >= ? AND produced_us < ?
GROUP BY site, scanner, capture_kind, selection, outcome, reason, quarter
"""
# CROSS JOIN fixes the order: outcomes of the period first, then what belongs to each, by index.
COUNT_DETECTIONS = """
SELECT site, scanner, capture_kind, label, quarter, sum(found), count(*), sum(is_alerting), max(best)
FROM (
    SELECT o.site, o.scanner, o.capture_kind, f.label, o.produced_us / 900000000 AS quarter,
        count(*) AS found, max(f.is_alerting) AS is_alerting, max(f.score) AS best
    FROM outcome AS o CROSS JOIN finding AS f ON f.site = o.site AND f.fact_id = o.fact_id AND f.type = 'detection'
    WHERE o.produced_us >= ? AND o.produced_us < ?
    GROUP BY o.rowid, f.label
)
GROUP BY site, scanner, capture_kind, label, quarter
"""
COUNT_OBSTACLES = """
SELECT site, scanner, capture_kind, code, outcome, is_blocking, quarter, count(*)
FROM (
    SELECT o.site, o.scanner, o.capture_kind, b.code, o.outcome, o.produced_us / 900000000 AS quarter, max(b.is_blocking) AS is_blocking
    FROM outcome AS o CROSS JOIN obstacle AS b ON b.site = o.site AND b.fact_id = o.fact_id
    WHERE o.produced_us >= ? AND o.produced_us < ?
    GROUP BY o.rowid, b.code
)
GROUP BY site, scanner, capture_kind, code, outcome, is_blocking, quarter
"""
# Everything said of scans that a bundle in shadow looked at in the period; a scan's facts in the order in which they were journalled.
SHADOWED = """
SELECT f.site, f.scan_id, j.body
FROM fact AS f JOIN journal AS j ON j.site = f.site AND j.epoch = f.epoch AND j.seq = f.seq
WHERE (f.site, f.scan_id) IN (SELECT site, scan_id FROM fact WHERE kind = 'shadow' AND produced_us >= ? AND produced_us < ?)
ORDER BY f.site, f.scan_id, f.rowid
"""
COUNT_FACTS = "SELECT site, kind, count(*) FROM fact GROUP BY site, kind ORDER BY site, kind"
COUNT_UNREAD = "SELECT site, why, count(*) FROM unread GROUP BY site, why ORDER BY site, why"
