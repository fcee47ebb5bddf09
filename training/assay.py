"""What the matter in a box is: the densities within it against those around it, in both energies, told to the detector's scores.

Heavy metal and pressed packets come in one outline. They differ in the share that the difference between the energies has in the density:
of what is in the box, less what lies before and behind it, and that is what lies around it. Convolutions, whose windows know nothing of
the box, go by the outline instead. So every cell of the detector measures the box that it has drawn, and a small network over these numbers
and the cell's own features adds to the cell's logits. It begins with nothing to add.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MEASURED = 15
_WIDTH = 32
_POOLED = 4
"""Pixels of a side of what the sums are made of: a pixel's noise is not worth adding up."""
_WINDOWS = (0.5, 1.0, 1.5)
"""Parts of a box's sides: its middle, the box itself, and how far its surroundings go."""
_DIFFERENCE_GAIN = 8.0
_THIN, _FAINT = 0.02, 0.03
"""Density of what is too thin to have a share, and the contrast below which a share of it is noise."""
_MOST_SHARE = 4.0


class Assay(nn.Module):
    """What measures say of scores."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.features, self.measured = nn.Conv1d(width, _WIDTH, 1), nn.Conv1d(MEASURED, _WIDTH, 1, bias=False)
        self.join, self.out = nn.Conv1d(_WIDTH, _WIDTH, 1), nn.Conv1d(_WIDTH, classes, 1, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, image: Tensor, boxes: Tensor, features: Tensor) -> Tensor:
        """Give (N, classes, A) to be added to logits. See ``measured``; ``features``: (N, width, A), what the scores are made of."""
        told = F.relu(self.features(features) + self.measured(measured(image, boxes)))
        added: Tensor = self.out(F.relu(self.join(told)))
        return added


def measured(image: Tensor, boxes: Tensor) -> Tensor:
    """Give (N, 15, A) of what is in boxes (N, 4, A) xyxy in px of an image (N, 2, H, W), densities of the high and the low plane.

    Means of density and of the difference of the energies (times 8), each in the box's middle, in all of it, and around it; the share
    of the difference in the middle and around; how both means of the middle stand out from the surroundings; the share in what stands
    out, for the middle and for all; 1 where there are two energies, without which all differences are 0; and the binary logarithms of
    the box's sides in units of 32 px.
    """
    high, low = F.avg_pool2d(image, _POOLED).chunk(2, dim=1)
    is_dual = (low.amax(dim=(2, 3), keepdim=True) > 0).to(image.dtype)
    inner, whole, ring = _means(torch.cat([high, _DIFFERENCE_GAIN * (low - high) * is_dual], dim=1), boxes / _POOLED)
    shares = [mean[:, 1:] / (mean[:, :1] + _THIN) for mean in (inner, ring)]
    contrasts = [mean - ring for mean in (inner, whole)]
    own = [(one[:, 1:] * one[:, :1] / (one[:, :1].square() + _FAINT**2)).clamp(-_MOST_SHARE, _MOST_SHARE) for one in contrasts]
    size = torch.log2((boxes[:, 2:] - boxes[:, :2]).clamp(min=1.0) / 32.0)
    return torch.cat([inner, whole, ring, *shares, contrasts[0], *own, is_dual[:, :, 0].expand(-1, -1, boxes.shape[2]), size], dim=1)


def _means(planes: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give the means (N, planes, A) over the middle half of each box's sides, the box, and a ring around it as broad as a quarter of them.

    ``planes``: (N, planes, H, W); ``boxes``: (N, 4, A) xyxy in px, rounded to whole ones. By a summed-area table (Crow, SIGGRAPH 1984).
    """
    rows, columns = planes.shape[2] + 1, planes.shape[3] + 1
    table = F.pad(planes, (1, 0, 1, 0)).cumsum(dim=2).cumsum(dim=3).flatten(2)
    middle, reach = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    middles, sides = torch.cat([middle] * len(_WINDOWS), dim=2), torch.cat([reach * part for part in _WINDOWS], dim=2)
    most = torch.tensor([columns - 1.0, rows - 1.0], device=boxes.device).reshape(1, 2, 1)
    first = torch.minimum((middles - sides).round().clamp(min=0.0), most - 1.0)
    last = torch.maximum(torch.minimum((middles + sides).round(), most), first + 1.0)
    (x0, y0), (x1, y1) = first.unbind(1), last.unbind(1)
    places = torch.cat([y * columns + x for y, x in ((y1, x1), (y0, x1), (y1, x0), (y0, x0))], dim=1).long()
    a, b, c, d = table.gather(2, places[:, None].expand(-1, planes.shape[1], -1)).chunk(4, dim=2)
    sums, areas = (a - b - c + d).chunk(3, dim=2), ((x1 - x0) * (y1 - y0))[:, None].chunk(3, dim=2)
    around = (sums[2] - sums[1]) / (areas[2] - areas[1]).clamp(min=1.0)
    return sums[0] / areas[0], sums[1] / areas[1], around
