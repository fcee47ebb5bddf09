"""Train the detection network: ``python -m training.detector --images 150000 --pool DIR --check DIR --out DIR --seed 1``.

The pools come from ``python -m training.data tiles``. Images are turned and mirrored (a threat lies as it likes), their gain varies a
little, and the low-energy plane is left out at random, so that single-energy scanners are served too. Training goes on from the
checkpoint in ``--out``; ``metrics.json`` there says how good the averaged weights are on tiles of new scenes.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from edge_agent.sim.threat import LABELS
from training.assignment import loss_of
from training.command import Trainer, run
from training.data import open_pool, pick, twins
from training.loop import Recipe, device_here, train
from training.metrics import Found, summary, tidy
from training.network import Detector, ExportedDetector, cells_of
from training.tiles import NONE, TILE_PX

BATCH, RATE = 16, 2e-3
_LOW_DROPOUT, _GAIN_SPREAD = 0.15, 0.06
"""The dropout comes on top of the single-energy and display images of the pool, which already have no low plane."""


def varied(images: Tensor, truth: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Give a batch as another scanner might have shown it, in place: mirrored, transposed, another gain, without the low plane.

    ``images``: (n, 2, s, s) float32; ``truth``: (n, g, 5) class and xyxy in px.
    """
    side = float(images.shape[-1])
    for axis, columns in ((3, [1, 3]), (2, [2, 4])):
        rows = _some(len(images), 0.5, rng)
        images[rows] = images[rows].flip(axis)
        truth[rows[:, None], :, torch.tensor(columns)] = side - truth[rows[:, None], :, torch.tensor(columns[::-1])]
    rows = _some(len(images), 0.25, rng)
    images[rows] = images[rows].transpose(2, 3)
    truth[rows] = truth[rows][:, :, [0, 2, 1, 4, 3]]
    images[_some(len(images), _LOW_DROPOUT, rng), 1] = 0.0
    images *= torch.from_numpy(np.exp(rng.normal(0.0, _GAIN_SPREAD, (len(images), 1, 1, 1))).astype(np.float32))
    return images, truth


def rare_again(classes: np.ndarray) -> np.ndarray:
    """Give the rows that one round shows: all of them, and those of rare labels a second time, each beside its twin without threats.

    ``classes``: (rows, g) as in a pool's targets. A label is rare when the commonest occurs twice as often or more; repeating rare labels
    by the root of how rare they are comes from Gupta et al., "LVIS" (CVPR 2019), and is 1.4 there, rounded here to a whole second time.
    """
    counts = np.array([(classes == label).sum() for label in range(len(LABELS))])
    is_rare = np.isin(classes, np.flatnonzero(2 * counts <= counts.max(initial=0))).any(axis=1)
    pairs = twins((classes != NONE).any(axis=1))
    return np.concatenate([pairs, pairs[is_rare[pairs].any(axis=1)]]).ravel()


def evaluate(network: Detector, pool: Path) -> dict[str, float]:
    """Give the metrics of a network on a pool of tiles."""
    images, truth = open_pool(pool)
    return summary(look(network, images, truth), LABELS)


def look(network: Detector, images: np.ndarray, truth: np.ndarray) -> list[Found]:
    """Give what the network finds in tiles (n, 2, s, s), beside the truth (n, g, 5)."""
    shipped = ExportedDetector(network, TILE_PX).eval()
    found: list[Found] = []
    with torch.inference_mode():
        for start in range(0, len(images), 32):
            boxes, scores = shipped(torch.from_numpy(images[start : start + 32].astype(np.float32)))
            found += [tidy(boxes[place].numpy(), scores[place].numpy(), truth[start + place]) for place in range(len(boxes))]
    return found


def load(path: Path) -> Detector:
    """Give the network with the averaged weights of a checkpoint."""
    network = Detector(len(LABELS))
    network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu")["averaged"])
    return network.eval()


def fit(pools: Sequence[Path], out: Path, recipe: Recipe, start: Path | None) -> None:
    """Train on pools, going on from the checkpoint in ``out`` if there is one; ``start``: a checkpoint whose weights are begun with."""
    device = device_here()
    torch.manual_seed(recipe.seed)
    network = (load(start) if start else Detector(len(LABELS))).to(device, memory_format=torch.channels_last).train()
    opened = [open_pool(pool) for pool in pools]
    cells = cells_of(TILE_PX, TILE_PX).to(device)
    shown = rare_again(np.concatenate([targets[:, :, 0] for _, targets in opened]))

    def loss(places: np.ndarray, rng: np.random.Generator) -> Tensor:
        images, truth = pick(opened, shown[places])
        batch, boxes = varied(torch.from_numpy(images).float(), torch.from_numpy(truth), rng)
        outputs = network(batch.to(device).contiguous(memory_format=torch.channels_last))
        return loss_of(outputs, cells, boxes.to(device))

    train(network, loss, len(shown), recipe, out)


def main() -> None:
    """Train, then evaluate."""
    run(Trainer(__doc__, 150_000, BATCH, RATE, fit, load, evaluate))


def _some(count: int, share: float, rng: np.random.Generator) -> Tensor:
    """Draw which of ``count`` images are changed."""
    return torch.from_numpy(np.flatnonzero(rng.random(count) < share))


if __name__ == "__main__":
    main()
