"""Figures of detection: average precision over pictures, and whole pictures as alarms, with what darkness alone would tell beside.

Detections are recorded from a score far below what the daemon shows, because average precision wants the weak ones too. That moves
strong ones a little, as weak boxes vote on their sides and weak pieces join strong ones that a tile cut (``imaging.boxes``). Measured both
ways, over the boxes that the daemon shows: on 240 simulated cargo scans mAP50-95 .548 instead of .559 (difference by drawing the scans
anew: -.020 to -.001), all of it rifles that lie in several tiles, and mAP50 .727 instead of .724; on 120 parcels .686 and .687, .868 both.
The best score of a scan and its alarm were the same in all 420 scans: the alarms below are the daemon's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from edge_agent.evaluation.coco import Picture, Precisions, average_precisions
from edge_agent.evaluation.curves import Separation, auc, auc_interval, rate_at_false_alarms, separation
from edge_agent.evaluation.figure import Figure, bounded, plain, shares
from edge_agent.evaluation.record import LIGHTNESS, Record
from edge_agent.kpi.intervals import Interval

FALSE_ALARMS = (0.01, 0.05)
LEAST_FALSE = 2
"""A rate at so many false alarms in a hundred is shown where at least this many clean pictures may alarm: 200 of them for 1 %.

With fewer the threshold hangs on one picture, and the interval of :func:`rate_at_false_alarms` is too narrow.
"""


@dataclass(frozen=True, slots=True, eq=False)
class DetectionReport:
    """Figures, with what the curves are drawn from; ``precisions`` and ``alarms`` are None where the set does not tell."""

    figures: tuple[Figure, ...]
    precisions: Precisions | None
    alarms: Separation | None


def evaluate_detection(records: Sequence[Record], levels: Mapping[str, float], resamples: int) -> DetectionReport:
    """Measure detection. ``levels``: alert level of every label that the bundle knows; boxes of other labels are left out."""
    labels = tuple(levels)
    pictures = [Picture(record.truth.boxes, record.seen.detections) for record in records]
    precisions = average_precisions(pictures, labels, resamples)
    figures = [*_of_precisions("detection", precisions), *_by_label(precisions), *_by_occlusion(records, labels, resamples)]
    alarms = _alarms(records, labels)
    if alarms is not None:
        figures += _of_alarms(alarms, records, levels)
    return DetectionReport(tuple(figures), precisions, alarms)


def _of_precisions(group: str, seen: Precisions | None) -> list[Figure]:
    if seen is None:
        return []
    n = {"pictures": seen.pictures, "objects": sum(seen.objects.values())}
    rows = (("map50", seen.map50, seen.map50_interval), ("map50_95", seen.map50_95, seen.map50_95_interval))
    return [
        plain(f"{group}/{name}", value, n) if interval is None else bounded(f"{group}/{name}", value, interval, n)
        for name, value, interval in rows
    ]


def _by_label(seen: Precisions | None) -> list[Figure]:
    if seen is None:
        return []
    n = {label: {"pictures": seen.pictures, "objects": count} for label, count in seen.objects.items()}
    figures = [plain(f"detection/ap50 {label}", value, n[label]) for label, value in seen.ap50.items()]
    return figures + [plain(f"detection/ap50_95 {label}", value, n[label]) for label, value in seen.ap.items()]


def _by_occlusion(records: Sequence[Record], labels: Sequence[str], resamples: int) -> list[Figure]:
    """Measure each level on the pictures that have an object of it; objects of other levels there are ignored, as COCO ignores crowds."""
    levels = sorted({box.occlusion for record in records for box in record.truth.boxes if box.occlusion is not None})
    figures: list[Figure] = []
    for level in levels:
        mine = [record for record in records if any(box.occlusion == level for box in record.truth.boxes)]
        pictures = [
            Picture(
                [replace(box, is_ignored=box.is_ignored or box.occlusion != level) for box in record.truth.boxes], record.seen.detections
            )
            for record in mine
        ]
        figures += _of_precisions(f"detection occlusion {level}", average_precisions(pictures, labels, resamples))
    return figures


def _best(record: Record, labels: Sequence[str]) -> float:
    return max((one.score for one in record.seen.detections if one.label in labels), default=0.0)


def _is_guilty(record: Record, labels: Sequence[str]) -> bool:
    return any(box.label in labels and not box.is_ignored for box in record.truth.boxes)


def _alarms(records: Sequence[Record], labels: Sequence[str]) -> Separation | None:
    """Give the best scores of pictures with an object and of pictures with none at all, of any category."""
    groups = _groups(records, labels, lambda record: _best(record, labels))
    return groups if groups.is_defined else None


def _groups(records: Sequence[Record], labels: Sequence[str], score: Callable[[Record], float]) -> Separation:
    guilty = [score(record) for record in records if _is_guilty(record, labels)]
    clean = [score(record) for record in records if not record.truth.boxes]
    return separation("a picture with objects", guilty, clean)


def _darkness(lightness: Callable[[Record], float]) -> Callable[[Record], float]:
    return lambda record: -lightness(record)


def _of_alarms(groups: Separation, records: Sequence[Record], levels: Mapping[str, float]) -> list[Figure]:
    n = {"with objects": groups.guilty.size, "without": groups.clean.size}
    area = auc(groups)
    figures = [bounded("alarms/auc", area, auc_interval(area, groups.guilty.size, groups.clean.size), n)]
    for name, lightness in LIGHTNESS.items():
        alone = auc(_groups(records, tuple(levels), _darkness(lightness)))
        figures.append(bounded(f"alarms/auc of {name} alone", alone, auc_interval(alone, groups.guilty.size, groups.clean.size), n))
    for allowed in FALSE_ALARMS:
        if groups.clean.size * allowed >= LEAST_FALSE:
            rate, low, high = rate_at_false_alarms(groups.clean, groups.guilty, allowed)
            figures.append(bounded(f"alarms/found at {allowed:.0%} false", rate, Interval(low, high), n))
    alarmed = {True: list[bool](), False: list[bool]()}
    for record in records:
        is_guilty = _is_guilty(record, tuple(levels))
        if is_guilty or not record.truth.boxes:
            alarmed[is_guilty].append(any(one.score >= levels.get(one.label, 2.0) for one in record.seen.detections))
    figures += shares("alarms/found at the level in force", alarmed[True], "with objects")
    return figures + shares("alarms/false at the level in force", alarmed[False], "without")
