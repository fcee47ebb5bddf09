"""Models that say what a test tells them to; they satisfy ``analysis.ports`` (mypy proves it below)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_agent.analysis.ports import ContentsEvidence, ContentsModel, DeclaredFamilies, DetectorEvidence, Fan, ObjectDetector, WeightModel
from edge_agent.domain.assessment import BundleState, BundleUse
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.finding import Detection, Heterogeneity, ProductGuess, WeightEstimate
from edge_agent.domain.geometry import Box, Size
from edge_agent.domain.ids import ScannerId
from edge_agent.domain.scan import View
from edge_agent.errors import NotWeighable

USE = BundleUse("told", "1", "0" * 64, BundleState.SIMULATED)


@dataclass
class ToldDetector:
    """Gives ``scores`` of ``label`` in every view, with ``heat`` if told one, or raises ``failure``."""

    scores: Sequence[float] = ()
    failure: Exception | None = None
    subjects: frozenset[SubjectKind] = frozenset(SubjectKind)
    asked: list[tuple[str, Mapping[str, float]]] = field(default_factory=list)
    label: str = "handgun"
    heat: NDArray[np.float32] | None = None
    bundle: BundleUse = USE

    @property
    def alert_levels(self) -> Mapping[str, float]:
        return {self.label: 0.6}

    def applies_to(self, subject: SubjectKind) -> bool:
        return subject in self.subjects

    def reach(self, view: View, subject: SubjectKind) -> Size | None:  # noqa: ARG002
        return None

    def detect(self, view: View, subject: SubjectKind, show_at: Mapping[str, float], fan: Fan) -> DetectorEvidence:  # noqa: ARG002
        self.asked.append((view.name, show_at))
        if self.failure is not None:
            raise self.failure
        found = tuple(Detection(self.label, score, Box(0, 0, 1, 1), view.name, self.bundle.ref) for score in self.scores)
        return DetectorEvidence(found, self.heat)


@dataclass
class ToldScale:
    """Weighs ``mass_kg`` +- 10 % in views named in ``views`` (all when None), or cannot."""

    mass_kg: float = 20_000.0
    views: tuple[str, ...] | None = None
    asked: list[str] = field(default_factory=list)

    @property
    def bundle(self) -> BundleUse:
        return USE

    @property
    def alert_levels(self) -> Mapping[str, float]:
        return {"weight": 0.99}

    def applies_to(self, subject: SubjectKind) -> bool:
        return subject is SubjectKind.CARGO

    def weigh(self, view: View, scanner: ScannerId) -> WeightEstimate:  # noqa: ARG002
        self.asked.append(view.name)
        if self.views is not None and view.name not in self.views:
            raise NotWeighable("told so", {"view": view.name, "why": "display"})
        return WeightEstimate(self.mass_kg, 0.9 * self.mass_kg, 1.1 * self.mass_kg, USE.ref)


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

    @property
    def headings(self) -> Mapping[str, tuple[str, ...]]:
        return {"beef": ("0202",), "tyres": ("4011",), "empty": ("0000",)}

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
_SCALE: WeightModel = ToldScale()
