"""A detection bundle whose every output can be worked out by hand.

The graph looks at cells of 8 x 8 px: a cell whose mean is above 0.5 scores above 0.5, and its box is the cell.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_agent.inference.bundle import SIGNATURE, sign_bundle
from edge_agent.signing.detached import Trust
from edge_agent.signing.keys import SigningKey

TEST_KEY = SigningKey.new("test")
"""Signs the bundles of this process's tests; a daemon that is to run them gets its public half into [bundles] trusted."""
TEST_TRUST = Trust.of([TEST_KEY.public])

CELL_PX = 8
TILE_PX = 64
OVERLAP_PX = 16

CARD = """format = "bundle/1"
name = "{name}"
version = "{version}"
purpose = "detection"
head = "boxes-scores"
state = "simulated"
licence = "Apache-2.0"
research_only = {research_only}
subjects = ["cargo", "parcel"]
limits = "made by hand for tests"

[input]
tensor = "image"
channels = ["high"]
scale = "linear"
multiple = 8
tile_px = 64
overlap_px = 16

[output]
boxes = "boxes"
scores = "scores"

[labels]
names = ["bright"]
ids = ["test.bright"]

[thresholds]
bright = {alert_at}

[training]

[metrics]

[files]
{files}
"""


def bright_cells_graph(*, classes: int = 1, output: str = "scores") -> bytes:
    """Give the graph; ``classes`` and ``output`` let a test make one that does not fit its card."""
    side = TILE_PX // CELL_PX
    cells = np.array([[x * 8, y * 8, x * 8 + 8, y * 8 + 8] for y in range(side) for x in range(side)], dtype=np.float32)[None]
    constants: dict[str, NDArray[Any]] = {
        "cells": cells,
        "shape": np.array([1, side * side, 1], dtype=np.int64),
        "repeats": np.array([1, 1, classes], dtype=np.int64),
        "half": np.array(0.5, dtype=np.float32),
        "slope": np.array(20.0, dtype=np.float32),
    }
    nodes = [
        helper.make_node("AveragePool", ["image"], ["means"], kernel_shape=[CELL_PX, CELL_PX], strides=[CELL_PX, CELL_PX]),
        helper.make_node("Reshape", ["means", "shape"], ["column"]),
        helper.make_node("Sub", ["column", "half"], ["above"]),
        helper.make_node("Mul", ["above", "slope"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["one"]),
        helper.make_node("Tile", ["one", "repeats"], [output]),
        helper.make_node("Identity", ["cells"], ["boxes"]),
    ]
    graph = helper.make_graph(
        nodes,
        "bright-cells",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, TILE_PX, TILE_PX])],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, side * side, 4]),
            helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, side * side, classes]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    serialised: bytes = model.SerializeToString()
    return serialised


def write_detection_bundle(
    root: Path,
    *,
    name: str = "bright",
    graph: bytes | None = None,
    research_only: bool = False,
    version: str = "1.0.0",
    alert_at: float = 0.6,
) -> Path:
    """Write ``root/<name>/<version>`` with one golden case and give its folder."""
    folder = root / name / version
    (folder / "golden").mkdir(parents=True)
    high = np.zeros((40, 48), dtype=np.uint16)
    high[8:16, 16:24] = 65535
    np.savez_compressed(folder / "golden" / "one.npz", high=high)
    case = {"subject": "cargo", "pitch_mm": [5.0, 5.0], "declared": [], "why": "one bright cell"}
    expected = {"detections": [{"label": "bright", "score": 0.9999546, "box": [16.0, 8.0, 24.0, 16.0]}]}
    (folder / "golden" / "one.json").write_text(json.dumps(case))
    (folder / "golden" / "one.expected.json").write_text(json.dumps(expected))
    (folder / "model.onnx").write_bytes(graph if graph is not None else bright_cells_graph())
    (folder / "labels.txt").write_text("bright\n")
    write_card(folder, {"name": name, "research_only": str(research_only).lower(), "version": version, "alert_at": str(alert_at)})
    return folder


def write_card(folder: Path, values: Mapping[str, str]) -> None:
    """Write ``card.toml`` with the hashes of the files that are there now, and sign it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in ("card.toml", SIGNATURE))
    lines = [f'"{path.relative_to(folder)}" = "{hashlib.sha256(path.read_bytes()).hexdigest()}"' for path in paths]
    (folder / "card.toml").write_text(CARD.format(files="\n".join(lines), **{"version": "1.0.0", "alert_at": "0.6", **values}))
    sign_bundle(folder, TEST_KEY)
