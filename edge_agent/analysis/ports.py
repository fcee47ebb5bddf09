"""What a model must offer. Adapters live in ``inference``; tests bring fakes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.domain.assessment import BundleUse
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.finding import Detection, Heterogeneity, ProductGuess, WeightEstimate
from edge_agent.domain.geometry import Size
from edge_agent.domain.ids import ScannerId
from edge_agent.domain.scan import View

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Fan(Protocol):
    """Runs one function over many items, on as many device threads as there are; results in the items' order."""

    def __call__(self, work: Callable[[Item], Outcome], items: Sequence[Item]) -> list[Outcome]: ...


def one_by_one(work: Callable[[Item], Outcome], items: Sequence[Item]) -> list[Outcome]:
    """Satisfy :class:`Fan` in the calling thread."""
    return [work(item) for item in items]


@dataclass(frozen=True, slots=True, eq=False)
class DetectorEvidence:
    """What a detector sees in a view: detections, highest score first.

    ``heat``: (h, w) float32 in [0, 1] on any grid that spans the view, from a model that marks every place; None from all others.
    """

    detections: tuple[Detection, ...]
    heat: NDArray[np.float32] | None = None


class ObjectDetector(Protocol):
    """Finds objects in a view."""

    @property
    def bundle(self) -> BundleUse: ...

    @property
    def alert_levels(self) -> Mapping[str, float]:
        """Give the bundle's own alert level a label."""

    def applies_to(self, subject: SubjectKind) -> bool: ...

    def reach(self, view: View, subject: SubjectKind) -> Size | None:
        """Give how much of the view one look takes in, px of the view; None = all of it, whatever its size."""

    def detect(self, view: View, subject: SubjectKind, show_at: Mapping[str, float], fan: Fan) -> DetectorEvidence:
        """Give detections from their label's ``show_at`` up; a label that is not named is left out.

        Raises:
            InferenceFailed, EnergyMissing, DeviceFailed.
        """


@dataclass(frozen=True, slots=True)
class DeclaredFamilies:
    """Declared headings as goods families of a bundle; ``unlisted``: headings that the bundle does not know."""

    families: tuple[str, ...]
    unlisted: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ContentsEvidence:
    """What the contents model sees in a view.

    ``heat``: (h, w) float32 in [0, 1], evidence against the declared goods; ``goods``: (k, h, w) uint8, share of each class of the
    bundle in 1/255, from which another declaration can be judged without inference.
    """

    heterogeneity: Heterogeneity
    product: ProductGuess
    heat: NDArray[np.float32]
    goods: NDArray[np.uint8]


class ContentsModel(Protocol):
    """Compares the load with the declared goods."""

    @property
    def bundle(self) -> BundleUse: ...

    @property
    def alert_levels(self) -> Mapping[str, float]:
        """Give the bundle's own alert level of ``heterogeneity`` and ``empty``."""

    def applies_to(self, subject: SubjectKind) -> bool: ...

    @property
    def headings(self) -> Mapping[str, tuple[str, ...]]:
        """Give the declared headings (four digits) of every family that can be declared."""

    def families(self, headings: Sequence[str]) -> DeclaredFamilies:
        """Map declared headings (four digits) to families."""

    def examine(self, view: View, subject: SubjectKind, families: Sequence[str]) -> ContentsEvidence:
        """Judge the load against ``families``; none given = against its own majority family.

        Raises:
            InferenceFailed, EnergyMissing, DeviceFailed.
        """

    def judge_again(
        self, earlier: Heterogeneity, goods: NDArray[np.uint8], view: Size, families: Sequence[str]
    ) -> tuple[Heterogeneity, NDArray[np.float32]]:
        """Judge stored goods shares of a view of size ``view`` against another declaration, without inference; give the heat too."""


class WeightModel(Protocol):
    """Weighs the load by the picture of one view."""

    @property
    def bundle(self) -> BundleUse: ...

    @property
    def alert_levels(self) -> Mapping[str, float]:
        """Give the bundle's own alert level of ``weight``."""

    def applies_to(self, subject: SubjectKind) -> bool: ...

    def weigh(self, view: View, scanner: ScannerId) -> WeightEstimate:
        """Estimate the mass of the load; ``scanner``: whose correction counts, if it has one.

        Raises:
            NotWeighable: this view does not tell it. InferenceFailed, EnergyMissing, DeviceFailed.
        """


@dataclass(frozen=True, slots=True)
class Models:
    """The bundles in force: any number of detectors, of which no two give one label for one kind of subject."""

    detectors: tuple[ObjectDetector, ...]
    contents: ContentsModel | None
    weight: WeightModel | None = None

    def alert_levels(self, subject: SubjectKind) -> Mapping[str, float]:
        """Give the bundles' own alert level for every label that can come out of them for a kind of subject."""
        levels: dict[str, float] = {}
        for model in (*self.detectors, self.contents, self.weight):
            if model is not None and model.applies_to(subject):
                levels |= model.alert_levels
        return levels
