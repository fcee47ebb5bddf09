"""Everything that a set tells of the bundles in force, in the order in which it is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_agent.analysis.ports import Models
from edge_agent.domain.capture import SubjectKind
from edge_agent.evaluation.coco import RESAMPLES, Precisions
from edge_agent.evaluation.contents import evaluate_contents, separations
from edge_agent.evaluation.curves import Separation
from edge_agent.evaluation.detection import evaluate_detection
from edge_agent.evaluation.figure import Figure
from edge_agent.evaluation.record import Record
from edge_agent.evaluation.weight import evaluate_weight


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """``questions``: groups of scores that ROC and reliability are drawn from. ``precisions``: None where no box is labelled."""

    figures: tuple[Figure, ...]
    questions: tuple[Separation, ...]
    precisions: Precisions | None


def evaluate(
    records: Sequence[Record], models: Models, subject: SubjectKind, levels: Mapping[str, float], resamples: int = RESAMPLES
) -> Report:
    """Measure all that these models do for a kind of subject. ``levels``: alert levels in force, by check."""
    figures: list[Figure] = []
    questions: list[Separation] = []
    precisions = None
    if labels := detection_labels(models, subject):
        detection = evaluate_detection(records, {label: levels[label] for label in labels}, resamples)
        figures += detection.figures
        questions += [detection.alarms] if detection.alarms is not None else []
        precisions = detection.precisions
    if models.contents is not None and models.contents.applies_to(subject):
        figures += evaluate_contents(records, levels, models.contents.families)
        questions += separations(records)
    if models.weight is not None and models.weight.applies_to(subject):
        figures += evaluate_weight(records)
    return Report(tuple(figures), tuple(questions), precisions)


def detection_labels(models: Models, subject: SubjectKind) -> tuple[str, ...]:
    """Give the labels that detections of a kind of subject can have."""
    return tuple(label for detector in models.detectors if detector.applies_to(subject) for label in detector.alert_levels)
