"""A checkpoint out of a bundle's graph, for a training that goes on where only the bundle is at hand.

``python -m training.unfold --graph exported_models/detector/VERSION/model.onnx --pool DIR --out checkpoint.pt``

An exported graph holds every batch norm inside the convolution before it. Here each norm is put back so that the network gives what the
graph gives, whatever mean and variance it is given; these are measured on images, since a training normalises by them from its first step.
"""

import argparse
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from edge_agent.sim.goods import CLASSES
from edge_agent.sim.threat import LABELS
from training.contents_network import GoodsNetwork
from training.data import open_pool
from training.fold import folded_stem
from training.network import Detector

_IMAGES, _BATCH = 512, 16
_ROOT = "network."

Weights: TypeAlias = Mapping[str, Tensor]
Convolution: TypeAlias = nn.Conv1d | nn.Conv2d


def unfold(graph: Path, network: Detector | GoodsNetwork, images: Iterable[Tensor]) -> None:
    """Fill ``network`` with what ``graph`` has learnt. ``images``: batches (n, planes, h, w) float32 like those of the training to come.

    Raises:
        SystemExit: the graph was exported from another network, or there is no image.
    """
    named = {part.name: torch.from_numpy(numpy_helper.to_array(part).copy()) for part in onnx.load(str(graph)).graph.initializer}
    try:
        norms = [_fill(name, convolution, norm, named) for name, convolution, norm in _layers(network)]
    except (KeyError, RuntimeError) as problem:
        raise SystemExit(f"{graph} was not exported from this network: {problem}") from problem
    _measure(network, [norm for norm in norms if norm is not None], images)


def checkpoint_from(graph: Path, network: Detector | GoodsNetwork, images: Iterable[Tensor], out: Path) -> Path:
    """Write what ``detector.load`` and ``contents.load`` read, and give its path. Raises as :func:`unfold` does."""
    unfold(graph, network, images)
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"averaged": network.state_dict()}, out)
    return out


def batches(images: np.ndarray) -> Iterable[Tensor]:
    """Give some images (n, planes, h, w) from all over a pool, a batch at a time."""
    rows = np.linspace(0, len(images) - 1, min(len(images), _IMAGES)).astype(int)
    for start in range(0, len(rows), _BATCH):
        yield torch.from_numpy(images[rows[start : start + _BATCH]].astype(np.float32))


def _layers(network: nn.Module) -> list[tuple[str, Convolution, nn.BatchNorm2d | None]]:
    """Give the convolutions with their names, and the norm that follows each, if one does."""
    parts = [(name, part) for name, part in network.named_modules() if isinstance(part, Convolution | nn.BatchNorm2d)]
    followed = itertools.pairwise([*parts, ("", None)])
    return [
        (name, part, after if isinstance(after, nn.BatchNorm2d) else None)
        for (name, part), (_, after) in followed
        if isinstance(part, Convolution)
    ]


@torch.no_grad()
def _fill(name: str, convolution: Convolution, norm: nn.BatchNorm2d | None, named: Weights) -> nn.BatchNorm2d | None:
    """Put a convolution's weights back, its bias into the norm that follows; give that norm."""
    weight, bias = _learnt(name, named)
    convolution.weight.copy_(weight)
    target = convolution.bias if norm is None else norm.bias
    if target is not None:
        if bias is None:
            raise KeyError(f"{name}.bias")
        target.copy_(bias)
    return norm


def _learnt(name: str, named: Weights) -> tuple[Tensor, Tensor | None]:
    """Give weight and bias of a layer as the training's network has it: what ``fold`` took apart is one again."""
    key, part = _ROOT + name, _ROOT + name.rpartition(".")[0]
    if f"{part}.first.0.weight" in named:
        halves = [f"{part}.{half}.0" for half in ("first", "second")]
        weight, bias = (torch.cat([named[f"{half}.{kind}"] for half in halves]) for kind in ("weight", "bias"))
        return weight, bias
    if name == "stem.1.0" and f"{_ROOT}stem.0.weight" in named:
        return folded_stem(named[f"{_ROOT}stem.0.weight"]), named[f"{_ROOT}stem.0.bias"]
    return named[f"{key}.weight"], named.get(f"{key}.bias", named.get(f"{key}.weight_bias"))


@torch.no_grad()
def _measure(network: nn.Module, norms: list[nn.BatchNorm2d], images: Iterable[Tensor]) -> None:
    """Give norms the mean and variance of what they meet, without changing what the network gives."""
    sums = {norm: torch.zeros(3, norm.num_features, dtype=torch.float64) for norm in norms}

    def count(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0].double()
        totals = (torch.ones_like(values[:, 0]).sum().expand(values.shape[1]), values.sum((0, 2, 3)), values.square().sum((0, 2, 3)))
        sums[norm] += torch.stack(totals)  # type: ignore[index]

    for norm in norms:  # the identity, but for the bias
        norm.running_mean.zero_()  # type: ignore[union-attr]
        norm.running_var.fill_(1.0 - norm.eps)  # type: ignore[union-attr]
        norm.weight.fill_(1.0)
    hooks = [norm.register_forward_pre_hook(count) for norm in norms]
    network.eval()
    for batch in images:
        network(batch)
    for hook in hooks:
        hook.remove()
    for norm, (number, total, squares) in sums.items():
        if not number.all():
            raise SystemExit("no image to measure the norms on")
        mean = total / number
        variance = (squares / number - mean.square()).clamp(min=0.0)
        norm.running_mean.copy_(mean)  # type: ignore[union-attr]
        norm.running_var.copy_(variance)  # type: ignore[union-attr]
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.add_(mean.float())


def main() -> None:
    """Write a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", type=Path, required=True, metavar="FILE", help="model.onnx of a detector or contents bundle of ours")
    parser.add_argument("--pool", type=Path, required=True, metavar="DIR", help="of the training to come, made by training.data")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="checkpoint, for --start of a training")
    args = parser.parse_args()
    images, targets = open_pool(args.pool)
    network = Detector(len(LABELS)) if targets.ndim == 3 and targets.shape[2] == 5 else GoodsNetwork(len(CLASSES))
    checkpoint_from(args.graph, network, batches(images), args.out)
    print(f"{args.out}: the weights of {args.graph}")


if __name__ == "__main__":
    main()
