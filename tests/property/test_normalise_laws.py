"""Whatever is done to pixels is written down, and what is written down repeats it bit for bit and undoes its geometry."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import TypeAdapter

from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.geometry import Box, Orientation
from edge_agent.domain.profile import Normalise
from edge_agent.domain.scan import Energy, Operation, Plane, Quantity, View
from edge_agent.formats.assemble import decode_scan
from edge_agent.formats.encode import png_bytes, tiff_bytes
from edge_agent.formats.members import OpenMember
from edge_agent.imaging.normalise import crop, levels, orient, replay
from edge_agent.inference.card import InputCard
from edge_agent.inference.prepare import fill, model_view
from edge_agent.testing.drops import load_picture, picture_profile

ORIENTATIONS = st.builds(Orientation, st.booleans(), st.booleans(), st.booleans())
SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=4, max_side=40)
PICTURES = st.one_of(
    hnp.arrays(np.uint16, SHAPES),
    hnp.arrays(np.uint8, SHAPES),
    hnp.arrays(np.uint8, SHAPES.map(lambda shape: (*shape, 3))),
    st.builds(load_picture, st.integers(40, 90), st.integers(100, 160), st.sampled_from([8, 16]), st.integers(0, 5)),
)
RULES = st.one_of(
    st.builds(
        Normalise,
        polarity=st.sampled_from(["bright-air", "dark-air", "detect"]),
        air_columns=st.sampled_from([None, (0, 4), (-4, 0)]),
        dark_columns=st.sampled_from([None, (0, 1), (-2, -1)]),
        repair=st.booleans(),
        crop=st.booleans(),
        crop_margin_px=st.integers(0, 5),
    ),
    st.builds(Normalise, white=st.integers(2000, 65535), black=st.integers(0, 1999), repair=st.booleans(), crop=st.booleans()),
)
OPERATIONS = TypeAdapter(tuple[Operation, ...])


def normalised(raw, turn, rule):
    """The steps in the decode child's order: turns, levels, crop."""
    turns = orient(turn)
    pixels, levelled = levels(replay(raw, turns), rule)
    cut = crop(pixels, rule)
    return replay(pixels, cut), (*turns, *levelled, *cut)


@given(PICTURES, ORIENTATIONS, RULES)
@settings(deadline=None, max_examples=150)
def test_recorded_operations_repeat_the_normalised_plane_bit_for_bit_even_through_json(raw, turn, rule):
    before = raw.copy()
    pixels, operations = normalised(raw, turn, rule)
    stored = OPERATIONS.validate_json(OPERATIONS.dump_json(operations))
    assert stored == operations
    again = replay(before, stored)
    assert again.dtype == pixels.dtype
    np.testing.assert_array_equal(pixels, again)
    np.testing.assert_array_equal(before, raw)


@given(PICTURES, ORIENTATIONS, RULES, st.data())
@settings(deadline=None, max_examples=150)
def test_a_box_on_the_normalised_plane_holds_the_very_pixels_of_its_box_in_the_file(raw, turn, rule, data):
    """Followed through geometry alone: every pixel carries its own number."""
    pixels, operations = normalised(raw, turn, rule)
    height, width = raw.shape[:2]
    numbers = np.arange(height * width, dtype=np.uint16).reshape(height, width)
    moved = replay(numbers, [step for step in operations if step.name in ("orient", "crop")])
    assert moved.shape == pixels.shape[:2]
    x0 = data.draw(st.integers(0, pixels.shape[1] - 1))
    y0 = data.draw(st.integers(0, pixels.shape[0] - 1))
    x1 = data.draw(st.integers(x0 + 1, pixels.shape[1]))
    y1 = data.draw(st.integers(y0 + 1, pixels.shape[0]))
    view = View("side", (Plane(Quantity.RAW, Energy.HIGH, moved, operations),), None, native=turn)
    box = view.to_native(Box(x0, y0, x1, y1))
    native = numbers[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)]
    assert sorted(native.ravel()) == sorted(moved[y0:y1, x0:x1].ravel())


@given(ORIENTATIONS)
def test_a_view_that_was_cut_gives_boxes_in_the_scanners_own_picture(turn):
    numbers = np.arange(60 * 90, dtype=np.uint16).reshape(60, 90)
    turned = replay(numbers, orient(turn))
    height, width = turned.shape
    cut = Operation("crop", (("x0", 7), ("y0", 3), ("x1", 40), ("y1", 50), ("width", width), ("height", height)))
    operations = (*orient(turn), cut)
    view = View("side", (Plane(Quantity.RAW, Energy.HIGH, replay(turned, (cut,)), operations),), None, native=turn)
    box = view.to_native(Box(2, 5, 11, 9))
    native = numbers[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)]
    assert sorted(native.ravel()) == sorted(view.planes[0].pixels[5:9, 2:11].ravel())


@given(hnp.arrays(np.uint16, (3, 40)), st.integers(0, 60000), st.integers(1, 5000))
def test_a_scale_keeps_levels_apart_and_in_order(raw, black, span):
    white = min(65535, black + span)
    scaled = replay(raw, (Operation("scale", (("black", black), ("white", white))),))
    inside = (raw >= black) & (raw <= white)
    order = np.argsort(raw[inside], kind="stable")
    assert (np.diff(scaled[inside][order].astype(np.int64)) >= (np.diff(raw[inside][order].astype(np.int64)) > 0)).all()
    assert (scaled[raw >= white] == 65535).all()
    assert (scaled[raw <= black] == 0).all()


@given(PICTURES)
@settings(deadline=None)
def test_without_a_rule_no_pixel_changes_and_the_polarity_is_recorded(raw):
    pixels, operations = levels(raw, Normalise())
    np.testing.assert_array_equal(raw, pixels)
    assert [operation.name for operation in operations] == ["polarity"]
    assert operations[0].value("inverted") is False


@given(st.text(max_size=8), st.dictionaries(st.sampled_from(["x0", "rows", "white", "found"]), st.integers(-5, 5) | st.text(max_size=3)))
def test_operations_from_elsewhere_are_refused_with_a_plain_error(name, params):
    picture = load_picture()
    operation = Operation(name, tuple(params.items()))
    try:
        replay(picture, (operation,))
    except (ValueError, KeyError):
        return
    assert name == "fold-grey" or json.dumps(params)  # what is known and whole may be carried out


LEVELS = np.arange(65536, dtype=np.uint16).reshape(256, 256)


@pytest.mark.parametrize("scale", ["linear", "density"])
@pytest.mark.parametrize("encode", [png_bytes, tiff_bytes], ids=["png", "tiff"])
def test_each_of_the_65536_levels_of_a_file_reaches_the_model_as_a_value_of_its_own(encode, scale):
    data = encode(LEVELS)
    member = OpenMember("levels.png", "picture", io.BytesIO(data), len(data))
    (view,) = decode_scan([member], picture_profile()).views
    card = InputCard(tensor="image", channels=("high",), scale=scale, multiple=1, tile_px=0, overlap_px=0)
    tensor = np.empty((1, 1, 256, 256), dtype=np.float32)
    fill(tensor, model_view(view, card, SubjectKind.CARGO), 0, 0)
    assert len(np.unique(tensor)) == 65536
