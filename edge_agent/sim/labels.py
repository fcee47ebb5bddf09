"""What is in simulated scans as labels in the COCO layout, as ``edge-agent evaluate`` reads them."""

from collections.abc import Mapping, Sequence
from typing import Any

from edge_agent.domain.declaration import EMPTY_HEADING


def coco_labels(scans: Sequence[tuple[str, Mapping[str, Any]]], folder: str) -> dict[str, Any]:
    """Give the document for scans, each with the name of the picture that stands for it and its truth (``scanner.Shot.truth``).

    ``folder``: where the pictures lie, as the document names it. A load with something hidden in it is not what was declared.
    """
    truths = [truth for _, truth in scans]
    labels = sorted({found["label"] for truth in truths for found in truth["hidden"]})
    numbers = {label: number for number, label in enumerate(labels, start=1)}
    boxes = [(at, found["label"], found["box"]) for at, truth in enumerate(truths, start=1) for found in truth["hidden"]]
    return {
        "info": {"description": "simulated scans", "kinds": ["synthetic"]},
        "images": [_image(at, f"{folder}/{name}", truth) for at, (name, truth) in enumerate(scans, start=1)],
        "annotations": [_annotation(number, at, numbers[label], box) for number, (at, label, box) in enumerate(boxes, start=1)],
        "categories": [{"id": number, "name": label} for label, number in numbers.items()],
    }


def _image(at: int, file_name: str, truth: Mapping[str, Any]) -> dict[str, Any]:
    width, height = truth["size_px"]
    headings = [code[:4] for code in truth["declared"]]
    about = {
        "id": at,
        "file_name": file_name,
        "width": width,
        "height": height,
        "kind": truth["kind"],
        "customs_model_agrees": not truth["hidden"],
        "visual_state_derived": "empty" if headings == [EMPTY_HEADING] and not truth["hidden"] else "loaded",
    }
    about |= {"declared_ncm4": headings} if headings else {}
    return about | ({"mass_kg": truth["load_kg"]} if truth["load_kg"] > 0 else {})


def _annotation(number: int, at: int, category: int, box: Sequence[float]) -> dict[str, Any]:
    x0, y0, x1, y1 = box
    sides = [x0, y0, x1 - x0, y1 - y0]
    return {"id": number, "image_id": at, "category_id": category, "bbox": sides, "area": sides[2] * sides[3], "iscrowd": 0}
