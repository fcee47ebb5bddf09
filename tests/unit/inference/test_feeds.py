"""What a picture model is fed with, number by number."""

import numpy as np
import pytest

from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.geometry import Size
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.errors import EnergyMissing
from edge_agent.imaging.attenuation import density
from edge_agent.imaging.render import to_grey
from edge_agent.inference.card import InputCard, PictureInput
from edge_agent.inference.feeds import displayed, feeder_of, scaled
from edge_agent.inference.prepare import model_view

PIXEL = np.array([[[[200, 100, 50]]]], dtype=np.uint8)  # (1, 1, 1, 3), RGB


def card(**more: object) -> PictureInput:
    table = {"tensor": "x", "rendering": "display", "fit": "whole", "width_px": 4, "height_px": 2, "colour": "rgb", "layout": "nchw"}
    return PictureInput.model_validate({**table, "dtype": "float32", "scale": "0-255", **more})


@pytest.mark.parametrize(("colour", "expected"), [("rgb", [200, 100, 50]), ("bgr", [50, 100, 200]), ("grey", [124])])
def test_colours_come_in_the_order_of_the_card(colour: str, expected: list[float]) -> None:
    assert expected == scaled(PIXEL, card(colour=colour)).ravel().tolist()


def test_mean_and_deviation_are_taken_off_the_scaled_values_channel_by_channel() -> None:
    found = scaled(PIXEL, card(scale="0-1", mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0)))
    expected = [(200 / 255 - 0.5) / 0.5, (100 / 255 - 0.25) / 0.25, 50 / 255]
    np.testing.assert_allclose(expected, found.ravel(), rtol=1e-6)
    last = scaled(PIXEL, card(scale="0-1", layout="nhwc", mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0)))
    assert (1, 1, 1, 3) == last.shape
    np.testing.assert_allclose(expected, last.ravel(), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_a_blank_has_shape_and_type_of_the_input(dtype: str, layout: str) -> None:
    feeder = feeder_of(card(dtype=dtype, layout=layout, batch=2))
    blank = feeder.blank()
    assert ((2, 3, 2, 4) if layout == "nchw" else (2, 2, 4, 3)) == feeder.shape == blank.shape
    assert dtype == feeder.dtype == str(blank.dtype)
    assert {114.0} == set(np.unique(blank).astype(float))


def test_a_scanners_own_picture_counts_more_than_a_rendering() -> None:
    colours = np.full((3, 4, 3), (9, 8, 7), dtype=np.uint8)
    transmission = Plane(Quantity.TRANSMISSION, Energy.HIGH, np.full((3, 4), 30000, np.uint16))
    view = View("side", (transmission, Plane(Quantity.DISPLAY, Energy.SINGLE, colours)), None)
    np.testing.assert_array_equal(colours, displayed(view))
    np.testing.assert_array_equal(to_grey(transmission), displayed(View("side", (transmission,), None)))


def test_a_view_without_anything_to_show_is_said() -> None:
    with pytest.raises(EnergyMissing):
        displayed(View("side", (Plane(Quantity.BACKSCATTER, Energy.SINGLE, np.ones((2, 2), np.uint16)),), None))


def test_a_tile_reaches_as_far_as_its_pitch_says_and_a_letterbox_takes_in_everything() -> None:
    view = View("side", (Plane(Quantity.TRANSMISSION, Energy.HIGH, np.ones((400, 800), np.uint16)),), (2.0, 4.0))
    tiles = InputCard.model_validate(
        {
            "tensor": "x",
            "channels": ["high"],
            "scale": "density",
            "multiple": 32,
            "tile_px": 64,
            "overlap_px": 16,
            "pitch_mm": {"cargo": 4.0},
        }
    )
    assert Size(128, 64) == feeder_of(tiles).reach(view, SubjectKind.CARGO)
    assert Size(64, 64) == feeder_of(tiles).reach(view, SubjectKind.PARCEL)  # no pitch for parcels: the scan's own px
    assert feeder_of(card(fit="letterbox")).reach(view, SubjectKind.CARGO) is None


def ours(**more: object) -> InputCard:
    table = {"tensor": "x", "channels": ["high", "low"], "scale": "density", "multiple": 32, "tile_px": 64, "overlap_px": 16}
    return InputCard.model_validate({**table, **more})


def coloured(rgb: tuple[int, int, int], *others: Plane) -> View:
    pixels = np.full((40, 40, 3), 255, dtype=np.uint8)
    pixels[10:30, 10:30] = rgb
    return View("side", (Plane(Quantity.DISPLAY, Energy.SINGLE, pixels), *others), None)


def test_what_colours_say_of_the_matter_takes_the_place_of_the_low_plane_where_the_card_wants_it() -> None:
    metal, organic = (model_view(coloured(rgb), ours(colours="matter"), SubjectKind.PARCEL) for rgb in ((30, 70, 190), (235, 120, 20)))
    ratios = [float(seen.channels[1][20, 20] / seen.channels[0][20, 20]) for seen in (metal, organic)]  # type: ignore[index]
    assert ratios == pytest.approx([2.2, 1.2], abs=0.1)
    assert model_view(coloured((30, 70, 190)), ours(), SubjectKind.PARCEL).channels[1] is None


def test_a_grey_picture_has_no_low_plane_whatever_the_card_wants() -> None:
    assert model_view(coloured((90, 90, 90)), ours(colours="matter"), SubjectKind.PARCEL).channels[1] is None


def test_a_measured_low_plane_counts_more_than_colours() -> None:
    low = Plane(Quantity.TRANSMISSION, Energy.LOW, np.full((40, 40), 30000, dtype=np.uint16))
    seen = model_view(coloured((30, 70, 190), low), ours(colours="matter"), SubjectKind.PARCEL).channels[1]
    assert seen is not None
    np.testing.assert_allclose(seen, density(low.pixels))
