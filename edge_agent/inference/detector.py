"""Object detection over a whole view: tiles through the graph, merged into whole objects."""

import threading
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge_agent.analysis.ports import Fan
from edge_agent.domain.assessment import BundleUse
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.finding import Detection
from edge_agent.domain.geometry import Box
from edge_agent.domain.scan import View
from edge_agent.errors import BundleIncompatible
from edge_agent.imaging.boxes import Candidates, merge_across_tiles
from edge_agent.imaging.tiles import Window, plan_tiles
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.card import DetectionOutput
from edge_agent.inference.heads import boxes_scores
from edge_agent.inference.prepare import ModelView, fill, model_view
from edge_agent.inference.session import Session, expect

_NEVER = 2.0  # a floor that no score reaches


class TiledDetector:
    """Satisfies ``analysis.ports.ObjectDetector`` with one bundle on one session."""

    def __init__(self, bundle: Bundle, session: Session) -> None:
        """Bind a detection bundle to its session.

        Raises:
            BundleIncompatible: the graph's inputs, outputs or class count are not what the card says.
        """
        if not isinstance(bundle.card.output, DetectionOutput):
            raise BundleIncompatible(f"{bundle.ref} is no detection bundle")
        self._bundle = bundle
        self._card = bundle.card
        self._output = bundle.card.output
        self._session = session
        self._buffers = threading.local()
        _check_contract(bundle, session, self._output)

    @property
    def bundle(self) -> BundleUse:
        return self._bundle.use

    @property
    def alert_levels(self) -> Mapping[str, float]:
        return {name: self._card.thresholds[name] for name in self._card.labels.names}

    def applies_to(self, subject: SubjectKind) -> bool:
        return subject in self._card.subjects

    def detect(self, view: View, subject: SubjectKind, show_at: Mapping[str, float], fan: Fan) -> tuple[Detection, ...]:
        """See ``analysis.ports.ObjectDetector``."""
        names = self._card.labels.names
        source = model_view(view, self._card.input, subject)
        floors = np.array([show_at.get(name, _NEVER) for name in names], dtype=np.float32)
        windows = plan_tiles(source.size, self._card.input.tile_px, self._card.input.overlap_px)
        found = fan(lambda window: self._tile(source, window, floors), windows)
        merged = merge_across_tiles(windows, found, source.size)
        corners = _in_view(merged.boxes, source, view)
        return tuple(
            Detection(names[label], score, Box(*box), view.name, self._bundle.ref)
            for box, score, label in zip(corners.tolist(), merged.scores.tolist(), merged.labels.tolist(), strict=True)
        )

    def _tile(self, source: ModelView, window: Window, floors: NDArray[np.float32]) -> Candidates:
        tensor = self._tensor()
        fill(tensor, source, window.x0, window.y0)
        boxes, scores = self._session.run((self._output.boxes, self._output.scores), {self._card.input.tensor: tensor})
        return boxes_scores(boxes[0], scores[0], floors)

    def _tensor(self) -> NDArray[np.float32]:
        """Give this thread's input buffer; a fresh array for each tile would cost more than filling it."""
        tensor: NDArray[np.float32] | None = getattr(self._buffers, "tensor", None)
        if tensor is None:
            side = -(-self._card.input.tile_px // self._card.input.multiple) * self._card.input.multiple
            tensor = np.zeros((1, len(self._card.input.channels), side, side), dtype=np.float32)
            self._buffers.tensor = tensor
        return tensor


def _in_view(boxes: NDArray[np.float32], source: ModelView, view: View) -> NDArray[np.float64]:
    """Give (n, 4) boxes in px of the view, clipped to it: all at once, for one by one costs 10 us each."""
    limits = np.array([view.size.width, view.size.height] * 2, dtype=np.float64)
    return np.clip(boxes * np.array(source.to_view * 2, dtype=np.float64), 0.0, limits)


def _check_contract(bundle: Bundle, session: Session, output: DetectionOutput) -> None:
    card = bundle.card
    expect(bundle, session, inputs=(card.input.tensor,), outputs=(output.boxes, output.scores))
    channels, classes = session.inputs[card.input.tensor][1], session.outputs[output.scores][-1]
    if channels != len(card.input.channels):
        raise BundleIncompatible(f"{bundle.ref}: card has {len(card.input.channels)} channels, graph takes {channels}")
    if isinstance(classes, int) and classes != len(card.labels.names):
        raise BundleIncompatible(f"{bundle.ref}: card has {len(card.labels.names)} labels, graph gives {classes}")
