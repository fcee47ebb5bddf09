"""What a model found, as parts of a body. Boxes are px in the canonical frame of their view, masses kg."""

from typing import Annotated, Literal

from pydantic import Field

from edge_agent.wire.part import Part


class DetectionPart(Part):
    """One located object; box [x0, y0, x1, y1] half-open px in the canonical frame of ``view``."""

    type: Literal["detection"] = "detection"
    id: int
    label: str
    score: float
    box: tuple[float, float, float, float]
    view: str
    bundle: str


class HeterogeneityPart(Part):
    """How unlike the declared goods the load looks."""

    type: Literal["heterogeneity"] = "heterogeneity"
    id: int
    score: float
    regions: list[tuple[float, float, float, float]]
    against: list[str]
    declared: bool
    view: str
    bundle: str


class ProductPart(Part):
    """What the load looks like: (family, share), highest first."""

    type: Literal["product"] = "product"
    id: int
    ranked: list[tuple[str, float]]
    view: str
    bundle: str


class WeightPart(Part):
    """Mass in kg with its 90 % interval."""

    type: Literal["weight"] = "weight"
    id: int
    mass_kg: float
    low_kg: float
    high_kg: float
    bundle: str


FindingPart = Annotated[DetectionPart | HeterogeneityPart | ProductPart | WeightPart, Field(discriminator="type")]
