"""The benchmark on real scans, carried out on simulated pictures in the same layout, and on real ones where they are at hand."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import real_models
from benchmarks.real_models import AS_DECLARED, SETS
from edge_agent.cli.main import main
from edge_agent.evaluation.dataset import read_set

ROOT = Path(__file__).resolve().parents[2]
REAL = os.getenv("EDGE_AGENT_REAL_DATA")


def simulate(folder: Path, seed: int, scans: int) -> None:
    """Display pictures of cargo, without their side-cars: what the real sets hold."""
    order = ["--profile", "smiths-dataform", "--scans", str(scans), "--interval", "0", "--threat-share", "0", "--seed", str(seed)]
    assert 0 == main(["sim", "--out", str(folder / "images"), "--labels", str(folder / "annotations.json"), *order])


def relabelled(folder: Path, labels: Sequence[Mapping[str, Any]]) -> None:
    path = folder / "annotations.json"
    content = json.loads(path.read_text())
    for image, label in zip(content["images"], labels, strict=True):
        image.update(label)
    path.write_text(json.dumps(content))


def contents() -> Path:
    """The contents bundle alone answers all but one of the questions, and quickly; no scan is judged in full without a detector."""
    (found,) = ROOT.glob("exported_models/contents/*")
    return found


def benchmark(data: Path, out: Path, bundles: Path, *more: str) -> str:
    assert 0 == real_models.main([str(data), "--out", str(out), "--bundles", str(bundles), "--unsigned", *more])
    return out.read_text()


def test_every_figure_of_the_page_comes_out_and_nothing_names_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, name in enumerate(SETS, start=1):
        simulate(tmp_path / name, seed, 2)
    divergent = {"customs_model_agrees": False, "declared_ncm4": "0202"}
    relabelled(tmp_path / SETS[1], [{**divergent, "visual_state_derived": state} for state in ("empty", "loaded")])
    written = benchmark(tmp_path, tmp_path / "figures.json", contents())
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


def test_commissioned_on_one_half_each_kind_of_scan_is_counted_once_on_the_other(tmp_path: Path) -> None:
    for seed, name in enumerate(SETS, start=1):
        simulate(tmp_path / name, seed, 5)
    relabelled(tmp_path / SETS[0], [{"customs_model_agrees": AS_DECLARED}] * 5)
    loaded = sum(truth.declared != ("0000",) for truth in read_set(tmp_path / SETS[0]).truths)
    states = [("empty", 0.0), ("empty", 0.002), ("empty", 0.004), ("loaded", 0.6), ("ambiguous", 0.1)]
    divergent = {"customs_model_agrees": False, "declared_ncm4": "0202"}
    relabelled(tmp_path / SETS[1], [{**divergent, "visual_state_derived": state, "dark_fraction": dark} for state, dark in states])
    content = json.loads(benchmark(tmp_path, tmp_path / "figures.json", ROOT / "exported_models"))
    of = {row["name"]: row["n"].get("scans") for row in content["figures"]}
    for when in ("at the bundles' own levels", "commissioned on the other half"):
        assert [8, loaded, 3, 3, 1] == [
            of[f"{when}/{words}"]
            for words in (
                "alerts of clean scans",
                "alerts of conforming loaded scans",
                "alerts of empty re-declared as empty scans",
                "empty divergent found",
                "loaded divergent found",
            )
        ]
    assert [(SETS[1], 5)] == [(one["set"], one["id"]) for one in content["labels_left_out"]]
    assert "1 ambiguous, 0.1000 to 0.1000" in content["label_source"]
    halves = content["commissioning"]["halves"]
    assert [4, 4] == [half["clean_scans_used"] + half["clean_scans_skipped"] for half in halves]
    assert [{"heterogeneity", "empty", "bricks"}] * 2 == [{"heterogeneity", "empty", "bricks"} & set(half["checks"]) for half in halves]


@pytest.mark.real
@pytest.mark.skipif(REAL is None, reason="EDGE_AGENT_REAL_DATA is not set")
def test_real_pictures_are_judged_and_none_is_rejected(tmp_path: Path) -> None:
    assert REAL is not None
    content = json.loads(benchmark(Path(REAL), tmp_path / "figures.json", contents(), "--limit", "3"))
    assert (6, 0) == (content["pictures"], content["rejected"])
