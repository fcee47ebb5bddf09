"""Train the detection network: ``python -m training.detector --minutes 35 --pool DIR --check DIR --out DIR --seed 1``.

The pools come from ``python -m training.data tiles``. Images are flipped both ways (a threat lies as it likes), their gain and their
offset vary a little, and the low-energy plane is left out at random, so that single-energy scanners are served too. Training goes on
from the checkpoint in ``--out``; ``metrics.json`` there says how good the averaged weights are on tiles of new scenes.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from edge_agent.sim.threat import LABELS
from training.assignment import loss_of
from training.data import TILE_PX, open_pool
from training.loop import Recipe, train, write_json
from training.metrics import Found, summary, tidy
from training.network import Detector, ExportedDetector, cell_middles

_LOW_DROPOUT = 0.15
"""On top of the single-energy and display images of the pool, which already have no low plane."""


def varied(images: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Give a batch as another scanner might have shown it: (n, 2, 256, 256) float32 and boxes (n, g, 5) that fit."""
    out, boxes = images.astype(np.float32), truth.copy()
    for place in range(len(out)):
        if rng.random() < 0.5:
            out[place] = out[place, :, :, ::-1]
            boxes[place, :, [1, 3]] = TILE_PX - boxes[place][:, [3, 1]].T
        if rng.random() < 0.5:
            out[place] = out[place, :, ::-1]
            boxes[place, :, [2, 4]] = TILE_PX - boxes[place][:, [4, 2]].T
        if rng.random() < _LOW_DROPOUT:
            out[place, 1] = 0.0
    gain = np.exp(rng.normal(0.0, 0.06, (len(out), 1, 1, 1))).astype(np.float32)
    return out * gain, boxes


def evaluate(network: Detector, pool: Path) -> dict[str, float]:
    """Give the metrics of a network on a pool of tiles."""
    images, truth = open_pool(pool)
    shipped = ExportedDetector(network.eval(), TILE_PX).eval()
    found: list[Found] = []
    with torch.inference_mode():
        for start in range(0, len(images), 32):
            boxes, scores = shipped(torch.from_numpy(images[start : start + 32].astype(np.float32)))
            found += [tidy(boxes[place].numpy(), scores[place].numpy(), truth[start + place]) for place in range(len(boxes))]
    return summary(found, LABELS)


def load(path: Path) -> Detector:
    """Give the network with the averaged weights of a checkpoint."""
    network = Detector(len(LABELS))
    network.load_state_dict(torch.load(path, weights_only=True)["averaged"])
    return network.eval()


def main() -> None:
    """Train, then evaluate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=35.0, help="CPU-minutes to spend")
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
    network = Detector(len(LABELS)).to(memory_format=torch.channels_last).train()
    print(f"{sum(value.numel() for value in network.parameters())} parameters")
    images, truth = open_pool(args.pool)
    middles = cell_middles(TILE_PX, TILE_PX)

    def loss(rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        batch, boxes = varied(images[rows], truth[rows], rng)
        outputs = network(torch.from_numpy(batch).contiguous(memory_format=torch.channels_last))
        return loss_of(outputs, middles, torch.from_numpy(boxes))

    recipe = Recipe(args.minutes, 16, 2e-3, args.seed)
    train(network, loss, len(images), recipe, args.out)
    metrics = evaluate(load(args.out / "checkpoint.pt"), args.check)
    write_json(args.out / "metrics.json", metrics)
    print(metrics)


if __name__ == "__main__":
    main()
