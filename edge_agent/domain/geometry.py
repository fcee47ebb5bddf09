"""Boxes and frames of reference.

Canonical view frame: pixels, origin at the top left, x along the direction of travel (column 0 is the front of the cargo), y
down. Boxes are half-open. The scanner's own frame is reached through :class:`Orientation`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Extent in pixels: width along x, height along y."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Box:
    """Axis-aligned half-open rectangle in pixels: x0 <= x < x1, y0 <= y < y1."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not (self.x1 >= self.x0 and self.y1 >= self.y0):
            raise ValueError(f"box has negative extent or is not a number: {self}")

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        return self.width * self.height

    def clipped(self, size: Size) -> "Box":
        """Give the part inside an image of ``size``; empty at the border if there is none."""
        x0, x1 = (min(max(x, 0.0), float(size.width)) for x in (self.x0, self.x1))
        y0, y1 = (min(max(y, 0.0), float(size.height)) for y in (self.y0, self.y1))
        return Box(x0, y0, x1, y1)

    def scaled(self, sx: float, sy: float) -> "Box":
        """Give the box in a frame whose pixels are ``1/sx`` and ``1/sy`` as large."""
        return Box(self.x0 * sx, self.y0 * sy, self.x1 * sx, self.y1 * sy)

    def rounded(self) -> tuple[float, float, float, float]:
        """Give (x0, y0, x1, y1) to a tenth of a pixel, as bodies and files carry a box."""
        return round(self.x0, 1), round(self.y0, 1), round(self.x1, 1), round(self.y1, 1)

    def moved(self, dx: float, dy: float) -> "Box":
        return Box(self.x0 + dx, self.y0 + dy, self.x1 + dx, self.y1 + dy)


@dataclass(frozen=True, slots=True)
class Orientation:
    """How the scanner's picture was turned into the canonical frame: transpose first, then the flips."""

    transposed: bool = False
    flipped_x: bool = False
    flipped_y: bool = False

    def to_native(self, box: Box, canonical: Size) -> Box:
        """Give the same region in the scanner's own picture; ``canonical`` is the size of the canonical view."""
        x0, x1, y0, y1 = box.x0, box.x1, box.y0, box.y1
        if self.flipped_x:
            x0, x1 = canonical.width - x1, canonical.width - x0
        if self.flipped_y:
            y0, y1 = canonical.height - y1, canonical.height - y0
        return Box(y0, x0, y1, x1) if self.transposed else Box(x0, y0, x1, y1)

    def from_native(self, box: Box, native: Size) -> Box:
        """Give the canonical region of a box in the scanner's own picture of size ``native``: undoes :meth:`to_native`."""
        x0, y0, x1, y1 = (box.y0, box.x0, box.y1, box.x1) if self.transposed else (box.x0, box.y0, box.x1, box.y1)
        width, height = (native.height, native.width) if self.transposed else (native.width, native.height)
        if self.flipped_x:
            x0, x1 = width - x1, width - x0
        if self.flipped_y:
            y0, y1 = height - y1, height - y0
        return Box(x0, y0, x1, y1)


@dataclass(frozen=True, slots=True)
class Frame:
    """How to get from a view's canonical pixels to those of the scanner's own picture.

    ``matrix``: a, b, c, d, e, f of X = a x + b y + c, Y = d x + e y + f. Turns, mirrors and crops only, so a box stays a box.
    """

    view: str
    size: Size
    matrix: tuple[float, float, float, float, float, float]

    def to_native(self, box: Box) -> Box:
        """Give the same region in the scanner's own picture."""
        a, b, c, d, e, f = self.matrix
        xs = sorted((a * box.x0 + b * box.y0 + c, a * box.x1 + b * box.y1 + c))
        ys = sorted((d * box.x0 + e * box.y0 + f, d * box.x1 + e * box.y1 + f))
        return Box(xs[0], ys[0], xs[1], ys[1])
