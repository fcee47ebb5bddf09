"""Making a bundle of an ONNX file by somebody else: card, hashes, and golden cases taken from examples."""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.analysis.ports import Fan
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.scan import Quantity, View
from edge_agent.errors import BundleIncompatible, BundleRejected
from edge_agent.inference.bundle import load_bundle
from edge_agent.inference.card import parse_card
from edge_agent.inference.load import open_models
from edge_agent.inference.selftest import Expected, GoldenCase, golden_cases, observe, run_selftest
from edge_agent.inference.session import DevicePolicy
from edge_agent.signing.detached import WORKSHOP
from edge_agent.wire.frames import is_name

_FILES = "\n[files]\n"


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A view whose result becomes a golden case. ``name``: of its files; ``why``: what it shows."""

    name: str
    subject: SubjectKind
    view: View
    why: str


@dataclass(frozen=True, slots=True)
class Adopted:
    """The finished bundle, unsigned, and what it gave for each example."""

    folder: Path
    ref: str
    seen: dict[str, Expected]


def adopt(model: bytes, card: str, examples: Sequence[Example], out: Path, fan: Fan, *, may_show_nothing: bool = False) -> Adopted:
    """Write ``out/<name>/<version>``, whole or not at all. It runs on the CPU; its outputs there become what the self-test compares.

    ``card``: the text of ``card.toml`` without its [files]. ``may_show_nothing``: take examples none of which shows an object, although
    the self-test would then pass a detector that finds nothing; it stands in their golden cases that this was wanted.

    Raises:
        BundleIncompatible: the card is not understood, the graph is not what it says, or no example shows an object.
        BundleRejected: the bundle is there already.
    """
    final = destination(card, out)
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent, prefix=".making-") as making:
        folder = Path(making) / "bundle"
        (folder / "golden").mkdir(parents=True)
        (folder / "model.onnx").write_bytes(model)
        for example in examples:
            _write_input(folder / "golden", example, may_show_nothing=may_show_nothing)
        _write_card(folder, card)
        seen = _write_expectations(folder, fan)
        if not may_show_nothing and not any(expected.shows_an_object for expected in seen.values()):
            raise BundleIncompatible(
                f"expected an example that shows an object, found none among {len(seen)}: a wrong colour order or scale, or a detector "
                "that finds nothing, would never be noticed; take a scan that shows what the model finds, or say --without-object"
            )
        _write_card(folder, card)
        run_selftest(open_models([load_bundle(folder, WORKSHOP, allow_research=True)], DevicePolicy.CPU), fan)
        folder.rename(final)
    return Adopted(final, f"{final.parent.name}/{final.name}", seen)


def destination(card: str, out: Path) -> Path:
    """Give ``out/<name>/<version>`` of a card without its [files].

    Raises:
        BundleIncompatible: the card is not understood. BundleRejected: the bundle is there already.
    """
    if _FILES in f"\n{card}":
        raise BundleIncompatible("the card has a [files] table already; leave it out, it is written here")
    parsed = parse_card(f"{card}{_FILES}".encode(), "the new bundle")
    for part in (parsed.name, parsed.version):
        if not is_name(part):
            raise BundleIncompatible(f"{part!r} cannot be a folder: lower-case letters, digits, dot, dash and underscore only, at most 63")
    final = out / parsed.name / parsed.version
    if final.exists():
        raise BundleRejected(f"{final} is there already; give the card another version")
    return final


def _write_input(folder: Path, example: Example, *, may_show_nothing: bool) -> None:
    planes: dict[str, NDArray[np.uint16] | NDArray[np.uint8]] = {}
    for plane in example.view.planes:
        if plane.quantity in (Quantity.TRANSMISSION, Quantity.DISPLAY):
            planes.setdefault(plane.energy.value, plane.pixels)
    with (folder / f"{example.name}.npz").open("wb") as file:
        np.savez_compressed(file, **planes)  # type: ignore[arg-type]
    case = GoldenCase(subject=example.subject, pitch_mm=example.view.pitch_mm, why=example.why, may_show_nothing=may_show_nothing)
    # Versions before ``may_show_nothing`` know no such key, so it is written only where it says something.
    (folder / f"{example.name}.json").write_text(case.model_dump_json(indent=1, exclude_defaults=True) + "\n")


def _write_expectations(folder: Path, fan: Fan) -> dict[str, Expected]:
    bundle = load_bundle(folder, WORKSHOP, allow_research=True)
    loaded = open_models([bundle], DevicePolicy.CPU)
    seen = {}
    for name, (case, view) in golden_cases(bundle).items():
        seen[name] = observe(loaded, bundle, case, view, fan)
        (folder / "golden" / f"{name}.expected.json").write_text(seen[name].model_dump_json(indent=1) + "\n")
    return seen


def _write_card(folder: Path, card: str) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "card.toml")
    rows = [
        f"{json.dumps(str(path.relative_to(folder)))} = {json.dumps(hashlib.sha256(path.read_bytes()).hexdigest())}\n" for path in paths
    ]
    (folder / "card.toml").write_text(card.rstrip() + "\n" + _FILES + "".join(rows))
