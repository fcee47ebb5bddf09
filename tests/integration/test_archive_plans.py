"""How SQLite finds what the collector asks for with every batch: by an index that fits, so a large archive is as fast as a small one."""

import pytest

from edge_agent.collector.archive import sql
from edge_agent.collector.archive.store import Archive
from edge_agent.testing.clock import ManualClock


@pytest.mark.parametrize(
    ("text", "index"),
    [
        (sql.STORIES, "SEARCH told USING INDEX fact_of_scan (site=? AND scan_id=?)"),
        (sql.KNOWN, "SEARCH fact USING COVERING INDEX sqlite_autoindex_fact_1 (site=? AND fact_id=?)"),
    ],
    ids=["facts of scans", "known facts"],
)
@pytest.mark.parametrize("keys", [1, 8])
def test_what_is_asked_with_every_batch_reads_only_its_own_scans(tmp_path, text, index, keys):
    with Archive.open(tmp_path / "archive.db", ManualClock()) as archive:
        statement = "EXPLAIN QUERY PLAN " + text.format(keys="VALUES " + ", ".join(["(?, ?)"] * keys))
        plan = [line[-1] for line in archive.database.execute(statement, ["x"] * 2 * keys)]
    assert index in plan
    assert not [line for line in plan if line.startswith(("SCAN told", "SCAN fact", "SCAN j", "SCAN l"))]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (sql.FIRST_OUTCOME, 2),
        (sql.COUNT_OUTCOMES, 2),
        (sql.COUNT_DETECTIONS, 2),
        (sql.COUNT_OBSTACLES, 2),
        (sql.FIRST_FACT, 2),
        (sql.COUNT_FACTS, 2),
        (sql.HEALTH, 2),
        (sql.HEARD, 0),
        (sql.SITE_AUDITS, 3),
        (sql.SHADOWED, 4),
        (sql.CASES, 4),
    ],
    ids=["first outcome", "outcomes", "detections", "obstacles", "first fact", "facts", "health", "heard", "audits", "shadow", "cases"],
)
def test_what_a_report_asks_reads_no_large_table_whole(tmp_path, text, values):
    """By an index that holds only such facts, or those of the days that are asked for."""
    with Archive.open(tmp_path / "archive.db", ManualClock()) as archive:
        plan = [line[-1] for line in archive.database.execute(f"EXPLAIN QUERY PLAN {text}", [0] * values)]
    large = {"fact", "f", "outcome", "o", "journal", "j", "finding", "obstacle", "scan_case"}
    whole = [line for line in plan if line.startswith("SCAN ") and line.split()[1] in large]
    assert [line for line in whole if not {"health_of_site", "shadow_of_scan"} & set(line.split())] == []
