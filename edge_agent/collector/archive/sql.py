"""The archive's statements, in the SQL that SQLite and PostgreSQL share. ``{keys}`` stands for a list of keys (``keyed``)."""

JOURNAL = ("site", "epoch", "seq", "prev_seq", "topic", "body", "hash", "received_us")
"""Columns of ``journal`` and of ``live``."""
FACT = (
    *("site", "fact_id", "kind", "epoch", "seq", "scanner", "scan_id", "revision", "supersedes", "produced_us", "conclusion"),
    "received_us",
)
UNREAD = ("site", "epoch", "seq", "why")
ASSESSMENT = ("site", "fact_id", "subject", "taken_us", "provider", "policy_digest", "is_advisory")
FINDING = ("site", "fact_id", "type", "label", "score", "view", "bundle", "is_alerting", "received_us")
REASON = ("site", "fact_id", "code", "label")
OBSTACLE = ("site", "fact_id", "code", "view", "is_blocking")
OUTCOME = (
    *("site", "scan_id", "revision", "fact_id", "scanner", "capture_kind", "selection", "outcome", "reason", "produced_us"),
    "received_us",
)
SCAN_CASE = ("site", "scan_id", "produced_us", "scanner", "kind", "outcome", "value")

KEYS_AT_ONCE = 128

CURSORS = "SELECT site, epoch, seq, hash FROM cursor WHERE (site, epoch) IN ({keys})"
CURSOR = "SELECT seq, hash FROM cursor WHERE site = ? AND epoch = ?"
NEWEST = "SELECT epoch, seq, hash FROM cursor WHERE site = ? ORDER BY rowid DESC LIMIT 1"
EPOCHS = "SELECT epoch FROM cursor WHERE site = ? ORDER BY rowid"
SET_CURSOR = """
INSERT INTO cursor (site, epoch, seq, hash, moved_us) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (site, epoch) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, moved_us = excluded.moved_us
"""

ADD_HEAD = """
INSERT INTO head (site, epoch, seq, hash, at_us, key, signature, received_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
UNFIT_HEAD = """
SELECT min(head.seq) FROM head JOIN journal ON journal.site = head.site AND journal.epoch = head.epoch AND journal.seq = head.seq
WHERE head.site = ? AND head.epoch = ? AND head.seq > ? AND head.hash <> journal.hash
"""
SIGNED_TO = """
SELECT head.seq FROM head JOIN journal ON journal.site = head.site AND journal.epoch = head.epoch AND journal.seq = head.seq
WHERE head.site = ? AND head.epoch = ? AND head.hash = journal.hash ORDER BY head.seq DESC LIMIT 1
"""
ROWS = """
SELECT epoch, seq, prev_seq, topic, body, hash FROM journal WHERE site = ? AND epoch = ? AND seq > ? ORDER BY seq LIMIT 500
"""

COUNT_ROWS = "SELECT count(*) FROM journal"
COUNT_ROWS_OF_EPOCH = "SELECT count(*) FROM journal WHERE site = ? AND epoch = ?"
ROWS_AND_MOMENTS = """
SELECT epoch, seq, prev_seq, topic, body, hash, received_us FROM journal WHERE site = ? AND epoch = ? AND seq > ? ORDER BY seq LIMIT 500
"""
HEADS = "SELECT site, epoch, seq, hash, at_us, key, signature, received_us FROM head WHERE site = ?"
LIVE_OF_SITE = "SELECT epoch, seq, prev_seq, topic, body, hash, received_us FROM live WHERE site = ? ORDER BY seq"
KEEP_LIVE = """
INSERT INTO live (site, epoch, seq, prev_seq, topic, body, hash, received_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""

AHEAD = "SELECT DISTINCT site, epoch FROM live"
LIVE_BETWEEN = "SELECT seq, hash, received_us FROM live WHERE site = ? AND epoch = ? AND seq > ? AND seq <= ?"
LIVE_COUNT = "SELECT site, count(*) FROM live GROUP BY site ORDER BY site"
FORGET_LIVE = "DELETE FROM live WHERE site = ? AND epoch = ? AND seq = ?"
UNFIT_LIVE = """
SELECT min(live.seq) FROM live JOIN journal ON journal.site = live.site AND journal.epoch = live.epoch AND journal.seq = live.seq
WHERE live.site = ? AND live.epoch = ? AND live.seq > ? AND live.hash <> journal.hash
"""
LIVE_ROW = "SELECT epoch, seq, prev_seq, topic, body, hash FROM live WHERE site = ? AND epoch = ? AND seq = ?"
PLACE_OF_FACT = "SELECT epoch, seq FROM fact WHERE site = ? AND fact_id = ?"
RETRACT = (
    "DELETE FROM finding WHERE site = ? AND fact_id = ?",
    "DELETE FROM reason WHERE site = ? AND fact_id = ?",
    "DELETE FROM obstacle WHERE site = ? AND fact_id = ?",
    "DELETE FROM assessment WHERE site = ? AND fact_id = ?",
    "DELETE FROM fact WHERE site = ? AND fact_id = ?",
)
NO_UNREAD = "DELETE FROM unread WHERE site = ? AND epoch = ? AND seq = ?"
NO_OUTCOME = "DELETE FROM outcome WHERE site = ? AND scan_id = ?"
NO_CASE = "DELETE FROM scan_case WHERE site = ? AND scan_id = ?"

KNOWN_AHEAD = """
SELECT f.site, f.fact_id, f.scan_id FROM fact AS f CROSS JOIN live AS l
WHERE (f.site, f.fact_id) IN ({keys}) AND l.site = f.site AND l.epoch = f.epoch AND l.seq = f.seq
"""
KNOWN = "SELECT site, fact_id FROM fact WHERE (site, fact_id) IN ({keys})"
VERIFIED_FACTS = """
SELECT f.fact_id FROM fact AS f JOIN journal AS j ON j.site = f.site AND j.epoch = f.epoch AND j.seq = f.seq
WHERE (f.site, f.fact_id) IN ({keys})
"""
_BODY_OF_FACT = """
LEFT JOIN journal AS j ON j.site = f.site AND j.epoch = f.epoch AND j.seq = f.seq AND j.received_us = f.received_us
LEFT JOIN live AS l ON l.site = f.site AND l.epoch = f.epoch AND l.seq = f.seq
"""
# The scan stands first in the partition: with the site first SQLite reads all facts of the site, already sorted by site, for one scan.
STORIES = f"""
SELECT f.site, f.scan_id, f.epoch, f.seq, f.received_us, coalesce(j.body, l.body)
FROM (
    SELECT told.*, row_number() OVER (
        PARTITION BY told.scan_id, told.site, told.kind = 'audit' ORDER BY c.rowid NULLS LAST, told.seq) AS place
    FROM fact AS told LEFT JOIN cursor AS c ON c.site = told.site AND c.epoch = told.epoch
    WHERE (told.site, told.scan_id) IN ({{keys}})
        AND told.kind IN ('assessment', 'set-aside', 'verdict', 'control', 'referral', 'audit')
) AS f {_BODY_OF_FACT}
WHERE f.place <= 500
"""  # noqa: S608 - our own text only
FACTS_OF_SCAN = f"""
SELECT f.kind, f.epoch, f.seq, coalesce(j.prev_seq, l.prev_seq), coalesce(j.topic, l.topic), coalesce(j.body, l.body),
    coalesce(j.hash, l.hash), f.received_us, j.seq IS NULL
FROM fact AS f {_BODY_OF_FACT} LEFT JOIN cursor AS c ON c.site = f.site AND c.epoch = f.epoch
WHERE f.site = ? AND f.scan_id = ? ORDER BY c.rowid NULLS LAST, f.seq LIMIT ? OFFSET ?
"""  # noqa: S608 - our own text only
# Scans that a bundle in shadow looked at in the period, a page of them, and everything said of some scans, as it was journalled.
SHADOWED = """
SELECT DISTINCT site, scan_id FROM fact
WHERE kind = 'shadow' AND produced_us >= ? AND produced_us < ? AND (site, scan_id) > (?, ?) ORDER BY site, scan_id LIMIT 128
"""
SAID_OF_SCANS = f"""
SELECT f.site, f.scan_id, coalesce(j.body, l.body)
FROM fact AS f {_BODY_OF_FACT} LEFT JOIN cursor AS c ON c.site = f.site AND c.epoch = f.epoch
WHERE (f.site, f.scan_id) IN ({{keys}}) AND f.kind <> 'audit'
ORDER BY f.site, f.scan_id, c.rowid NULLS LAST, f.seq
"""  # noqa: S608 - our own text only

SET_OUTCOME = """
INSERT INTO outcome (site, scan_id, revision, fact_id, scanner, capture_kind, selection, outcome, reason, produced_us, received_us)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (site, scan_id) DO UPDATE SET
    revision = excluded.revision, fact_id = excluded.fact_id, scanner = excluded.scanner, capture_kind = excluded.capture_kind,
    selection = excluded.selection, outcome = excluded.outcome, reason = excluded.reason, produced_us = excluded.produced_us,
    received_us = excluded.received_us
"""
SET_CASE = """
INSERT INTO scan_case (site, scan_id, produced_us, scanner, kind, outcome, value) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (site, scan_id) DO UPDATE SET
    produced_us = excluded.produced_us, scanner = excluded.scanner, kind = excluded.kind, outcome = excluded.outcome,
    value = excluded.value
"""
CASE = "SELECT value FROM scan_case WHERE site = ? AND scan_id = ?"
CASES = """
SELECT produced_us, site, scan_id, value FROM scan_case
WHERE produced_us < ? AND (produced_us, site, scan_id) > (?, ?, ?) ORDER BY produced_us, site, scan_id LIMIT 1000
"""
CASES_OF_SITE = """
SELECT produced_us, scan_id, value FROM scan_case
WHERE site = ? AND produced_us < ? AND (produced_us, scan_id) > (?, ?) ORDER BY produced_us, scan_id LIMIT 1000
"""
CASE_PAGE = """
SELECT produced_us, site, scan_id, value FROM scan_case
WHERE produced_us >= ? AND produced_us <= ? AND (produced_us, site, scan_id) < (?, ?, ?){wanted}
ORDER BY produced_us DESC, site DESC, scan_id DESC LIMIT ?
"""
FINDINGS = """
SELECT o.site, o.scan_id, f.type, f.label, f.score, f.view, f.bundle, f.is_alerting
FROM outcome AS o CROSS JOIN finding AS f
WHERE (o.site, o.scan_id) IN ({keys}) AND f.site = o.site AND f.fact_id = o.fact_id AND f.received_us = o.received_us
"""
SITES = "SELECT DISTINCT site FROM cursor ORDER BY site"
SCANS = """
SELECT DISTINCT site, scan_id FROM fact WHERE scan_id IS NOT NULL AND (site, scan_id) > (?, ?) ORDER BY site, scan_id LIMIT 200
"""
SETTING = "SELECT value FROM setting WHERE name = ?"
SET_SETTING = "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

COUNT_OUTCOMES = """
SELECT site, scanner, capture_kind, selection, outcome, reason, produced_us / 900000000 AS quarter, count(*)
FROM outcome WHERE produced_us >= ? AND produced_us < ?
GROUP BY site, scanner, capture_kind, selection, outcome, reason, produced_us / 900000000
"""
# CROSS JOIN fixes the order for SQLite: outcomes of the period first, then what belongs to each, by index.
COUNT_DETECTIONS = """
SELECT site, scanner, capture_kind, label, quarter, CAST(sum(found) AS BIGINT), count(*), CAST(sum(is_alerting) AS BIGINT), max(best)
FROM (
    SELECT o.site, o.scanner, o.capture_kind, f.label, o.produced_us / 900000000 AS quarter,
        count(*) AS found, max(f.is_alerting) AS is_alerting, max(f.score) AS best
    FROM outcome AS o CROSS JOIN finding AS f
    WHERE o.produced_us >= ? AND o.produced_us < ?
        AND f.site = o.site AND f.fact_id = o.fact_id AND f.received_us = o.received_us AND f.type = 'detection'
    GROUP BY o.site, o.scan_id, o.scanner, o.capture_kind, o.produced_us, f.label
) AS by_scan
GROUP BY site, scanner, capture_kind, label, quarter
"""
COUNT_OBSTACLES = """
SELECT site, scanner, capture_kind, code, outcome, is_blocking, quarter, count(*)
FROM (
    SELECT o.site, o.scanner, o.capture_kind, b.code, o.outcome, o.produced_us / 900000000 AS quarter, max(b.is_blocking) AS is_blocking
    FROM outcome AS o CROSS JOIN obstacle AS b
    WHERE o.produced_us >= ? AND o.produced_us < ? AND b.site = o.site AND b.fact_id = o.fact_id
    GROUP BY o.site, o.scan_id, o.scanner, o.capture_kind, o.outcome, o.produced_us, b.code
) AS by_scan
GROUP BY site, scanner, capture_kind, code, outcome, is_blocking, quarter
"""
FIRST_OUTCOME = "SELECT min(produced_us) FROM outcome WHERE produced_us >= ? AND produced_us < ?"
FIRST_FACT = "SELECT min(produced_us) FROM fact WHERE produced_us >= ? AND produced_us < ?"
COUNT_FACTS = """
SELECT site, kind, produced_us / 900000000 AS quarter, count(*) FROM fact WHERE produced_us >= ? AND produced_us < ?
GROUP BY site, kind, produced_us / 900000000
"""
COUNT_UNREAD = "SELECT site, why, count(*) FROM unread GROUP BY site, why ORDER BY site, why"
# A fact was said no later than it was here, whatever the site's clock shows.
_SAID_US = "CASE WHEN f.produced_us < f.received_us THEN f.produced_us ELSE f.received_us END"
# What sites said of their health in a period, and the last word of each before it.
HEALTH = f"""
SELECT f.site, f.produced_us, f.received_us, coalesce(j.body, l.body)
FROM fact AS f
LEFT JOIN (SELECT f.site, max({_SAID_US}) AS since FROM fact AS f WHERE f.kind = 'health' AND {_SAID_US} <= ? GROUP BY f.site) AS b
    ON b.site = f.site
{_BODY_OF_FACT}
WHERE f.kind = 'health' AND f.produced_us >= coalesce(b.since, 0) AND {_SAID_US} >= coalesce(b.since, 0) AND {_SAID_US} < ?
ORDER BY f.site, f.produced_us, f.seq
"""  # noqa: S608 - our own text only
# The first and the last row of each site's epochs, and the newest that came ahead.
HEARD = """
SELECT j.site, j.body, j.received_us FROM cursor AS c CROSS JOIN journal AS j
WHERE j.site = c.site AND j.epoch = c.epoch AND j.seq = c.seq
UNION ALL
SELECT j.site, j.body, j.received_us FROM cursor AS c CROSS JOIN journal AS j
WHERE j.site = c.site AND j.epoch = c.epoch AND j.seq = (SELECT min(f.seq) FROM journal AS f WHERE f.site = c.site AND f.epoch = c.epoch)
UNION ALL
SELECT l.site, l.body, l.received_us
FROM (SELECT site, epoch, max(seq) AS seq FROM live GROUP BY site, epoch) AS n
JOIN live AS l ON l.site = n.site AND l.epoch = n.epoch AND l.seq = n.seq
"""
# What sites said of themselves, not of a scan, a page of it.
SITE_AUDITS = f"""
SELECT f.produced_us, f.site, f.fact_id, coalesce(j.body, l.body) FROM fact AS f {_BODY_OF_FACT}
WHERE f.kind = 'audit' AND f.scan_id IS NULL AND (f.produced_us, f.site, f.fact_id) > (?, ?, ?)
ORDER BY f.produced_us, f.site, f.fact_id LIMIT 1000
"""  # noqa: S608 - our own text only
