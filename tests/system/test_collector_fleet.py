"""The shipped collector against twenty simulated sites behind real sockets: killed in the middle, and drained while new rows come."""

import pytest

from benchmarks import drain, many_sites
from benchmarks.hq_stage import stage

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]


def test_twenty_sites_lose_and_double_nothing_when_the_collector_is_killed(tmp_path):
    with stage(tmp_path, 20, 0, "sqlite") as here:
        figures = many_sites.measured(here, 20, rate=300.0, seconds=2.0)
    assert figures["wrong_sites"] == []
    assert figures["rows_in_all"] > 40, "rows came before the kill and after it"
    assert (tmp_path / "states.json").exists()


def test_two_sites_drain_while_new_rows_come_and_every_row_arrives_once(tmp_path):
    with stage(tmp_path, 2, 600, "sqlite") as here:
        figures = drain.measured(here, rate=20.0)
    assert figures["wrong_sites"] == []
    assert figures["rows"] >= 1200
