"""Pictures for people."""

import numpy as np
import pytest

from edge_agent.domain.finding import Detection
from edge_agent.domain.geometry import Box
from edge_agent.domain.scan import Energy, Plane, Quantity
from edge_agent.imaging.dark import DarkArea
from edge_agent.imaging.render import AMBER, CONCLUSION_COLOURS, RED, Caption, Overlay, draw_assessment, pseudo_colour_heat, to_grey

CAPTION = Caption("alert", "scan 1", ("a reason",))


def detection(box: Box) -> Detection:
    return Detection("handgun", 0.83, box, "side", "detector/0.1.0")


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (picture == np.array(colour, dtype=np.uint8)).all(axis=-1)


@pytest.mark.parametrize(("height", "width", "expected"), [(500, 800, 1000), (600, 2000, 2000), (2000, 8000, 2400), (1, 1, 1000)])
def test_pictures_are_brought_to_a_readable_width(height: int, width: int, expected: int) -> None:
    picture = draw_assessment(np.full((height, width), 200, dtype=np.uint8), Overlay(), CAPTION)
    assert picture.dtype == np.uint8
    assert picture.shape[1:] == (expected, 3)
    assert picture.shape[0] > round(height * expected / width)


def test_a_box_is_drawn_around_its_place_and_the_inside_stays_clear() -> None:
    grey = np.full((600, 1500), 200, dtype=np.uint8)
    picture = draw_assessment(grey, Overlay((detection(Box(700, 300, 800, 400)),)), CAPTION)[:600]
    red = has(picture, RED)
    assert red[300, 700:800].all()
    assert red[399, 700:800].all()
    assert red[300:400, 700].all()
    assert (picture[320:380, 720:780] == 200).all()


@pytest.mark.parametrize("box", [Box(-50, -50, 20, 20), Box(1490, 590, 1600, 700), Box(5000, 5000, 6000, 6000), Box(10, 10, 10, 10)])
def test_a_box_at_or_beyond_the_border_is_drawn_without_error(box: Box) -> None:
    picture = draw_assessment(np.full((600, 1500), 200, dtype=np.uint8), Overlay((detection(box),)), CAPTION)
    assert has(picture[:600], RED).any()


def test_heat_changes_hot_places_only() -> None:
    grey = np.full((600, 1500), 128, dtype=np.uint8)
    heat = np.zeros((60, 150), dtype=np.float32)
    heat[20:30, 50:80] = 1.0
    picture = draw_assessment(grey, Overlay(heat=heat), CAPTION)[:600]
    inside = picture[250, 650].astype(int)
    assert inside[0] > inside[2] + 50
    assert (picture[500, 1000] == 128).all()


def test_heat_that_is_nowhere_high_leaves_the_picture_as_it_is() -> None:
    grey = np.full((600, 1500), 128, dtype=np.uint8)
    picture = draw_assessment(grey, Overlay(heat=np.full((60, 150), 0.1, dtype=np.float32)), CAPTION)
    assert (picture[:600] == 128).all()


def test_dark_areas_are_hatched_within_their_mask() -> None:
    grey = np.zeros((600, 1500), dtype=np.uint8)
    mask = np.zeros((60, 150), dtype=np.bool_)
    mask[20:40, 50:100] = True
    dark = DarkArea(0.2, (Box(500, 200, 1000, 400),), mask)
    picture = draw_assessment(grey, Overlay(dark=dark), CAPTION)[:600]
    assert 0.05 < picture[200:400, 500:1000].any(axis=-1).mean() < 0.5
    assert not picture[:190].any()
    assert not picture[410:].any()


def test_the_caption_shows_the_colour_of_the_conclusion() -> None:
    grey = np.full((200, 1000), 200, dtype=np.uint8)
    for conclusion, colour in CONCLUSION_COLOURS.items():
        caption = draw_assessment(grey, Overlay(), Caption(conclusion, "scan 1", ()))[200:]
        assert has(caption, colour).any()
        others = [other for other in CONCLUSION_COLOURS.values() if other != colour]
        assert not any(has(caption, other).any() for other in others)


def test_long_lines_are_broken_so_that_nothing_runs_over_the_margin() -> None:
    grey = np.full((200, 1000), 200, dtype=np.uint8)
    short = draw_assessment(grey, Overlay(), Caption("alert", "t", ("word",)))
    long = draw_assessment(grey, Overlay(), Caption("alert", "t", ("word " * 100,)))
    assert long.shape[0] > short.shape[0]
    assert (long[210:, -4:] == 255).all()


def test_the_legend_names_only_what_is_drawn() -> None:
    grey = np.full((600, 1500), 200, dtype=np.uint8)
    plain = draw_assessment(grey, Overlay(), Caption("no-alert", "t", ()))[600:]
    marked = draw_assessment(grey, Overlay(regions=(Box(1, 1, 9, 9),)), Caption("no-alert", "t", ()))[600:]
    assert not has(plain, AMBER).any()
    assert has(marked, AMBER).any()


def test_drawing_leaves_the_given_picture_alone() -> None:
    grey = np.full((600, 1500), 200, dtype=np.uint8)
    draw_assessment(grey, Overlay((detection(Box(10, 10, 90, 90)),)), CAPTION)
    assert (grey == 200).all()


def test_16_bit_is_spread_over_the_greys_and_keeps_its_order() -> None:
    ramp = np.linspace(100, 60000, 512 * 600).reshape(512, 600).astype(np.uint16)
    grey = to_grey(Plane(Quantity.TRANSMISSION, Energy.HIGH, ramp))
    assert (int(grey.min()), int(grey.max())) == (0, 255)
    assert (np.diff(grey.ravel().astype(int)) >= 0).all()
    assert len(np.unique(grey)) > 200


def test_16_bit_without_contrast_gives_a_picture_without_error() -> None:
    flat = Plane(Quantity.TRANSMISSION, Energy.HIGH, np.full((300, 300), 4000, dtype=np.uint16))
    assert len(np.unique(to_grey(flat))) == 1


def test_an_8_bit_picture_is_shown_as_it_is() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert (to_grey(Plane(Quantity.DISPLAY, Energy.SINGLE, pixels)) == pixels).all()


def test_heat_colours_go_from_pale_to_dark_red_and_clip() -> None:
    colours = pseudo_colour_heat(np.array([[-1.0, 0.0, 0.5, 1.0, 2.0]], dtype=np.float32))
    assert colours[0].tolist() == [[255, 240, 120], [255, 240, 120], [250, 140, 30], [170, 0, 30], [170, 0, 30]]


def test_a_hint_is_a_thin_frame_without_the_colour_of_an_alert():
    grey = np.full((600, 1500), 200, dtype=np.uint8)
    picture = draw_assessment(grey, Overlay(hints=(Box(700, 300, 800, 400),)), CAPTION)[:600]
    assert (picture != 200).any(axis=2).sum() == 4 * 99
