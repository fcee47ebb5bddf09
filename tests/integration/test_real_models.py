"""The benchmark on real scans, carried out on simulated pictures in the same layout, and on real ones where they are at hand."""

import json
import os
from pathlib import Path

import pytest

from benchmarks import real_models
from benchmarks.real_models import SETS
from edge_agent.cli.main import main
from edge_agent.evaluation.dataset import read_set

ROOT = Path(__file__).resolve().parents[2]
REAL = os.getenv("EDGE_AGENT_REAL_DATA")


def simulate(folder: Path, seed: int, scans: int) -> None:
    """Display pictures of cargo, without their side-cars: what the real sets hold."""
    order = ["--profile", "smiths-dataform", "--scans", str(scans), "--interval", "0", "--threat-share", "0", "--seed", str(seed)]
    assert 0 == main(["sim", "--out", str(folder / "images"), "--labels", str(folder / "annotations.json"), *order])


def benchmark(data: Path, out: Path, *more: str) -> str:
    """The contents bundle alone: it answers all but one of the questions, and quickly."""
    (contents,) = ROOT.glob("exported_models/contents/*")
    assert 0 == real_models.main([str(data), "--out", str(out), "--bundles", str(contents), "--unsigned", *more])
    return out.read_text()


def test_every_figure_of_the_page_comes_out_and_nothing_names_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, name in enumerate(SETS, start=1):
        simulate(tmp_path / name, seed, 2)
    divergent = tmp_path / SETS[1] / "annotations.json"
    content = json.loads(divergent.read_text())
    for image, state in zip(content["images"], ("empty", "loaded"), strict=True):
        image |= {"customs_model_agrees": False, "visual_state_derived": state, "declared_ncm4": "0202"}
    divergent.write_text(json.dumps(content))
    written = benchmark(tmp_path, tmp_path / "figures.json")
    assert "no commissioning: " in capsys.readouterr().out, "one scan a half is too few for any budget"
    names = {row["name"] for row in json.loads(written)["figures"]}
    assert {
        "empty against loaded/auc",
        "empty against loaded/auc of mean grey alone",
        "empty divergent against loaded conforming/auc",
        "loaded divergent against loaded conforming/auc",
        "at the bundles' own levels/alerts of clean scans",
    } <= names
    assert not [truth.path.stem for name in SETS for truth in read_set(tmp_path / name).truths if truth.path.stem in written]


@pytest.mark.real
@pytest.mark.skipif(REAL is None, reason="EDGE_AGENT_REAL_DATA is not set")
def test_real_pictures_are_judged_and_none_is_rejected(tmp_path: Path) -> None:
    assert REAL is not None
    content = json.loads(benchmark(Path(REAL), tmp_path / "figures.json", "--limit", "3"))
    assert (6, 0) == (content["pictures"], content["rejected"])
