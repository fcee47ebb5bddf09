"""What the models found. Scores are probabilities in [0, 1]; boxes are in the canonical view frame, px."""

from dataclasses import dataclass
from typing import TypeAlias

from edge_agent.domain.geometry import Box


@dataclass(frozen=True, slots=True)
class Detection:
    """One located object. ``bundle``: ``name/version`` of the bundle that said so."""

    label: str
    score: float
    box: Box
    view: str
    bundle: str


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """How unlike the declared goods the load looks. ``regions``: where the evidence map is high, strongest first.

    ``against``: the goods families compared with; empty when nothing usable was declared, then the load's own majority family
    stands in and ``declared`` is False.
    """

    score: float
    regions: tuple[Box, ...]
    against: tuple[str, ...]
    declared: bool
    view: str
    bundle: str


@dataclass(frozen=True, slots=True)
class ProductGuess:
    """What the load looks like: goods families with their share of the load, highest first."""

    ranked: tuple[tuple[str, float], ...]
    view: str
    bundle: str


@dataclass(frozen=True, slots=True)
class WeightEstimate:
    """Mass of the load in kg with its 90 % interval."""

    mass_kg: float
    low_kg: float
    high_kg: float
    bundle: str


Finding: TypeAlias = Detection | Heterogeneity | ProductGuess | WeightEstimate
