"""A scan as coarse as a terminal can show it: two picture points a letter, or one of ten letters where there is no colour.

Pure: pictures and boxes in, lines of text out. A box is drawn after the picture, so it is never averaged away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from rich.style import Style
from rich.text import Text

from edge_agent.console.picture import GreyPicture

_RAMP = "@%#*+=-:. "
"""Letters from opaque to air."""
_HOT = "0"
_HALF_BLOCK = "\u2580"
_BOX_COLOUR = (255, 64, 64)
_HEAT_COLOUR = (255, 176, 0)
_HEAT_FROM = 64
"""Heat below a quarter is not drawn: a breath of colour over everything would hide the picture."""


class Palette(Enum):
    """What the terminal can draw."""

    BLOCKS = "blocks"
    """Half blocks in 256 or more colours."""
    LETTERS = "letters"
    """Letters only."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """What is drawn over the picture. ``boxes``: x0, y0, x1, y1 as shares of width and height, in [0, 1]; ``heat``: 255 = strongest."""

    boxes: Sequence[tuple[float, float, float, float]] = ()
    heat: GreyPicture | None = None


@dataclass(frozen=True, slots=True)
class _Raster:
    """Grey values, heat and box outlines on one grid of ``width`` x ``height`` points."""

    width: int
    height: int
    grey: Sequence[int]
    heat: Sequence[int]
    outline: frozenset[int]

    def colour(self, x: int, y: int) -> tuple[int, int, int]:
        at = y * self.width + x
        if at in self.outline:
            return _BOX_COLOUR
        grey, heat = self.grey[at], self.heat[at]
        share = heat / 510 if heat >= _HEAT_FROM else 0.0
        red, green, blue = (round(grey + (hot - grey) * share) for hot in _HEAT_COLOUR)
        return red, green, blue

    def letter(self, x: int, y: int) -> str:
        at = y * self.width + x
        if at in self.outline:
            column, line = x, y
            beside = {column - 1 + line * self.width, column + 1 + line * self.width} & self.outline
            over = {at - self.width, at + self.width} & self.outline
            return "+" if beside and over else "-" if beside else "|"
        return _HOT if self.heat[at] >= 128 else _RAMP[self.grey[at] * len(_RAMP) // 256]


def draw(picture: GreyPicture, overlay: Overlay, columns: int, lines: int, palette: Palette) -> list[Text]:
    """Draw ``picture`` as large as fits into ``columns`` x ``lines`` letters, in its own proportions; a letter is twice as high as wide."""
    width, height = _fitted(picture, columns, lines)
    if palette is Palette.LETTERS:
        raster = _raster(picture, overlay, width, max(height // 2, 1))
        return [Text("".join(raster.letter(x, y) for x in range(raster.width))) for y in range(raster.height)]
    raster = _raster(picture, overlay, width, height + height % 2)
    return [_blocks(raster, y) for y in range(0, raster.height, 2)]


def _fitted(picture: GreyPicture, columns: int, lines: int) -> tuple[int, int]:
    """Give width and height in points of which two stand over each other in a letter."""
    scale = min(columns / picture.width, 2 * lines / picture.height)
    return max(min(round(picture.width * scale), columns), 1), max(min(round(picture.height * scale), 2 * lines), 1)


def _blocks(raster: _Raster, y: int) -> Text:
    """Give one line of half blocks; neighbours of one colour share their style, which keeps the line short on a slow link."""
    text = Text()
    pairs = [(raster.colour(x, y), raster.colour(x, y + 1)) for x in range(raster.width)]
    start = 0
    for x in range(1, len(pairs) + 1):
        if x == len(pairs) or pairs[x] != pairs[start]:
            upper, lower = pairs[start]
            text.append(_HALF_BLOCK * (x - start), Style(color=_hex(upper), bgcolor=_hex(lower)))
            start = x
    return text


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _raster(picture: GreyPicture, overlay: Overlay, width: int, height: int) -> _Raster:
    grey = _resampled(picture, width, height, take_highest=False)
    heat = _resampled(overlay.heat, width, height, take_highest=True) if overlay.heat is not None else [0] * (width * height)
    outline: set[int] = set()
    for box in overlay.boxes:
        outline |= _outline(box, width, height)
    return _Raster(width, height, grey, heat, frozenset(outline))


def _resampled(picture: GreyPicture, width: int, height: int, *, take_highest: bool) -> list[int]:
    """Give ``width`` x ``height`` points: the mean of what each covers, or the highest, so that a hot spot does not fade."""
    columns = [_span(x, width, picture.width) for x in range(width)]
    points = []
    for y in range(height):
        top, bottom = _span(y, height, picture.height)
        rows = [picture.pixels[at * picture.width : (at + 1) * picture.width] for at in range(top, bottom)]
        for left, right in columns:
            covered = b"".join(row[left:right] for row in rows)
            points.append(max(covered) if take_highest else sum(covered) // len(covered))
    return points


def _span(index: int, count: int, extent: int) -> tuple[int, int]:
    """Give the half-open range of ``extent`` that point ``index`` of ``count`` covers; never empty."""
    first = min(index * extent // count, extent - 1)
    return first, max((index + 1) * extent // count, first + 1)


def _outline(box: tuple[float, float, float, float], width: int, height: int) -> set[int]:
    left, right = (_point(share, width) for share in (box[0], box[2]))
    top, bottom = (_point(share, height) for share in (box[1], box[3]))
    across = {y * width + x for x in range(left, right + 1) for y in (top, bottom)}
    return across | {y * width + x for y in range(top, bottom + 1) for x in (left, right)}


def _point(share: float, count: int) -> int:
    return min(max(int(share * count), 0), count - 1)
