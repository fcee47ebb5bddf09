"""Figures of bundles on the frozen test sets, measured on the graphs that ship: ``python -m training.measure --work DIR``.

``training.make_models`` measures what it has just made in the same way. Here bundles that exist are measured again, as after a change of a
test set: the figures go to ``--results`` and into the cards, and signed bundles need to be signed again. Test sets that are not in
``--work`` are made first.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor, nn

from edge_agent.inference.bundle import find_bundles
from edge_agent.sim.goods import FAMILIES
from edge_agent.sim.threat import LABELS
from training import contents
from training.calibrate import container_figures, contents_figures, detector_figures
from training.card import replace_table
from training.data import make_pool, open_pool, open_scenes
from training.formula import Formula
from training.loop import read_json, write_json
from training.metrics import intervals, summary, tidy
from training.observe import containers, detected, examined
from training.scans import TEST_SEED
from training.testsets import check, joined, named, pool_digest, pools
from training.weight import SITE_SEED, SITES, Sites, kept, site_rows
from training.weight_bundle import weight_metrics

NOTE = "simulated scans only"
_TOGETHER = 32
_WORKERS = 2

Figures = dict[str, Any]


def make_sets(tests: Path, scale: float = 1.0) -> None:
    """Make the test sets that are pools where they are not there; with ``scale`` below 1 only their beginning.

    Raises:
        SystemExit: what is there is not the frozen set.
    """
    for one in pools():
        if not (tests / one.name / "targets.npy").exists():
            make_pool(one.kind, tests / one.name, max(26, round(one.count * min(1.0, scale))), one.seed, _WORKERS)
        check(one, tests / one.name)


def detector_metrics(root: Path, tests: Path, thresholds: Mapping[str, float], scans: int | None = None) -> Figures:
    """Measure the detection bundle under ``root`` on the tiles in ``tests``, the containers there, and whole scans (``scans`` of them)."""
    graph = _graph(root, "detector")
    figures: Figures = {"note": NOTE}
    for name in ("s0", "s1", "s2", "s3"):
        figures[f"tiles_{name}"] = tile_figures(graph, tests / name)
    seen = detected(root, TEST_SEED, scans or named("detection-scans").count)
    figures |= detector_figures(seen, thresholds) | {"scans_sha256": joined(one.digest for one in seen)}
    pool = tests / "containers"
    figures["small_metal_containers"] = container_figures(containers(root, pool), thresholds) | {"sha256": pool_digest(pool)}
    return figures


def contents_metrics(root: Path, tests: Path, settings: Mapping[str, Any], scans: int | None = None) -> Figures:
    """Measure the contents bundle under ``root``; ``settings``: its ``formula`` and ``thresholds``."""
    cells = tests / "views"
    figures: Figures = {"note": NOTE, "cells_s0": contents.evaluate(Shipped(_graph(root, "contents")), cells)}
    figures["cells_s0"] |= {"views": len(open_pool(cells)[1]), "sha256": pool_digest(cells)}
    seen = examined(root, TEST_SEED, scans or named("contents-scans").count)
    figures |= contents_figures(seen, Formula(**settings["formula"]), settings["thresholds"])
    return figures | {"scans_sha256": joined(one.digest for one in seen)}


def tile_figures(graph: Path, pool: Path) -> Figures:
    """Give average precisions of a detector's graph on a pool of test tiles, with intervals and the pool's digest."""
    session = _session(graph)
    images, truth = open_pool(pool)
    found = []
    for start in range(0, len(images), _TOGETHER):
        boxes, scores = session.run(["boxes", "scores"], {"image": images[start : start + _TOGETHER].astype(np.float32)})
        found += [tidy(boxes[place], scores[place], truth[start + place]) for place in range(len(boxes))]
    return summary(found, LABELS) | intervals(found, LABELS, open_scenes(pool)) | {"sha256": pool_digest(pool)}


def scale_metrics(root: Path, tests: Path, settings: Mapping[str, Any]) -> Figures:
    """Measure the weight bundle under ``root`` on the containers of scanners that nothing was learnt from."""
    rows = kept(tests / "weighed.npy", lambda: site_rows(Sites(*SITES), SITE_SEED, _WORKERS))
    return weight_metrics(ShippedScale(_graph(root, "weight")), rows, SITES[1], settings["thresholds"]["weight"])


class ShippedScale(nn.Module):
    """A weight graph as a network: features (n, FEATURES) in, quantiles (n, 3) of true over coarse mass out."""

    def __init__(self, graph: Path) -> None:
        super().__init__()
        self.session = _session(graph)

    def forward(self, features: Tensor) -> Tensor:
        coarse = np.ones((len(features), 1), dtype=np.float32)
        (mass,) = self.session.run(["mass_kg"], {"features": features.numpy(), "coarse_kg": coarse})
        return torch.from_numpy(mass)


class Shipped(nn.Module):
    """A contents graph as a network: images (n, 2, h, w) in, shares of the classes (n, classes, h / 4, w / 4) out."""

    def __init__(self, graph: Path) -> None:
        super().__init__()
        self.session = _session(graph)

    def forward(self, images: Tensor) -> Tensor:
        declared = np.zeros((len(images), len(FAMILIES)), dtype=np.float32)
        (goods,) = self.session.run(["goods_map"], {"image": images.numpy(), "declared": declared})
        return torch.from_numpy(goods)


def _graph(root: Path, name: str) -> Path:
    (folder,) = (folder for folder in find_bundles(root) if folder.parent.name == name)
    return folder / "model.onnx"


def _session(graph: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def _detector(root: Path, tests: Path, settings: Mapping[str, Any]) -> Figures:
    return detector_metrics(root, tests, settings["thresholds"])


MEASURES: Mapping[str, Callable[[Path, Path, Mapping[str, Any]], Figures]] = {
    "detector": _detector,
    "contents": contents_metrics,
    "weight": scale_metrics,
}


def measure(root: Path, results: Path, tests: Path, names: list[str]) -> None:
    """Measure bundles again; their figures go to ``results`` and into their cards, whose signatures go."""
    make_sets(tests)
    for name in names:
        settings = read_json(results / f"{name}.json")
        metrics = MEASURES[name](root, tests, settings)
        write_json(results / f"{name}.json", settings | {"metrics": metrics})
        folder = _graph(root, name).parent
        replace_table(folder, "metrics", metrics)
        print(f"{folder}: measured; sign it again (edge-agent bundle sign {folder} --key FILE)")


def main() -> None:
    """Measure bundles that exist."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[*MEASURES], choices=[*MEASURES], help="which (default: all of these)")
    parser.add_argument("--work", type=Path, default=Path("training/runs"), metavar="DIR", help="sets: DIR/test (default: %(default)s)")
    parser.add_argument("--root", type=Path, default=Path("exported_models"), metavar="DIR", help="bundles (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=Path("training/results"), metavar="DIR", help="figures (default: %(default)s)")
    args = parser.parse_args()
    measure(args.root, args.results, args.work / "test", args.names)


if __name__ == "__main__":
    main()
