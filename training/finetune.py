"""Fine-tune the detector on a site's own labels: ``python -m training.finetune --labels DIR --parent BUNDLE --out DIR --version V``.

It begins with the weights in the parent's graph (``training.unfold``), or with those of the checkpoint that ``--checkpoint`` names.

``--labels`` is a folder that ``edge-agent scan export --to coco`` wrote: ``images/`` and ``annotations.json``. Of each image the keys
``planes``, ``pitch_mm``, ``kind``, ``subject`` and ``scan_id`` are read; without ``planes`` the file itself is the only plane. Boxes are
[x, y, width, height] in px; categories carry our labels. ``confirmed`` of an annotation decides: true (the scan was found or suspicious) is
a target, false (the scan was cleared) is background, null (nobody has said) is ignored. An image without annotations is background
when people cleared the scan, or when it says nothing of a standing at all; else it is left out.

Scans that are not live (simulated, staged, test pictures, threats projected for training officers) are refused, and so are images without a
``kind``: they must never pass for real ones. ``--simulated`` takes simulated scans instead, and the card says so.

The result is an unsigned bundle in state ``shadow``: sign it, let it run in shadow, commission it.
"""

import argparse
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edge_agent.domain.capture import CaptureKind, SubjectKind
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.imaging.tiles import plan_tiles
from edge_agent.inference.bundle import Bundle, load_bundle
from edge_agent.inference.prepare import fill, model_view
from edge_agent.signing.detached import WORKSHOP
from edge_agent.sim.threat import LABELS
from training.assignment import loss_of
from training.card import files_table, toml_text
from training.detector import BATCH, load, look, varied
from training.export import export_graph, fresh
from training.fold import folded
from training.golden import write_expectations
from training.loop import CHECKPOINT, IMAGES_HELP, Recipe, begun, device_here, train, write_json
from training.metrics import summary
from training.network import Detector, ExportedDetector, cells_of
from training.tiles import IGNORED, NONE, TILE_PX, boxes_in
from training.unfold import batches, checkpoint_from

RATE = 2e-4
"""A tenth of the rate of a training from nothing, so that what the parent knows is kept."""
CHECK_SHARE = 0.2
_CLEARING = ("nothing-found", "not-suspicious")
_LIMITS = "fine-tuned on the labels of one site; run it in shadow there and commission it before it counts"


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """Training tiles: ``pixels`` (n, 2, 256, 256) float16, ``truth`` (n, MOST_BOXES, 5) float32 class and xyxy px."""

    pixels: NDArray[np.float16]
    truth: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Labels:
    """A folder of labels, read. ``images``: entries that may be used, ``boxes``: annotations by image id, ``names``: label by category."""

    folder: Path
    images: Sequence[Mapping[str, Any]]
    boxes: Mapping[int, Sequence[Mapping[str, Any]]]
    names: Mapping[int, str]


def read_labels(folder: Path, *, simulated: bool) -> Labels:
    """Read ``annotations.json`` and leave out images of which nobody has said what is in them.

    Raises:
        SystemExit: an image is of a kind that must not be trained on or does not say, or a category is none of the detector's labels.
    """
    content = json.loads((folder / "annotations.json").read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    strangers = sorted(set(names.values()) - set(LABELS))
    if strangers:
        raise SystemExit(f"categories {strangers} are no labels of the detector; it knows {list(LABELS)}")
    _refuse_other_kinds(content["images"], CaptureKind.SYNTHETIC if simulated else CaptureKind.LIVE)
    boxes: dict[int, list[Mapping[str, Any]]] = {}
    for annotation in content["annotations"]:
        boxes.setdefault(annotation["image_id"], []).append(annotation)
    usable = [image for image in content["images"] if image["id"] in boxes or _is_background(image)]
    return Labels(folder, usable, boxes, names)


def _refuse_other_kinds(images: Sequence[Mapping[str, Any]], wanted: CaptureKind) -> None:
    """Refuse images of another kind, and those that do not say: nobody would notice a projected or simulated threat among live scans."""
    silent = [image for image in images if not isinstance(image.get("kind"), str)]
    if silent:
        others = ", ".join(kind.value for kind in CaptureKind if kind is not CaptureKind.LIVE)
        raise SystemExit(
            f"{len(silent)} of {len(images)} images do not say what kind of scan they are, the first is {silent[0].get('file_name')}: "
            f'write "kind" into each, "live" for real traffic alone (others: {others}); `edge-agent scan export` does so'
        )
    strange = sorted({image["kind"] for image in images} - {wanted.value})
    if strange:
        raise SystemExit(f"images of kind {strange}: only {wanted.value} scans may be trained on here")


def _is_background(image: Mapping[str, Any]) -> bool:
    return "standing" not in image or image["standing"]["conclusion"] in _CLEARING


def is_check(image: Mapping[str, Any]) -> bool:
    """Tell whether an image is kept for checking: all views and revisions of a scan on the same side, the same every time."""
    digest = hashlib.sha256(str(image.get("scan_id", image["file_name"])).encode()).digest()
    return digest[0] < 256 * CHECK_SHARE


def tiles_of_labels(labels: Labels, images: Sequence[Mapping[str, Any]], parent: Bundle) -> Tiles:
    """Give the tiles of ``images``, prepared exactly as the parent's card says, through the runtime's own code."""
    pixels: list[NDArray[np.float16]] = []
    truth: list[NDArray[np.float32]] = []
    for image in images:
        for tile, rows in _tiles_of(labels, image, parent):
            pixels.append(tile)
            truth.append(rows)
    if not pixels:
        raise SystemExit("no image can be used: nobody has said what is in them")
    return Tiles(np.stack(pixels), np.stack(truth))


def _tiles_of(labels: Labels, image: Mapping[str, Any], parent: Bundle) -> Iterator[tuple[NDArray[np.float16], NDArray[np.float32]]]:
    card = parent.card.input
    source = model_view(_view(labels.folder, image), card, SubjectKind(image.get("subject", SubjectKind.CARGO.value)))
    scale = np.array(source.to_view * 2)
    rows = [_row(annotation, labels.names, scale) for annotation in labels.boxes.get(image["id"], ())]
    targets = np.array([row for row in rows if row[0] != NONE], dtype=np.float32).reshape(-1, 5)
    for window in plan_tiles(source.size, TILE_PX, card.overlap_px):
        tensor = np.zeros((1, len(card.channels), TILE_PX, TILE_PX), dtype=np.float32)
        fill(tensor, source, window.x0, window.y0)
        yield tensor[0].astype(np.float16), boxes_in(targets, (window.y0, window.x0))


def _view(folder: Path, image: Mapping[str, Any]) -> View:
    planes = []
    for name, file in image.get("planes", {"": image["file_name"]}).items():
        pixels = cv2.imread(str(folder / file), cv2.IMREAD_UNCHANGED)
        if pixels is None or pixels.ndim != 2:
            raise SystemExit(f"{file}: not a grey picture")
        quantity, _, energy = name.partition("_")
        shown = Quantity.DISPLAY if pixels.dtype == np.uint8 else Quantity.TRANSMISSION
        planes.append(Plane(Quantity(quantity) if quantity else shown, Energy(energy) if energy else Energy.SINGLE, pixels))
    pitch = image.get("pitch_mm")
    return View(image.get("view", "view"), tuple(planes), None if pitch is None else (float(pitch[0]), float(pitch[1])))


def _row(annotation: Mapping[str, Any], names: Mapping[int, str], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give class (NONE for a cleared box, IGNORED where nobody has said) and xyxy in px of the model's grid."""
    x, y, width, height = annotation["bbox"]
    confirmed = annotation.get("confirmed", True)
    label = IGNORED if confirmed is None else float(LABELS.index(names[annotation["category_id"]])) if confirmed else NONE
    return np.array([label, *(np.array([x, y, x + width, y + height]) / scale)])


def fit(tiles: Tiles, checkpoint: Path, work: Path, images: int, seed: int) -> Path:
    """Train on from the parent's weights and give the new checkpoint; an interrupted run goes on."""
    device = device_here()
    torch.manual_seed(seed)
    network = Detector(len(LABELS))
    network.load_state_dict(load(checkpoint).state_dict())
    network = network.to(device, memory_format=torch.channels_last).train()
    cells = cells_of(TILE_PX, TILE_PX).to(device)

    def loss(rows: np.ndarray, rng: np.random.Generator) -> Tensor:
        batch, boxes = varied(torch.from_numpy(tiles.pixels[rows]).float(), torch.from_numpy(tiles.truth[rows]), rng)
        return loss_of(network(batch.to(device).contiguous(memory_format=torch.channels_last)), cells, boxes.to(device))

    train(network, loss, len(tiles.pixels), Recipe(images, BATCH, RATE, seed), work)
    return work / CHECKPOINT


def write_bundle(parent: Bundle, checkpoint: Path, root: Path, version: str, report: Mapping[str, Any]) -> Path:
    """Write ``root/<name>/<version>``: the parent's card with the new weights, unsigned, in state shadow."""
    folder = fresh(root / parent.card.name / version)
    batch = torch.export.Dim("batch", min=1, max=1024)
    image = torch.rand(2, len(parent.card.input.channels), TILE_PX, TILE_PX, generator=torch.Generator().manual_seed(1))
    network = ExportedDetector(folded(load(checkpoint)), TILE_PX)
    export_graph(network, {"image": image}, ["boxes", "scores"], {"image": {0: batch}}, folder / "model.onnx")
    shutil.copyfile(parent.folder / "labels.txt", folder / "labels.txt")
    shutil.copytree(parent.folder / "golden", folder / "golden", dirs_exist_ok=True)
    card = parent.card.model_dump(mode="json", exclude_none=True, exclude={"files"})
    card |= {"version": version, "state": "shadow", "limits": _LIMITS}
    card["training"] = {"parent": parent.ref, "parent_sha256": parent.use.sha256, **report["training"]}
    card["metrics"] = report["metrics"]
    (folder / "card.toml").write_text(toml_text(card) + files_table(folder))
    write_expectations([folder])
    return folder


def _measured(network: Detector, tiles: Tiles | None) -> dict[str, float]:
    return summary(look(network, tiles.pixels, tiles.truth), LABELS) if tiles is not None else {}


def finetune(args: argparse.Namespace) -> Path:
    """Do it all and give the folder of the new bundle.

    Raises:
        SystemExit: the labels cannot be used, or the work folder was begun for others.
    """
    parent = load_bundle(args.parent, WORKSHOP)
    labels = read_labels(args.labels, simulated=args.simulated)
    source = args.checkpoint or parent.folder / "model.onnx"
    read = {"labels": args.labels / "annotations.json", "checkpoint": source}
    digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in read.items()}
    begun(args.work, digests | {"parent": parent.use.sha256, "images": args.images, "seed": args.seed})
    checked = [image for image in labels.images if is_check(image)]
    tiles = tiles_of_labels(labels, [image for image in labels.images if not is_check(image)], parent)
    unseen = tiles_of_labels(labels, checked, parent) if checked else None
    start = args.checkpoint or checkpoint_from(source, Detector(len(LABELS)), batches(tiles.pixels), args.work / "parent.pt")
    before = _measured(load(start), unseen)
    checkpoint = fit(tiles, start, args.work, args.images, args.seed)
    after = _measured(load(checkpoint), unseen)
    training = {
        "data": f"{'simulated' if args.simulated else 'live'} scans of one site, labelled by its officers' findings",
        "scans_images": len(labels.images),
        "tiles": len(tiles.pixels),
        "presentations": torch.load(checkpoint, weights_only=True, map_location="cpu")["shown"],
        "seed": args.seed,
        "command": "python -m training.finetune",
    }
    metrics = {
        "note": f"{'simulated ' if args.simulated else ''}images of this site that were not trained on; few, so no claim",
        "images": len(checked),
        "parent": before,
        "fine_tuned": after,
    }
    write_json(args.work / "metrics.json", metrics)
    return write_bundle(parent, checkpoint, args.out, args.version, {"training": training, "metrics": metrics})


def parser() -> argparse.ArgumentParser:
    """Give the options."""
    options = argparse.ArgumentParser(
        prog="python -m training.finetune", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--labels", type=Path, required=True, help="folder with images/ and annotations.json")
    options.add_argument("--parent", type=Path, required=True, help="folder of the bundle to start from")
    options.add_argument("--checkpoint", type=Path, help="its training checkpoint (default: none, the weights in its graph)")
    options.add_argument("--out", type=Path, required=True, help="folder for the new bundle: OUT/<name>/<version>")
    options.add_argument("--version", required=True, help="version of the new bundle, such as 0.2.0-north")
    options.add_argument(
        "--work",
        type=Path,
        default=Path("training/runs/finetune"),
        help="checkpoints and metrics of this fine-tuning alone (default: %(default)s)",
    )
    options.add_argument("--images", type=int, default=20_000, help=IMAGES_HELP)
    options.add_argument("--seed", type=int, default=1, help="of the order of the images (default: %(default)s)")
    options.add_argument("--simulated", action="store_true", help="labels of simulated scans: a trial run, marked as such")
    return options


def main() -> None:
    """Fine-tune and say what comes next."""
    folder = finetune(parser().parse_args())
    print(f"{folder}: unsigned; sign it with `edge-agent bundle sign`, then `edge-agent bundle activate --shadow`")


if __name__ == "__main__":
    main()
