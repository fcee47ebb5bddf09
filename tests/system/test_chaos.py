"""A small run of chaos on the wire: the same as ``make chaos``, with fewer scans."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.chaos import FLOOR_REPAIR_S, FLOOR_STALE_S, Chaos, Outcome, late, report

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]

SCANS, SEED, A_SECOND = 150, 1, 2.0
KINDS = 4  # of some eight: in so short a run not every kind finds its victim free


def test_over_bad_lines_and_through_kills_each_reader_gets_each_fact_once_in_order_and_headquarters_has_every_byte(tmp_path: Path) -> None:
    chaos = Chaos(tmp_path / "chaos", SEED, SCANS, A_SECOND)
    outcome = asyncio.run(chaos.run())
    assert [] == outcome.breaches
    assert outcome.facts >= SCANS
    assert len(outcome.deeds) >= KINDS
    assert any(deed.endswith("killed") for deed in outcome.deeds)
    told = report([outcome], SCANS)
    assert told["stale_after"]["n"] == told["repaired_after"]["n"] == len(outcome.stale_s)
    assert [] != outcome.stale_s, "no console noticed an outage; how soon they do is a floor of ``make chaos``, on a quiet machine"


def test_what_is_later_than_its_floor_is_named() -> None:
    assert [] == late(Outcome(1, Counter(), [], [FLOOR_STALE_S], [FLOOR_REPAIR_S]))
    assert 2 == len(late(Outcome(1, Counter(), [], [FLOOR_STALE_S + 0.1], [FLOOR_REPAIR_S + 0.1])))
