"""Golden cases: inputs in the bundle whose outputs through the real path are known.

A device that answers quickly and wrongly is worse than one that fails, so nothing is called ``no-alert`` before every case of
every bundle gave what it gave when the bundle was made.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_agent.analysis.ports import ContentsModel, Fan, ObjectDetector, WeightModel
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.ids import ScannerId
from edge_agent.domain.scan import Energy, Plane, Quantity, View
from edge_agent.errors import BundleCorrupt, SelfTestFailed
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.load import LoadedModels

_SCORE_TOLERANCE = 0.02
_BOX_TOLERANCE_PX = 3.0
_SHOWN_AT = 0.3
_SURELY_SHOWN_AT = _SHOWN_AT + _SCORE_TOLERANCE
"""Below this a detection may be shown on one device and not on another, for a score may differ by the tolerance."""
_NOBODY = ScannerId("")
_MASS_TOLERANCE, _MASS_TOLERANCE_KG = 0.01, 10.0


class GoldenCase(BaseModel):
    """What a golden input is: ``pitch_mm`` (x, y) of its pixels, None when unknown; ``declared`` headings.

    ``may_show_nothing``: whoever made the bundle took it upon them that none of its cases may show an object.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    subject: SubjectKind
    pitch_mm: tuple[float, float] | None
    declared: tuple[Annotated[str, Field(pattern=r"^\d{4}$")], ...] = ()
    why: str
    may_show_nothing: bool = False


class ExpectedDetection(BaseModel):
    """One detection of a golden case; box xyxy in px of the view."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    label: str
    score: float
    box: tuple[float, float, float, float]


class Expected(BaseModel):
    """What a golden input gives: detections by falling score, or the contents model's score and first guess."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    detections: tuple[ExpectedDetection, ...] = ()
    heterogeneity: float | None = None
    product: str | None = None
    mass_kg: float | None = None

    @property
    def shows_an_object(self) -> bool:
        """Tell whether a detector that finds nothing at all would be noticed."""
        return any(one.score >= _SURELY_SHOWN_AT for one in self.detections)


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """One golden case of a bundle with what it must give."""

    bundle: Bundle
    name: str
    case: GoldenCase
    view: View
    expected: Expected


def run_selftest(loaded: LoadedModels, fan: Fan) -> int:
    """Read and run every golden case of every bundle; give how many there were.

    Raises:
        SelfTestFailed: a case gave something else, or a bundle has no case that proves anything. BundleCorrupt: one cannot be read.
        DeviceFailed, InferenceFailed: as the model says.
    """
    return run_golden(loaded, golden_set(loaded), fan)


def golden_set(loaded: LoadedModels) -> tuple[Golden, ...]:
    """Read the golden cases of every bundle, to be run as often as wanted whatever becomes of the files.

    Raises:
        SelfTestFailed: a bundle has no case, or only such as a detector that finds nothing would pass. BundleCorrupt: one cannot be read.
    """
    found: list[Golden] = []
    for bundle in loaded.bundles:
        cases = [Golden(bundle, name, case, view, _expected(bundle, name)) for name, (case, view) in golden_cases(bundle).items()]
        if not cases:
            raise SelfTestFailed(f"{bundle.ref} has no golden case")
        _check_proof(bundle, cases)
        found += cases
    return tuple(found)


def _check_proof(bundle: Bundle, cases: Sequence[Golden]) -> None:
    """Refuse a signed detector whose cases prove nothing. In the workshop one may be run that has not learnt anything yet."""
    if bundle.card.purpose != "detection" or bundle.signer is None:
        return
    if not any(one.expected.shows_an_object or one.case.may_show_nothing for one in cases):
        raise SelfTestFailed(
            f"{bundle.ref}: expected a golden case that shows an object, found {len(cases)} that show none from {_SURELY_SHOWN_AT:.0%} up: "
            "a detector that finds nothing would pass; make the bundle again with an example that shows what it finds"
        )


def run_golden(loaded: LoadedModels, cases: Sequence[Golden], fan: Fan) -> int:
    """Run golden cases through the real path; give how many there were.

    Raises:
        SelfTestFailed: a case gave something else. DeviceFailed, InferenceFailed: as the model says.
    """
    for one in cases:
        _compare(f"{one.bundle.ref} {one.name}", one.expected, observe(loaded, one.bundle, one.case, one.view, fan))
    return len(cases)


def golden_cases(bundle: Bundle) -> Mapping[str, tuple[GoldenCase, View]]:
    """Give the golden inputs of a bundle by name.

    Raises:
        BundleCorrupt: a case cannot be read.
    """
    folder = bundle.folder / "golden"
    return {path.stem: _read_case(folder, path.stem) for path in sorted(folder.glob("*.npz"))}


def observe(loaded: LoadedModels, bundle: Bundle, case: GoldenCase, view: View, fan: Fan) -> Expected:
    """Give what the models make of a golden input: what :func:`run_selftest` compares, and what is stored when a bundle is made."""
    if bundle.card.purpose == "detection":
        detector = next((one for one in loaded.models.detectors if one.bundle.ref == bundle.ref), None)
        return _observe_detector(detector, case, view, fan)
    if bundle.card.purpose == "weight":
        return _observe_weight(loaded.models.weight, view)
    return _observe_contents(loaded.models.contents, case, view)


def _observe_detector(detector: ObjectDetector | None, case: GoldenCase, view: View, fan: Fan) -> Expected:
    if detector is None:
        raise SelfTestFailed("no detector is loaded")
    show_at = dict.fromkeys(detector.alert_levels, _SHOWN_AT)
    found = detector.detect(view, case.subject, show_at, fan).detections
    return Expected(
        detections=tuple(ExpectedDetection(label=d.label, score=d.score, box=(d.box.x0, d.box.y0, d.box.x1, d.box.y1)) for d in found)
    )


def _observe_contents(contents: ContentsModel | None, case: GoldenCase, view: View) -> Expected:
    if contents is None:
        raise SelfTestFailed("no contents model is loaded")
    seen = contents.examine(view, case.subject, contents.families(case.declared).families)
    return Expected(heterogeneity=seen.heterogeneity.score, product=seen.product.ranked[0][0])


def _observe_weight(scale: WeightModel | None, view: View) -> Expected:
    if scale is None:
        raise SelfTestFailed("no weight model is loaded")
    return Expected(mass_kg=scale.weigh(view, _NOBODY).mass_kg)


def _compare(where: str, expected: Expected, seen: Expected) -> None:
    _compare_detections(where, expected.detections, seen.detections)
    if expected.product != seen.product:
        raise SelfTestFailed(f"{where}: expected {expected.product}, found {seen.product}")
    if abs((expected.heterogeneity or 0.0) - (seen.heterogeneity or 0.0)) > _SCORE_TOLERANCE:
        raise SelfTestFailed(f"{where}: expected {expected.heterogeneity}, found {seen.heterogeneity}")
    if abs((expected.mass_kg or 0.0) - (seen.mass_kg or 0.0)) > max(_MASS_TOLERANCE_KG, _MASS_TOLERANCE * (expected.mass_kg or 0.0)):
        raise SelfTestFailed(f"{where}: expected {expected.mass_kg} kg, found {seen.mass_kg} kg")


def _compare_detections(where: str, expected: Sequence[ExpectedDetection], seen: Sequence[ExpectedDetection]) -> None:
    """Pair expected and seen detections of one label, the nearest first. Their order says nothing, and a weak one may lack its pair."""
    fits = [
        (_shift_px(wanted, found), i, j) for i, wanted in enumerate(expected) for j, found in enumerate(seen) if _is_same(wanted, found)
    ]
    missing, unknown = set(range(len(expected))), set(range(len(seen)))
    for _, i, j in sorted(fits):
        if i in missing and j in unknown:
            missing.remove(i)
            unknown.remove(j)
    for i in sorted(missing):
        if expected[i].score >= _SURELY_SHOWN_AT:
            raise SelfTestFailed(f"{where}: expected {expected[i]}, found {list(seen)}")
    for j in sorted(unknown):
        if seen[j].score >= _SURELY_SHOWN_AT:
            raise SelfTestFailed(f"{where}: expected {list(expected)}, found {seen[j]} too")


def _is_same(wanted: ExpectedDetection, found: ExpectedDetection) -> bool:
    is_near = _shift_px(wanted, found) <= _BOX_TOLERANCE_PX
    return wanted.label == found.label and is_near and abs(wanted.score - found.score) <= _SCORE_TOLERANCE


def _shift_px(wanted: ExpectedDetection, found: ExpectedDetection) -> float:
    return max(abs(a - b) for a, b in zip(wanted.box, found.box, strict=True))


def _expected(bundle: Bundle, name: str) -> Expected:
    path = bundle.folder / "golden" / f"{name}.expected.json"
    try:
        return Expected.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as problem:
        raise BundleCorrupt(f"{bundle.ref}: golden case {name} has no readable expectation") from problem


def _read_case(folder: Path, name: str) -> tuple[GoldenCase, View]:
    try:
        case = GoldenCase.model_validate_json((folder / f"{name}.json").read_bytes())
        with np.load(io.BytesIO((folder / f"{name}.npz").read_bytes()), allow_pickle=False) as arrays:
            planes = tuple(_plane(key, arrays[key]) for key in sorted(arrays.files))
        return case, View("golden", planes, case.pitch_mm)
    except (OSError, ValueError, KeyError, json.JSONDecodeError) as problem:
        raise BundleCorrupt(f"golden case {name} cannot be read") from problem


def _plane(key: str, pixels: NDArray[np.uint16]) -> Plane:
    energies = {"high": Energy.HIGH, "low": Energy.LOW, "single": Energy.SINGLE}
    quantity = Quantity.DISPLAY if pixels.dtype == np.uint8 else Quantity.TRANSMISSION
    return Plane(quantity, energies[key], pixels)
