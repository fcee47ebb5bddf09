"""From a checkpoint to a bundle: graph, card, labels, goods and golden inputs.

``python -m training.export detector --checkpoint FILE --root exported_models --settings FILE`` writes ``ROOT/detector/VERSION``.
``--settings``: JSON that ``training.make_models`` wrote (thresholds, formula, metrics); without it the bundle has provisional ones.
Golden expectations are written afterwards by ``training.golden``, through the runtime's own path.
"""

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import nn

from edge_agent.sim.goods import BACKGROUND, FAMILIES
from edge_agent.sim.threat import LABELS
from training import contents, detector
from training.card import files_table, toml_text
from training.contents_network import ExportedContents
from training.fold import folded
from training.formula import Formula
from training.golden import write_inputs
from training.network import ExportedDetector
from training.tiles import CARGO_MM, PARCEL_MM, TILE_PX
from training.views import STRIDE, VIEW_MM

VERSION = "0.11.0"
LIMITS = "trained on simulated images only; do not use operationally without site fine-tuning and a period in shadow"
_PARITY = 1e-3
_GOODS_VERSION = "1"

COMMON: Mapping[str, Any] = {
    "format": "bundle/1",
    "version": VERSION,
    "state": "simulated",
    "licence": "Apache-2.0",
    "research_only": False,
    "limits": LIMITS,
}


DETECTOR_INPUT: Mapping[str, Any] = {
    "tensor": "image",
    "channels": ["high", "low"],
    "scale": "density",
    "colours": "matter",
    "multiple": 32,
    "tile_px": TILE_PX,
    "overlap_px": 64,
    "pitch_mm": {"cargo": CARGO_MM, "vehicle": CARGO_MM, "parcel": PARCEL_MM},
}


def export_graph(
    network: nn.Module,
    inputs: dict[str, torch.Tensor],
    outputs: list[str],
    dynamic: dict[str, dict[int, Any]],
    target: Path,
    within: float = _PARITY,
) -> None:
    """Write one self-contained ONNX file (opset 18) and compare it with torch on another input; ``within``: the difference allowed.

    Raises:
        SystemExit: onnxruntime's outputs differ from torch's.
    """
    network.eval()
    names = list(inputs)
    program = torch.onnx.export(
        network,
        tuple(inputs.values()),
        dynamo=True,
        opset_version=18,
        input_names=names,
        output_names=outputs,
        dynamic_shapes=tuple(dynamic[name] for name in names),
    )
    program.save(str(target), external_data=False)
    model = _without_traces(onnx.load(str(target)))
    onnx.save(model, str(target))
    onnx.checker.check_model(model)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {name: torch.roll(value, 1, dims=0)[:1] * 0.9 for name, value in inputs.items()}
    with torch.inference_mode():
        wanted = network(*feeds.values())
    seen = session.run(outputs, {name: value.numpy() for name, value in feeds.items()})
    worst = max(float(np.abs(a.numpy() - b).max() / max(1.0, float(a.abs().max()))) for a, b in zip(wanted, seen, strict=True))
    if worst > within:
        raise SystemExit(f"{target}: onnxruntime differs from torch by {worst}")
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB, largest relative difference from torch {worst:.1e}")


def _without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """Take out what the exporter wrote for its own debugging: stack traces, which name folders of the machine that trained."""
    graph = model.graph
    parts = [model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]
    for part in parts:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for function in model.functions:
        for part in (function, *function.node):
            part.ClearField("metadata_props")
            part.ClearField("doc_string")
    return model


def export_detector(checkpoint: Path, root: Path, settings: Mapping[str, Any], graph: Path | None = None) -> Path:
    """Write the detection bundle and give its folder. ``graph``: one that was exported before from the same checkpoint."""
    folder = fresh(root / "detector" / VERSION)
    if graph is None:
        image = torch.rand(2, 2, TILE_PX, TILE_PX, generator=torch.Generator().manual_seed(1))
        network = ExportedDetector(folded(detector.load(checkpoint)), TILE_PX)
        batch = torch.export.Dim("batch", min=1, max=1024)
        export_graph(network, {"image": image}, ["boxes", "scores"], {"image": {0: batch}}, folder / "model.onnx")
    else:
        shutil.copyfile(graph, folder / "model.onnx")
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in LABELS))
    write_inputs(folder / "golden", "detection")
    card = {
        **COMMON,
        "name": "detector",
        "purpose": "detection",
        "head": "boxes-scores",
        "subjects": ["cargo", "parcel", "vehicle"],
        "input": dict(DETECTOR_INPUT),
        "output": {"boxes": "boxes", "scores": "scores"},
        "labels": {"names": list(LABELS), "ids": [f"threat.{name}" for name in LABELS], "background": []},
        "thresholds": settings.get("thresholds", dict.fromkeys(LABELS, 0.5)),
        "training": _training(checkpoint, settings, "python -m training.make_models"),
        "metrics": settings.get("metrics", {}),
    }
    return _finish(folder, card)


def export_contents(checkpoint: Path, root: Path, settings: Mapping[str, Any]) -> Path:
    """Write the contents bundle and give its folder."""
    folder = fresh(root / "contents" / VERSION)
    formula = Formula(**settings.get("formula", {}))
    thresholds = {"heterogeneity": 0.8, "empty": 0.9, "product": 0.5} | settings.get("thresholds", {})
    network = ExportedContents(contents.load(checkpoint), [family.name for family in FAMILIES], formula)
    image = torch.rand(2, 2, 136, 216, generator=torch.Generator().manual_seed(1))
    declared = torch.zeros(2, len(FAMILIES))
    declared[0, 2] = 1.0
    batch, rows, columns = (torch.export.Dim(name, min=1, max=4096) for name in ("batch", "rows", "columns"))
    dynamic = {"image": {0: batch, 2: 8 * rows, 3: 8 * columns}, "declared": {0: batch}}
    outputs = ["score", "heatmap", "product_probs", "goods_map"]
    # A share between two of the 255 steps may fall to either side.
    export_graph(network, {"image": image, "declared": declared}, outputs, dynamic, folder / "model.onnx", 1.0 / 255.0 + _PARITY)
    (folder / "labels.txt").write_text("".join(f"{family.name}\n" for family in FAMILIES))
    listed = {family.name: {"headings": list(family.headings), "words": family.words} for family in FAMILIES}
    (folder / "goods.toml").write_text(toml_text({"version": _GOODS_VERSION, "families": listed}))
    write_inputs(folder / "golden", "contents")
    card = {
        **COMMON,
        "name": "contents",
        "purpose": "contents",
        "head": "goods-map",
        "subjects": ["cargo", "vehicle"],
        "input": {
            "tensor": "image",
            "channels": ["high", "low"],
            "scale": "density",
            "multiple": 8,
            "tile_px": 0,
            "overlap_px": 0,
            "pitch_mm": {"cargo": VIEW_MM, "vehicle": VIEW_MM},
        },
        "output": {"score": "score", "heatmap": "heatmap", "product": "product_probs", "goods_map": "goods_map", "stride": STRIDE},
        "contents": {**formula.table(), "name_product_at": thresholds.pop("product")},
        "labels": {
            "names": [family.name for family in FAMILIES],
            "ids": [f"goods.{family.name}" for family in FAMILIES],
            "background": list(BACKGROUND),
        },
        "thresholds": thresholds,
        "training": _training(checkpoint, settings, "python -m training.make_models"),
        "metrics": settings.get("metrics", {}),
    }
    return _finish(folder, card)


def read_settings(path: Path | None) -> dict[str, Any]:
    """Give what calibration found; nothing where no file is named."""
    if path is None:
        return {}
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _training(checkpoint: Path, settings: Mapping[str, Any], command: str) -> dict[str, Any]:
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    faults = {"known_faults": settings["known_faults"]} if "known_faults" in settings else {}
    return {
        **faults,
        "data": "simulated scenes only (edge_agent.sim); no real image was used",
        "images": settings.get("images", 0),
        **({"seeds": settings["seeds"]} if "seeds" in settings else {}),
        "steps": state["steps"],
        "cpu_minutes": round(state["spent_s"] / 60.0, 1),
        "command": command,
    }


def fresh(folder: Path) -> Path:
    """Give the folder of a bundle to be written, with nothing in it but an empty golden folder."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "golden").mkdir(parents=True)
    return folder


def _finish(folder: Path, card: Mapping[str, Any]) -> Path:
    (folder / "card.toml").write_text(toml_text(card) + files_table(folder))
    return folder


def main() -> None:
    """Export one bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("detector", "contents"), help="of bundle")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="FILE", help="checkpoint.pt of the training")
    root = "an earlier bundle of this version there is written over (default: %(default)s)"
    parser.add_argument("--root", type=Path, default=Path("exported_models"), metavar="DIR", help=root)
    parser.add_argument("--settings", type=Path, metavar="FILE", help="JSON (default: none, provisional thresholds)")
    args = parser.parse_args()
    export = export_detector if args.kind == "detector" else export_contents
    export(args.checkpoint, args.root, read_settings(args.settings))


if __name__ == "__main__":
    main()
