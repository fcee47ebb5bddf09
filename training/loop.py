"""What both trainings share: schedule, checkpoints that survive a kill, progress, and the CPU-seconds spent.

On a CPU: one thread, channels last, bfloat16 where that is faster. Where there is a CUDA device it is used by itself: for as many
steps as a CPU takes, with larger batches. A checkpoint of either goes on, and is read, on the other.
"""

import io
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

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

IMAGES_HELP = (
    "presentations in all on a CPU (default: %(default)s); a CUDA device takes as many steps with batches up to "
    f"{_CUDA_BATCHES} times as large, and so shows more"
)
"""What ``--images`` of a training is."""

Loss = Callable[[np.ndarray, np.random.Generator], Tensor]
"""Rows of the pool and a source of chance in; the mean loss of these images out."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train, in a CPU's terms. ``images``: presentations; ``batch``: images a step; ``rate``: peak step size. See ``schedule``."""

    images: int
    batch: int
    rate: float
    seed: int
    weight_decay: float = 0.02
    decay: float = 0.998


@dataclass
class Progressed:
    """How far a training is: what a checkpoint holds beside the weights. ``shown``: presentations; ``spent_s``: CPU-seconds."""

    spent_s: float = 0.0
    steps: int = 0
    shown: int = 0
    history: list[tuple[int, float]] = field(default_factory=list)


class Part(Protocol):
    """What a checkpoint holds of a training: a network, an optimiser, a schedule."""

    def state_dict(self) -> dict[str, Any]:
        """Give all that is needed to go on."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> object:
        """Take it; tensors go where this part's own are."""


def device_here() -> torch.device:
    """Give the CUDA device if there is one, else the CPU, held to one thread: two contending threads are slower than one."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    torch.set_num_threads(1)
    return torch.device("cpu")


def schedule(recipe: Recipe, count: int, device: torch.device) -> tuple[int, int]:
    """Give how many steps there are, and images a step, for a pool of ``count`` images.

    Rate, warm-up and averaging are by the step, so a CUDA device takes the steps that a CPU needs to show ``recipe.images``, with batches
    eight times as large: it shows more. No batch is larger than the pool.

    Raises:
        SystemExit: fewer than two images.
    """
    room = count // 2 * 2  # rows are drawn in pairs
    if room == 0:
        raise SystemExit("one image is too little to train on")
    batch = min(recipe.batch, room)
    here = batch * _CUDA_BATCHES if device.type == "cuda" else batch
    return math.ceil(recipe.images / batch), min(here, room)


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
    """Train as ``schedule`` says, going on from ``folder/checkpoint.pt`` if it is there; gives the averaged weights, where the network is.

    ``count``: images in the pool. The rate rises over the first steps and falls along half a cosine to 2 % at the end. A file
    ``folder/stop`` ends the training early, at the weights reached by then.

    Raises:
        SystemExit: the checkpoint is not whole, or of another network; or there are fewer than two images.
        RuntimeError: a gradient is no number any more; the checkpoint is one of before.
    """
    torch.manual_seed(recipe.seed)
    device = next(network.parameters()).device
    last, batch = schedule(recipe, count, device)
    optimiser = torch.optim.AdamW(_groups(network, recipe.weight_decay), lr=recipe.rate, betas=(0.9, 0.99))
    averaged = Averaged(network, recipe.decay)
    done = _resume(folder, network, optimiser, averaged)
    rng = np.random.default_rng((recipe.seed, done.steps))
    rows = shuffled(count, batch, rng)
    base_s, saved_s = time.process_time() - done.spent_s, done.spent_s
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
            done.steps, done.shown = done.steps + 1, done.shown + batch
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


def read_json(path: Path) -> dict[str, Any]:
    """Read a report."""
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def begun(folder: Path, order: object) -> None:
    """Note in a work folder what it is for, in JSON values; one without a note is taken to be for this.

    Raises:
        SystemExit: it was begun for another order, and what lies in it would pass for the work that is wanted.
    """
    path = folder / ORDER
    if path.exists() and json.loads(path.read_text()) != json.loads(json.dumps(order)):
        raise SystemExit(f"{folder} was begun for another order ({path}): name another folder, or remove this one")
    write_json(path, order)


def write_checkpoint(folder: Path, parts: Mapping[str, Part], more: Mapping[str, object]) -> None:
    """Write the states of ``parts`` and the plain values or tensors ``more`` to ``folder/checkpoint.pt``, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    written = io.BytesIO()
    torch.save({name: part.state_dict() for name, part in parts.items()} | dict(more), written)
    write_whole(folder / CHECKPOINT, written.getvalue())


def read_checkpoint(folder: Path, parts: Mapping[str, Part], names: Sequence[str]) -> dict[str, Any] | None:
    """Fill ``parts`` from ``folder/checkpoint.pt`` and give what it holds under ``names``, tensors on the CPU; None if there is none.

    Raises:
        SystemExit: it is not whole, or of another network.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        # By way of the CPU: the device that wrote it may not be here, and an optimiser's step counters stay there.
        state = torch.load(path, weights_only=True, map_location="cpu")
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return {name: state[name] for name in names}
    except (OSError, RuntimeError, EOFError, KeyError, ValueError) as problem:
        raise SystemExit(f"{path} is not a whole checkpoint of this network; delete it to begin anew ({problem})") from problem


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
    averages = {"averaged": averaged.state, "averaged_steps": averaged.steps}
    write_checkpoint(folder, {"network": network, "optimiser": optimiser}, averages | asdict(done))


def _resume(folder: Path, network: nn.Module, optimiser: torch.optim.Optimizer, averaged: Averaged) -> Progressed:
    names = [one.name for one in fields(Progressed)]
    state = read_checkpoint(folder, {"network": network, "optimiser": optimiser}, ("averaged", "averaged_steps", *names))
    if state is None:
        return Progressed()
    device = next(network.parameters()).device
    averaged.state = {name: value.to(device) for name, value in state["averaged"].items()}
    averaged.steps = state["averaged_steps"]
    return Progressed(**{name: state[name] for name in names})
