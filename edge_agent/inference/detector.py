"""Object detection over a whole view, whatever the head: windows through the graph, merged into whole objects."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.analysis.ports import DetectorEvidence, Fan, ObjectDetector
from edge_agent.domain.assessment import BundleUse
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.finding import Detection
from edge_agent.domain.geometry import Box, Size
from edge_agent.domain.scan import View
from edge_agent.errors import BundleIncompatible, InferenceFailed
from edge_agent.imaging.boxes import Candidates, merge_across_tiles, merge_settled
from edge_agent.imaging.picture import AS_IS
from edge_agent.imaging.regions import strongest_regions
from edge_agent.imaging.resample import resampled
from edge_agent.imaging.tiles import Window
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.card import MassInput
from edge_agent.inference.contract import check_detection, sizes_feed, wrong_shape
from edge_agent.inference.detection_heads import Readout, anomaly_levels, read, tensors
from edge_agent.inference.feeds import Feed, Feeder, feeder_of
from edge_agent.inference.outputs import (
    AnomalyMapOutput,
    ContentsOutput,
    DetrOutput,
    LocatedOutput,
    SsdOutput,
    WeightOutput,
    YoloColumnsOutput,
    YoloRowsOutput,
    YoloxOutput,
)
from edge_agent.inference.session import Session

_NEVER = 2.0  # a floor that no score reaches
_MOST_REGIONS = 8


def detector_of(bundle: Bundle, session: Session) -> ObjectDetector:
    """Bind a detection bundle to its session.

    Raises:
        BundleIncompatible: the graph's inputs, outputs or class count are not what the card says.
    """
    output, taken = bundle.card.output, bundle.card.input
    if isinstance(output, ContentsOutput | WeightOutput) or isinstance(taken, MassInput):
        raise BundleIncompatible(f"{bundle.ref} is no detection bundle")
    feeder = feeder_of(taken)
    check_detection(bundle, session, feeder, output)
    if isinstance(output, AnomalyMapOutput):
        return AnomalyMapper(bundle, session, feeder, output)
    return BoxDetector(bundle, session, feeder, output)


class _Detecting:
    """What every detector says of itself, and one call of its graph."""

    def __init__(self, bundle: Bundle, session: Session, feeder: Feeder) -> None:
        self._bundle = bundle
        self._card = bundle.card
        self._session = session
        self._feeder = feeder

    @property
    def bundle(self) -> BundleUse:
        return self._bundle.use

    @property
    def alert_levels(self) -> Mapping[str, float]:
        return {name: self._card.thresholds[name] for name in self._card.labels.spoken}

    def applies_to(self, subject: SubjectKind) -> bool:
        return subject in self._card.subjects

    def reach(self, view: View, subject: SubjectKind) -> Size | None:
        return self._feeder.reach(view, subject)

    def _calls(self, feed: Feed) -> Sequence[Sequence[Window]]:
        """Give the windows, as many a call as the graph takes."""
        step = self._feeder.batch
        return [feed.windows[start : start + step] for start in range(0, len(feed.windows), step)]

    def _run(self, feed: Feed, windows: Sequence[Window], output: LocatedOutput | AnomalyMapOutput) -> list[NDArray[Any]]:
        feeds = {self._card.input.tensor: feed.tensor(windows), **sizes_feed(output, self._feeder)}
        arrays = self._session.run(tensors(output), feeds)
        wrong = wrong_shape(output, len(self._card.labels.names), self._feeder, arrays)
        if wrong is not None:
            raise InferenceFailed(wrong)
        return arrays


class BoxDetector(_Detecting):
    """Satisfies ``analysis.ports.ObjectDetector`` with one bundle whose head gives boxes, on one session."""

    def __init__(self, bundle: Bundle, session: Session, feeder: Feeder, output: LocatedOutput) -> None:
        super().__init__(bundle, session, feeder)
        self._output = output

    def detect(self, view: View, subject: SubjectKind, show_at: Mapping[str, float], fan: Fan) -> DetectorEvidence:
        """See ``analysis.ports.ObjectDetector``."""
        names = self._card.labels.names
        feed = self._feeder.feed(view, subject)
        floors = np.array([show_at.get(name, _NEVER) for name in names], dtype=np.float32)
        calls = fan(lambda windows: self._look(feed, windows, Readout(self._feeder.grid, floors)), self._calls(feed))
        found = [candidates for call in calls for candidates in call]
        merged = _merged(self._output, feed, found)
        corners = _in_view(merged.boxes, feed, view)
        kept = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])  # what lay in the padding has no extent left
        merged = merged.take(kept)
        return DetectorEvidence(
            tuple(
                Detection(names[label], score, Box(*box), view.name, self._bundle.ref)
                for box, score, label in zip(corners[kept].tolist(), merged.scores.tolist(), merged.labels.tolist(), strict=True)
            )
        )

    def _look(self, feed: Feed, windows: Sequence[Window], how: Readout) -> list[Candidates]:
        arrays = self._run(feed, windows, self._output)
        return [self._placed(read(self._output, arrays, at, how), feed, window) for at, window in enumerate(windows)]

    def _placed(self, found: Candidates, feed: Feed, window: Window) -> Candidates:
        """Give candidates in px of the window."""
        placement = feed.placement(window)
        if placement is AS_IS:
            return found
        return Candidates(placement.to_picture(found.boxes), found.scores, found.labels)


class AnomalyMapper(_Detecting):
    """Satisfies ``analysis.ports.ObjectDetector`` with one bundle that marks every place: a heat map, and its high regions as findings."""

    def __init__(self, bundle: Bundle, session: Session, feeder: Feeder, output: AnomalyMapOutput) -> None:
        super().__init__(bundle, session, feeder)
        self._output = output
        (self._label,) = bundle.card.labels.spoken

    def detect(self, view: View, subject: SubjectKind, show_at: Mapping[str, float], fan: Fan) -> DetectorEvidence:
        """See ``analysis.ports.ObjectDetector``. A finding's score is the highest level in its region."""
        feed = self._feeder.feed(view, subject)
        calls = fan(lambda windows: self._look(feed, windows), self._calls(feed))
        heat = _assembled(feed, [level for call in calls for level in call], self._feeder.grid)
        scale = (view.size.width / heat.shape[1], view.size.height / heat.shape[0])
        least = max(1, round(self._output.min_share * heat.size))
        floor = show_at.get(self._label, _NEVER)
        found = []
        for box in strongest_regions(heat, max(self._output.region_at, 1e-6), least, _MOST_REGIONS):
            peak = float(heat[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)].max())
            if peak >= floor:
                found.append(Detection(self._label, peak, box.scaled(*scale).clipped(view.size), view.name, self._bundle.ref))
        return DetectorEvidence(tuple(sorted(found, key=lambda one: -one.score)), heat)

    def _look(self, feed: Feed, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        (array,) = self._run(feed, windows, self._output)
        return [anomaly_levels(self._output, array, at) for at in range(len(windows))]


def _assembled(feed: Feed, levels: Sequence[NDArray[np.float32]], grid: Size) -> NDArray[np.float32]:
    """Give one map of the whole source from those of its windows, at the maps' own fineness; the higher level where two overlap."""
    down, across = levels[0].shape[0] / grid.height, levels[0].shape[1] / grid.width  # map cells an input px
    scale = feed.placement(feed.windows[0]).scale
    x_cells, y_cells = across * scale[0], down * scale[1]  # map cells a source px
    heat = np.zeros((max(1, round(feed.size.height * y_cells)), max(1, round(feed.size.width * x_cells))), dtype=np.float32)
    for window, level in zip(feed.windows, levels, strict=True):
        left, top = feed.placement(window).offset
        y0, x0 = min(round(window.y0 * y_cells), heat.shape[0] - 1), min(round(window.x0 * x_cells), heat.shape[1] - 1)
        y1, x1 = max(y0 + 1, round(window.y1 * y_cells)), max(x0 + 1, round(window.x1 * x_cells))
        inner = level[round(top * down) :, round(left * across) :][: y1 - y0, : x1 - x0]
        target = heat[y0:y1, x0:x1]
        np.maximum(target, resampled(np.ascontiguousarray(inner), Size(target.shape[1], target.shape[0])), out=target)
    return heat


def _merged(output: LocatedOutput, feed: Feed, found: Sequence[Candidates]) -> Candidates:
    """Give the objects of the source, px of it, from the candidates of its windows.

    A graph that suppresses by itself gives each object once a window. Of the others, a card that names an overlap wants the better of
    two boxes as it is; ours vote.
    """
    if isinstance(output, DetrOutput | SsdOutput):
        return merge_settled(feed.windows, found, feed.size)
    if isinstance(output, YoloRowsOutput | YoloColumnsOutput) and output.nms == "inside":
        return merge_settled(feed.windows, found, feed.size)
    if isinstance(output, YoloxOutput | YoloRowsOutput | YoloColumnsOutput):
        return merge_across_tiles(feed.windows, found, feed.size, output.iou, votes=False)
    return merge_across_tiles(feed.windows, found, feed.size)


def _in_view(boxes: NDArray[np.float32], feed: Feed, view: View) -> NDArray[np.float64]:
    """Give (n, 4) boxes in px of the view, clipped to it: all at once, for one by one costs 10 us each."""
    limits = np.array([view.size.width, view.size.height] * 2, dtype=np.float64)
    return np.clip(boxes * np.array(feed.to_view * 2, dtype=np.float64), 0.0, limits)
