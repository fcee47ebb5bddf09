"""A scan in letters and half blocks: it fits, keeps its proportions, and no box gets lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.console.coarse import Overlay, Palette, draw
from edge_agent.console.picture import GreyPicture

GREY = GreyPicture(40, 20, bytes([200]) * 800)


def plain(lines):
    return [line.plain for line in lines]


def colours(lines):
    return {style for line in lines for span in line.spans for style in (span.style.color.name, span.style.bgcolor.name)}


@given(
    st.integers(1, 90), st.integers(1, 90), st.integers(1, 60), st.integers(1, 30), st.sampled_from(list(Palette)),
    st.lists(st.tuples(*[st.floats(-1, 2)] * 4), max_size=3),
)  # fmt: skip
def test_a_drawing_never_leaves_the_room_it_was_given(width, height, columns, lines, palette, boxes):
    picture = GreyPicture(width, height, bytes(range(256)) * 40)
    drawn = draw(picture, Overlay(boxes, picture), columns, lines, palette)
    assert 1 <= len(drawn) <= lines
    assert {line.cell_len for line in drawn} <= set(range(1, columns + 1))
    assert len({line.cell_len for line in drawn}) == 1


def test_a_letter_is_taken_as_twice_as_high_as_wide():
    assert (20, 5) == (draw(GREY, Overlay(), 20, 30, Palette.BLOCKS)[0].cell_len, len(draw(GREY, Overlay(), 20, 30, Palette.BLOCKS)))
    assert 5 == len(draw(GREY, Overlay(), 20, 30, Palette.LETTERS))


def test_dark_is_a_dense_letter_and_air_is_none():
    picture = GreyPicture(2, 2, bytes([0, 255, 0, 255]))
    assert ["@ "] == plain(draw(picture, Overlay(), 2, 1, Palette.LETTERS))


def test_a_box_is_drawn_as_a_frame_even_where_it_is_smaller_than_a_letter():
    assert "+" in "".join(plain(draw(GREY, Overlay([(0.2, 0.2, 0.8, 0.8)]), 40, 10, Palette.LETTERS)))
    tiny = draw(GREY, Overlay([(0.5, 0.5, 0.5001, 0.5001)]), 40, 10, Palette.BLOCKS)
    assert "#ff4040" in colours(tiny)


def test_heat_colours_the_picture_and_weak_heat_does_not():
    hot, cold = (GreyPicture(2, 1, bytes([value, value])) for value in (255, 40))
    assert {"#c8c8c8"} == colours(draw(GREY, Overlay(), 20, 5, Palette.BLOCKS))
    assert {"#c8c8c8"} == colours(draw(GREY, Overlay(heat=cold), 20, 5, Palette.BLOCKS))
    assert {"#e4bc64"} == colours(draw(GREY, Overlay(heat=hot), 20, 5, Palette.BLOCKS))
    assert {"0"} == set("".join(plain(draw(GREY, Overlay(heat=hot), 20, 5, Palette.LETTERS))))


@pytest.mark.parametrize("palette", list(Palette))
def test_a_single_hot_point_does_not_fade_when_the_map_is_shrunk(palette):
    heat = GreyPicture(400, 200, bytes(40_000) + b"\xff" + bytes(39_999))
    drawn = draw(GREY, Overlay(heat=heat), 20, 5, palette)
    assert "0" in "".join(plain(drawn)) if palette is Palette.LETTERS else len(colours(drawn)) > 1
