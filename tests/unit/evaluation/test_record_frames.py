"""Detections and evidence are measured in px of the stored picture, however the view was turned and cropped on the way."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from edge_agent.analysis.run import ViewMaps
from edge_agent.domain.assessment import MachineConclusion
from edge_agent.domain.capture import Capture, CaptureKind, Selection, Subject, SubjectKind
from edge_agent.domain.clock import Stamp
from edge_agent.domain.finding import Detection, Heterogeneity, ProductGuess
from edge_agent.domain.geometry import Box, Orientation
from edge_agent.domain.ids import ScanId, ScannerId
from edge_agent.domain.scan import Energy, Plane, Quantity, Scan, ScannerRef, View
from edge_agent.evaluation.dataset import Truth
from edge_agent.evaluation.record import Judged, Record, record

AS_IT_IS = Orientation()
PIXELS = np.full((60, 100), 200, dtype=np.uint8)


def view(name: str = "side", pixels: np.ndarray = PIXELS, native: Orientation = AS_IT_IS, load: Box | None = None) -> View:
    return View(name, (Plane(Quantity.DISPLAY, Energy.SINGLE, pixels.copy()),), None, native=native, load=load)


def recorded(*views: View, truth: Truth | None = None, maps: tuple[ViewMaps, ...] = (), word: str = "no-alert") -> Record:
    capture = Capture(Stamp(datetime(2026, 3, 2, tzinfo=UTC), "", tz_assumed=True), CaptureKind.LIVE, Selection.UNKNOWN)
    scan = Scan(ScanId("s"), 1, ScannerRef(ScannerId("x"), "p"), capture, Subject(SubjectKind.CARGO), views, None, ())
    findings = (
        Detection("knife", 0.9, Box(10, 20, 30, 40), "side", "b/1"),
        Detection("knife", 0.8, Box(1, 2, 3, 4), "top", "b/1"),
        Heterogeneity(0.3, (), ("beef",), True, "side", "b/1"),
        Heterogeneity(0.7, (), ("beef",), True, "top", "b/1"),
        ProductGuess((("tyres", 0.6), ("empty", 0.4)), "side", "b/1"),
    )
    return record(truth or Truth(Path("a.png")), scan, Judged(findings, maps, MachineConclusion(word)))


def heat(name: str, row: int, column: int, *, goods: bool) -> ViewMaps:
    values = np.zeros((6, 10), dtype=np.float32)
    values[row, column] = 1.0
    return ViewMaps(name, view().size, values, np.zeros((2, 6, 10), dtype=np.uint8) if goods else None, "b/1")


def test_detections_of_the_pictures_own_view_count() -> None:
    (found,) = recorded(view(), view("top")).seen.detections
    assert Box(10, 20, 30, 40) == found.box
    (other,) = recorded(view(), view("top"), truth=Truth(Path("a.png"), view="top")).seen.detections
    assert Box(1, 2, 3, 4) == other.box


def test_a_view_that_the_scan_does_not_have_means_its_first() -> None:
    assert 1 == len(recorded(view(), truth=Truth(Path("a.png"), view="bottom")).seen.detections)


def test_a_box_is_turned_back_into_the_stored_picture() -> None:
    (found,) = recorded(view(native=Orientation(flipped_x=True))).seen.detections
    assert Box(70, 20, 90, 40) == found.box


def test_scores_are_the_highest_over_all_views() -> None:
    seen = recorded(view(), view("top")).seen
    assert {"heterogeneity": 0.7, "empty": 0.4} == seen.scores
    assert (("beef",), "tyres", None) == (seen.against, seen.product, seen.weight)


def test_the_peak_is_that_of_the_contents_map_in_the_middle_of_its_cell() -> None:
    maps = (heat("side", 0, 0, goods=False), heat("side", 2, 7, goods=True), heat("top", 5, 5, goods=True))
    assert (75.0, 25.0) == recorded(view(), maps=maps).seen.peak
    assert (25.0, 25.0) == recorded(view(native=Orientation(flipped_x=True)), maps=maps).seen.peak
    assert None is recorded(view(), maps=maps[2:]).seen.peak


def test_brightness_is_measured_inside_the_container() -> None:
    pixels = PIXELS.copy()
    pixels[20:40, 10:50] = 51
    inside, whole = recorded(view(pixels=pixels, load=Box(10, 20, 50, 40))).seen, recorded(view(pixels=pixels)).seen
    assert (pytest.approx(0.2), 1.0) == (inside.brightness.mean_grey, inside.brightness.dark_share)
    assert 800 / 6000 == pytest.approx(whole.brightness.dark_share)


def test_only_an_alert_is_an_alert() -> None:
    assert [True, False, False] == [recorded(view(), word=word).seen.has_alerted for word in ("alert", "no-alert", "unassessable")]
