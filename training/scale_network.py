"""The scale's network: a small convolutional one over the maps of a region, beside the numbers of the whole of it.

How much load stands for what a cell shows hangs on what lies there (steel attenuates less than as much food) and on how much of it is wall:
the network gives each cell a factor. Their mean, weighted by density, is corrected from the whole region, which also gives the interval.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor, nn
from torch.nn import functional as F

from edge_agent.imaging.weighing import MAPS, NUMBERS
from training.loop import Part, begun, device_here, read_checkpoint, write_checkpoint
from training.weight_network import pinball

_NARROW, _WIDE, _HIDDEN, _DROPOUT = 24, 48, 96, 0.1
_PLANES = 7
_BATCH, _RATE, _DECAY = 64, 2e-3, 0.02
_FARTHEST = 6.0
"""Standard deviations that a number may be from its mean: further is no more than this."""


class ScaleNetwork(nn.Module):
    """Takes (N, FEATURES) ``MassFeatures.values``, gives (N, 3): 5 %, 50 % and 95 % quantile of true over coarse mass, in this order."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(NUMBERS))
        self.register_buffer("spread", torch.ones(NUMBERS))
        self.enter = nn.Sequential(nn.Conv2d(_PLANES, _NARROW, 3, padding=1), nn.SiLU())
        self.halve = nn.Sequential(nn.Conv2d(_NARROW, _WIDE, 3, stride=2, padding=1), nn.SiLU())
        self.further = nn.ModuleList(nn.Sequential(nn.Conv2d(_WIDE, _WIDE, 3, padding=1), nn.SiLU()) for _ in range(2))
        self.factor = nn.Conv2d(_WIDE, 1, 1)
        nn.init.zeros_(self.factor.weight)
        hidden = [nn.Linear(NUMBERS + 2 * _WIDE + 1, _HIDDEN), nn.SiLU(), nn.Dropout(_DROPOUT), nn.Linear(_HIDDEN, _HIDDEN), nn.SiLU()]
        self.whole = nn.Sequential(*hidden, nn.Dropout(_DROPOUT), nn.Linear(_HIDDEN, 3))
        nn.init.zeros_(self.whole[-1].weight)

    def normalise_by(self, features: Tensor) -> None:
        """Take mean and spread of the numbers from (n, FEATURES) training rows."""
        self.mean.copy_(features[:, :NUMBERS].mean(dim=0))
        self.spread.copy_(features[:, :NUMBERS].std(dim=0) + 1e-6)

    def forward(self, features: Tensor) -> Tensor:
        numbers = ((features[:, :NUMBERS] - self.mean) / self.spread).clamp(-_FARTHEST, _FARTHEST)
        maps = features[:, NUMBERS:].reshape(-1, *MAPS)
        seen = self.halve(self.enter(_planes(maps)))
        for layer in self.further:
            seen = seen + layer(seen)
        density = F.avg_pool2d(maps[:, :1], 2)
        weighed = (density * F.softplus(self.factor(seen) + 0.9)).sum(dim=(1, 2, 3)) / density.sum(dim=(1, 2, 3)).clamp(min=1e-3)
        whole = torch.cat([seen.mean(dim=(2, 3)), seen.amax(dim=(2, 3)), weighed[:, None], numbers], dim=1)
        below, middle, above = (self.whole(whole) * 0.3).unbind(dim=1)
        centre = weighed + middle
        return torch.stack([centre - F.softplus(below * 3.0 - 3.0), centre, centre + F.softplus(above * 3.0 - 3.0)], dim=1)


def _planes(maps: Tensor) -> Tensor:
    """Give (N, 7, rows, columns) of about unit size from (N, 4, rows, columns): density twice, spread twice, least, ratio, height."""
    mean, spread, least, ratio = maps.split(1, dim=1)
    height = torch.linspace(-1.0, 1.0, MAPS[1], device=maps.device).view(1, 1, -1, 1).expand_as(mean)
    rough = (spread / (mean.abs() + 0.03)).clamp(max=3.0)
    contrast = torch.where(ratio > 0.0, (ratio - 1.2) * 4.0, torch.zeros_like(ratio))
    return torch.cat([mean * 3.0, mean.clamp(min=0.0).sqrt() * 2.0 - 0.8, spread * 10.0, least * 5.0, contrast, rough, height], dim=1)


def fit_scale(
    features: NDArray[np.float32],
    wanted: NDArray[np.float32],
    importance: NDArray[np.float32],
    rounds: int,
    seed: int,
    work: Path | None = None,
) -> ScaleNetwork:
    """Train on (n, FEATURES) features, ``rounds`` times through them, each container as seen from either side; the network is on the CPU.

    ``wanted``: (n,) true over coarse mass; ``importance``: (n,) weight of an error. ``work``: a folder for this training alone, with a
    checkpoint after every round; an interrupted training goes on from there, to the same weights. None keeps nothing.

    Raises:
        SystemExit: ``work`` was begun for other rows, rounds or seed, or its checkpoint is not whole.
    """
    device = device_here()
    torch.manual_seed(seed)
    rows, targets, weights = (torch.from_numpy(np.asarray(part, dtype=np.float32)) for part in (features, wanted, importance))
    network = ScaleNetwork()
    network.normalise_by(rows)
    network = network.to(device).train()
    batch = min(_BATCH, len(rows))
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=max(2, rounds * (len(rows) // batch)), pct_start=0.1)
    parts = {"network": network, "optimiser": optimiser, "schedule": schedule}
    done = 0 if work is None else _rounds_done(work, parts, {"rows": _digest(rows, targets, weights), "rounds": rounds, "seed": seed})
    for number in track(range(done, rounds), "training the scale"):
        rng = np.random.default_rng((seed, number))
        torch.manual_seed(int(rng.integers(2**63)))  # the dropout's; a round is the same after an interruption
        order = rng.permutation(len(rows))
        for start in range(0, len(rows) - batch + 1, batch):
            some = torch.as_tensor(order[start : start + batch])
            seen = network(_mirrored(rows[some], rng).to(device))
            loss = pinball(seen[None], targets[some].to(device), weights[some].to(device))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        if work is not None:
            write_checkpoint(work, parts, {"rounds": number + 1})
    return network.cpu().eval()


def _rounds_done(work: Path, parts: Mapping[str, Part], order: Mapping[str, object]) -> int:
    """Give how many rounds the checkpoint in ``work`` has behind it, having filled ``parts`` from it; 0 where there is none."""
    begun(work, order)
    state = read_checkpoint(work, parts, ("rounds",))
    return 0 if state is None else int(state["rounds"])


def _digest(*tensors: Tensor) -> str:
    total = hashlib.sha256()
    for tensor in tensors:
        total.update(tensor.numpy().tobytes())
    return total.hexdigest()


def _mirrored(features: Tensor, rng: Generator) -> Tensor:
    """Give half of the rows with their maps seen from the other side; the numbers are the same from there."""
    maps = features[:, NUMBERS:].reshape(-1, *MAPS)
    turned = torch.as_tensor(rng.random(len(maps)) < 0.5)[:, None, None, None]
    return torch.cat([features[:, :NUMBERS], torch.where(turned, maps.flip(3), maps).flatten(1)], dim=1)


class ExportedScale(nn.Module):
    """What is shipped: features and the coarse estimate in, (N, 3) kg out."""

    def __init__(self, network: ScaleNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, coarse_kg: Tensor) -> Tensor:
        return F.relu(self.network(features)) * coarse_kg
