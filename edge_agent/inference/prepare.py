"""From a view to the pixels a graph is fed with, as the card says. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.geometry import Size
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.errors import EnergyMissing
from edge_agent.imaging.attenuation import density
from edge_agent.imaging.colours import low_density
from edge_agent.imaging.resample import resampled
from edge_agent.inference.card import InputCard

_FULL_SCALE = np.float32(1.0 / 65535.0)

Pixels = NDArray[np.float32] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class ModelView:
    """A view on the model's grid. ``channels``: (h, w) each, None = zeros; ``to_view``: view px a model px along x and y.

    float32 channels are ready; uint16 ones are scaled while they are copied into the tensor.
    """

    channels: tuple[Pixels | None, ...]
    size: Size
    to_view: tuple[float, float]


def model_view(view: View, card: InputCard, subject: SubjectKind) -> ModelView:
    """Bring ``view`` to the card's pitch and scale.

    Where the view's pitch is unknown, its own pixels are taken; the caller notes that.

    Raises:
        EnergyMissing: neither a high nor a single-energy plane is there, or the scale needs 16-bit pixels and there are none.
    """
    high = view.plane(Energy.HIGH, Energy.SINGLE)
    if high is None:
        raise EnergyMissing(f"view {view.name} has no high-energy plane", {"view": view.name})
    size, to_view = model_grid(view, card.pitch_mm.get(subject))
    low = view.plane(Energy.LOW)
    channels = (_channel(high, card, size) if name == "high" else _low_channel(low, high, card, size) for name in card.channels)
    return ModelView(tuple(channels), size, to_view)


def fill(tensor: NDArray[np.float32], source: ModelView, x0: int, y0: int) -> None:
    """Copy the window of ``source`` at (x0, y0) into ``tensor`` (1, c, h, w) in place; what lies outside becomes 0 (= air)."""
    height, width = tensor.shape[2:]
    rows, columns = min(height, source.size.height - y0), min(width, source.size.width - x0)
    if rows < height or columns < width:
        tensor.fill(0.0)
    for channel, pixels in enumerate(source.channels):
        target = tensor[0, channel, :rows, :columns]
        if pixels is None:
            target.fill(0.0)
        elif pixels.dtype == np.uint16:
            np.multiply(pixels[y0 : y0 + rows, x0 : x0 + columns], _FULL_SCALE, out=target)
        else:
            np.copyto(target, pixels[y0 : y0 + rows, x0 : x0 + columns])


def model_grid(view: View, pitch_mm: float | None) -> tuple[Size, tuple[float, float]]:
    """Give the size of ``view`` in px of ``pitch_mm`` and view px a model px along x and y; the view's own px where either is unknown."""
    if pitch_mm is None or view.pitch_mm is None:
        return view.size, (1.0, 1.0)
    width = max(1, round(view.size.width * view.pitch_mm[0] / pitch_mm))
    height = max(1, round(view.size.height * view.pitch_mm[1] / pitch_mm))
    return Size(width, height), (view.size.width / width, view.size.height / height)


def _low_channel(low: Plane | None, high: Plane, card: InputCard, size: Size) -> Pixels | None:
    """Give the low plane; where there is none, what the colours of the other one tell of it, if the card wants that."""
    if low is not None:
        return _channel(low, card, size)
    if card.colours == "luminance" or high.pixels.ndim != 3:
        return None
    told = low_density(high.pixels)
    return None if told is None else resampled(told, size)


def _channel(plane: Plane, card: InputCard, size: Size) -> Pixels:
    if card.scale == "linear":
        if plane.quantity is not Quantity.TRANSMISSION or plane.size != size:
            raise EnergyMissing("this model takes 16-bit transmission on the scan's own grid")
        return plane.pixels.astype(np.uint16, copy=False)
    return resampled(density(plane.pixels), size)
