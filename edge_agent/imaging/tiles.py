"""Overlapping tiles: how a view that is larger than a model's input is cut."""

from dataclasses import dataclass

from edge_agent.domain.geometry import Size


@dataclass(frozen=True, slots=True)
class Window:
    """One tile's place in the whole picture: half-open, pixels, x0 <= x < x1, y0 <= y < y1."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def size(self) -> Size:
        return Size(self.x1 - self.x0, self.y1 - self.y0)


def plan_tiles(size: Size, tile_px: int, overlap_px: int) -> tuple[Window, ...]:
    """Give the fewest square tiles that cover a picture of ``size``, row by row.

    Every pixel lies in a tile and neighbours share at least ``overlap_px``, so an object up to that extent is whole in one of
    them. The last column and the last row are moved inwards instead of hanging over. Along an axis shorter than ``tile_px`` there
    is one tile of the picture's own extent.

    Raises:
        ValueError: no tile extent, a negative overlap, or one that leaves no way forward.
    """
    if tile_px <= 0 or not 0 <= overlap_px < tile_px:
        raise ValueError(f"cannot tile by {tile_px} px with an overlap of {overlap_px} px")
    columns = _spans(size.width, tile_px, overlap_px)
    rows = _spans(size.height, tile_px, overlap_px)
    return tuple(Window(x0, y0, x1, y1) for y0, y1 in rows for x0, x1 in columns)


def _spans(length: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    if length <= tile:
        return [(0, length)]
    step = tile - overlap
    count = -(-(length - overlap) // step)
    starts = [min(index * step, length - tile) for index in range(count)]
    return [(start, start + tile) for start in starts]
