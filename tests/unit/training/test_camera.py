"""Training sees what the runtime sees: a scene through a virtual scanner gives the same numbers by either way."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng

from edge_agent.domain.capture import SubjectKind
from edge_agent.inference.card import InputCard
from edge_agent.inference.prepare import model_view
from edge_agent.sim.scene import cargo_scene, draw_plan, draw_threats, parcel_scene

pytest.importorskip("torch", reason="training tests need PyTorch (requirements/train.txt)")
camera = pytest.importorskip("training.camera")
export = pytest.importorskip("training.export")

KINDS = {"two energies": (False, False), "one energy": (False, True), "a picture": (True, False)}


@pytest.fixture(params=[SubjectKind.CARGO, SubjectKind.PARCEL])
def scene(request):
    rng = default_rng(4)
    made = parcel_scene(1.5, rng) if request.param is SubjectKind.PARCEL else cargo_scene(draw_plan(rng), 12.0, rng)
    return request.param, draw_threats(made, rng)


@pytest.mark.parametrize("kind", list(KINDS))
def test_training_and_runtime_give_the_network_the_same(scene, kind):
    subject, made = scene
    is_display, is_single = KINDS[kind]
    scanner = replace(camera.draw_camera(default_rng(1), 0.0), is_display=is_display, is_single=is_single, seed=7)
    card = InputCard.model_validate(export.DETECTOR_INPUT)
    seen = model_view(scanner.view(made), card, subject)
    planes = [np.zeros((seen.size.height, seen.size.width), dtype=np.float32) if plane is None else plane for plane in seen.channels]
    np.testing.assert_array_equal(np.stack(planes), scanner.channels(made, card.pitch_mm[subject]))
    has_low = kind == "two energies" or (kind == "a picture" and subject is SubjectKind.PARCEL)
    assert has_low == bool(planes[1].any())
