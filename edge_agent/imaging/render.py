"""Pictures for people: a grey rendering of a plane, and an assessed scan drawn so that an officer can read it."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.finding import Detection
from edge_agent.domain.geometry import Box
from edge_agent.domain.scan import Plane
from edge_agent.imaging.attenuation import luminance
from edge_agent.imaging.dark import DarkArea

Rgb = NDArray[np.uint8]
Colour = tuple[int, int, int]

RED: Colour = (200, 20, 30)
GREEN: Colour = (20, 120, 50)
AMBER: Colour = (190, 110, 0)
CONCLUSION_COLOURS = {"alert": RED, "no-alert": GREEN, "unassessable": AMBER}

_DARK: Colour = (40, 90, 220)
_INK: Colour = (30, 30, 30)
_MUTED: Colour = (90, 90, 90)
_PAPER: Colour = (255, 255, 255)
_DARK_WORDS = "too dark to judge"
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_MIN_WIDTH_PX = 1000
_MAX_WIDTH_PX = 2400
_HEAT_SHOWN_FROM = 0.25
_HEAT_OPACITY = 0.6
_PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands below the picture: the conclusion's word (``alert``, ``no-alert``, ``unassessable``), then lines of words."""

    conclusion: str
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """What is drawn over the picture, all in px of the plane.

    ``detections`` alert and are named; ``hints`` are shown below the alert level, thin and without words. ``heat``: (h, w) float32 in
    [0, 1] on any grid that spans the plane; ``heat_words``: what it means, for the legend.
    """

    detections: tuple[Detection, ...] = ()
    heat: NDArray[np.float32] | None = None
    dark: DarkArea | None = None
    regions: tuple[Box, ...] = ()
    hints: tuple[Box, ...] = ()
    heat_words: str = "unlike the declared goods"


def to_grey(plane: Plane) -> NDArray[np.uint8]:
    """Give (h, w) uint8 for the eye: an 8-bit picture as it is, 16-bit with its 0.5 to 99.5 % range spread over the greys.

    Transmissions are shown by their square root, for half of a cargo scan lies below a tenth of the range.
    """
    if plane.pixels.dtype == np.uint8:
        return luminance(plane.pixels.astype(np.uint8, copy=False))
    low, high = _range(plane.pixels)
    levels = np.clip((np.arange(65536, dtype=np.float64) - low) / max(high - low, 1.0), 0.0, 1.0)
    table = np.rint(np.sqrt(levels) * 255.0).astype(np.uint8)
    grey: NDArray[np.uint8] = table[plane.pixels]
    return grey


def _range(pixels: NDArray[np.uint16] | NDArray[np.uint8]) -> tuple[float, float]:
    """Give the two percentiles from every eighth pixel each way: the whole picture would cost twenty times as much."""
    step = 8 if min(pixels.shape) > 256 else 1
    counts = np.bincount(pixels[::step, ::step].ravel(), minlength=65536)
    total = np.cumsum(counts)
    low, high = (int(np.searchsorted(total, share / 100.0 * total[-1])) for share in _PERCENTILES)
    return float(low), float(high)


def pseudo_colour_heat(heat: NDArray[np.float32]) -> Rgb:
    """Give (h, w, 3) uint8 RGB of a map in [0, 1]: pale yellow, orange, dark red."""
    stops = np.array([0.0, 0.5, 1.0])
    colours = np.array([(255, 240, 120), (250, 140, 30), (170, 0, 30)], dtype=np.float64)
    level = np.clip(heat, 0.0, 1.0)
    channels = [np.interp(level, stops, colours[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def draw_assessment(grey: NDArray[np.uint8], overlay: Overlay, caption: Caption) -> Rgb:
    """Draw an assessed view: (h, w, 3) uint8 RGB, 1,000 to 2,400 px wide, with legend and caption below.

    ``grey``: (h, w) uint8 of the plane. Boxes of ``overlay`` are in its pixels. Small pictures are enlarged and large ones reduced
    before anything is drawn, so that lines and letters keep their size.
    """
    height, width = grey.shape
    scale = min(max(width, _MIN_WIDTH_PX), _MAX_WIDTH_PX) / width
    shown = cv2.resize(grey, (round(width * scale), max(1, round(height * scale))), interpolation=_interpolation(scale))
    canvas: Rgb = cv2.cvtColor(shown, cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)
    pen = _Pen.for_width(canvas.shape[1])
    if overlay.heat is not None:
        _lay_heat(canvas, overlay.heat)
    if overlay.dark is not None:
        _hatch(canvas, overlay.dark.mask, pen)
        for box in overlay.dark.boxes[:1]:
            _name_dark(canvas, box.scaled(scale, scale), pen)
    for box in overlay.regions:
        _frame(canvas, box.scaled(scale, scale), AMBER, pen)
    for box in overlay.hints:
        x0, y0, x1, y1 = _corners(canvas, box.scaled(scale, scale))
        cv2.rectangle(canvas, (x0, y0), (x1 - 1, y1 - 1), _MUTED, 1)
    for detection in reversed(overlay.detections):
        _frame(canvas, detection.box.scaled(scale, scale), RED, pen)
    for detection in reversed(overlay.detections):
        _tag(canvas, detection.box.scaled(scale, scale), f"{detection.label} {detection.score:.0%}", RED, pen)
    return np.vstack([canvas, _caption_block(canvas.shape[1], overlay, caption, pen)])


@dataclass(frozen=True, slots=True)
class _Pen:
    """Sizes that go with a picture's width: ``letter`` is OpenCV's font scale, ``line_px`` the height of a line of text."""

    letter: float
    stroke_px: int
    line_px: int

    @classmethod
    def for_width(cls, width: int) -> "_Pen":
        letter = 0.55 + 0.45 * (width - _MIN_WIDTH_PX) / (_MAX_WIDTH_PX - _MIN_WIDTH_PX)
        return cls(letter, 2 if width < 1800 else 3, round(38 * letter))


def _interpolation(scale: float) -> int:
    return cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR


def _lay_heat(canvas: Rgb, heat: NDArray[np.float32]) -> None:
    """Lay the map over the picture; what is weak stays clear, so that the load can still be seen."""
    level = np.clip(cv2.resize(heat, (canvas.shape[1], canvas.shape[0]), interpolation=cv2.INTER_LINEAR), 0.0, 1.0)
    rows = np.flatnonzero((level >= _HEAT_SHOWN_FROM).any(axis=1))
    if not len(rows):
        return
    band = slice(int(rows[0]), int(rows[-1]) + 1)
    strength = np.clip((level[band] - _HEAT_SHOWN_FROM) / (1.0 - _HEAT_SHOWN_FROM), 0.0, 1.0)
    opacity = (_HEAT_OPACITY * np.sqrt(strength))[..., None]
    mixed = canvas[band] * (1.0 - opacity) + pseudo_colour_heat(strength.astype(np.float32)) * opacity
    canvas[band] = np.rint(mixed).astype(np.uint8)


def _corners(canvas: Rgb, box: Box) -> tuple[int, int, int, int]:
    height, width = canvas.shape[:2]
    x0, y0 = (min(max(round(value), 0), limit - 1) for value, limit in ((box.x0, width), (box.y0, height)))
    x1, y1 = min(max(round(box.x1), x0 + 1), width), min(max(round(box.y1), y0 + 1), height)
    return x0, y0, x1, y1


def _hatch(canvas: Rgb, mask: NDArray[np.bool_], pen: _Pen) -> None:
    """Hatch what the mask (on any grid that spans the picture) marks, and draw its outline."""
    height, width = canvas.shape[:2]
    marked = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    rows, columns = np.indices((height, width), sparse=True)
    on_line = (rows + columns) % (10 * pen.stroke_px) < pen.stroke_px
    canvas[on_line & (marked > 0)] = _DARK
    outlines, _ = cv2.findContours(marked, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(canvas, outlines, -1, _DARK, pen.stroke_px)


def _name_dark(canvas: Rgb, box: Box, pen: _Pen) -> None:
    x0, y0, x1, y1 = _corners(canvas, box)
    wide, high, _ = _text_px(_DARK_WORDS, pen.letter)
    left = min(max(0, (x0 + x1 - wide) // 2), max(0, canvas.shape[1] - wide - 8))
    _words(canvas, (left, (y0 + y1 + high) // 2), _DARK_WORDS, _DARK, pen)


def _frame(canvas: Rgb, box: Box, colour: Colour, pen: _Pen) -> None:
    """Draw a box with a light rim, so that it stands out on black and on white."""
    x0, y0, x1, y1 = _corners(canvas, box)
    cv2.rectangle(canvas, (x0, y0), (x1 - 1, y1 - 1), _PAPER, pen.stroke_px + 2)
    cv2.rectangle(canvas, (x0, y0), (x1 - 1, y1 - 1), colour, pen.stroke_px)


def _tag(canvas: Rgb, box: Box, words: str, colour: Colour, pen: _Pen) -> None:
    """Write white words on a coloured plate above the box, or inside where there is no room above."""
    x0, y0, _, _ = _corners(canvas, box)
    wide, high, low = _text_px(words, pen.letter)
    left = max(0, min(x0, canvas.shape[1] - wide - 8))
    base = y0 - low - 2 if y0 > high + low + 4 else y0 + high + low + 4
    _words(canvas, (left + 4, base), words, colour, pen)


def _words(canvas: Rgb, origin: tuple[int, int], words: str, colour: Colour, pen: _Pen) -> None:
    wide, high, low = _text_px(words, pen.letter)
    x, y = origin
    cv2.rectangle(canvas, (x - 4, y - high - 4), (x + wide + 4, y + low), colour, cv2.FILLED)
    cv2.putText(canvas, words, origin, _FONT, pen.letter, _PAPER, 2, cv2.LINE_AA)


def _caption_block(width: int, overlay: Overlay, caption: Caption, pen: _Pen) -> Rgb:
    """Give the block below the picture: conclusion, title, lines, legend of what was drawn."""
    margin = pen.line_px // 2
    plate_words = caption.conclusion.upper()
    plate, _, _ = _text_px(plate_words, 1.4 * pen.letter)
    title = _wrapped([caption.title], width - plate - 4 * margin, pen)
    lines = _wrapped(caption.lines, width - 2 * margin, pen)
    height = margin * 3 + pen.line_px * (max(len(title), 1) + len(lines) + 2)
    block = np.full((height, width, 3), 255, dtype=np.uint8)
    colour = CONCLUSION_COLOURS.get(caption.conclusion, _INK)
    cv2.rectangle(block, (0, 0), (width - 1, 4), colour, cv2.FILLED)
    base = margin + pen.line_px
    cv2.rectangle(block, (margin, margin), (margin * 2 + plate, base + margin // 2), colour, cv2.FILLED)
    cv2.putText(block, plate_words, (margin + margin // 2, base), _FONT, 1.4 * pen.letter, _PAPER, 2, cv2.LINE_AA)
    for row, line in enumerate(title):
        cv2.putText(block, line, (plate + 3 * margin, base + row * pen.line_px), _FONT, pen.letter, _INK, 2, cv2.LINE_AA)
    base += max(len(title), 1) * pen.line_px
    for line in lines:
        cv2.putText(block, line, (margin, base + margin), _FONT, pen.letter, _INK, 1, cv2.LINE_AA)
        base += pen.line_px
    _legend(block, (margin, base + margin), overlay, pen)
    return block


def _legend(block: Rgb, origin: tuple[int, int], overlay: Overlay, pen: _Pen) -> None:
    entries = [
        (bool(overlay.detections), RED, "object found, with its probability"),
        (bool(overlay.hints), _MUTED, "weaker sign, below the alert level"),
        (overlay.heat is not None or bool(overlay.regions), AMBER, overlay.heat_words),
        (overlay.dark is not None and bool(overlay.dark.boxes), _DARK, _DARK_WORDS),
    ]
    x, y = origin
    for is_drawn, colour, words in entries:
        if not is_drawn:
            continue
        side = pen.line_px // 2
        cv2.rectangle(block, (x, y - side), (x + side, y), colour, cv2.FILLED)
        cv2.putText(block, words, (x + side + 8, y), _FONT, 0.9 * pen.letter, _MUTED, 1, cv2.LINE_AA)
        x += side + 8 + _text_px(words, 0.9 * pen.letter)[0] + pen.line_px


def _wrapped(lines: Sequence[str], width: int, pen: _Pen) -> list[str]:
    """Break lines at spaces so that each fits ``width`` px. Letters that the font lacks become ``?``."""
    fitted: list[str] = []
    for line in lines:
        current = ""
        for word in line.encode("ascii", "replace").decode().split():
            longer = f"{current} {word}".strip()
            if current and _text_px(longer, pen.letter)[0] > width:
                fitted.append(current)
                longer = word
            current = longer
        fitted.append(current)
    return fitted


def _text_px(words: str, letter: float) -> tuple[int, int, int]:
    """Give width, height above and depth below the base line of words in px."""
    size, low = cv2.getTextSize(words, _FONT, letter, 2)
    return int(size[0]), int(size[1]), int(low)
