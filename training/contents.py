"""Train the contents network: ``python -m training.contents --minutes 16 --pool DIR --check DIR --out DIR --seed 1``.

The pools come from ``python -m training.data views``. Loss: cross entropy a cell; rare classes weigh more (inverse square root of how
often they occur), cells without a clear class do not count. Images are mirrored left and right only: gravity is part of what goods
look like.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from edge_agent.sim.goods import CLASSES
from training.contents_network import GoodsNetwork
from training.data import IGNORED, open_pool
from training.loop import Recipe, train, write_json

_LOW_DROPOUT = 0.15


def varied(images: np.ndarray, cells: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Give a batch as another scanner might have shown it: mirrored, with another gain, without the low plane."""
    out, labels = images.astype(np.float32), cells.copy()
    for place in range(len(out)):
        if rng.random() < 0.5:
            out[place] = out[place, :, :, ::-1]
            labels[place] = labels[place, :, ::-1]
        if rng.random() < _LOW_DROPOUT:
            out[place, 1] = 0.0
    gain = np.exp(rng.normal(0.0, 0.06, (len(out), 1, 1, 1))).astype(np.float32)
    return out * gain, labels


def class_weights(cells: np.ndarray) -> Tensor:
    """Give (classes,) weights with mean 1."""
    counts = np.bincount(cells[cells != IGNORED].ravel(), minlength=len(CLASSES)).astype(np.float64)
    weights = np.where(counts > 0, 1.0 / np.sqrt(counts + 1.0), 0.0)
    return torch.from_numpy((weights / weights[counts > 0].mean()).astype(np.float32))


def evaluate(network: GoodsNetwork, pool: Path) -> dict[str, float]:
    """Give the share of cells whose class is right, over all cells and over cells with load."""
    images, cells = open_pool(pool)
    hits, total = np.zeros(len(CLASSES)), np.zeros(len(CLASSES))
    with torch.inference_mode():
        for start in range(0, len(images), 16):
            wanted = cells[start : start + 16]
            seen = network.eval()(torch.from_numpy(images[start : start + 16].astype(np.float32))).argmax(dim=1).numpy()
            is_clear = wanted != IGNORED
            total += np.bincount(wanted[is_clear], minlength=len(CLASSES))
            hits += np.bincount(wanted[is_clear & (seen == wanted)], minlength=len(CLASSES))
    result = {f"cells_{name}": hits[i] / total[i] for i, name in enumerate(CLASSES) if total[i]}
    result["cells_right"] = hits.sum() / total.sum()
    result["load_cells_right"] = hits[1:-2].sum() / total[1:-2].sum()
    return {name: round(float(value), 3) for name, value in result.items()}


def load(path: Path) -> GoodsNetwork:
    """Give the network with the averaged weights of a checkpoint."""
    network = GoodsNetwork(len(CLASSES))
    network.load_state_dict(torch.load(path, weights_only=True)["averaged"])
    return network.eval()


def main() -> None:
    """Train, then evaluate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=16.0, help="CPU-minutes to spend")
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--check", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint; without it a present one is deleted")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if not args.resume:
        shutil.rmtree(args.out, ignore_errors=True)
    torch.manual_seed(args.seed)
    network = GoodsNetwork(len(CLASSES)).to(memory_format=torch.channels_last).train()
    print(f"{sum(value.numel() for value in network.parameters())} parameters")
    images, cells = open_pool(args.pool)
    weights = class_weights(np.asarray(cells))

    def loss(rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        batch, labels = varied(images[rows], cells[rows], rng)
        logits = network(torch.from_numpy(batch).contiguous(memory_format=torch.channels_last)).float()
        return F.cross_entropy(logits, torch.from_numpy(labels).long(), weight=weights, ignore_index=IGNORED, label_smoothing=0.02)

    train(network, loss, len(images), Recipe(args.minutes, 8, 2e-3, args.seed), args.out)
    metrics = evaluate(load(args.out / "checkpoint.pt"), args.check)
    write_json(args.out / "metrics.json", metrics)
    print(metrics)


if __name__ == "__main__":
    main()
