"""``allow_research_models`` of agent.toml, from the file to a finding: without it a research bundle stops the daemon's start."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.small_site import SmallSite
from edge_agent.agent.check import find_problems
from edge_agent.agent.config import load_config
from edge_agent.agent.models_in_force import proven_models
from edge_agent.analysis.ports import one_by_one
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.errors import BundleNotAllowed
from edge_agent.testing.bundles import write_card
from edge_agent.testing.clock import ManualClock


@pytest.fixture
def agent_toml(tmp_path: Path) -> Path:
    """The file of a site whose one bundle is for research only, and signed by a key that the site believes."""
    site = SmallSite(tmp_path / "site").site
    write_card(site.folder / "bundles/bright/1.0.0", {"name": "bright", "research_only": "true"})
    return site.agent_toml


def codes(agent_toml: Path) -> list[str]:
    return [problem.code for problem in find_problems(agent_toml, ManualClock())]


@pytest.mark.parametrize("more", ["", "allow_research_models = false\n"], ids=["by itself", "said"])
def test_a_research_bundle_neither_passes_the_check_nor_starts(agent_toml: Path, more: str) -> None:
    agent_toml.write_text(more + agent_toml.read_text())
    assert codes(agent_toml) == ["bundle-not-allowed"]
    with pytest.raises(BundleNotAllowed):
        proven_models(load_config(agent_toml), one_by_one)


def test_a_research_bundle_that_is_allowed_is_proven_and_finds(agent_toml: Path) -> None:
    agent_toml.write_text("allow_research_models = true\n" + agent_toml.read_text())
    assert codes(agent_toml) == []
    proven = proven_models(load_config(agent_toml), one_by_one)
    assert ("bright/1.0.0", 1) == (proven.loaded.models.detectors[0].bundle.ref, len(proven.golden))
    pixels = np.zeros((64, 64), dtype=np.uint16)
    pixels[24:32, 40:48] = 65535
    view = View("side", (Plane(Quantity.TRANSMISSION, Energy.HIGH, pixels),), (5.0, 5.0))
    found = proven.loaded.models.detectors[0].detect(view, SubjectKind.CARGO, {"bright": 0.5}, one_by_one).detections
    assert [(40.0, 24.0)] == [(one.box.x0, one.box.y0) for one in found]
