"""Dead and noisy lines: a detector that does not answer leaves a row, a lost pulse a column."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint16] | NDArray[np.uint8]

_SEGMENTS = 6
_SEGMENT_PX = 8
_LONGEST_RUN = 8
_AROUND = _LONGEST_RUN + 1
_NOISE_RATIO = 8.0
_TOLERANCE = 0.02  # of full scale, by which a dead line differs from what its neighbours say


@dataclass(frozen=True, slots=True)
class FaultyLines:
    """Indices of rows and of columns that carry no picture, ascending."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]


def faulty_lines(pixels: Pixels) -> FaultyLines:
    """Find dead and noisy lines of (h, w) grey. A few short segments across each line are looked at, so it costs milliseconds.

    Dead: one level all along, unlike both neighbours. Noisy: neighbouring pixels differ several times more than in the lines around.
    Runs of more than 8 such lines, and runs at the picture's border, are a frame or a load, not a fault.
    """
    return FaultyLines(_faulty_rows(pixels), _faulty_rows(pixels.swapaxes(0, 1)))


def _faulty_rows(pixels: Pixels) -> tuple[int, ...]:
    height, width = pixels.shape
    if height < 2 * _AROUND or width < 2 * _SEGMENTS * _SEGMENT_PX:
        return ()
    starts = np.linspace(0, width - _SEGMENT_PX, _SEGMENTS).astype(np.intp)
    sample = np.concatenate([pixels[:, start : start + _SEGMENT_PX] for start in starts], axis=1)
    full = int(np.iinfo(pixels.dtype).max)
    suspects = (sample == sample[:, :1]).all(axis=1) | _noisy(sample, full)
    found: list[int] = []
    for start, end in _inner_runs(suspects):
        if end - start <= _LONGEST_RUN and _differs(sample, start, end, _TOLERANCE * full):
            found.extend(range(start, end))
    return tuple(found)


def _noisy(sample: Pixels, full: int) -> NDArray[np.bool_]:
    """Say of each row whether its pixels jump about far more than those of the rows around it; structure goes on over many rows."""
    segments = sample.reshape(len(sample), _SEGMENTS, _SEGMENT_PX)
    steps = cv2.absdiff(segments[:, :, 1:], segments[:, :, :-1]).reshape(len(sample), -1)
    jumps = steps.mean(axis=1, dtype=np.float32)
    # An opening takes away peaks narrower than its window and leaves what lasts.
    around = cv2.morphologyEx(jumps[:, None], cv2.MORPH_OPEN, np.ones((_AROUND, 1), dtype=np.uint8))[:, 0]
    is_most = np.count_nonzero(steps > _TOLERANCE * full, axis=1) > steps.shape[1] // 2  # an edge jumps in few places
    noisy: NDArray[np.bool_] = is_most & (jumps > _NOISE_RATIO * around)
    return noisy


def _inner_runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Give half-open runs of True that touch neither end."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))).reshape(-1, 2)
    return [(int(start), int(end)) for start, end in edges if start > 0 and end < len(flags)]


def _differs(sample: Pixels, start: int, end: int, tolerance: float) -> bool:
    """Say whether a run of rows differs from the mean of the rows around it, along at least half of its length."""
    around = (sample[start - 1].astype(np.float32) + sample[end].astype(np.float32)) / 2
    return bool(np.median(np.abs(sample[start:end].astype(np.float32) - around).mean(axis=0)) > tolerance)
