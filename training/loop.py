"""What both trainings share: schedule, checkpoints that survive a kill, progress, and the CPU-seconds spent.

On a CPU: one thread, channels last, bfloat16 where that is faster. Where there is a CUDA device it is used by itself, with
larger batches.
"""

import io
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from edge_agent.agent.whole import write_whole
from training.data import shuffled
from training.network import Averaged

CHECKPOINT = "checkpoint.pt"
ORDER = "order.json"
WARM_UP_STEPS = 150
CHECKPOINT_EVERY_S = 60.0
_LAST_RATE = 0.02
_CUDA_BATCHES = 8

Loss = Callable[[np.ndarray, np.random.Generator], Tensor]
"""Rows of the pool and a source of chance in; the mean loss of these images out."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. ``images``: presentations, the schedule's length; ``batch``: images a step; ``rate``: peak step size."""

    images: int
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


def device_here() -> torch.device:
    """Give the CUDA device if there is one, else the CPU, held to one thread: two contending threads are slower than one."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    torch.set_num_threads(1)
    return torch.device("cpu")


def batch_here(batch: int) -> int:
    """Give the images a step: more where a CUDA device computes them."""
    return batch * _CUDA_BATCHES if torch.cuda.is_available() else batch


def gains_by_bfloat16(device: torch.device) -> bool:
    """Tell whether bfloat16 is faster here, by trial of one convolution forth and back: what a processor claims to have does not tell.

    Measured on whole networks on a virtual Intel Xeon that has AVX512-BF16 but no AMX: a step takes 1.3 to 1.5 times as long as in float32.
    """
    if device.type == "cuda":
        return True
    layer = nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)
    picture = torch.rand(8, 64, 64, 64).contiguous(memory_format=torch.channels_last)

    def seconds(*, is_halved: bool) -> float:
        begun_at = time.process_time()
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_halved):
            value = layer(picture).float().square().mean()
        value.backward()
        return time.process_time() - begun_at

    halved, whole = (min(seconds(is_halved=choice) for _ in range(5)) for choice in (True, False))
    return halved < whole


def train(network: nn.Module, loss: Loss, count: int, recipe: Recipe, folder: Path) -> Averaged:
    """Train until ``recipe.images`` were shown, going on from ``folder/checkpoint.pt`` if it is there; gives the averaged weights.

    ``count``: images in the pool. The rate rises over the first steps and falls along half a cosine to 2 % at the end. A file
    ``folder/stop`` ends the training early, at the weights reached by then.

    Raises:
        SystemExit: the checkpoint is not whole, or of another network.
        RuntimeError: a gradient is no number any more; the checkpoint is one of before.
    """
    torch.manual_seed(recipe.seed)
    optimiser = torch.optim.AdamW(_groups(network, recipe.weight_decay), lr=recipe.rate, betas=(0.9, 0.99))
    averaged = Averaged(network, recipe.decay)
    done = _resume(folder, network, optimiser, averaged)
    rng = np.random.default_rng((recipe.seed, done.steps))
    rows = shuffled(count, recipe.batch, rng)
    last = math.ceil(recipe.images / recipe.batch)
    base_s, saved_s = time.process_time() - done.spent_s, done.spent_s
    device = next(network.parameters()).device
    is_halved = gains_by_bfloat16(device)
    with _bar() as progress:
        bar = progress.add_task("training", total=last, completed=done.steps)
        while done.steps < last and not (folder / "stop").exists():
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate * _pace(done.steps, last)
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_halved):
                value = loss(next(rows), rng)
            optimiser.zero_grad(set_to_none=True)
            value.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 10.0, error_if_nonfinite=True)
            optimiser.step()
            averaged.update(network)
            done.steps += 1
            done.spent_s = time.process_time() - base_s
            if done.steps % 50 == 0:
                done.history.append((done.steps, round(float(value.detach()), 4)))
                progress.update(bar, completed=done.steps, description=f"{folder.name}: step {done.steps} loss {done.history[-1][1]:.3f}")
                _log(progress, done, folder.name)
            if done.spent_s - saved_s > CHECKPOINT_EVERY_S:
                saved_s = done.spent_s
                _save(folder, network, optimiser, averaged, done)
    _save(folder, network, optimiser, averaged, done)
    return averaged


def write_json(path: Path, content: object) -> None:
    """Write a report, whole or not at all: that it is there means that the work was done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())


def begun(folder: Path, order: object) -> None:
    """Note in a work folder what it is for, in JSON values; one without a note is taken to be for this.

    Raises:
        SystemExit: it was begun for another order, and what lies in it would pass for the work that is wanted.
    """
    path = folder / ORDER
    if path.exists() and json.loads(path.read_text()) != json.loads(json.dumps(order)):
        raise SystemExit(f"{folder} was begun for another order ({path}): name another folder, or remove this one")
    write_json(path, order)


def _pace(step: int, last: int) -> float:
    """Give the share of the peak rate at a step."""
    fall = _LAST_RATE + (1.0 - _LAST_RATE) * (1.0 + math.cos(math.pi * step / last)) / 2.0
    return min(1.0, (step + 1) / WARM_UP_STEPS) * fall


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), refresh_per_second=0.2)


def _log(progress: Progress, done: Progressed, name: str) -> None:
    """Print a line now and then where no bar can be drawn; two trainings may write to one log."""
    if not progress.console.is_terminal and done.steps % 500 == 0:
        mean = float(np.mean([loss for _, loss in done.history[-10:]]))
        print(f"{name}: step {done.steps} mean loss {mean:.3f} {done.spent_s:.0f} CPU-s", flush=True)


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Decay the weights of convolutions only, not norms and biases."""
    decayed = [value for value in network.parameters() if value.ndim > 1]
    plain = [value for value in network.parameters() if value.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]


def _save(folder: Path, network: nn.Module, optimiser: torch.optim.Optimizer, averaged: Averaged, done: Progressed) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "averaged": averaged.state,
        "averaged_steps": averaged.steps,
    }
    written = io.BytesIO()
    torch.save(state | {"spent_s": done.spent_s, "steps": done.steps, "history": done.history}, written)
    write_whole(folder / CHECKPOINT, written.getvalue())


def _resume(folder: Path, network: nn.Module, optimiser: torch.optim.Optimizer, averaged: Averaged) -> Progressed:
    path = folder / CHECKPOINT
    if not path.exists():
        return Progressed()
    try:
        state = torch.load(path, weights_only=True, map_location=next(network.parameters()).device)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        averaged.state, averaged.steps = state["averaged"], state["averaged_steps"]
        return Progressed(state["spent_s"], state["steps"], state["history"])
    except (OSError, RuntimeError, EOFError, KeyError, ValueError) as problem:
        raise SystemExit(f"{path} is not a whole checkpoint of this network; delete it to begin anew ({problem})") from problem
