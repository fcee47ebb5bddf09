"""Building blocks and the detector network: plain torch, anchor-free, under 1.5 M parameters.

A CSP backbone (strides 8, 16, 32), a PAN neck, and decoupled heads. Every cell predicts a score a class and the distances from its
middle to the four sides of a box, in units of its stride.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDES = (8, 16, 32)


class Conv(nn.Sequential):
    """Convolution, batch norm, SiLU."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, step: int = 1, groups: int = 1, dilation: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, size, step, padding=dilation * (size // 2), groups=groups, dilation=dilation, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
            nn.SiLU(inplace=True),
        )


class Bottleneck(nn.Module):
    """Two convolutions with a shortcut."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.narrow = Conv(width, width, 1)
        self.wide = Conv(width, width, 3, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.wide(self.narrow(x))


class Csp(nn.Module):
    """Cross-stage partial block: half of the channels pass through bottlenecks, half around them."""

    def __init__(self, inputs: int, outputs: int, depth: int) -> None:
        super().__init__()
        half = outputs // 2
        self.through, self.around = Conv(inputs, half, 1), Conv(inputs, half, 1)
        self.blocks = nn.Sequential(*(Bottleneck(half) for _ in range(depth)))
        self.join = Conv(2 * half, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.join(torch.cat([self.blocks(self.through(x)), self.around(x)], dim=1))


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
        self.score_trunk = nn.Sequential(
            Conv(width, width, 3, groups=width), Conv(width, width, 1), Conv(width, width, 3, groups=width), Conv(width, width, 1)
        )
        self.side_trunk = nn.Sequential(
            Conv(width, width, 3, groups=width), Conv(width, width, 1), Conv(width, width, 3, groups=width), Conv(width, width, 1)
        )
        self.score, self.side = nn.Conv2d(width, classes, 1), nn.Conv2d(width, 4, 1)
        nn.init.constant_(self.score.bias, -5.0)
        nn.init.constant_(self.side.bias, 1.5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.score(self.score_trunk(x)).flatten(2), F.softplus(self.side(self.side_trunk(x))).flatten(2)


class Detector(nn.Module):
    """The detector. Input (N, 2, H, W) density, H and W multiples of 32."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(Conv(2, 16, 3, 2), Conv(16, 32, 3, 2), Csp(32, 32, 1))
        self.down8 = nn.Sequential(Conv(32, 64, 3, 2), Csp(64, 64, 2))
        self.down16 = nn.Sequential(Conv(64, 112, 3, 2), Csp(112, 112, 2))
        self.down32 = nn.Sequential(Conv(112, 160, 3, 2), Csp(160, 160, 1), Pyramid(160))
        width = 80
        self.side8, self.side16, self.side32 = Conv(64, width, 1), Conv(112, width, 1), Conv(160, width, 1)
        self.up16, self.up8 = Csp(2 * width, width, 1), Csp(2 * width, width, 1)
        self.fall8, self.fall16 = Conv(width, width, 3, 2, groups=width), Conv(width, width, 3, 2, groups=width)
        self.out16, self.out32 = Csp(2 * width, width, 1), Csp(2 * width, width, 1)
        self.heads = nn.ModuleList(Head(width, classes) for _ in STRIDES)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Give (N, A, C) logits and (N, A, 4) distances left, top, right, bottom in px."""
        c8 = self.down8(self.stem(image))
        c16 = self.down16(c8)
        p32 = self.side32(self.down32(c16))
        p16 = self.up16(torch.cat([F.interpolate(p32, scale_factor=2.0), self.side16(c16)], dim=1))
        p8 = self.up8(torch.cat([F.interpolate(p16, scale_factor=2.0), self.side8(c8)], dim=1))
        n16 = self.out16(torch.cat([self.fall8(p8), p16], dim=1))
        n32 = self.out32(torch.cat([self.fall16(n16), p32], dim=1))
        outputs = [head(level) for head, level in zip(self.heads, (p8, n16, n32), strict=True)]
        logits = torch.cat([scores for scores, _ in outputs], dim=2)
        sides = torch.cat([side * stride for (_, side), stride in zip(outputs, STRIDES, strict=True)], dim=2)
        return logits.transpose(1, 2), sides.transpose(1, 2)


def cell_middles(height: int, width: int) -> Tensor:
    """Give (A, 2) x, y in px of the middles of all cells, level after level."""
    levels = []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        levels.append((torch.stack([x, y], dim=-1).reshape(-1, 2) + 0.5) * stride)
    return torch.cat(levels)


def boxes_from(sides: Tensor, middles: Tensor) -> Tensor:
    """Give (N, A, 4) xyxy in px."""
    return torch.cat([middles - sides[..., :2], middles + sides[..., 2:]], dim=-1)


class ExportedDetector(nn.Module):
    """What is shipped: boxes xyxy in px of a square tile, and scores in [0, 1]."""

    def __init__(self, network: Detector, tile_px: int) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("middles", cell_middles(tile_px, tile_px))

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
