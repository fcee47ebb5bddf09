"""Train the contents network: ``python -m training.contents --images 60000 --pool DIR --check DIR --out DIR --seed 1``.

The pools come from ``python -m training.data views``. Loss: cross entropy a cell; rare classes weigh more (inverse square root of how
often they occur), cells without a clear class do not count. Images are mirrored left and right only: gravity is part of what goods
look like. Display pictures get another grey curve every time, because stations differ more than scanners do.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from edge_agent.imaging.attenuation import DISPLAY_FULL_SCALE
from edge_agent.sim.goods import AIR, CLASSES, EMPTY, FOREIGN
from training.command import Trainer, run
from training.contents_network import GoodsNetwork
from training.data import open_pool, pick, twins
from training.loop import Recipe, device_here, train
from training.views import IGNORED

BATCH, RATE = 8, 2e-3
_LOW_DROPOUT, _GAIN_SPREAD = 0.15, 0.06
_CURVE_SHARE, _CURVE_SPREAD = 0.3, 0.2
_FAULT_SHARE = 0.12
"""How many pictures without a low plane have each of three faults of exports."""


def varied(images: Tensor, cells: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Give a batch as another scanner might have shown it, in place: mirrored, another gain or curve, without the low plane.

    ``images``: (n, 2, h, w) float32; ``cells``: (n, h / 4, w / 4).
    """
    count = len(images)
    rows = torch.from_numpy(np.flatnonzero(rng.random(count) < 0.5))
    images[rows], cells[rows] = images[rows].flip(3), cells[rows].flip(2)
    images[torch.from_numpy(np.flatnonzero(rng.random(count) < _LOW_DROPOUT)), 1] = 0.0
    images *= torch.from_numpy(np.exp(rng.normal(0.0, _GAIN_SPREAD, (count, 1, 1, 1))).astype(np.float32))
    for place in range(count):
        if images[place, 1].any():
            continue  # two energies; the rest are of one energy, or display pictures
        if rng.random() < _CURVE_SHARE:  # bend the curve between air and black
            power = float(np.exp(rng.normal(0.0, _CURVE_SPREAD)))
            bent = DISPLAY_FULL_SCALE * (images[place, 0] / DISPLAY_FULL_SCALE).clamp(min=0.0) ** power
            images[place, 0] = bent
        _spoil(images[place, 0], rng)
    return images, cells


def _spoil(plane: Tensor, rng: np.random.Generator) -> None:
    """Put faults of exports into a plane (h, w) of densities, in place."""
    height, width = plane.shape
    if rng.random() < _FAULT_SHARE:
        for row in rng.integers(0, height, int(rng.integers(1, 4))):
            plane[row] *= float(rng.uniform(0.0, 0.7))  # a line finer than a pixel of the grid whitens it in part
    if rng.random() < _FAULT_SHARE:
        left, reach = int(rng.integers(0, width - 8)), int(rng.integers(8, 60))
        columns = left + np.flatnonzero(rng.random(min(reach, width - left)) < rng.uniform(0.05, 0.6))
        shares = torch.from_numpy(rng.uniform(0.1, 1.0, len(columns)).astype(np.float32))
        plane[:, columns] += (DISPLAY_FULL_SCALE - plane[:, columns]) * shares
    if rng.random() < _FAULT_SHARE:
        shown = torch.nonzero(plane.amax(dim=1) > 0.0)
        last = int(shown[-1]) + 1 if len(shown) else height
        strip = plane[max(0, last - int(rng.integers(1, 6))) : last]
        strip.copy_(torch.from_numpy(rng.uniform(0.2, 0.8, tuple(strip.shape)).astype(np.float32)) * DISPLAY_FULL_SCALE)


def class_weights(cells: np.ndarray) -> Tensor:
    """Give (classes,) weights with mean 1."""
    counts = np.bincount(cells[cells != IGNORED].ravel(), minlength=len(CLASSES)).astype(np.float64)
    weights = np.where(counts > 0, 1.0 / np.sqrt(counts + 1.0), 0.0)
    return torch.from_numpy((weights / weights[counts > 0].mean()).astype(np.float32))


def evaluate(network: GoodsNetwork, pool: Path) -> dict[str, float]:
    """Give the share of cells whose class is right, by class, over all cells and over cells with load."""
    images, cells = open_pool(pool)
    hits, total = np.zeros(len(CLASSES)), np.zeros(len(CLASSES))
    with torch.inference_mode():
        for start in range(0, len(images), 16):
            wanted = cells[start : start + 16]
            seen = network.eval()(torch.from_numpy(images[start : start + 16].astype(np.float32))).argmax(dim=1).numpy()
            is_clear = wanted != IGNORED
            total += np.bincount(wanted[is_clear], minlength=len(CLASSES))
            hits += np.bincount(wanted[is_clear & (seen == wanted)], minlength=len(CLASSES))
    loads = np.arange(EMPTY + 1, AIR)
    result = {f"cells_{name}": hits[i] / total[i] for i, name in enumerate(CLASSES) if total[i]}
    result["cells_right"] = hits.sum() / total.sum()
    result["load_cells_right"] = hits[loads].sum() / total[loads].sum()
    return {name: round(float(value), 3) for name, value in result.items()}


def temperature(network: GoodsNetwork, pool: Path) -> float:
    """Give the number that the logits are divided by for the best likelihood on a pool (Guo et al., ICML 2017), between 0.5 and 4."""
    images, cells = open_pool(pool)
    choices = np.exp(np.linspace(np.log(0.5), np.log(4.0), 16))
    costs = torch.zeros(len(choices), dtype=torch.float64)
    with torch.inference_mode():
        for start in range(0, len(images), 16):
            logits = network.eval()(torch.from_numpy(images[start : start + 16].astype(np.float32)))
            wanted = torch.from_numpy(cells[start : start + 16]).long()
            for place, choice in enumerate(choices):
                costs[place] += F.cross_entropy(logits / float(choice), wanted, ignore_index=IGNORED, reduction="sum").double()
    return round(float(choices[int(costs.argmin())]), 3)


def load(path: Path) -> GoodsNetwork:
    """Give the network with the averaged weights of a checkpoint."""
    network = GoodsNetwork(len(CLASSES))
    network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu")["averaged"])
    return network.eval()


def fit(pools: Sequence[Path], out: Path, recipe: Recipe, start: Path | None) -> None:
    """Train on pools, going on from the checkpoint in ``out`` if there is one; ``start``: a checkpoint whose weights are begun with."""
    device = device_here()
    torch.manual_seed(recipe.seed)
    network = (load(start) if start else GoodsNetwork(len(CLASSES))).to(device, memory_format=torch.channels_last).train()
    opened = [open_pool(pool) for pool in pools]
    every = np.concatenate([cells for _, cells in opened])
    weights = class_weights(every).to(device)
    shown = twins(~(every == FOREIGN).any(axis=(1, 2))).ravel()

    def loss(places: np.ndarray, rng: np.random.Generator) -> Tensor:
        images, cells = pick(opened, shown[places])
        batch, labels = varied(torch.from_numpy(images).float(), torch.from_numpy(cells).long(), rng)
        logits = network(batch.to(device).contiguous(memory_format=torch.channels_last)).float()
        return F.cross_entropy(logits, labels.to(device), weight=weights, ignore_index=IGNORED, label_smoothing=0.02)

    train(network, loss, len(shown), recipe, out)


def main() -> None:
    """Train, then evaluate."""
    run(Trainer(__doc__, 60_000, BATCH, RATE, fit, load, evaluate))


if __name__ == "__main__":
    main()
