"""Boxes as arrays: overlap, suppression, and one list of objects from the candidates of all tiles.

A row of boxes is (x0, y0, x1, y1), half-open, pixels. Nothing here loops over boxes in Python, except over the few cut pieces of
objects that are longer than a tile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.geometry import Size
from edge_agent.imaging.tiles import Window

Boxes = NDArray[np.float32]
Indices = NDArray[np.intp]

BORDER_PX = 3.0
"""A box that ends this close to a tile's inner border may be a part of something larger."""

INSIDE = 0.7
"""A cut piece of which so much lies within a complete object of its label is a part of that object."""

SAME_OBJECT_IOU = 0.5
"""Two boxes of one label that overlap more than this show one object."""

VOTING_IOU = 0.6
"""Boxes that overlap the best one of an object more than this have a say in where its sides are."""

_BLOCK = 512


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Objects of one picture: boxes (n, 4) float32, scores (n,) float32 in [0, 1], labels (n,) intp."""

    boxes: Boxes
    scores: NDArray[np.float32]
    labels: Indices

    def __post_init__(self) -> None:
        count = len(self.boxes)
        if self.boxes.shape != (count, 4) or self.scores.shape != (count,) or self.labels.shape != (count,):
            raise ValueError(f"arrays do not fit: {self.boxes.shape} {self.scores.shape} {self.labels.shape}")

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Candidates":
        """Give the chosen rows, in the order of ``rows``."""
        return Candidates(self.boxes[rows], self.scores[rows], self.labels[rows])


def areas(boxes: Boxes) -> NDArray[np.float32]:
    """Give (n,) areas in px²; 0 for a box without extent."""
    extent = np.maximum(boxes[:, 2:] - boxes[:, :2], np.float32(0.0))
    product: NDArray[np.float32] = extent[:, 0] * extent[:, 1]
    return product


def intersection_matrix(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    """Give (n, m) areas in px² that boxes of two lists share."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    extent = np.maximum(high - low, np.float32(0.0))
    product: NDArray[np.float32] = extent[..., 0] * extent[..., 1]
    return product


def iou_matrix(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    """Give (n, m) intersection over union in [0, 1]; 0 where both boxes are without extent."""
    shared = intersection_matrix(first, second)
    union = areas(first)[:, None] + areas(second)[None, :] - shared
    ratio: NDArray[np.float32] = shared / np.maximum(union, np.float32(1e-9))
    return ratio


def suppress(boxes: Boxes, scores: NDArray[np.float32], labels: Indices, iou: float) -> Indices:
    """Give the rows that stay, best score first: of two with one label and an overlap above ``iou`` the better one stays.

    Equal scores: the earlier row is the better one. About 3 ms for 3,000 boxes.
    """
    order = np.argsort(-scores, kind="stable")
    return order[_suppress_in_order(boxes[order], labels[order], iou)]


def voted(found: Candidates, iou: float = SAME_OBJECT_IOU) -> Candidates:
    """Give one box an object, best score first: what ``suppress`` leaves, each at the mean of the boxes that agree with it.

    Boxes of its label that overlap it more than ``VOTING_IOU`` count, itself too, by the square of their score (box voting: Gidaris and
    Komodakis, "Object detection via a multi-region and semantic segmentation-aware CNN model", ICCV 2015). Its score stays its own.
    """
    order = np.argsort(-found.scores, kind="stable")
    ranked = found.take(order)
    kept = _suppress_in_order(ranked.boxes, ranked.labels, iou)
    weights = np.square(ranked.scores.astype(np.float64))
    total, moved = weights[kept], ranked.boxes[kept] * weights[kept, None]
    others = np.setdiff1d(np.arange(len(ranked)), kept)
    for start in range(0, len(others), _BLOCK):
        rows = np.concatenate([kept, others[start : start + _BLOCK]])
        best, voter = _agreeing(ranked.boxes[rows], ranked.labels[rows], len(kept))
        np.add.at(total, best, weights[rows[voter]])
        np.add.at(moved, best, ranked.boxes[rows[voter]] * weights[rows[voter], None])
    boxes = ranked.boxes[kept]
    has_weight = total > 0.0
    boxes[has_weight] = (moved[has_weight] / total[has_weight, None]).astype(np.float32)
    settled = Candidates(boxes, ranked.scores[kept], ranked.labels[kept])
    return settled.take(_suppress_in_order(settled.boxes, settled.labels, iou))  # two may have moved onto each other


def _agreeing(boxes: Boxes, groups: Indices, count: int) -> tuple[Indices, Indices]:
    """Give rows (kept, other) of the pairs of one group that overlap more than ``VOTING_IOU``; the first ``count`` rows are kept ones."""
    first, second, shared = _overlapping_pairs(boxes, groups)
    extent = areas(boxes)
    agree = (first < count) & (second >= count) & (shared > np.float32(VOTING_IOU) * (extent[first] + extent[second] - shared))
    return first[agree], second[agree]


def _suppress_in_order(boxes: Boxes, groups: Indices, iou: float) -> Indices:
    """Give the rows that stay, ascending, where an earlier row beats a later one of its group."""
    kept = np.zeros(0, dtype=np.intp)
    for start in range(0, len(boxes), _BLOCK):
        # Blocks bound the memory where a thousand boxes lie on one spot. Rows kept so far stay, for they come first.
        rows = np.concatenate([kept, np.arange(start, min(start + _BLOCK, len(boxes)))])
        kept = rows[_winners(boxes[rows], groups[rows], iou)]
    return kept


def _winners(boxes: Boxes, groups: Indices, iou: float) -> Indices:
    better, worse, shared = _overlapping_pairs(boxes, groups)
    extent = areas(boxes)
    rivals = shared > np.float32(iou) * (extent[better] + extent[worse] - shared)
    better, worse = better[rivals], worse[rivals]
    stays = np.ones(len(boxes), dtype=np.bool_)
    while len(better):
        unbeaten = np.ones(len(boxes), dtype=np.bool_)
        unbeaten[worse] = False
        beaten = np.zeros(len(boxes), dtype=np.bool_)
        beaten[worse[unbeaten[better]]] = True
        stays &= ~beaten
        open_pairs = ~(beaten[better] | beaten[worse])
        better, worse = better[open_pairs], worse[open_pairs]
    return np.flatnonzero(stays)


def _overlapping_pairs(boxes: Boxes, groups: Indices) -> tuple[Indices, Indices, NDArray[np.float32]]:
    """Give rows (earlier, later) of each pair of one group that shares any area, and that area in px².

    A sweep along x finds the pairs: far fewer than all, as a view is much wider than an object.
    """
    left, right = boxes[:, 0].astype(np.float64), boxes[:, 2].astype(np.float64)
    shift = groups * (right.max(initial=0.0) - left.min(initial=0.0) + 1.0)
    order = np.argsort(left + shift, kind="stable")
    reach = np.searchsorted((left + shift)[order], (right + shift)[order], side="left") - np.arange(1, len(boxes) + 1)
    partners = np.maximum(reach, 0)
    x0, y0, x1, y1 = np.ascontiguousarray(boxes[order].T)
    second = np.arange(partners.sum()) + np.repeat(np.arange(1, len(boxes) + 1) - np.cumsum(partners) + partners, partners)
    height = np.minimum(np.repeat(y1, partners), y1[second]) - np.maximum(np.repeat(y0, partners), y0[second])
    # In the order of the sweep the second box never begins before the first one.
    width = np.minimum(np.repeat(x1, partners), x1[second]) - x0[second]
    touching = np.flatnonzero((height > 0.0) & (width > 0.0))
    first, second = order[np.repeat(np.arange(len(boxes)), partners)[touching]], order[second[touching]]
    return np.minimum(first, second), np.maximum(first, second), width[touching] * height[touching]


def merge_across_tiles(
    windows: Sequence[Window], found: Sequence[Candidates], size: Size, iou: float = SAME_OBJECT_IOU, *, votes: bool = True
) -> Candidates:
    """Give the objects of a whole picture of ``size`` from what was found in each of its tiles, best score first.

    ``found``: candidates of each window, boxes in the window's own pixels. The result is in the picture's pixels. ``votes``: complete
    boxes are ``voted``; else of those that show one object the best stays as it is.

    A box that touches a border of its tile inside the picture is a cut piece; every other is complete. Complete boxes are only
    ever beaten by a better complete one. Cut pieces that lie in a complete box vanish in it; of the rest, pieces from two tiles
    that agree about the region both tiles saw are one object and become their union. A box that takes in others has the best
    score among them.
    """
    frames = np.array([(w.x0, w.y0, w.x1, w.y1) for w in windows], dtype=np.float32)
    tile = np.repeat(np.arange(len(windows)), [len(candidates) for candidates in found])
    everything = _in_picture(found, frames[tile])
    is_cut = _is_cut(everything.boxes, frames[tile], size)
    whole = everything.take(~is_cut)
    whole = voted(whole, iou) if votes else whole.take(suppress(whole.boxes, whole.scores, whole.labels, iou))
    if not is_cut.any():
        return whole
    # A tile and a label make one group: pieces of one object from two tiles must both reach the joining.
    rows = np.flatnonzero(is_cut)
    groups = everything.labels[rows] * len(windows) + tile[rows]
    rows = rows[suppress(everything.boxes[rows], everything.scores[rows], groups, iou)]
    pieces = everything.take(rows)
    whole, is_free = _absorb(whole, pieces, iou)
    joined = _join(pieces.take(is_free), tile[rows][is_free], frames, iou)
    whole, is_free = _absorb(whole, joined, iou)
    joined = joined.take(is_free)
    joined = joined.take(suppress(joined.boxes, joined.scores, joined.labels, iou))
    return _by_score(whole, joined)


def merge_settled(windows: Sequence[Window], found: Sequence[Candidates], size: Size, iou: float = SAME_OBJECT_IOU) -> Candidates:
    """Give the objects of a whole picture from lists that name each object once, as a graph that suppresses gives; best score first.

    ``found``: as for :func:`merge_across_tiles`. Two boxes of one tile are two objects, however much they overlap, and no box is moved.
    Boxes of several tiles are one object where they agree about what both tiles saw, one of each tile at most, those that agree best
    first: it is the best complete box, else the union of its cut pieces, with the best score among them.
    """
    frames = np.array([(w.x0, w.y0, w.x1, w.y1) for w in windows], dtype=np.float32)
    tile = np.repeat(np.arange(len(windows)), [len(candidates) for candidates in found])
    everything = _in_picture(found, frames[tile])
    is_cut = _is_cut(everything.boxes, frames[tile], size)
    member = _grouped(_seen_twice(everything, is_cut, tile, frames, iou), tile)
    objects = _united(everything, member)
    rising = np.argsort(-everything.scores, kind="stable")[::-1]
    whole = rising[~is_cut[rising]]
    objects.boxes[member[whole]] = everything.boxes[whole]  # of several in one place numpy keeps the last, the best
    return objects.take(np.argsort(-objects.scores, kind="stable"))


def _seen_twice(found: Candidates, is_cut: NDArray[np.bool_], tile: Indices, frames: Boxes, iou: float) -> list[tuple[int, int]]:
    """Give pairs of rows from two tiles that show one object, the best agreement first."""
    rows = {at: np.flatnonzero(tile == at) for at in np.unique(tile).tolist()}
    pairs = []
    for one, other in combinations(rows, 2):
        low, high = np.maximum(frames[one, :2], frames[other, :2]), np.minimum(frames[one, 2:], frames[other, 2:])
        if not (low < high).all():
            continue
        first, second = (at[((found.boxes[at, :2] < high) & (found.boxes[at, 2:] > low)).all(axis=1)] for at in (rows[one], rows[other]))
        if len(first) == 0 or len(second) == 0:
            continue
        fit = _fit((found.take(first), is_cut[first]), (found.take(second), is_cut[second]), (low, high), iou)
        pairs += [(float(fit[i, j]), int(first[i]), int(second[j])) for i, j in np.argwhere(fit > 0.0)]
    return [(i, j) for _, i, j in sorted(pairs, key=lambda pair: -pair[0])]


def _fit(
    first: tuple[Candidates, NDArray[np.bool_]],
    second: tuple[Candidates, NDArray[np.bool_]],
    region: tuple[NDArray[np.float32], NDArray[np.float32]],
    iou: float,
) -> NDArray[np.float32]:
    """Give (n, m) how well boxes of two tiles agree, 0 where they are two objects. Each comes with which of its boxes are cut.

    ``region``: what both tiles saw. Of a box only its part in there is held against a cut piece, for that shows no more of it.
    """
    (one, one_cut), (other, other_cut) = first, second
    shared = intersection_matrix(one.boxes, other.boxes)
    one_area, other_area = areas(one.boxes)[:, None], areas(other.boxes)[None, :]
    one_extent = np.where(other_cut[None, :], _clipped_extent(one.boxes, *region)[:, None], one_area)
    other_extent = np.where(one_cut[:, None], _clipped_extent(other.boxes, *region)[None, :], other_area)
    agreed = shared / np.maximum(one_extent + other_extent - shared, np.float32(1e-9))
    piece = np.where(one_cut[:, None] & ~other_cut[None, :], one_area, np.where(~one_cut[:, None] & other_cut[None, :], other_area, np.inf))
    inside = shared / np.maximum(piece, np.float32(1e-9))
    fit: NDArray[np.float32] = np.where(agreed > iou, agreed, np.where(inside >= INSIDE, inside, np.float32(0.0)))
    fit[one.labels[:, None] != other.labels[None, :]] = 0.0
    return fit


def _grouped(pairs: Sequence[tuple[int, int]], tile: Indices) -> Indices:
    """Give the number of each row's group. Pairs join in their order, unless two rows of one tile, two objects, would come together."""
    groups = [[row] for row in range(len(tile))]
    for i, j in pairs:
        if not {tile[row] for row in groups[i]} & {tile[row] for row in groups[j]}:
            groups[i].extend(groups[j])
            for row in groups[j]:
                groups[row] = groups[i]
    first = np.array([min(rows) for rows in groups], dtype=np.intp)
    return np.asarray(np.unique(first, return_inverse=True)[1], dtype=np.intp)


def _in_picture(found: Sequence[Candidates], frames: Boxes) -> Candidates:
    """Give the candidates of all tiles as one list in the picture's frame. ``frames``: (n, 4), the tile of each candidate."""
    boxes = np.concatenate([candidates.boxes for candidates in found])
    boxes += frames[:, [0, 1, 0, 1]]
    scores = np.concatenate([candidates.scores for candidates in found])
    return Candidates(boxes, scores, np.concatenate([candidates.labels for candidates in found]))


def _is_cut(boxes: Boxes, frames: Boxes, size: Size) -> NDArray[np.bool_]:
    """Tell which boxes touch a border of their tile that is not the picture's own. ``frames``: (n, 4), the tile of each box."""
    at_low = (boxes[:, :2] <= frames[:, :2] + BORDER_PX) & (frames[:, :2] > 0)
    at_high = (boxes[:, 2:] >= frames[:, 2:] - BORDER_PX) & (frames[:, 2:] < np.array([size.width, size.height]))
    return np.asarray((at_low | at_high).any(axis=1), dtype=np.bool_)


def _absorb(whole: Candidates, pieces: Candidates, iou: float) -> tuple[Candidates, NDArray[np.bool_]]:
    """Let complete boxes take in pieces of their label; give them with raised scores, and which pieces are left over."""
    if len(whole) == 0 or len(pieces) == 0:
        return whole, np.ones(len(pieces), dtype=np.bool_)
    shared = intersection_matrix(pieces.boxes, whole.boxes)
    extent = areas(pieces.boxes)[:, None]
    is_inside = shared >= INSIDE * extent
    is_same = shared > iou * (extent + areas(whole.boxes)[None, :] - shared)
    belongs = (is_inside | is_same) & (pieces.labels[:, None] == whole.labels[None, :]) & (shared > 0.0)
    lifted = np.where(belongs, pieces.scores[:, None], np.float32(0.0)).max(axis=0)
    return Candidates(whole.boxes, np.maximum(whole.scores, lifted), whole.labels), ~belongs.any(axis=1)


def _join(pieces: Candidates, tile: Indices, frames: Boxes, iou: float) -> Candidates:
    """Give one box, the union, for the pieces of each cut object; pieces without a partner stay as they are."""
    agreement = _agreement(pieces, tile, frames)
    agreement[agreement < iou] = 0.0
    group = np.arange(len(pieces))
    for i, j in _mutual_best(agreement, tile):
        group[group == group[j]] = group[i]
    return _united(pieces, np.unique(group, return_inverse=True)[1])


def _united(pieces: Candidates, member: Indices) -> Candidates:
    """Give one box, the union, for each group of pieces, with the best score among them. ``member``: (n,) number of each one's group."""
    count = int(member.max(initial=-1)) + 1
    boxes = np.empty((count, 4), dtype=np.float32)
    boxes[:, :2], boxes[:, 2:] = np.inf, -np.inf
    scores = np.zeros(count, dtype=np.float32)
    labels = np.zeros(count, dtype=np.intp)
    np.minimum.at(boxes[:, :2], member, pieces.boxes[:, :2])
    np.maximum.at(boxes[:, 2:], member, pieces.boxes[:, 2:])
    np.maximum.at(scores, member, pieces.scores)
    labels[member] = pieces.labels
    return Candidates(boxes, scores, labels)


def _agreement(pieces: Candidates, tile: Indices, frames: Boxes) -> NDArray[np.float32]:
    """Give (n, n): overlap of two pieces within the region that both their tiles saw; 0 for one tile or for two labels."""
    own = frames[tile]
    low = np.maximum(own[:, None, :2], own[None, :, :2])
    high = np.minimum(own[:, None, 2:], own[None, :, 2:])
    first = _clipped_extent(pieces.boxes[:, None], low, high)
    shared = intersection_matrix(pieces.boxes, pieces.boxes)
    agreed: NDArray[np.float32] = shared / np.maximum(first + first.T - shared, np.float32(1e-9))
    agreed[(tile[:, None] == tile[None, :]) | (pieces.labels[:, None] != pieces.labels[None, :])] = 0.0
    return agreed


def _clipped_extent(boxes: Boxes, low: NDArray[np.float32], high: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the areas of boxes inside the common region of two tiles.

    (n, n) of box i for tiles i and j with ``boxes`` (n, 1, 4), ``low`` and ``high`` (n, n, 2); (n,) with (n, 4) and (2,).
    """
    extent = np.minimum(boxes[..., 2:], high) - np.maximum(boxes[..., :2], low)
    extent = np.maximum(extent, np.float32(0.0))
    product: NDArray[np.float32] = extent[..., 0] * extent[..., 1]
    return product


def _mutual_best(agreement: NDArray[np.float32], tile: Indices) -> list[tuple[int, int]]:
    """Give pairs of pieces that prefer each other to every other piece of the other's tile.

    Without this, two objects side by side could be chained into one through a neighbour that agrees a little with both.
    """
    pairs = []
    for i, j in np.argwhere(np.triu(agreement) > 0.0):
        best_for_i = agreement[i][tile == tile[j]].max()
        best_for_j = agreement[j][tile == tile[i]].max()
        if agreement[i, j] >= max(best_for_i, best_for_j):
            pairs.append((int(i), int(j)))
    return pairs


def _by_score(first: Candidates, second: Candidates) -> Candidates:
    boxes = np.concatenate([first.boxes, second.boxes])
    scores = np.concatenate([first.scores, second.scores])
    labels = np.concatenate([first.labels, second.labels])
    return Candidates(boxes, scores, labels).take(np.argsort(-scores, kind="stable"))
