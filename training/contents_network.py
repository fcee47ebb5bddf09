"""The contents network, and the formula that turns its goods map into a judgement. Both are in the exported graph.

The trunk sees an image at 20 mm a pixel and gives a softmax P over K goods families and B background classes for every cell of
4 x 4 px; its logits are divided by ``temperature`` first, so that P means what it says, and P is rounded to steps of 1/255, as goods maps
are stored: what is judged now is what can be judged again. With ``empty`` = free space inside the container:

    free(x)     = P[empty] + P[every background class]
    load(x)     = 1 - free(x) > load_threshold
    declared    = the declared families without ``empty``; if nothing is declared, the family with the largest sum of P
    allowed     = for each family the largest of its ``look_alikes`` to a declared one: 1 for the declared themselves
    evidence(x) = clip(1 - free(x) - sum of P * allowed, 0, 1) where load(x), else 0               -> ``heatmap``
    nats(x)     = -ln((1 - evidence(x)) * (1 - LEAST_EXPLAINED) + LEAST_EXPLAINED), 0 to ln(512) = 6.2
    n, inside   = number of cells with load, and of cells with load or with P[empty] > 0.5
    k           = max(1, round(inside * top_share))
    smoothed(x) = mean of nats over evidence_cells x evidence_cells cells (0 beyond the edge) where load(x), else 0
    score       = sigmoid(a * mean of the k largest smoothed nats + b); 0 when n = 0              -> ``score``
    fill        = solid / inside, both without the floor: the lowest fifth of the rows that show the inside; solid = cells of load that
                  lie in 3 x 3 cells of load (24 cm): members, rails and ripples of the container are thinner than goods
    p_empty     = sigmoid(empty_slope * ln(empty_fill / (fill + 0.001)))
    product     = p_empty for ``empty``; for the others (1 - p_empty) * sum of P[family] / sum of all these     -> ``product_probs``

The goods map itself (P) leaves the graph too, so that another declaration can be judged later without the network.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edge_agent.inference.heads import EMPTY, INSIDE_AT, LEAST_EXPLAINED
from training.formula import FLOOR_ROW_AT, FLOOR_SHARE, LEAST_FILL, Formula
from training.network import Conv

_TINY = 1e-6


class Dilated(nn.Module):
    """Residual block that looks ``dilation`` cells around."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.body = nn.Sequential(Conv(width, width, 3, dilation=dilation), nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(x + self.body(x))


class GoodsNetwork(nn.Module):
    """Input (N, 2, H, W) density at 20 mm, H and W multiples of 8; output (N, classes, H / 4, W / 4) logits.

    Texture is read at stride 4, the neighbourhood (up to 5 m) at stride 8, where it costs a quarter; both meet again at stride 4.
    """

    def __init__(self, classes: int, width: int = 64, context: int = 96) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), Conv(8, 32, 3), Conv(32, width, 3, 2), Dilated(width, 1))
        self.down = Conv(width, context, 3, 2)
        self.trunk = nn.Sequential(*(Dilated(context, dilation) for dilation in (1, 2, 4, 8, 4, 1)))
        self.up = Conv(context, width, 1)
        self.join = nn.Sequential(Conv(2 * width, width, 1), Dilated(width, 1))
        self.logits = nn.Conv2d(width, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        fine = self.stem(image)
        coarse = nn.functional.interpolate(self.up(self.trunk(self.down(fine))), scale_factor=2.0)
        return self.logits(self.join(torch.cat([fine, coarse], dim=1)))


class ExportedContents(nn.Module):
    """Network and formula as one graph: image and declared (N, K) multi-hot in; score, heatmap, product_probs, goods_map out."""

    def __init__(self, network: GoodsNetwork, families: Sequence[str], formula: Formula) -> None:
        super().__init__()
        self.network, self.families, self.formula = network, len(families), formula
        empty = torch.tensor(families.index(EMPTY))
        self.register_buffer("is_empty", torch.nn.functional.one_hot(empty, len(families)).float())
        self.register_buffer("alike", torch.from_numpy(formula.alike(families)))

    def forward(self, image: Tensor, declared: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        goods = torch.round(torch.softmax(self.network(image) / self.formula.temperature, dim=1) * 255.0) / 255.0
        loads = goods[:, : self.families] * (1.0 - self.is_empty)[None, :, None, None]
        totals = loads.sum(dim=(2, 3))
        empty = (goods[:, : self.families] * self.is_empty[None, :, None, None]).sum(dim=1)
        evidence, is_load = self._evidence(loads, empty + goods[:, self.families :].sum(dim=1), totals, declared)
        loaded = is_load.sum(dim=(1, 2))[:, None]
        is_inside = torch.maximum(is_load, (empty > INSIDE_AT).float())
        score = self._score(self._smoothed(evidence) * is_load, loaded, is_inside.sum(dim=(1, 2))[:, None])
        return score, evidence[:, None], self._product(totals, _fill(_opened(is_load), is_inside)), goods

    def _evidence(self, loads: Tensor, free: Tensor, totals: Tensor, declared: Tensor) -> tuple[Tensor, Tensor]:
        majority = (totals >= totals.amax(dim=1, keepdim=True)).float()
        is_declared = (declared.sum(dim=1, keepdim=True) > 0.5).float()
        stands = is_declared * declared + (1.0 - is_declared) * majority
        allowed = (stands[:, :, None] * self.alike[None]).amax(dim=1)
        explained = (loads * allowed[:, :, None, None]).sum(dim=1)
        is_load = ((1.0 - free) > self.formula.load_threshold).float()
        return (1.0 - free - explained).clamp(0.0, 1.0) * is_load, is_load

    def _smoothed(self, evidence: Tensor) -> Tensor:
        side = self.formula.evidence_cells
        nats = -torch.log((1.0 - evidence) * (1.0 - LEAST_EXPLAINED) + LEAST_EXPLAINED)
        return nn.functional.avg_pool2d(nats[:, None], side, stride=1, padding=side // 2)[:, 0]

    def _score(self, evidence: Tensor, loaded: Tensor, inside: Tensor) -> Tensor:
        flat = evidence.flatten(1)
        ordered = torch.sort(flat, dim=1, descending=True).values
        place = torch.cumsum(torch.ones_like(flat), dim=1)
        count = torch.round(inside * self.formula.top_share).clamp(min=1.0)
        mean = (ordered * (place <= count).float()).sum(dim=1) / count[:, 0]
        return torch.sigmoid(self.formula.a * mean + self.formula.b) * (loaded[:, 0] > 0.5).float()

    def _product(self, totals: Tensor, fill: Tensor) -> Tensor:
        p_empty = torch.sigmoid(self.formula.empty_slope * torch.log(self.formula.empty_fill / (fill + LEAST_FILL)))
        shares = totals / (totals.sum(dim=1, keepdim=True) + _TINY)
        return self.is_empty * p_empty + (1.0 - p_empty) * shares


def _opened(mask: Tensor) -> Tensor:
    """Give what is left of masks (N, rows, columns) of 0 or 1 when all that is thinner than 3 cells goes; beyond the edge lies 0."""
    eroded = -nn.functional.max_pool2d(-nn.functional.pad(mask[:, None], (1, 1, 1, 1)), 3, stride=1)
    return nn.functional.max_pool2d(eroded, 3, stride=1, padding=1)[:, 0]


def _fill(is_load: Tensor, is_inside: Tensor) -> Tensor:
    """Give (N, 1) shares of load above the floor; both (N, rows, columns), 0 or 1, the floor below."""
    shown = is_inside.mean(dim=2)
    rows = (shown > FLOOR_ROW_AT * shown.amax(dim=1, keepdim=True)).float()
    count = rows.sum(dim=1, keepdim=True)
    above = rows * ((count - torch.cumsum(rows, dim=1) + rows) > FLOOR_SHARE * count).float()
    kept = above[:, :, None]
    return ((is_load * kept).sum(dim=(1, 2)) / ((is_inside * kept).sum(dim=(1, 2)) + _TINY))[:, None]
