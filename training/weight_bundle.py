"""The weight bundle: threshold, graph, card, golden inputs. ``export_weight(work, root)`` takes what ``training.weight`` left in ``work``.

The alert threshold is set on calibration scanners that no reported figure uses: declared masses that are honest but for 2 % alert on
1 % of them. Without a site fit the estimate is coarser than the trade's declarations, so the card's own level is rarely reached.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import default_rng

from edge_agent.analysis.conclude import mismatch
from edge_agent.domain.finding import WeightEstimate
from edge_agent.imaging.weighing import FEATURES
from training.card import files_table, toml_text
from training.export import COMMON, export_graph, fresh
from training.golden import write_inputs
from training.weight import Rows, load, make_rows, predict
from training.weight_network import ExportedScale, QuantileBag

HONEST_ERROR = 0.02
FALSE_ALARMS = 0.01
CALIBRATION_COUNT, CALIBRATION_SEED = 600, 500

LIMITS = (
    "trained on simulated containers only; needs 16-bit transmission and a measured pixel size; fit it to the site's weighbridge "
    "(edge-agent commission --weights) before use"
)


def threshold(bag: QuantileBag, rows: Rows) -> float:
    """Give the mismatch score that honest declarations reach in one of a hundred containers."""
    declared = rows[:, -1] * default_rng(CALIBRATION_SEED).normal(1.0, HONEST_ERROR, len(rows))
    scores = [
        mismatch(WeightEstimate(float(middle), float(low), float(high), ""), float(kg))
        for (low, middle, high), kg in zip(predict(bag, rows), declared, strict=True)
    ]
    rank = min(len(scores) - 1, math.ceil((1.0 - FALSE_ALARMS) * (len(scores) + 1)) - 1)
    return min(0.9999, float(np.sort(scores)[rank]))


def export_weight(work: Path, root: Path, workers: int, count: int = CALIBRATION_COUNT) -> Path:
    """Write the weight bundle and give its folder; golden expectations are written by ``training.golden``."""
    bag, metrics = load(work / "checkpoint.pt"), json.loads((work / "metrics.json").read_text())
    folder = fresh(root / "weight" / str(COMMON["version"]))
    inputs = {"features": torch.rand(3, FEATURES), "coarse_kg": torch.full((3, 1), 2e4)}
    batch = torch.export.Dim("batch", min=1, max=1024)
    export_graph(ExportedScale(bag), inputs, ["mass_kg"], {name: {0: batch} for name in inputs}, folder / "model.onnx")
    write_inputs(folder / "golden", "weight")
    rows = make_rows(count, CALIBRATION_SEED, [None], workers)
    card: dict[str, Any] = {
        **COMMON,
        "name": "weight",
        "purpose": "weight",
        "head": "mass",
        "subjects": ["cargo"],
        "limits": LIMITS,
        "input": {"tensor": "features", "coarse": "coarse_kg", "features": "mass/1"},
        "output": {"mass_kg": "mass_kg"},
        "labels": {"names": [], "ids": []},
        "thresholds": {"weight": round(threshold(bag, rows), 4)},
        "training": {
            "data": "simulated containers",
            "containers": len(np.load(work / "rows.npy")),
            "command": "python -m training.make_models",
        },
        "metrics": {"note": "simulated scans only", **metrics},
    }
    (folder / "card.toml").write_text(toml_text(card) + files_table(folder))
    return folder
