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
