"""The weight bundle: alert level, figures, graph, card, golden inputs, from what ``training.weight`` left in a folder.

The alert level is set on calibration scanners that no reported figure uses: declared masses that are honest but for 2 % alert on 1 % of
them.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import default_rng
from numpy.typing import NDArray
from torch import nn

from edge_agent.analysis.conclude import mismatch
from edge_agent.domain.finding import WeightEstimate
from edge_agent.imaging.weighing import FEATURES
from training.card import files_table, toml_text
from training.export import COMMON, export_graph, fresh
from training.golden import write_inputs
from training.metrics import share
from training.scale_network import ExportedScale, ScaleNetwork
from training.testsets import weighed_digest
from training.weight import Rows, kept, load, make_rows, predict, weighed
from training.weight import figures as weight_figures

HONEST_ERROR = 0.02
FALSE_ALARMS = 0.01
CALIBRATION_COUNT, CALIBRATION_SEED = 600, 500
WORTH_KG = 3000.0
WRONG: Mapping[str, float] = {"half_found": 0.5, "a_third_less_found": 2 / 3, "a_third_more_found": 4 / 3, "twice_found": 2.0}
"""Wrong declarations: name of the figure, and the declared mass over the true one."""

LIMITS = (
    "trained on simulated images only; needs 16-bit transmission and a measured pixel size; fit it to the site's weighbridge "
    "(edge-agent commission --weights) before use"
)


def scores(kg: NDArray[np.float64], declared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give how surely each declared mass is wrong. ``kg``: (n, 3) low, middle, high; ``declared``: (n,)."""
    estimates = (WeightEstimate(float(middle), float(low), float(high), "") for low, middle, high in kg)
    return np.array([mismatch(estimate, float(mass)) for estimate, mass in zip(estimates, declared, strict=True)])


def threshold(network: ScaleNetwork, rows: Rows) -> float:
    """Give the mismatch score that honest declarations reach in one of a hundred containers."""
    reached = np.sort(scores(predict(network, rows), honest(rows[:, -1], CALIBRATION_SEED)))
    rank = min(len(reached) - 1, math.ceil((1.0 - FALSE_ALARMS) * (len(reached) + 1)) - 1)
    return round(min(0.9999, float(reached[rank])), 4)


def honest(mass: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Give masses as honest traders declare them, (n,) kg."""
    declared: NDArray[np.float64] = mass * default_rng(seed).normal(1.0, HONEST_ERROR, len(mass))
    return declared


def declaration_figures(kg: NDArray[np.float64], mass: NDArray[np.float64], level: float) -> dict[str, Any]:
    """Give how many honest declarations alert at a level, and how many of those that are wrong by a third, by half or twofold.

    ``kg``: (n, 3) low, middle, high without a site fit; ``mass``: (n,) the truth. Loads under 3 t are left out of the wrong ones: nobody
    gains by a third of them.
    """
    declared, is_worth = honest(mass, CALIBRATION_SEED + 1), mass >= WORTH_KG
    alerted = scores(kg, declared) >= level
    table: dict[str, Any] = share("honest_alerted", int(alerted.sum()), len(alerted))
    for name, factor in WRONG.items():
        found = scores(kg[is_worth], declared[is_worth] * factor) >= level
        table |= share(name, int(found.sum()), len(found))
    return table


def weight_settings(work: Path, count: int, fitted: int, workers: int) -> dict[str, Any]:
    """Give threshold and figures of the network that ``training.weight`` left in ``work``.

    ``count``: containers to calibrate on; ``fitted``: how many of each test scanner it is fitted on.
    """
    network = load(work / "checkpoint.pt")
    level = threshold(network, kept(work / "calibration.npy", lambda: make_rows(count, CALIBRATION_SEED, [None], workers)))
    metrics = weight_metrics(network, np.load(work / "sites.npy"), fitted, level)
    return {"thresholds": {"weight": level}, "metrics": metrics, "containers": len(np.load(work / "rows.npy", mmap_mode="r"))}


def weight_metrics(network: nn.Module, sites: Rows, fitted: int, level: float) -> dict[str, Any]:
    """Measure a scale on the containers of ``weight.site_rows``, of which each site is fitted on the first ``fitted``."""
    rows = sites.reshape(-1, FEATURES + 3)
    figures = weight_figures(weighed(network, sites, fitted))
    figures["declarations"] = declaration_figures(predict(network, rows), rows[:, -1], level)
    return {"note": "simulated scans only", **figures, "sha256": weighed_digest(rows)}


def export_weight(checkpoint: Path, root: Path, settings: Mapping[str, Any]) -> Path:
    """Write the weight bundle and give its folder; golden expectations are written by ``training.golden``."""
    network = load(checkpoint)
    folder = fresh(root / "weight" / str(COMMON["version"]))
    inputs = {"features": torch.rand(3, FEATURES, generator=torch.Generator().manual_seed(1)), "coarse_kg": torch.full((3, 1), 2e4)}
    batch = torch.export.Dim("batch", min=1, max=1024)
    export_graph(ExportedScale(network), inputs, ["mass_kg"], {name: {0: batch} for name in inputs}, folder / "model.onnx")
    write_inputs(folder / "golden", "weight")
    faults = {"known_faults": settings["known_faults"]} if "known_faults" in settings else {}
    card: dict[str, Any] = {
        **COMMON,
        "name": "weight",
        "purpose": "weight",
        "head": "mass",
        "subjects": ["cargo"],
        "limits": LIMITS,
        "input": {"tensor": "features", "coarse": "coarse_kg", "features": "mass/2"},
        "output": {"mass_kg": "mass_kg"},
        "labels": {"names": [], "ids": []},
        "thresholds": settings["thresholds"],
        "training": {
            **faults,
            "data": "simulated containers only (edge_agent.sim); no real image was used",
            "containers": settings["containers"],
            "seeds": "containers 1, weights 1, calibration 500",
            "command": "python -m training.make_models",
        },
        "metrics": settings["metrics"],
    }
    (folder / "card.toml").write_text(toml_text(card) + files_table(folder))
    return folder
