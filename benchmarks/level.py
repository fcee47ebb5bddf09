"""At which score to show detections so that a scan has about as many of them as wanted."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks.network import LABELS, SIDE_PX
from edge_agent.domain.geometry import Size
from edge_agent.imaging.boxes import merge_across_tiles
from edge_agent.imaging.tiles import plan_tiles
from edge_agent.inference.heads import boxes_scores

_STEPS = 14


def level_for(model: Path, levels: NDArray[np.uint16], wanted: int) -> float:
    """Give the score from which about ``wanted`` merged detections of the scan are shown; by halving the interval."""
    session = ort.InferenceSession(model.read_bytes(), providers=["CPUExecutionProvider"])
    size = Size(levels.shape[1], levels.shape[0])
    windows = plan_tiles(size, SIDE_PX, 128)
    raw = []
    for window in windows:
        tile = levels[None, None, window.y0 : window.y1, window.x0 : window.x1].astype(np.float32) / np.float32(65535.0)
        boxes, scores = session.run(["boxes", "scores"], {"image": tile})
        raw.append((boxes[0], scores[0]))
    # Where few candidates pass, merging is quick; so the search comes from above.
    best = np.partition(np.concatenate([scores.ravel() for _, scores in raw]), -200 * wanted)
    low, high = float(best[-200 * wanted]), float(best.max())
    for _ in range(_STEPS):
        middle = (low + high) / 2
        floors = np.full(len(LABELS), middle, dtype=np.float32)
        found = merge_across_tiles(windows, [boxes_scores(boxes, scores, floors) for boxes, scores in raw], size)
        low, high = (middle, high) if len(found) > wanted else (low, middle)
    return high
