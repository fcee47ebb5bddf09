"""A bundle learnt from an academic set runs by its card, only where research is allowed, and holds nothing of the set."""

import json
from pathlib import Path

import pytest

from edge_agent.errors import BundleNotAllowed
from edge_agent.inference.bundle import load_bundle
from edge_agent.signing.detached import WORKSHOP

torch = pytest.importorskip("torch", reason="training tests need PyTorch (requirements/train.txt)")

pytestmark = [pytest.mark.timeout(600), pytest.mark.filterwarnings("default")]  # the exporter warns of its own internals

NAMES = ["Folding_Knife", "Scissor"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from training.network import Detector
    from training.research_bundle import export_research

    run = tmp_path_factory.mktemp("run")
    torch.manual_seed(3)
    network = Detector(len(NAMES), inputs=3)
    # It has learnt nothing; so that it sees something all the same, for golden cases that show nothing are refused:
    torch.nn.init.constant_(network.heads[-1].score.bias, 0.0)
    torch.save({"averaged": network.state_dict()}, run / "checkpoint.pt")
    metrics = {"map50": 0.0, "ap50_Folding_Knife": 0.0, "ap50_Scissor": 0.0, "learnt_from": 8, "kept": 2, "classes": NAMES}
    (run / "metrics.json").write_text(json.dumps(metrics))
    return export_research(run, run / "out").folder


def test_it_is_refused_unless_research_is_allowed(bundle: Path) -> None:
    with pytest.raises(BundleNotAllowed):
        load_bundle(bundle, WORKSHOP)
    card = load_bundle(bundle, WORKSHOP, allow_research=True).card
    assert card.research_only
    assert card.labels.names == tuple(NAMES)
    assert "academic" in card.licence


def test_its_golden_inputs_are_simulated_and_nothing_else_is_in_it(bundle: Path) -> None:
    cases = sorted(path.stem for path in (bundle / "golden").glob("*.npz"))
    assert cases == ["parcel-clean", "parcel-knife"]
    assert {path.suffix for path in bundle.rglob("*") if path.is_file()} == {".onnx", ".toml", ".npz", ".json"}
