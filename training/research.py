"""The research bundle: our detector on a real, academic-only set in COCO form (OPIXray), to prove recipe and runtime on real X-rays.

``python -m training.research --data COCO_DIR --out DIR --images 100000``. The images are pseudo-colour RGB pictures of baggage. A part of
them is kept for validation; pictures that look alike stay on one side. No image of the set enters the bundle or the project.

A training that was interrupted goes on from the checkpoint in ``--out``. ``metrics.json`` there says how good it is on the pictures kept.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.assignment import loss_of
from training.data import chains
from training.loop import IMAGES_HELP, Recipe, device_here, train, write_json
from training.metrics import Found, summary, tidy
from training.network import Detector, ExportedDetector, cells_of

SIDE_PX = 352
BATCH = 16
VALIDATION_SHARE = 1 / 8
_ALIKE = 0.045
"""Root mean square difference of two 16 x 16 thumbnails, full scale 1, under which they count as the same bag."""
_THUMB_PX = 16
_MOST_BOXES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """A COCO set at ``SIDE_PX``. ``images``: (n, S, S, 3) uint8 RGB; ``truth``: (n, g, 5) class (-1 = none) and xyxy px."""

    images: NDArray[np.uint8]
    truth: NDArray[np.float32]
    names: tuple[str, ...]
    levels: tuple[int | None, ...]

    def part(self, rows: NDArray[np.intp]) -> "Pictures":
        """Give some of the pictures."""
        return Pictures(self.images[rows], self.truth[rows], self.names, tuple(self.levels[row] for row in rows))


def read(folder: Path) -> Pictures:
    """Read ``annotations_coco.json`` and the images beside it, each stretched to a square.

    Raises:
        SystemExit: a picture is absent or cannot be read.
    """
    about = json.loads((folder / "annotations_coco.json").read_text())
    place = {category["id"]: index for index, category in enumerate(about["categories"])}
    boxes: dict[int, list[list[float]]] = {}
    for note in about["annotations"]:
        boxes.setdefault(note["image_id"], []).append([place[note["category_id"]], *note["bbox"]])
    images = np.zeros((len(about["images"]), SIDE_PX, SIDE_PX, 3), dtype=np.uint8)
    truth = np.full((len(images), _MOST_BOXES, 5), -1.0, dtype=np.float32)
    for row, entry in enumerate(about["images"]):
        picture = cv2.imread(str(folder / entry["file_name"]))
        if picture is None:
            raise SystemExit(f"{folder / entry['file_name']}: no picture")
        images[row] = cv2.cvtColor(cv2.resize(picture, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
        scale_x, scale_y = SIDE_PX / picture.shape[1], SIDE_PX / picture.shape[0]
        for slot, (label, x, y, width, height) in enumerate(boxes.get(entry["id"], [])[:_MOST_BOXES]):
            truth[row, slot] = (label, x * scale_x, y * scale_y, (x + width) * scale_x, (y + height) * scale_y)
    names = tuple(category["name"] for category in about["categories"])
    return Pictures(images, truth, names, tuple(entry.get("occlusion_level") for entry in about["images"]))


def split(pictures: Pictures, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give rows for training and rows for validation; look-alikes stay together."""
    thumbs = np.stack([cv2.resize(image, (_THUMB_PX, _THUMB_PX), interpolation=cv2.INTER_AREA) for image in pictures.images])
    flat = thumbs.reshape(len(thumbs), -1).astype(np.float32) / 255.0

    def likes(row: int) -> NDArray[np.intp]:
        distance = np.sqrt(np.square(flat[row + 1 :] - flat[row]).mean(axis=1))
        return np.flatnonzero(distance < _ALIKE) + row + 1

    group = chains(len(flat), likes)
    order = np.random.default_rng(seed).permutation(np.unique(group))
    sizes = np.bincount(group, minlength=len(flat))
    chosen = order[np.cumsum(sizes[order]) <= VALIDATION_SHARE * len(flat)]
    held = np.isin(group, chosen)
    return np.flatnonzero(~held), np.flatnonzero(held)


def varied(image: NDArray[np.uint8], truth: NDArray[np.float32], rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Give a picture as another bag might have lain: mirrored, turned by right angles, larger or smaller, moved."""
    boxes = truth.copy()
    scale = float(np.exp(rng.uniform(np.log(0.75), np.log(1.35))))
    shift = rng.uniform(-0.1, 0.1, 2) * SIDE_PX + (1.0 - scale) * SIDE_PX / 2.0
    matrix = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    out = cv2.warpAffine(image, matrix, (SIDE_PX, SIDE_PX), borderValue=(255, 255, 255))
    boxes[:, 1:] = boxes[:, 1:] * scale + np.tile(shift, 2).astype(np.float32)
    if rng.random() < 0.5:
        out, boxes[:, [1, 3]] = out[:, ::-1], SIDE_PX - boxes[:, [3, 1]]
    if rng.random() < 0.5:
        out, boxes[:, [2, 4]] = out[::-1], SIDE_PX - boxes[:, [4, 2]]
    if rng.random() < 0.5:
        out, boxes[:, 1:] = out.transpose(1, 0, 2), boxes[:, [2, 1, 4, 3]]
    whole = np.prod(boxes[:, 3:] - boxes[:, 1:3], axis=1)
    cut = np.clip(boxes[:, 1:], 0, SIDE_PX)
    seen = np.prod(cut[:, 2:] - cut[:, :2], axis=1) >= 0.5 * whole
    boxes[:, 1:] = cut
    boxes[(truth[:, 0] < 0) | ~seen] = -1.0
    return out, boxes


def tensor_of(images: NDArray[np.uint8]) -> Tensor:
    """Give (n, 3, S, S) float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float().div_(255.0)


def evaluate(network: Detector, pictures: Pictures) -> dict[str, float]:
    """Give COCO's average precisions over pictures, over all classes and by class."""
    shipped = ExportedDetector(network.eval(), SIDE_PX).eval()
    found: list[Found] = []
    with torch.inference_mode():
        for start in range(0, len(pictures.images), BATCH):
            boxes, scores = shipped(tensor_of(pictures.images[start : start + BATCH]))
            found += [tidy(boxes[place].numpy(), scores[place].numpy(), pictures.truth[start + place]) for place in range(len(boxes))]
    return summary(found, pictures.names)


def fit(learnt: Pictures, out: Path, recipe: Recipe) -> Detector:
    """Train on pictures, going on from the checkpoint in ``out`` if there is one; gives the averaged weights, on the CPU."""
    device = device_here()
    torch.manual_seed(recipe.seed)
    network = Detector(len(learnt.names), inputs=3).to(device, memory_format=torch.channels_last).train()
    cells = cells_of(SIDE_PX, SIDE_PX).to(device)

    def loss(rows: NDArray[np.intp], rng: np.random.Generator) -> Tensor:
        pairs = [varied(learnt.images[row], learnt.truth[row], rng) for row in rows]
        images = tensor_of(np.stack([image for image, _ in pairs])).to(device).contiguous(memory_format=torch.channels_last)
        return loss_of(network(images), cells, torch.from_numpy(np.stack([boxes for _, boxes in pairs])).to(device))

    averaged = train(network, loss, len(learnt.images), recipe, out)
    network.load_state_dict(averaged.state)
    return network.cpu()


def main() -> None:
    """Train, then evaluate on the pictures kept apart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="COCO_DIR", help="holds annotations_coco.json and the images")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="checkpoint.pt and metrics.json go there")
    parser.add_argument("--images", type=int, default=100_000, help=IMAGES_HELP)
    parser.add_argument("--seed", type=int, default=1, help="of weights and of the split (default: %(default)s)")
    args = parser.parse_args()
    pictures = read(args.data)
    rows, held = split(pictures, args.seed)
    print(f"{len(rows)} pictures to learn from, {len(held)} kept for validation", flush=True)
    network = fit(pictures.part(rows), args.out, Recipe(args.images, BATCH, 2e-3, args.seed))
    metrics = {**evaluate(network, pictures.part(held)), "learnt_from": len(rows), "kept": len(held), "classes": list(pictures.names)}
    write_json(args.out / "metrics.json", metrics)
    print(metrics)


if __name__ == "__main__":
    main()
