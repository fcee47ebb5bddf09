"""The card of a bundle: ``card.toml``, strictly read. It says everything a model needs to be run and believed."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge_agent.domain.assessment import BundleState
from edge_agent.domain.capture import SubjectKind
from edge_agent.errors import BundleCorrupt, BundleIncompatible

Level = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputCard(_Table):
    """What the graph is fed with.

    ``channels``: planes by energy; a single-energy scan fills ``high`` and leaves ``low`` at zero. ``scale``: ``density``
    (``imaging.attenuation``) or ``linear`` (16-bit transmission / 65535). ``multiple``: height and width are padded with air to
    it. ``tile_px`` 0 = the whole view at once. ``pitch_mm``: millimetres a model pixel by subject; absent = the scan's own pixels.
    """

    tensor: str
    channels: tuple[Literal["high", "low"], ...]
    scale: Literal["density", "linear"]
    multiple: Annotated[int, Field(ge=1)]
    tile_px: Annotated[int, Field(ge=0)]
    overlap_px: Annotated[int, Field(ge=0)]
    pitch_mm: Mapping[SubjectKind, Positive] = {}


class DetectionOutput(_Table):
    """Names of the output tensors: boxes [N, A, 4] xyxy in px of the tile, scores [N, A, C] in [0, 1]."""

    boxes: str
    scores: str


class ContentsOutput(_Table):
    """Names of the output tensors: score [N], heatmap [N, 1, h, w], product [N, K], goods map [N, K + B, h, w].

    ``stride``: input px a map px.
    """

    score: str
    heatmap: str
    product: str
    goods_map: str
    stride: Annotated[int, Field(ge=1)]


class ContentsCard(BaseModel):
    """Constants of the evidence formula, the same as inside the graph, for judging a stored goods map again."""

    model_config = ConfigDict(frozen=True, extra="allow")

    top_share: Positive
    a: float
    b: float
    load_threshold: Level


class LabelsCard(_Table):
    """Names shown and stable ids, in the order of the graph's classes; ``background`` classes are always allowed."""

    names: tuple[str, ...]
    ids: tuple[str, ...]
    background: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> "LabelsCard":
        if len(self.names) != len(self.ids) or len(set(self.names)) != len(self.names) or len(set(self.ids)) != len(self.ids):
            raise ValueError("labels need one distinct id for each distinct name")
        return self


JUDGED = ("heterogeneity", "empty")
"""What a contents bundle alerts on; its card gives a level for each."""


class Card(_Table):
    """One bundle. ``thresholds``: default alert level a label (or ``heterogeneity``, ``empty``); ``files``: SHA-256 by relative path."""

    format: Literal["bundle/1"]
    name: str
    version: str
    purpose: Literal["detection", "contents"]
    head: Literal["boxes-scores", "goods-map"]
    state: BundleState
    licence: str
    research_only: bool
    subjects: frozenset[SubjectKind]
    limits: str
    input: InputCard
    output: DetectionOutput | ContentsOutput
    contents: ContentsCard | None = None
    labels: LabelsCard
    thresholds: Mapping[str, Level]
    training: Mapping[str, Any]
    metrics: Mapping[str, Any]
    files: Mapping[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]

    @model_validator(mode="after")
    def _purpose_fits(self) -> "Card":
        if self.purpose == "detection":
            if not isinstance(self.output, DetectionOutput) or self.head != "boxes-scores" or self.input.tile_px == 0:
                raise ValueError("a detection bundle needs head boxes-scores, outputs boxes and scores, and a tile size")
        elif not isinstance(self.output, ContentsOutput) or self.head != "goods-map" or self.contents is None:
            raise ValueError("a contents bundle needs head goods-map, its four outputs and a [contents] table")
        wanted = self.labels.names if self.purpose == "detection" else JUDGED
        missing = [name for name in wanted if name not in self.thresholds]
        if missing:
            raise ValueError(f"thresholds lack {missing}")
        return self


def read_card(folder: Path) -> tuple[Card, bytes]:
    """Read ``card.toml`` of a bundle and give it with its bytes.

    Raises:
        BundleCorrupt: there is no card. BundleIncompatible: the card is not one this version understands; every problem is named.
    """
    path = folder / "card.toml"
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise BundleCorrupt(f"no card in {folder.name}: {problem.strerror}") from problem
    try:
        return Card.model_validate(tomllib.loads(raw.decode())), raw
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise BundleIncompatible(f"{path.name} of {folder.name} is not TOML: {problem}") from problem
    except ValidationError as problem:
        lines = [f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in problem.errors()]
        raise BundleIncompatible(f"card of {folder.parent.name}/{folder.name}: " + "; ".join(lines)) from problem
