"""The detector rewritten for the runtime: the same numbers from fewer operations.

onnxruntime runs convolutions on blocks of 8 or 16 channels and has to undo the blocks for whatever it cannot do on them. Folding the
picture to stride 2 and splitting channels in two are such operations; next to a convolution both are convolutions themselves. Without
them a tile of 256 px takes a fifth less time on one core.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.network import Conv, Csp, Detector


class TwoWays(nn.Module):
    """What ``network.Halves`` does, as two convolutions of half the width."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.first(x), self.second(x)


def folded(network: Detector) -> Detector:
    """Give a copy of a trained detector, for inference only, that gives the same but for rounding."""
    copied = copy.deepcopy(network).eval()
    _, first = copied.stem
    copied.stem = nn.Sequential(_unfolded(_fused(first)), nn.ReLU())
    for part in copied.modules():
        if isinstance(part, Csp):
            part.split = _in_two(_fused(part.split))  # type: ignore[assignment]
    return copied


def _fused(part: Conv) -> nn.Conv2d:
    """Give a convolution that holds its batch norm too."""
    convolution, norm, _ = part
    fused: nn.Conv2d = fuse_conv_bn_eval(convolution, norm)
    return fused


def _in_two(whole: nn.Conv2d) -> TwoWays:
    """Give two convolutions that give the first and the second half of the channels."""
    halves = []
    for weight, bias in zip(whole.weight.chunk(2), _bias(whole).chunk(2), strict=True):
        half = nn.Conv2d(whole.in_channels, weight.shape[0], whole.kernel_size, whole.stride, whole.padding)  # type: ignore[arg-type]
        _fill(half, weight, bias)
        halves.append(nn.Sequential(half, nn.ReLU()))
    return TwoWays(*halves)


def _unfolded(first: nn.Conv2d) -> nn.Conv2d:
    """Give the convolution that does to a picture what ``first`` does to one folded by ``PixelUnshuffle(2)``.

    Channel 4c + 2i + j of the folded picture holds row i and column j of every 2 x 2 px of plane c.
    """
    outputs, channels, height, width = first.weight.shape
    planes = channels // 4
    weight = first.weight.reshape(outputs, planes, 2, 2, height, width).permute(0, 1, 4, 2, 5, 3)
    (rows, columns), (down, right) = first.padding, first.stride  # type: ignore[misc]
    whole = nn.Conv2d(planes, outputs, (2 * height, 2 * width), (2 * down, 2 * right), (2 * rows, 2 * columns))
    _fill(whole, weight.reshape(outputs, planes, 2 * height, 2 * width), _bias(first))
    return whole


def folded_stem(weight: Tensor) -> Tensor:
    """Give the weights that ``_unfolded`` was given, from those that it gave."""
    outputs, planes, height, width = weight.shape
    taken = weight.reshape(outputs, planes, height // 2, 2, width // 2, 2).permute(0, 1, 3, 5, 2, 4)
    return taken.reshape(outputs, planes * 4, height // 2, width // 2)


def _bias(convolution: nn.Conv2d) -> Tensor:
    return torch.zeros(convolution.out_channels) if convolution.bias is None else convolution.bias


def _fill(convolution: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    with torch.no_grad():
        convolution.weight.copy_(weight)
        if convolution.bias is not None:
            convolution.bias.copy_(bias)
