"""What both trainings share: schedule, checkpoints that survive a kill, progress, and the CPU-seconds spent."""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from training.network import Averaged

WARM_UP_STEPS = 150
CHECKPOINT_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. ``minutes``: CPU-minutes of this process, the schedule's length; ``batch``: images a step; ``rate``: peak step size."""

    minutes: float
    batch: int
    rate: float
    seed: int
    weight_decay: float = 0.02
    decay: float = 0.998


@dataclass
class Progressed:
    """How far a training is: what a checkpoint holds beside the weights."""

    spent_s: float = 0.0
    steps: int = 0
    history: list[tuple[int, float]] = field(default_factory=list)


def train(
    network: nn.Module, loss: Callable[[np.ndarray, np.random.Generator], Tensor], count: int, recipe: Recipe, folder: Path
) -> Averaged:
    """Train until ``recipe.minutes`` CPU-minutes are spent, going on from ``folder/checkpoint.pt`` if it is there.

    ``loss(rows, rng)`` gives the loss of the images in those rows of the pool (``count`` in all). Gives the averaged weights.
    """
    torch.manual_seed(recipe.seed)
    optimiser = torch.optim.AdamW(_groups(network, recipe.weight_decay), lr=recipe.rate, betas=(0.9, 0.99))
    averaged = Averaged(network, recipe.decay)
    done = _resume(folder, network, optimiser, averaged)
    rng = np.random.default_rng((recipe.seed, done.steps))
    rows = _batches(count, recipe.batch, rng)
    base_s, saved_s = time.process_time() - done.spent_s, done.spent_s
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, refresh_per_second=0.5) as progress:
        bar = progress.add_task("training", total=recipe.minutes * 60)
        while done.spent_s < recipe.minutes * 60:
            share = done.spent_s / (recipe.minutes * 60)
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate * min(1.0, (done.steps + 1) / WARM_UP_STEPS) * (0.02 + 0.98 * (1 + math.cos(math.pi * share)) / 2)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                value = loss(next(rows), rng)
            optimiser.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            optimiser.step()
            averaged.update(network)
            done.steps += 1
            done.spent_s = time.process_time() - base_s
            if done.steps % 50 == 0:
                done.history.append((done.steps, round(float(value.detach()), 4)))
                progress.update(bar, completed=done.spent_s, description=f"step {done.steps} loss {float(value.detach()):.3f}")
                print(f"step {done.steps} loss {float(value.detach()):.3f} {done.spent_s:.0f} s", flush=True)
            if done.spent_s - saved_s > CHECKPOINT_EVERY_S:
                saved_s = done.spent_s
                _save(folder, network, optimiser, averaged, done)
    _save(folder, network, optimiser, averaged, done)
    return averaged


def write_json(path: Path, content: object) -> None:
    """Write a report."""
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Decay the weights of convolutions only, not norms and biases."""
    decayed = [value for value in network.parameters() if value.ndim > 1]
    plain = [value for value in network.parameters() if value.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]


def _batches(count: int, batch: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Give rows in random order, for ever, each image once in a round."""
    while True:
        order = rng.permutation(count)
        for start in range(0, count - batch + 1, batch):
            yield np.sort(order[start : start + batch])


def _save(folder: Path, network: nn.Module, optimiser: torch.optim.Optimizer, averaged: Averaged, done: Progressed) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "checkpoint.part"
    state = {
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "averaged": averaged.state,
        "averaged_steps": averaged.steps,
    }
    torch.save(state | {"spent_s": done.spent_s, "steps": done.steps, "history": done.history}, part)
    part.rename(folder / "checkpoint.pt")


def _resume(folder: Path, network: nn.Module, optimiser: torch.optim.Optimizer, averaged: Averaged) -> Progressed:
    path = folder / "checkpoint.pt"
    if not path.exists():
        return Progressed()
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    averaged.state, averaged.steps = state["averaged"], state["averaged_steps"]
    return Progressed(state["spent_s"], state["steps"], state["history"])
