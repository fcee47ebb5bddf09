"""What the console's benchmark calls a floor, a share and a scan of its busy site."""

import math
from datetime import UTC, datetime

import pytest

from benchmarks import busy_scans, console_cut, page_meter
from benchmarks.busy_site import named
from benchmarks.console import judged
from edge_agent.domain.numbering import is_container_number
from edge_agent.wire.messages import AssessmentBody, decode, encode

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def figures(key_ms=50.0, frame_ms=30.0, growth=0.0):
    frames = {"p95_ms": frame_ms}
    return {
        "queue_keys": {"max_ms": key_ms},
        "viewer_keys": {"max_ms": key_ms},
        "pan_whole": frames,
        "pan_true_size": frames,
        "heap": {"growth": growth},
    }


@pytest.mark.parametrize(("share", "value"), [(0.5, 5.0), (0.95, 10.0), (0.01, 1.0), (1.0, 10.0)])
def test_a_share_is_the_nearest_rank(share, value):
    assert value == page_meter.share_of([float(number) for number in range(1, 11)], share)


def test_nothing_measured_is_no_good_figure():
    assert math.inf == page_meter.share_of([], 0.95)


@pytest.mark.parametrize(("change", "missed"), [({}, 0), ({"key_ms": 101.0}, 2), ({"frame_ms": 51.0}, 2), ({"growth": 0.11}, 1)])
def test_a_figure_beyond_its_floor_is_missed(change, missed):
    assert missed == sum(value > floor for _, value, floor in judged(figures(**change)))


CUT = {"stale_after_s": 3.4, "true_after_s": 2.9, "seen_ms": {"max": 900.0}}
COUNTED = ("scans_missing", "verdicts_while_cut", "verdicts_lost", "verdicts_doubled")


@pytest.mark.parametrize(
    "change",
    [{"stale_after_s": 3.6}, {"true_after_s": 3.1}, {"seen_ms": {"max": math.inf}}, *({name: 1} for name in COUNTED)],
)
def test_a_line_that_was_cut_costs_no_scan_and_no_decision(change):
    whole = {**CUT, **dict.fromkeys(COUNTED, 0)}
    assert [] == [name for name, value, floor in console_cut.judged(whole) if value > floor]
    assert 1 == sum(value > floor for _, value, floor in console_cut.judged({**whole, **change}))


def test_the_busy_sites_bodies_are_bodies():
    for number in range(60):
        body = busy_scans.body(named(number), number, AT)
        read = decode(encode(body))
        assert isinstance(read, AssessmentBody)
        assert (busy_scans.conclusion_of(number), AT) == (read.conclusion, read.produced_at)
        assert ("detection-alert" in [reason.code for reason in read.reasons]) == (read.conclusion == "alert")


def test_every_container_number_of_the_busy_site_has_its_check_digit():
    numbers = {busy_scans.container_of(number) for number in range(500)}
    assert 500 == len(numbers)
    assert all(is_container_number(number) for number in numbers)


def test_the_plane_of_random_bits_holds_two_greys_and_no_two_places_alike():
    bits = busy_scans.bits()
    assert {busy_scans.GREY, busy_scans.GREY + 1} == set(bits.ravel().tolist())
    rows = {row.tobytes() for row in bits}
    assert len(rows) == busy_scans.BITS_HEIGHT_PX
