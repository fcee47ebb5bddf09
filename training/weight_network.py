"""A bag of small perceptrons that give quantiles, for the recipe on real tables: few parameters, many opinions; and their loss."""

import math

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn
from torch.nn import functional as F

QUANTILES = (0.05, 0.5, 0.95)
MEMBERS, WIDTH, DROPOUT = 8, 96, 0.15


class QuantileBag(nn.Module):
    """``MEMBERS`` perceptrons with two hidden layers beside a linear path; their mean is the answer.

    Takes (N, inputs), gives (N, 3): 5 %, 50 % and 95 % quantile, in this order by construction.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("spread", torch.ones(inputs))
        self.enter, self.middle, self.leave = _weights(inputs, WIDTH), _weights(WIDTH, WIDTH), _weights(WIDTH, 3)
        self.straight = nn.Parameter(_weights(inputs, 3) * 0.3)
        self.enter_bias, self.middle_bias, self.leave_bias = (nn.Parameter(torch.zeros(MEMBERS, 1, width)) for width in (WIDTH, WIDTH, 3))
        self.drop = nn.Dropout(DROPOUT)

    def normalise_by(self, features: Tensor) -> None:
        """Take mean and spread of the features from (n, inputs) training rows."""
        self.mean.copy_(features.mean(dim=0))
        self.spread.copy_(features.std(dim=0) + 1e-6)

    def members(self, features: Tensor) -> Tensor:
        """Give (MEMBERS, N, 3): each perceptron's own answer."""
        x = ((features - self.mean) / self.spread).unsqueeze(0).expand(MEMBERS, -1, -1)
        hidden = self.drop(F.silu(x @ self.enter + self.enter_bias))
        hidden = self.drop(F.silu(hidden @ self.middle + self.middle_bias))
        raw = hidden @ self.leave + self.leave_bias + x @ self.straight
        centre = raw[..., 1:2]
        return torch.cat([centre - F.softplus(raw[..., :1]), centre, centre + F.softplus(raw[..., 2:])], dim=-1)

    def forward(self, features: Tensor) -> Tensor:
        return self.members(features).mean(dim=0)


def _weights(inputs: int, outputs: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(MEMBERS, inputs, outputs) / math.sqrt(inputs))


def pinball(seen: Tensor, wanted: Tensor, importance: Tensor) -> Tensor:
    """Give the quantile loss. ``seen``: (members, n, 3); ``wanted``, ``importance``: (n,)."""
    levels = torch.tensor(QUANTILES, device=seen.device)
    miss = wanted[None, :, None] - seen
    return (torch.maximum(levels * miss, (levels - 1.0) * miss) * importance[None, :, None]).mean() * 3.0


def fit(features: np.ndarray, wanted: np.ndarray, importance: np.ndarray, rounds: int, seed: int) -> QuantileBag:
    """Train a bag on (n, inputs) features; AdamW with a cosine schedule, ``rounds`` times through the rows."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    rows, targets, weights = (torch.tensor(np.asarray(part), dtype=torch.float32) for part in (features, wanted, importance))
    bag = QuantileBag(rows.shape[1]).train()
    bag.normalise_by(rows)
    batch = min(128, len(rows))
    steps = rounds * (len(rows) // batch)
    optimiser = torch.optim.AdamW(bag.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in track(range(rounds), "training the scale"):
        order = rng.permutation(len(rows))
        for start in range(0, len(rows) - batch + 1, batch):
            some = torch.as_tensor(order[start : start + batch])
            loss = pinball(bag.members(rows[some]), targets[some], weights[some])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
    return bag.eval()
