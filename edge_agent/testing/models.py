"""Models that say what a test tells them to; they satisfy ``analysis.ports`` (mypy proves it below)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_agent.analysis.ports import ContentsEvidence, ContentsModel, DeclaredFamilies, Fan, ObjectDetector
from edge_agent.domain.assessment import BundleState, BundleUse
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.finding import Detection, Heterogeneity, ProductGuess
from edge_agent.domain.geometry import Box, Size
from edge_agent.domain.scan import View

USE = BundleUse("told", "1", "0" * 64, BundleState.SIMULATED)


@dataclass
class ToldDetector:
    """Gives ``scores`` as handguns in every view, or raises ``failure``."""

    scores: Sequence[float] = ()
    failure: Exception | None = None
    subjects: frozenset[SubjectKind] = frozenset(SubjectKind)
    asked: list[tuple[str, Mapping[str, float]]] = field(default_factory=list)

    @property
    def bundle(self) -> BundleUse:
        return USE

    @property
    def alert_levels(self) -> Mapping[str, float]:
        return {"handgun": 0.6}

    def applies_to(self, subject: SubjectKind) -> bool:
        return subject in self.subjects

    def detect(self, view: View, subject: SubjectKind, show_at: Mapping[str, float], fan: Fan) -> tuple[Detection, ...]:  # noqa: ARG002
        self.asked.append((view.name, show_at))
        if self.failure is not None:
            raise self.failure
        return tuple(Detection("handgun", score, Box(0, 0, 1, 1), view.name, "told/1") for score in self.scores)


@dataclass
class ToldContents:
    """Gives ``score`` against anything but beef, 0 against beef; knows the headings 0202 (beef), 4011 (tyres), 0000 (empty)."""

    score: float = 0.9
    empty: float = 0.0
    asked: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def bundle(self) -> BundleUse:
        return USE

    @property
    def alert_levels(self) -> Mapping[str, float]:
        return {"heterogeneity": 0.8, "empty": 0.9}

    def applies_to(self, subject: SubjectKind) -> bool:
        return subject is SubjectKind.CARGO

    def families(self, headings: Sequence[str]) -> DeclaredFamilies:
        known = {"0202": "beef", "4011": "tyres", "0000": "empty"}
        return DeclaredFamilies(
            tuple(sorted(known[heading] for heading in headings if heading in known)),
            tuple(sorted(heading for heading in headings if heading not in known)),
        )

    def examine(self, view: View, subject: SubjectKind, families: Sequence[str]) -> ContentsEvidence:  # noqa: ARG002
        self.asked.append(tuple(families))
        guess = ProductGuess((("beef", 1.0 - self.empty), ("empty", self.empty)), view.name, "told/1")
        return ContentsEvidence(self._compared(families, view.name), guess, np.zeros((2, 3), np.float32), np.full((3, 2, 3), 85, np.uint8))

    def judge_again(
        self,
        earlier: Heterogeneity,
        goods: NDArray[np.uint8],  # noqa: ARG002
        view: Size,  # noqa: ARG002
        families: Sequence[str],
    ) -> tuple[Heterogeneity, NDArray[np.float32]]:
        return self._compared(families, earlier.view), np.zeros((2, 3), np.float32)

    def _compared(self, families: Sequence[str], view: str) -> Heterogeneity:
        score = 0.0 if "beef" in families or not families else self.score
        return Heterogeneity(score, (), tuple(families) or ("beef",), bool(families), view, "told/1")


_DETECTOR: ObjectDetector = ToldDetector()
_CONTENTS: ContentsModel = ToldContents()
