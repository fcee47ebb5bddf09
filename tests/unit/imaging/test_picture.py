"""Pictures in a model's input, and boxes on their way back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.domain.geometry import Size
from edge_agent.imaging.picture import cut, letterbox_placement, letterboxed, stretch_placement, stretched
from edge_agent.imaging.tiles import Window

sides = st.integers(1, 300)


def test_a_wide_picture_lies_between_two_bands_and_a_corner_has_one() -> None:
    centred = letterbox_placement(Size(200, 100), Size(100, 100), centred=True)
    assert ((0.5, 0.5), (0.0, 25.0)) == (centred.scale, centred.offset)
    corner = letterbox_placement(Size(200, 100), Size(100, 100), centred=False)
    assert (0.0, 0.0) == corner.offset
    shown = letterboxed(np.zeros((100, 200, 3), np.uint8), Size(100, 100), 114, centred)
    assert [114, 0, 0, 114] == [int(shown[row, 50, 0]) for row in (24, 25, 74, 75)]


def test_a_box_goes_back_by_offset_and_scale() -> None:
    placement = letterbox_placement(Size(200, 100), Size(100, 100), centred=True)
    assert [[20, 10, 60, 50]] == placement.to_picture(np.array([[10, 30, 30, 50]], dtype=np.float32)).tolist()


@given(sides, sides, sides, sides, st.booleans())
def test_the_whole_picture_goes_back_to_itself(width: int, height: int, across: int, down: int, centred: bool) -> None:
    for placement in (
        letterbox_placement(Size(width, height), Size(across, down), centred=centred),
        stretch_placement(Size(width, height), Size(across, down)),
    ):
        x0, y0 = placement.offset
        whole = np.array([[x0, y0, x0 + width * placement.scale[0], y0 + height * placement.scale[1]]], dtype=np.float32)
        assert x0 >= 0
        assert y0 >= 0
        assert whole[0, 2] <= across + 1e-3
        assert whole[0, 3] <= down + 1e-3
        np.testing.assert_allclose([[0, 0, width, height]], placement.to_picture(whole), atol=0.05)


@given(sides, sides, sides, sides, st.booleans())
def test_a_letterbox_has_the_size_that_was_asked_for(width: int, height: int, across: int, down: int, grey: bool) -> None:
    picture = np.full((height, width) if grey else (height, width, 3), 7, dtype=np.uint8)
    placement = letterbox_placement(Size(width, height), Size(across, down), centred=True)
    shown = letterboxed(picture, Size(across, down), 0, placement)
    assert (down, across, *picture.shape[2:]) == shown.shape
    assert 7 == shown.max()
    assert (down, across) == stretched(picture, Size(across, down)).shape[:2]


def test_a_window_smaller_than_the_input_is_filled_up() -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert [[6, 7, 9], [10, 11, 9], [9, 9, 9]] == cut(picture, Window(2, 1, 4, 3), Size(3, 3), 9).tolist()


@pytest.mark.parametrize("size", [Size(4, 3), Size(8, 6)])
def test_a_stretched_picture_keeps_its_corners(size: Size) -> None:
    picture = np.zeros((3, 4), np.uint8)
    picture[0, 0] = 255
    assert 255 == stretched(picture, size)[0, 0]
