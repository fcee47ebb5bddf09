"""Building blocks and the detector network: plain torch, anchor-free, under 1.5 M parameters.

A CSP backbone (strides 8, 16, 32), a PAN neck, and decoupled heads. Every cell predicts a score a class and the distances from its
middle to the four sides of a box, in units of its stride.

The shape follows what a CPU is good at, measured on one core in bfloat16: dense convolutions at 64 channels and more run near its
peak, while wide maps at stride 2, SiLU and batch norm cost more than their arithmetic. So the picture is folded to stride 2 without
a convolution, activations are ReLU, and a depthwise convolution has no norm of its own.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.assay import Assay

STRIDES = (8, 16, 32)
_DIFFERENCE_GAIN, _SHARE_GAIN = 8.0, 4.0
_THIN = 0.02
"""Density of what is too thin to have a share: added to all, so that the noise of air has none."""
REACH = 0.5
"""How far outside its middle's own box, in strides, a cell can still draw a side: as far as the cell itself goes."""


class Conv(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, step: int = 1, dilation: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, size, step, padding=dilation * (size // 2), dilation=dilation, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
            nn.ReLU(inplace=True),
        )


class Separable(nn.Sequential):
    """Depthwise 3x3 and pointwise convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
            nn.ReLU(inplace=True),
        )


class Bottleneck(nn.Module):
    """A 3x3 convolution with a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.wide = Conv(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.wide(x)


class Halves(Conv):
    """A convolution whose channels go two ways: gives the first half of them and the second."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        first, second = super().forward(x).chunk(2, dim=1)
        return first, second


class Csp(nn.Module):
    """Cross-stage partial block: half of the channels pass through bottlenecks, half around them."""

    def __init__(self, inputs: int, outputs: int, depth: int) -> None:
        super().__init__()
        half = outputs // 2
        self.split = Halves(inputs, outputs, 1)
        self.blocks = nn.Sequential(*(Bottleneck(half) for _ in range(depth)))
        self.join = Conv(outputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        through, around = self.split(x)
        return self.join(torch.cat([self.blocks(through), around], dim=1))


class Pyramid(nn.Module):
    """Spatial pyramid pooling: the same features seen over 1, 5, 9 and 13 cells."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.narrow, self.join = Conv(width, width // 2, 1), Conv(width * 2, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        steps = [self.narrow(x)]
        for _ in range(3):
            steps.append(F.max_pool2d(steps[-1], 5, stride=1, padding=2))
        return self.join(torch.cat(steps, dim=1))


class Head(nn.Module):
    """Scores and distances of one level."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.score_trunk = nn.Sequential(Separable(width, width), Separable(width, width))
        self.side_trunk = nn.Sequential(Separable(width, width), Separable(width, width))
        self.score, self.side = nn.Conv2d(width, classes, 1), nn.Conv2d(width, 4, 1)
        nn.init.constant_(self.score.bias, -5.0)
        nn.init.constant_(self.side.bias, 1.5)

    def forward(self, x: Tensor, stride: int) -> tuple[Tensor, Tensor, Tensor]:
        """Give scores, sides in px, and the features that the scores are made of: each (N, channels, cells)."""
        sides = (F.softplus(self.side(self.side_trunk(x)).float()) - REACH) * stride
        features = self.score_trunk(x)
        return self.score(features).flatten(2), sides.flatten(2), features.flatten(2)


class Matter(nn.Module):
    """What two energies say of the matter, at stride 4, to be added to the stem's features: their difference, and its share of the density.

    The share tells metal from organic matter. The difference is a tenth of either plane and lost in their noise pixel by pixel: the planes
    are averaged over 8 x 8 px before anything is made of them. Without a low plane (all of it 0) there is no difference. Begins with
    nothing to add.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.wide, self.out = Conv(3, width, 3), nn.Conv2d(width, width, 1, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, image: Tensor) -> Tensor:
        high, low = F.avg_pool2d(F.avg_pool2d(image, 2), 4, stride=2, padding=1).chunk(2, dim=1)
        is_dual = (low.amax(dim=(2, 3), keepdim=True) > 0).to(image.dtype)
        difference = (low - high) * is_dual
        seen = torch.cat([high, _DIFFERENCE_GAIN * difference, _SHARE_GAIN * difference / (high + _THIN)], dim=1)
        return self.out(self.wide(seen))


class Detector(nn.Module):
    """The detector. Input (N, inputs, H, W), H and W multiples of 32; two inputs are the densities of the high and the low plane."""

    def __init__(self, classes: int, inputs: int = 2) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), Conv(4 * inputs, 32, 3, 2))
        self.matter = Matter(32) if inputs == 2 else None
        self.down8 = nn.Sequential(Conv(32, 64, 3, 2), Csp(64, 64, 2))
        self.down16 = nn.Sequential(Conv(64, 128, 3, 2), Csp(128, 128, 2))
        self.down32 = nn.Sequential(Conv(128, 192, 3, 2), Csp(192, 192, 1), Pyramid(192))
        width = 64
        self.side8, self.side16, self.side32 = Conv(64, width, 1), Conv(128, width, 1), Conv(192, width, 1)
        self.up16, self.up8 = Csp(2 * width, width, 1), Csp(2 * width, width, 1)
        self.fall8, self.fall16 = Conv(width, width, 3, 2), Conv(width, width, 3, 2)
        self.out16, self.out32 = Csp(2 * width, width, 1), Csp(2 * width, width, 1)
        self.heads = nn.ModuleList(Head(width, classes) for _ in STRIDES)
        self.assay = Assay(width, classes) if inputs == 2 else None

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Give (N, A, C) logits and (N, A, 4) distances left, top, right, bottom in px."""
        c4 = self.stem(image) if self.matter is None else self.stem(image) + self.matter(image)
        c8 = self.down8(c4)
        c16 = self.down16(c8)
        p32 = self.side32(self.down32(c16))
        p16 = self.up16(torch.cat([F.interpolate(p32, scale_factor=2.0), self.side16(c16)], dim=1))
        p8 = self.up8(torch.cat([F.interpolate(p16, scale_factor=2.0), self.side8(c8)], dim=1))
        n16 = self.out16(torch.cat([self.fall8(p8), p16], dim=1))
        n32 = self.out32(torch.cat([self.fall16(n16), p32], dim=1))
        outputs = [head(level, stride) for head, level, stride in zip(self.heads, (p8, n16, n32), STRIDES, strict=True)]
        logits, sides, features = (torch.cat(parts, dim=2) for parts in zip(*outputs, strict=True))
        if self.assay is not None:
            middles = cells_of(image.shape[2], image.shape[3]).to(image.device)[:, :2]
            boxes = boxes_from(sides.detach().transpose(1, 2), middles).transpose(1, 2)
            logits = logits + self.assay(image, boxes, features)
        return logits.transpose(1, 2), sides.transpose(1, 2)


def cells_of(height: int, width: int) -> Tensor:
    """Give (A, 3): x and y in px of the middles of all cells, level after level, and half the side of a cell."""
    levels = []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        half = torch.zeros_like(x)
        levels.append((torch.stack([x, y, half], dim=-1).reshape(-1, 3) + 0.5) * stride)
    return torch.cat(levels)


def boxes_from(sides: Tensor, middles: Tensor) -> Tensor:
    """Give (N, A, 4) xyxy in px."""
    return torch.cat([middles - sides[..., :2], middles + sides[..., 2:]], dim=-1)


class ExportedDetector(nn.Module):
    """What is shipped: boxes xyxy in px of a square tile, and scores in [0, 1]."""

    def __init__(self, network: Detector, tile_px: int) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("middles", cells_of(tile_px, tile_px)[:, :2].contiguous())

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits, sides = self.network(image)
        return boxes_from(sides, self.middles), torch.sigmoid(logits)


class Averaged:
    """Exponential moving average of a network's weights: what is evaluated and shipped."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self.steps = 0

    def update(self, network: nn.Module) -> None:
        """Move towards the present weights; faster in the beginning, when the average knows little."""
        self.steps += 1
        decay = min(self.decay, (1.0 + self.steps) / (10.0 + self.steps))
        with torch.no_grad():
            for name, value in network.state_dict().items():
                mine = self.state[name]
                if mine.dtype.is_floating_point:
                    mine.lerp_(value, 1.0 - decay)
                else:
                    mine.copy_(value)
