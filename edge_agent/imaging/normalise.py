"""From decoded pixels to transmission in the canonical frame, each step recorded so that it can be repeated bit for bit.

Every step is first written down as an :class:`Operation` and then carried out from what is written there, by the same code that
:func:`replay` uses. Integers and single-precision arithmetic without sums: the same result on every machine.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.geometry import Orientation
from edge_agent.domain.profile import Normalise
from edge_agent.domain.scan import Operation
from edge_agent.imaging.attenuation import grey_of
from edge_agent.imaging.lines import faulty_lines
from edge_agent.imaging.polarity import polarity

Pixels = NDArray[np.uint16] | NDArray[np.uint8]

_FULL = 65535
_LOAD_BELOW_AIR = 0.06  # of the picture's own air level: what is darker is in the beam
_LOAD_SHARE = 0.02  # of a line, from which on it crosses the load
_CELLS = 1 << 18
_ROWS_AT_ONCE = 256  # keeps the working floats in the cache


def orient(orientation: Orientation) -> tuple[Operation, ...]:
    """Give the operation that turns a picture; none when there is nothing to turn."""
    if orientation == Orientation():
        return ()
    turns = (("transposed", orientation.transposed), ("flipped_x", orientation.flipped_x), ("flipped_y", orientation.flipped_y))
    return (Operation("orient", turns),)


def fold_grey() -> Operation:
    """Give the operation that takes one of three equal channels."""
    return Operation("fold-grey")


def levels(pixels: Pixels, rule: Normalise) -> tuple[Pixels, tuple[Operation, ...]]:
    """Correct the levels of (h, w) or (h, w, 3) pixels in the canonical frame: polarity, scale or air, repair. Give what was done too.

    The polarity is always looked for and recorded, beside what the rule says of it. Scale and air correction are for 16-bit samples,
    repair for grey.

    Raises:
        ValueError: the picture has none of the columns that the rule names, or its white is not above its black.
    """
    found = polarity(pixels)
    inverted = rule.polarity == "dark-air" or (rule.polarity == "detect" and found == "dark-air")
    operations = [Operation("polarity", (("configured", rule.polarity), ("found", found), ("inverted", inverted)))]
    current = replay(pixels, operations)
    if current.dtype == np.uint16:
        stretch = _stretch(current, rule, inverted=inverted)
        operations += stretch
        current = replay(current, stretch)
    if rule.repair and current.ndim == 2:
        lines = faulty_lines(current)
        if lines.rows or lines.columns:
            repair = Operation("repair", (("rows", lines.rows), ("columns", lines.columns)))
            operations.append(repair)
            current = replay(current, (repair,))
    return current, tuple(operations)


def crop(pixels: Pixels, rule: Normalise) -> tuple[Operation, ...]:
    """Give the operation that cuts a view down to its load; none when the rule does not ask, or nothing is in the beam."""
    if not rule.crop:
        return ()
    height, width = pixels.shape[:2]
    step = max(1, int(np.ceil(np.sqrt(height * width / _CELLS))))
    sample = pixels[::step, ::step]
    grey = grey_of(sample)
    solid = grey < (1.0 - _LOAD_BELOW_AIR) * float(np.percentile(grey, 99.5))
    columns, rows = (np.flatnonzero(solid.mean(axis=axis) > _LOAD_SHARE) for axis in (0, 1))
    if not len(columns) or not len(rows):
        return ()
    margin = rule.crop_margin_px
    x0, y0 = (max(0, int(line[0]) * step - margin) for line in (columns, rows))
    x1, y1 = (min(end, (int(line[-1]) + 1) * step + margin) for line, end in ((columns, width), (rows, height)))
    if (x0, y0, x1, y1) == (0, 0, width, height):
        return ()
    return (Operation("crop", (("x0", x0), ("y0", y0), ("x1", x1), ("y1", y1), ("width", width), ("height", height))),)


def replay(pixels: Pixels, operations: Sequence[Operation]) -> Pixels:
    """Carry recorded operations out on (h, w) or (h, w, 3) pixels, in their order.

    Raises:
        ValueError: an operation this version does not know, or one that does not fit the pixels.
        KeyError: an operation lacks a parameter.
    """
    for operation in operations:
        step = _STEPS.get(operation.name)
        if step is None:
            raise ValueError(f"unknown operation {operation.name}")
        pixels = step(pixels, operation)
    return pixels


def is_reversible(operations: Sequence[Operation]) -> bool:
    """Say whether the decoded pixels can be told from what :func:`replay` made of them."""
    return all(operation.name in _REVERSIBLE for operation in operations)


def canonical(pixels: Pixels, orientation: Orientation) -> Pixels:
    """Turn (h, w) or (h, w, 3) from the scanner's frame into the canonical one; transposing comes before the flips."""
    rows, columns = slice(None, None, -1 if orientation.flipped_y else 1), slice(None, None, -1 if orientation.flipped_x else 1)
    turned = pixels.swapaxes(0, 1) if orientation.transposed else pixels
    return _as_contiguous(turned[rows, columns])


def _stretch(pixels: Pixels, rule: Normalise, *, inverted: bool) -> list[Operation]:
    """Give the operation that brings raw 16-bit samples to the scale of transmission; none when the rule gives no white."""
    if rule.air_columns is not None:
        white = _row_levels(pixels, rule.air_columns)
        none = _FULL - rule.black if inverted else rule.black
        black = (none,) * len(white) if rule.dark_columns is None else _row_levels(pixels, rule.dark_columns)
        return [Operation("air-dark", (("white", white), ("black", black)))]
    if rule.white is None:
        return []
    ends = (_FULL - rule.black, _FULL - rule.white) if inverted else (rule.black, rule.white)
    return [Operation("scale", (("black", ends[0]), ("white", ends[1])))]


def _row_levels(pixels: Pixels, columns: tuple[int, int]) -> tuple[int, ...]:
    """Give each row's median level within a range of columns (negative: from the end).

    Raises:
        ValueError: the picture has no such columns.
    """
    first, last, _ = slice(*_from_start(columns, pixels.shape[1])).indices(pixels.shape[1])
    if last <= first:
        raise ValueError("the picture has none of the columns that show air or darkness")
    return tuple(int(level) for level in np.median(pixels[:, first:last], axis=1))


def _from_start(columns: tuple[int, int], width: int) -> tuple[int, int]:
    first, last = columns
    return (first, last) if first >= 0 else (width + first, width + last)


def _polarity(pixels: Pixels, operation: Operation) -> Pixels:
    return np.invert(pixels) if operation.value("inverted") else pixels


def _scale(pixels: Pixels, operation: Operation) -> Pixels:
    """Stretch [black, white] to [0, 65535] by a table; levels stay distinct as white - black is at most 65535."""
    black, white = operation.whole("black"), operation.whole("white")
    if not 0 <= black < white <= _FULL or pixels.dtype != np.uint16:
        raise ValueError("scale needs 16-bit pixels and black < white")
    if (black, white) == (0, _FULL):
        return pixels
    table = np.clip(np.arange(_FULL + 1, dtype=np.int64) - black, 0, white - black) * _FULL // (white - black)
    return table.astype(np.uint16)[pixels]


def _air_dark(pixels: Pixels, operation: Operation) -> Pixels:
    """Divide each row's signal by its air signal: both less the row's dark level. A row without air signal becomes opaque."""
    white, black = (np.asarray(operation.value(name), dtype=np.float32) for name in ("white", "black"))
    if len(white) != len(pixels) or len(black) != len(pixels) or pixels.dtype != np.uint16:
        raise ValueError("air correction needs 16-bit pixels and one level a row")
    signal = white - black
    gain = np.where(signal >= 1.0, np.float32(_FULL) / np.maximum(signal, np.float32(1.0)), np.float32(0.0)).astype(np.float32)
    out = np.empty(pixels.shape, dtype=np.uint16)
    for start in range(0, len(pixels), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        levels_ = pixels[part].astype(np.float32)
        levels_ -= black[part, None]
        levels_ *= gain[part, None]
        np.rint(np.clip(levels_, 0.0, _FULL, out=levels_), out=levels_)
        out[part] = levels_
    return out


def _repair(pixels: Pixels, operation: Operation) -> Pixels:
    mended = pixels.copy()
    for name, lines in (("rows", mended), ("columns", mended.swapaxes(0, 1))):
        indices = operation.value(name)
        if not isinstance(indices, tuple) or any(not 0 <= index < len(lines) for index in indices):
            raise ValueError("repair names lines that the picture does not have")
        _mend(lines, indices)
    return mended


def _mend(lines: Pixels, indices: Sequence[int]) -> None:
    """Overwrite the lines at ``indices`` in place by what lies between their nearest good neighbours, rounded down."""
    bad = set(indices)
    for index in sorted(bad):
        before, after = index - 1, index + 1
        while after in bad:
            after += 1
        if before < 0 or after >= len(lines):  # at a border there is one neighbour only
            lines[index] = lines[after if before < 0 else before]
            continue
        # the line before is good or already mended: one step of the straight line from it to the next good one
        start, end, steps = lines[before].astype(np.int32), lines[after].astype(np.int32), after - before
        lines[index] = start + (end - start) // steps


def _crop(pixels: Pixels, operation: Operation) -> Pixels:
    x0, y0, x1, y1 = (operation.whole(name) for name in ("x0", "y0", "x1", "y1"))
    if not (0 <= x0 < x1 <= pixels.shape[1] and 0 <= y0 < y1 <= pixels.shape[0]):
        raise ValueError("the crop lies outside the picture")
    return _as_contiguous(pixels[y0:y1, x0:x1])


def _fold_grey(pixels: Pixels, operation: Operation) -> Pixels:  # noqa: ARG001 - one signature for all steps
    return _as_contiguous(pixels[:, :, 1]) if pixels.ndim == 3 else pixels


def _orient(pixels: Pixels, operation: Operation) -> Pixels:
    return canonical(pixels, _orientation(operation))


def _orientation(operation: Operation) -> Orientation:
    return Orientation(*(operation.value(name) is True for name in ("transposed", "flipped_x", "flipped_y")))


def _as_contiguous(pixels: Pixels) -> Pixels:
    if pixels.dtype == np.uint16:
        return np.ascontiguousarray(pixels, dtype=np.uint16)
    return np.ascontiguousarray(pixels, dtype=np.uint8)


_REVERSIBLE = frozenset({"orient", "fold-grey", "polarity"})
_STEPS: dict[str, Callable[[Pixels, Operation], Pixels]] = {
    "orient": _orient,
    "fold-grey": _fold_grey,
    "polarity": _polarity,
    "scale": _scale,
    "air-dark": _air_dark,
    "repair": _repair,
    "crop": _crop,
}
