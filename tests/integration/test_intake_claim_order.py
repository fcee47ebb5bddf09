"""Who is served first: the urgent, and in every fifth place whoever has waited longest."""

from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.ledger.ledger import Ledger
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.factories import SITE, an_acceptance, an_arrival, an_assessment


@pytest.fixture
def ledger(tmp_path):
    with closing(Ledger.open(tmp_path / "ledger.db", SITE, ManualClock())) as opened:
        yield opened


def accept(ledger, name, priority):
    ledger.accept([an_acceptance(an_arrival(name), priority=priority)])


def serve(ledger, count):
    served = []
    for _ in range(count):
        job = ledger.claim(ManualClock().now())
        ledger.complete(job.job_id, an_assessment(job.scan_id, job.revision), [])
        served.append(job.drop_key)
    return served


def test_urgent_scans_pass_a_backlog_and_the_backlog_moves_all_the_same(ledger):
    for number in range(4):
        accept(ledger, f"old-{number}", 0)
    for number in range(6):
        accept(ledger, f"urgent-{number}", 5)
    assert [f"urgent-{number}" for number in range(4)] + ["old-0", "urgent-4", "urgent-5", "old-1", "old-2", "old-3"] == serve(ledger, 10)


def test_a_scan_is_served_though_urgent_ones_never_stop_coming(ledger):
    accept(ledger, "patient", 0)
    for number in range(5):
        accept(ledger, f"urgent-{number}", 5)
    served = []
    for number in range(5, 12):
        accept(ledger, f"urgent-{number}", 5)
        served += serve(ledger, 1)
    assert "patient" in served[:5]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.integers(0, 3), min_size=1, max_size=25))
def test_nobody_waits_for_more_than_five_times_what_was_accepted_before(tmp_path_factory, priorities):
    with closing(Ledger.open(tmp_path_factory.mktemp("claims") / "ledger.db", SITE, ManualClock())) as ledger:
        for place, priority in enumerate(priorities):
            accept(ledger, f"s{place}", priority)
        served = serve(ledger, len(priorities))
    assert sorted(served) == sorted(f"s{place}" for place in range(len(priorities)))
    for place in range(len(priorities)):
        assert served.index(f"s{place}") < 5 * (place + 1)
    assert priorities[int(served[0][1:])] == max(priorities)
