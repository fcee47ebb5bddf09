"""One scan through the models: look at every transmission view, gather findings, obstacles and maps.

``assess``, evaluation, tests and the daemon call the same function; the daemon passes a fan that spreads tiles over its device
threads.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_agent.analysis.conclude import Evidence
from edge_agent.analysis.deadline import Deadline
from edge_agent.analysis.policy import Check, Policy
from edge_agent.analysis.ports import ContentsModel, Fan, Models, ObjectDetector, WeightModel
from edge_agent.domain.assessment import Obstacle, Reason
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.declaration import Declaration, comparable
from edge_agent.domain.finding import Finding
from edge_agent.domain.geometry import Size
from edge_agent.domain.scan import Quantity, Scan, View
from edge_agent.errors import ScanUnassessable
from edge_agent.imaging.dark import dark_area
from edge_agent.imaging.quality import faults

_SHOWN_DARK_SHARE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class ViewMaps:
    """Maps that one bundle gave of one view of ``size`` px: ``heat`` (h, w) float32 in [0, 1], ``goods`` (k, h, w) uint8 in 1/255.

    ``goods`` is None where the map comes from a detector. ``bundle``: ``name/version``.
    """

    view: str
    size: Size
    heat: NDArray[np.float32]
    goods: NDArray[np.uint8] | None
    bundle: str


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """What the models made of a scan. ``timings_ms``: by check, summed over views."""

    evidence: Evidence
    maps: tuple[ViewMaps, ...]
    timings_ms: Mapping[str, float]


@dataclass(slots=True)
class _Gathered:
    """Grows while the views are looked at; private to :func:`examine`."""

    deadline: Deadline
    findings: list[Finding] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    maps: list[ViewMaps] = field(default_factory=list)
    undone: set[Check] = field(default_factory=set)
    timings_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        clock = self.deadline.clock
        started = clock.monotonic()
        yield
        self.timings_ms[stage] = self.timings_ms.get(stage, 0.0) + (clock.monotonic() - started) * 1000.0

    @contextmanager
    def attempting(self, check: Check, view: View) -> Iterator[None]:
        """Turn what makes a check impossible into its obstacle; anything else is not ours to hide."""
        try:
            with self.timed(check.value):
                yield
        except ScanUnassessable as problem:
            self.undone.add(check)
            self.obstacles.append(Obstacle(problem.code, {**problem.fields, "check": check.value}, view.name))


def examine(scan: Scan, notes: tuple[Reason, ...], models: Models, policy: Policy, fan: Fan, deadline: Deadline) -> Examination:
    """Run every applicable check on every transmission view of ``scan``.

    ``notes``: what intake remarked (``pixels-seen-before``, ``sidecar-unreadable``, ...). When the deadline passes, what is not done
    yet is left undone with obstacle ``out-of-time``; findings made before count.

    Raises:
        DeviceFailed: the device is lost; the scan in hand stays unassessed and is taken up again after the restart.
    """
    gathered = _Gathered(deadline)
    gathered.obstacles += [Obstacle(note.code, note.params) for note in notes if note.code not in policy.of(scan.subject.kind).alert_on]
    gathered.obstacles += [Obstacle("partial", {"role": role}) for role in scan.partial]
    assessable = [view for view in scan.views if _is_transmission(view)]
    for view in scan.views:
        if not _is_transmission(view):
            gathered.obstacles.append(Obstacle("check-not-applicable", {"quantity": view.planes[0].quantity.value}, view.name))
    if not assessable:
        gathered.undone.update(Check)
        if not any(obstacle.code == "view-missing" for obstacle in gathered.obstacles):
            gathered.obstacles.append(Obstacle("view-missing"))
    for view in assessable:
        _describe(view, gathered)
        for detector in models.detectors:
            _detect(view, scan.subject.kind, detector, policy, deadline.fan(fan), gathered)
        if models.contents is not None:
            _compare(view, scan, models.contents, gathered)
    _weigh(assessable, scan, models.weight, gathered)
    available = {check for check in Check if _applies(check, models, scan.subject.kind)}
    evidence = Evidence(
        tuple(gathered.findings),
        tuple(gathered.obstacles),
        frozenset(available - gathered.undone),
        models.alert_levels(scan.subject.kind),
        comparable(scan.declaration),
        notes,
    )
    return Examination(evidence, tuple(gathered.maps), gathered.timings_ms)


def declaration_obstacles(declaration: Declaration | None, unlisted: tuple[str, ...]) -> list[Obstacle]:
    """Say what the declaration lacks for a comparison."""
    if declaration is None or not declaration.headings:
        return [Obstacle("undeclared")]
    if not declaration.link.is_strong:
        return [Obstacle("link-weak", {"link": declaration.link.score, "basis": declaration.link.basis.value})]
    return [Obstacle("goods-unknown", {"headings": ", ".join(unlisted)})] if unlisted else []


def _is_transmission(view: View) -> bool:
    return any(plane.quantity in (Quantity.TRANSMISSION, Quantity.DISPLAY) for plane in view.planes)


def _applies(check: Check, models: Models, subject: SubjectKind) -> bool:
    if check is Check.DETECTION:
        return any(detector.applies_to(subject) for detector in models.detectors)
    model: ContentsModel | WeightModel | None = models.contents if check is Check.CONTENTS else models.weight
    return model is not None and model.applies_to(subject)


def _describe(view: View, gathered: _Gathered) -> None:
    """Note what limits any judgement of this view: unknown scale, faults of the picture, areas too dark."""
    if view.pitch_mm is None:
        gathered.obstacles.append(Obstacle("pitch-unknown", {}, view.name))
    elif view.pitch_assumed:
        x_mm, y_mm = view.pitch_mm
        gathered.obstacles.append(Obstacle("pitch-assumed", {"x_mm": round(x_mm, 3), "y_mm": round(y_mm, 3)}, view.name))
    plane = next(plane for plane in view.planes if plane.quantity in (Quantity.TRANSMISSION, Quantity.DISPLAY))
    with gathered.timed("quality"):
        gathered.obstacles += [Obstacle(fault.code, fault.params, view.name) for fault in faults(plane)]
    with gathered.timed("dark"):
        dark = dark_area(plane, view.load)
    if dark.share >= _SHOWN_DARK_SHARE:
        gathered.obstacles.append(Obstacle("dark", {"share": round(dark.share, 4), "regions": len(dark.boxes)}, view.name))


def _detect(view: View, subject: SubjectKind, detector: ObjectDetector, policy: Policy, fan: Fan, gathered: _Gathered) -> None:
    if not detector.applies_to(subject):
        return
    rules = policy.of(subject)
    show_at = {label: rules.levels(label, alert_at).show_at for label, alert_at in detector.alert_levels.items()}
    with gathered.attempting(Check.DETECTION, view):
        gathered.deadline.check()
        seen = detector.detect(view, subject, show_at, fan)
        gathered.findings += seen.detections
        if seen.heat is not None:
            gathered.maps.append(ViewMaps(view.name, view.size, seen.heat, None, detector.bundle.ref))


def _compare(view: View, scan: Scan, contents: ContentsModel, gathered: _Gathered) -> None:
    if not contents.applies_to(scan.subject.kind):
        return
    declaration = comparable(scan.declaration)
    declared = contents.families(declaration.headings if declaration is not None else ())
    gathered.obstacles += declaration_obstacles(scan.declaration, declared.unlisted)
    with gathered.attempting(Check.CONTENTS, view):
        gathered.deadline.check()
        seen = contents.examine(view, scan.subject.kind, declared.families)
        gathered.findings += [seen.heterogeneity, seen.product]
        gathered.maps.append(ViewMaps(view.name, view.size, seen.heat, seen.goods, contents.bundle.ref))


def _weigh(views: list[View], scan: Scan, scale: WeightModel | None, gathered: _Gathered) -> None:
    """Weigh the load once, in the first view that tells its mass; where none does, the first one's reason is given."""
    if scale is None or not scale.applies_to(scan.subject.kind):
        return
    reasons: list[Obstacle] = []
    with gathered.timed(Check.WEIGHT.value):
        for view in views:
            try:
                gathered.deadline.check()
                gathered.findings.append(scale.weigh(view, scan.scanner.scanner_id))
            except ScanUnassessable as problem:
                reasons.append(Obstacle(problem.code, {**problem.fields, "check": Check.WEIGHT.value}, view.name))
            else:
                return
    gathered.undone.add(Check.WEIGHT)
    gathered.obstacles += reasons[:1]
