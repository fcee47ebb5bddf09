"""The research bundle from a run of ``training.research``: ``python -m training.research_bundle --run DIR --out DIR``.

The card says research-only, so the daemon refuses it unless ``allow_research_models`` is set; the bundle is never shipped. Its golden
inputs are simulated parcels in pseudo-colour: no picture of the set that was learnt from is in it.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from numpy.random import default_rng

from edge_agent.analysis.ports import one_by_one
from edge_agent.domain.capture import SubjectKind
from edge_agent.inference.adopt import Adopted, Example, adopt
from edge_agent.sim.scene import parcel_scene, with_threats
from training.camera import draw_camera
from training.card import toml_text
from training.export import COMMON, export_graph
from training.fold import folded
from training.network import Detector, ExportedDetector
from training.research import SIDE_PX

LIMITS = "research only: learnt from a public set whose licence allows academic use alone; never for operation, never to be shipped"
SHOW_FROM = 0.3


def export_research(run: Path, out: Path) -> Adopted:
    """Write the bundle of a finished run (``checkpoint.pt`` and ``metrics.json``) under ``out``.

    Raises:
        BundleRejected: there is one already.
    """
    metrics: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    names = list(metrics["classes"])
    network = Detector(len(names), inputs=3)
    network.load_state_dict(torch.load(run / "checkpoint.pt", weights_only=True, map_location="cpu")["averaged"])
    with tempfile.TemporaryDirectory() as making:
        graph = Path(making) / "model.onnx"
        image = torch.rand(2, 3, SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(1))
        batch = torch.export.Dim("batch", min=1, max=64)
        export_graph(ExportedDetector(folded(network), SIDE_PX), {"image": image}, ["boxes", "scores"], {"image": {0: batch}}, graph)
        # The examples are simulated, of things it never learnt from; that it shows nothing in them says nothing of it.
        return adopt(graph.read_bytes(), toml_text(card(names, metrics)), examples(), out, one_by_one, may_show_nothing=True)


def card(names: list[str], metrics: dict[str, Any]) -> dict[str, Any]:
    """Give the card, without its files. ``metrics``: of the pictures kept apart."""
    return {
        **COMMON,
        "name": "research-baggage",
        "purpose": "detection",
        "head": "boxes-scores",
        "subjects": ["parcel"],
        "licence": "academic use only",
        "research_only": True,
        "limits": LIMITS,
        "input": {
            "tensor": "image",
            "rendering": "display",
            "fit": "whole",
            "width_px": SIDE_PX,
            "height_px": SIDE_PX,
            "colour": "rgb",
            "layout": "nchw",
            "dtype": "float32",
            "scale": "0-1",
        },
        "output": {"boxes": "boxes", "scores": "scores"},
        "labels": {"names": names, "ids": [f"research.{name.lower().replace(' ', '-').replace('_', '-')}" for name in names]},
        "thresholds": dict.fromkeys(names, SHOW_FROM),
        "training": {"data": "OPIXray, training part (real scans, academic use)", "command": "python -m training.research"},
        "metrics": {"note": "real pictures kept apart, look-alikes on one side"}
        | {name: value for name, value in metrics.items() if name != "classes"},
    }


def examples() -> list[Example]:
    """Give simulated parcels in pseudo-colour: one clean, one with a knife."""
    clean = parcel_scene(2.0, default_rng(41))
    guilty = with_threats(clean, ("knife",), default_rng(42))
    camera = draw_camera(default_rng(43), 1.0)
    return [
        Example("parcel-clean", SubjectKind.PARCEL, camera.view(clean), "a simulated parcel in pseudo-colour"),
        Example("parcel-knife", SubjectKind.PARCEL, camera.view(guilty), "the same parcel with a knife laid into it"),
    ]


def main() -> None:
    """Export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="the folder that training.research wrote")
    parser.add_argument("--out", type=Path, required=True, help="the bundle is written to OUT/research-baggage/VERSION")
    args = parser.parse_args()
    print(f"written: {export_research(args.run, args.out).folder}")


if __name__ == "__main__":
    main()
