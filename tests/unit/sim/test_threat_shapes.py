"""Shape families of threats: those that are trained on and those that are held out."""

import numpy as np
import pytest
from numpy.random import default_rng

from edge_agent.sim import parcel, variety
from edge_agent.sim.canvas import Canvas, Region
from edge_agent.sim.material import index
from edge_agent.sim.part import Room
from edge_agent.sim.scene import SEEN_AT
from edge_agent.sim.threat import CARGO_LABELS, LABELS, PARCEL_LABELS, SHAPES, TOLD_BY_MATTER, VEHICLE_LABELS, Shapes, build

EVERY = [(label, shapes, builder) for shapes, families in SHAPES.items() for label in LABELS for builder in families[label]]


@pytest.mark.parametrize(("label", "shapes", "builder"), EVERY, ids=lambda value: getattr(value, "__name__", str(value)))
@pytest.mark.parametrize("room", [Room(1.0, is_cargo=False), Room(5.0, is_cargo=True)], ids=["parcel", "cargo"])
def test_every_shape_has_matter_on_one_grid(label, shapes, builder, room):
    for seed in range(5):
        parts = builder(room, default_rng(seed))
        assert len({part.patch.shape for part in parts}) == 1
        assert all(part.patch.min() >= 0.0 and part.areal > 0.0 for part in parts)
        assert sum(float(part.patch.sum()) * part.areal for part in parts) > 0.0
        assert all(sum(share for _, share in part.mix) == pytest.approx(1.0) for part in parts)


@pytest.mark.parametrize("label", LABELS)
def test_every_composed_shape_can_be_seen(label):
    for seed in range(60):
        parts = build(label, Room(5.0 if label in CARGO_LABELS else 2.0, is_cargo=label in CARGO_LABELS), default_rng(seed), Shapes.VARIED)
        assert float(sum(part.patch * part.areal for part in parts).max()) > SEEN_AT


def test_of_any_form_matter_alone_tells_packets_from_heavy_metal():
    room = Room(5.0, is_cargo=True)
    drawn = {label: [build(label, room, default_rng(seed), Shapes.ANY_FORM) for seed in range(400)] for label in TOLD_BY_MATTER}
    assert {name for (part,) in drawn["dense"] for name, _ in part.mix} == {"lead", "tungsten"}
    assert not {"lead", "tungsten", "iron"} & {name for (part,) in drawn["bricks"] for name, _ in part.mix}
    deciles = [np.quantile([(part.patch > 0.3).mean() for (part,) in parts], np.arange(0.1, 1.0, 0.1)) for parts in drawn.values()]
    np.testing.assert_allclose(*deciles, atol=0.1)


def test_packets_of_which_some_are_missing_are_never_all_missing():
    for seed in range(2000):
        (part,) = variety.pile(Room(20.0, is_cargo=True), default_rng(seed))
        assert part.patch.max() > 0.0


def test_a_thing_seen_on_its_edge_is_as_heavy_as_face_on():
    part = variety.blade(Room(2.0, is_cargo=False), default_rng(3))[0]
    seen = variety._on_edge(part, 3)
    assert (3, part.patch.shape[1]) == seen.patch.shape
    assert float(seen.patch.sum()) * seen.areal == pytest.approx(float(part.patch.sum()) * part.areal, rel=1e-4)


def test_blades_are_seen_on_their_edge_now_and_then():
    heights = [variety.blade(Room(2.0, is_cargo=False), default_rng(seed))[0].patch.shape[0] for seed in range(200)]
    assert 10 < sum(height <= 7 for height in heights) < 60


def test_no_shape_is_in_two_sets():
    for label in LABELS:
        sets = [set(families[label]) for families in SHAPES.values()]
        assert all(sets)
        assert len(set.union(*sets)) == sum(len(one) for one in sets)


def test_every_label_has_shapes_and_every_subject_labels():
    assert all(tuple(families) == LABELS for families in SHAPES.values())
    assert set(CARGO_LABELS) | set(PARCEL_LABELS) | set(VEHICLE_LABELS) == set(LABELS)


def test_an_unknown_label_is_refused():
    with pytest.raises(KeyError):
        build("umbrella", Room(1.0, is_cargo=False), default_rng(1))


@pytest.mark.parametrize("shapes", Shapes)
def test_bricks_hold_more_organic_matter_than_any_box_or_book(shapes):
    for seed in range(40):
        (part,) = build("bricks", Room(1.5, is_cargo=False), default_rng(seed), shapes)
        assert np.quantile((part.patch * part.areal)[part.patch > 0.3], 0.9) > 4.5


def test_clutter_has_no_broad_organic_thing_as_deep_as_bricks():
    """Boxes and book covers stay below 4.5 g/cm2; a book on its spine is deeper and no broader than a finger."""
    draw = {"box": parcel._box, "book": parcel._book}
    for kind in draw.values():
        for seed in range(60):
            canvas = Canvas(500.0, 500.0, 2.0)
            kind(parcel._Case(canvas, Region(0.0, 0.0, 500.0, 500.0)), (50.0, 50.0), default_rng(seed))
            deep = canvas.areal.sum(axis=0) > 4.8
            rows, columns = np.nonzero(deep)
            if rows.size:
                axes = np.linalg.svd(np.stack([rows - rows.mean(), columns - columns.mean()]), compute_uv=False) / np.sqrt(rows.size)
                assert axes[-1] * np.sqrt(12.0) * 2.0 < 60.0


def test_a_threat_bottle_holds_half_a_litre_and_a_clutter_bottle_does_not():
    for seed in range(60):
        rng = default_rng(seed)
        parts = build("bottle", Room(1.0, is_cargo=False), rng)
        liquid = max((part for part in parts if part.mix[0][0] in ("water", "rdx")), key=lambda part: part.areal)
        room_g = float(liquid.patch.sum()) * liquid.areal * 0.01
        assert room_g > 300.0
        canvas = Canvas(400.0, 400.0, 1.0)
        parcel._bottle(parcel._Case(canvas, Region(0.0, 0.0, 400.0, 400.0)), (50.0, 50.0), default_rng(seed))
        assert 5.0 < float(canvas.areal[index("water")].sum()) * 0.01 < 500.0


def test_nothing_sticks_out_of_a_case():
    for seed in range(8):
        canvas = Canvas(700.0, 500.0, 2.0)
        case = Region(100.0, 100.0, 600.0, 400.0)
        parcel.draw(canvas, case, default_rng(seed))
        seen = canvas.areal.sum(axis=0) > 0.0
        rows, columns = np.nonzero(seen)
        assert 49 <= rows.min()
        assert rows.max() <= 201
        assert 49 <= columns.min()
        assert columns.max() <= 301
