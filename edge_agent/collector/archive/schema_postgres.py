"""The archive's tables in PostgreSQL 15 and later: those of SQLite, with the two that grow fastest in monthly partitions.

A row number of a site can come once only in a month (a unique index on every partition), and once only at all because rows enter in the
transaction that moves the cursor from the number before them, under the lock of the only writer.
"""

from datetime import UTC, datetime, timedelta

TABLES = """
CREATE TABLE setting (name text PRIMARY KEY, value text NOT NULL);

CREATE TABLE journal (
    site text COLLATE "C" NOT NULL, epoch bytea NOT NULL, seq bigint NOT NULL, prev_seq bigint NOT NULL,
    topic text NOT NULL, body bytea NOT NULL, hash bytea NOT NULL, received_us bigint NOT NULL
) PARTITION BY RANGE (received_us);

CREATE TABLE live (
    site text COLLATE "C" NOT NULL, epoch bytea NOT NULL, seq bigint NOT NULL, prev_seq bigint NOT NULL,
    topic text NOT NULL, body bytea NOT NULL, hash bytea NOT NULL, received_us bigint NOT NULL,
    PRIMARY KEY (site, epoch, seq)
);

CREATE TABLE cursor (
    site text COLLATE "C" NOT NULL, epoch bytea NOT NULL, seq bigint NOT NULL, hash bytea NOT NULL, moved_us bigint NOT NULL,
    rowid bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (site, epoch)
);

CREATE TABLE head (
    site text COLLATE "C" NOT NULL, epoch bytea NOT NULL, seq bigint NOT NULL, hash bytea NOT NULL, at_us bigint NOT NULL,
    key bytea NOT NULL, signature bytea NOT NULL, received_us bigint NOT NULL,
    PRIMARY KEY (site, epoch, seq, hash, key)
);

CREATE TABLE fact (
    site text COLLATE "C" NOT NULL, fact_id text COLLATE "C" NOT NULL, kind text COLLATE "C" NOT NULL, epoch bytea NOT NULL,
    seq bigint NOT NULL, scanner text NOT NULL, scan_id text COLLATE "C", revision bigint NOT NULL, supersedes text,
    produced_us bigint NOT NULL, conclusion text, received_us bigint NOT NULL,
    PRIMARY KEY (site, fact_id)
);
CREATE INDEX fact_of_scan ON fact (site, scan_id);
CREATE INDEX fact_of_trial ON fact (produced_us) WHERE kind = 'shadow';

CREATE TABLE unread (
    site text COLLATE "C" NOT NULL, epoch bytea NOT NULL, seq bigint NOT NULL, why text COLLATE "C" NOT NULL,
    PRIMARY KEY (site, epoch, seq)
);

CREATE TABLE assessment (
    site text COLLATE "C" NOT NULL, fact_id text COLLATE "C" NOT NULL, subject text NOT NULL, taken_us bigint, provider text NOT NULL,
    policy_digest text NOT NULL, is_advisory integer NOT NULL,
    PRIMARY KEY (site, fact_id)
);

CREATE TABLE finding (
    site text COLLATE "C" NOT NULL, fact_id text COLLATE "C" NOT NULL, type text NOT NULL, label text, score double precision NOT NULL,
    view text NOT NULL, bundle text NOT NULL, is_alerting integer NOT NULL, received_us bigint NOT NULL
) PARTITION BY RANGE (received_us);
CREATE INDEX finding_of_fact ON finding (site, fact_id);

CREATE TABLE reason (site text COLLATE "C" NOT NULL, fact_id text COLLATE "C" NOT NULL, code text NOT NULL, label text);
CREATE INDEX reason_of_fact ON reason (site, fact_id);

CREATE TABLE obstacle (
    site text COLLATE "C" NOT NULL, fact_id text COLLATE "C" NOT NULL, code text NOT NULL, view text, is_blocking integer NOT NULL
);
CREATE INDEX obstacle_of_fact ON obstacle (site, fact_id);

CREATE TABLE outcome (
    site text COLLATE "C" NOT NULL, scan_id text COLLATE "C" NOT NULL, revision bigint NOT NULL, fact_id text NOT NULL,
    scanner text NOT NULL, capture_kind text NOT NULL, selection text NOT NULL, outcome text NOT NULL, reason text NOT NULL,
    produced_us bigint NOT NULL, received_us bigint NOT NULL,
    PRIMARY KEY (site, scan_id)
);
CREATE INDEX outcome_by_time ON outcome (produced_us);

CREATE TABLE scan_case (
    site text COLLATE "C" NOT NULL, scan_id text COLLATE "C" NOT NULL, produced_us bigint NOT NULL, scanner text NOT NULL,
    kind text NOT NULL, outcome text NOT NULL, value text NOT NULL,
    PRIMARY KEY (site, scan_id)
);
CREATE INDEX case_by_time ON scan_case (produced_us, site, scan_id);
CREATE INDEX case_of_site ON scan_case (site, produced_us, scan_id);
"""
BY_TIME = """
CREATE INDEX fact_by_time ON fact (produced_us, site, kind);
CREATE INDEX health_of_site ON fact (site, produced_us, received_us) WHERE kind = 'health';
CREATE INDEX audit_of_site ON fact (produced_us, site, fact_id) WHERE kind = 'audit' AND scan_id IS NULL;
CREATE INDEX shadow_of_scan ON fact (site, scan_id, produced_us) WHERE kind = 'shadow';
DROP INDEX fact_of_trial;
"""
STEPS: tuple[str, ...] = (TABLES, BY_TIME)
"""Script n brings an archive from version n to n + 1; a released script is never edited."""
VERSION = len(STEPS)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENOUGH_DAYS = 32


def month_of(at_us: int) -> datetime:
    """Give the beginning of the month (UTC) in which a moment lies; ``at_us`` in microseconds since 1970 UTC."""
    return (_EPOCH + timedelta(microseconds=at_us)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(month: datetime) -> datetime:
    """Give the beginning of the month after the one that begins at ``month``."""
    return (month + timedelta(days=_ENOUGH_DAYS)).replace(day=1)


def partitions(month: datetime) -> str:
    """Give the statements that make the partitions of the month that begins at ``month``, where they are not there yet."""
    low, high = ((moment - _EPOCH) // timedelta(microseconds=1) for moment in (month, next_month(month)))
    name, bounds = f"{month:%Y%m}", f"FOR VALUES FROM ({low}) TO ({high})"
    return f"""
        CREATE TABLE IF NOT EXISTS journal_{name} PARTITION OF journal {bounds};
        CREATE UNIQUE INDEX IF NOT EXISTS journal_{name}_once ON journal_{name} (site, epoch, seq);
        CREATE TABLE IF NOT EXISTS finding_{name} PARTITION OF finding {bounds};
    """
