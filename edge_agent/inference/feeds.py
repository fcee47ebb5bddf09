"""From a view to the tensors that a detection graph takes: planes for ours, a rendered picture for everybody else's."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.geometry import Size
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.errors import EnergyMissing
from edge_agent.imaging.picture import AS_IS, Picture, Placement, cut, letterbox_placement, letterboxed, stretch_placement, stretched
from edge_agent.imaging.render import to_grey
from edge_agent.imaging.tiles import Window, plan_tiles
from edge_agent.inference.card import InputCard, PictureInput
from edge_agent.inference.prepare import ModelView, fill, model_grid, model_view


class Feed(Protocol):
    """One view, ready to be looked at window by window. ``size``: of the source in its own px; ``to_view``: view px a source px."""

    @property
    def size(self) -> Size: ...

    @property
    def to_view(self) -> tuple[float, float]: ...

    @property
    def windows(self) -> tuple[Window, ...]: ...

    def tensor(self, windows: Sequence[Window]) -> NDArray[Any]:
        """Give the input for so many windows; it is overwritten by the next call in the same thread."""

    def placement(self, window: Window) -> Placement:
        """Say where the window lies in the input."""


class Feeder(Protocol):
    """Makes feeds as a card says. ``grid``: px of the input; ``batch``: pictures a call."""

    @property
    def grid(self) -> Size: ...

    @property
    def batch(self) -> int: ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Give the shape of the input tensor."""

    @property
    def dtype(self) -> str:
        """Give numpy's name of the input's number type."""

    def blank(self) -> NDArray[Any]:
        """Give an input that shows nothing."""

    def reach(self, view: View, subject: SubjectKind) -> Size | None:
        """Give how much of the view one window takes in, px of the view; None = all of it, whatever its size."""

    def feed(self, view: View, subject: SubjectKind) -> Feed:
        """Bring a view to the card's form.

        Raises:
            EnergyMissing: the view lacks what the card asks for.
        """


def feeder_of(card: InputCard | PictureInput) -> Feeder:
    """Give the feeder for a card's input."""
    return PlanesFeeder(card) if isinstance(card, InputCard) else PictureFeeder(card)


class PlanesFeeder:
    """Tiles of a scan's planes, one a call."""

    batch = 1
    dtype = "float32"

    def __init__(self, card: InputCard) -> None:
        self._card = card
        self._buffers = threading.local()
        side = -(-card.tile_px // card.multiple) * card.multiple
        self.grid = Size(side, side)
        self.shape = (1, len(card.channels), side, side)

    def blank(self) -> NDArray[Any]:
        return np.zeros(self.shape, dtype=np.float32)

    def reach(self, view: View, subject: SubjectKind) -> Size | None:
        return _tile_in_view(view, self._card.pitch_mm.get(subject), self._card.tile_px)

    def feed(self, view: View, subject: SubjectKind) -> Feed:
        source = model_view(view, self._card, subject)
        return _PlanesFeed(source, plan_tiles(source.size, self._card.tile_px, self._card.overlap_px), self)

    def buffer(self) -> NDArray[np.float32]:
        """Give this thread's input; a fresh array for each tile would cost more than filling it."""
        tensor: NDArray[np.float32] | None = getattr(self._buffers, "tensor", None)
        if tensor is None:
            tensor = self._buffers.tensor = np.zeros(self.shape, dtype=np.float32)
        return tensor


@dataclass(frozen=True, slots=True, eq=False)
class _PlanesFeed:
    source: ModelView
    windows: tuple[Window, ...]
    feeder: PlanesFeeder

    @property
    def size(self) -> Size:
        return self.source.size

    @property
    def to_view(self) -> tuple[float, float]:
        return self.source.to_view

    def tensor(self, windows: Sequence[Window]) -> NDArray[Any]:
        (window,) = windows
        tensor = self.feeder.buffer()
        fill(tensor, self.source, window.x0, window.y0)
        return tensor

    def placement(self, window: Window) -> Placement:  # noqa: ARG002 - a tile is taken as it is
        return AS_IS


class PictureFeeder:
    """A scan rendered to 8 bits, at the size, in the colours and on the scale that the card names."""

    def __init__(self, card: PictureInput) -> None:
        self.card = card
        self.batch = card.batch
        self.dtype = card.dtype
        self.grid = Size(card.width_px, card.height_px)
        channels_first = (card.batch, card.channels, card.height_px, card.width_px)
        channels_last = (card.batch, card.height_px, card.width_px, card.channels)
        self.shape = channels_first if card.layout == "nchw" else channels_last

    def blank(self) -> NDArray[Any]:
        return self.tensor([])

    def tensor(self, pictures: Sequence[Picture]) -> NDArray[Any]:
        """Give the input for pictures (h, w, 3) RGB of the grid's size; what a batch lacks is filled up with the pad value."""
        lacking = self.card.batch - len(pictures)
        filler = np.full((self.grid.height, self.grid.width, 3), self.card.pad, dtype=np.uint8)
        return scaled(np.stack([*pictures, *([filler] * lacking)]), self.card)

    def reach(self, view: View, subject: SubjectKind) -> Size | None:
        if self.card.fit != "tile":
            return None
        return _tile_in_view(view, self.card.pitch_mm.get(subject), self.card.width_px)

    def feed(self, view: View, subject: SubjectKind) -> Feed:
        size, to_view = model_grid(view, self.card.pitch_mm.get(subject))
        picture = stretched(displayed(view), size)
        if self.card.fit == "tile":
            return _PictureFeed(picture, to_view, plan_tiles(size, self.card.width_px, self.card.overlap_px), self)
        return _PictureFeed(picture, to_view, (Window(0, 0, size.width, size.height),), self)


@dataclass(frozen=True, slots=True, eq=False)
class _PictureFeed:
    """``picture``: (h, w, 3) RGB or (h, w) grey."""

    picture: Picture
    to_view: tuple[float, float]
    windows: tuple[Window, ...]
    feeder: PictureFeeder

    @property
    def size(self) -> Size:
        return Size(self.picture.shape[1], self.picture.shape[0])

    def tensor(self, windows: Sequence[Window]) -> NDArray[Any]:
        return self.feeder.tensor([_as_rgb(self._fitted(window)) for window in windows])

    def placement(self, window: Window) -> Placement:
        card, grid = self.feeder.card, self.feeder.grid
        match card.fit:
            case "tile":
                return AS_IS
            case "whole":
                return stretch_placement(window.size, grid)
            case "letterbox":
                return letterbox_placement(window.size, grid, centred=card.pad_at == "centre")

    def _fitted(self, window: Window) -> Picture:
        card, grid = self.feeder.card, self.feeder.grid
        match card.fit:
            case "tile":
                return cut(self.picture, window, grid, card.pad)
            case "whole":
                return stretched(self.picture, grid)
            case "letterbox":
                return letterboxed(self.picture, grid, card.pad, self.placement(window))


def displayed(view: View) -> Picture:
    """Give the view as a person sees it: the scanner's display picture as it is, else the transmission as grey.

    Raises:
        EnergyMissing: there is neither.
    """
    picture = next((plane for plane in view.planes if plane.quantity is Quantity.DISPLAY), None)
    if picture is not None:
        return picture.pixels.astype(np.uint8, copy=False)
    plane: Plane | None = view.plane(Energy.HIGH, Energy.SINGLE, Energy.LOW)
    if plane is None:
        raise EnergyMissing(f"view {view.name} has nothing that can be shown", {"view": view.name})
    return to_grey(plane)


def scaled(pictures: NDArray[np.uint8], card: PictureInput) -> NDArray[Any]:
    """Give the tensor for (n, h, w, 3) RGB pictures: colours, scale, number type and layout as the card says."""
    match card.colour:
        case "rgb":
            values = pictures
        case "bgr":
            values = pictures[..., ::-1]
        case "grey":
            weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as imaging.attenuation.luminance
            values = np.rint(pictures @ weights).astype(np.uint8)[..., None]
    if card.layout == "nchw":
        values = values.transpose(0, 3, 1, 2)
    if card.dtype == "uint8":
        return np.ascontiguousarray(values)
    tensor = values.astype(np.float32) / np.float32(255.0 if card.scale == "0-1" else 1.0)
    along = (1, -1, 1, 1) if card.layout == "nchw" else (1, 1, 1, -1)
    if card.mean:
        tensor -= np.array(card.mean, dtype=np.float32).reshape(along)
    if card.std:
        tensor /= np.array(card.std, dtype=np.float32).reshape(along)
    return np.ascontiguousarray(tensor, dtype=card.dtype)


def _as_rgb(picture: Picture) -> Picture:
    return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)


def _tile_in_view(view: View, pitch_mm: float | None, tile_px: int) -> Size:
    _, (x, y) = model_grid(view, pitch_mm)
    return Size(max(1, round(tile_px * x)), max(1, round(tile_px * y)))
