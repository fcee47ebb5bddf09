"""The card of a bundle: ``card.toml``, strictly read. It says everything a model needs to be run and believed."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from edge_agent.domain.assessment import BundleState
from edge_agent.domain.capture import SubjectKind
from edge_agent.errors import BundleCorrupt, BundleIncompatible
from edge_agent.inference.outputs import AnomalyMapOutput, ContentsOutput, Count, Level, Output, Table, WeightOutput

Positive = Annotated[float, Field(gt=0.0)]
Grey = Annotated[int, Field(ge=0, le=255)]


class InputCard(Table):
    """What a graph of ours is fed with: planes of the scan.

    ``channels``: planes by energy; a single-energy scan fills ``high`` and leaves ``low`` at zero. ``scale``: ``density``
    (``imaging.attenuation``) or ``linear`` (16-bit transmission / 65535). ``multiple``: height and width are padded with air to
    it. ``tile_px`` 0 = the whole view at once. ``pitch_mm``: millimetres a model pixel by subject; absent = the scan's own pixels.
    ``colours``: of a coloured picture without a low plane, "luminance" alone is taken, or the low plane is read from what its colours say
    of the "matter" (``imaging.colours``).
    """

    tensor: str
    channels: tuple[Literal["high", "low"], ...]
    scale: Literal["density", "linear"]
    colours: Literal["luminance", "matter"] = "luminance"
    multiple: Annotated[int, Field(ge=1)]
    tile_px: Annotated[int, Field(ge=0)]
    overlap_px: Annotated[int, Field(ge=0)]
    pitch_mm: Mapping[SubjectKind, Positive] = {}


class PictureInput(Table):
    """What a graph made for pictures is fed with: the scan rendered to 8 bits, as a person would see it.

    ``rendering`` "display": the scanner's own display picture as it is, colours too; where there is none, the transmission as grey by
    ``imaging.render.to_grey``. Being on the card, it is covered by the digest that stands in every assessment.
    ``width_px``, ``height_px``: of the tensor. ``fit``: "letterbox" keeps the shape and fills up with ``pad`` around (``pad_at``
    "centre") or right and below ("corner"); "whole" stretches; "tile" takes windows in the scan's own px, or px of ``pitch_mm``, that
    share ``overlap_px``. ``scale``: pixels as 0 to 1 or 0 to 255; then ``mean`` is taken off and the rest divided by ``std``, one value
    a channel in the order of ``colour``. ``batch``: pictures a call.
    """

    tensor: str
    rendering: Literal["display"]
    fit: Literal["letterbox", "whole", "tile"]
    width_px: Count
    height_px: Count
    colour: Literal["rgb", "bgr", "grey"]
    layout: Literal["nchw", "nhwc"]
    dtype: Literal["float32", "float16", "uint8"]
    scale: Literal["0-1", "0-255"]
    mean: tuple[float, ...] = ()
    std: tuple[Positive, ...] = ()
    pad: Grey = 114
    pad_at: Literal["centre", "corner"] = "centre"
    overlap_px: Annotated[int, Field(ge=0)] = 0
    pitch_mm: Mapping[SubjectKind, Positive] = {}
    batch: Count = 1

    @property
    def channels(self) -> int:
        return 1 if self.colour == "grey" else 3

    @model_validator(mode="after")
    def _consistent(self) -> "PictureInput":
        if self.fit == "tile" and not (self.width_px == self.height_px > self.overlap_px):
            raise ValueError("tiles are square and larger than their overlap_px")
        if self.fit != "tile" and (self.overlap_px or self.pitch_mm):
            raise ValueError("overlap_px and pitch_mm are for fit tile")
        if {len(self.mean), len(self.std)} - {0, self.channels}:
            raise ValueError(f"mean and std need one value for each of {self.channels} channels")
        if self.dtype == "uint8" and (self.scale != "0-255" or self.mean or self.std):
            raise ValueError("a uint8 tensor takes pixels as they are: scale 0-255, no mean, no std")
        return self


class MassInput(Table):
    """What a weight graph is fed with: ``tensor`` [N, F] ``imaging.weighing.MassFeatures.values``, ``coarse`` [N, 1] ``coarse_kg``.

    ``features``: which set of features; another set is another word.
    """

    tensor: str
    coarse: str
    features: Literal["mass/2"]


def _kind_of_input(content: object) -> str:
    """Tell the three inputs apart by a key that only one of them has."""
    for key, kind in (("rendering", "picture"), ("features", "mass")):
        if key in content if isinstance(content, Mapping) else hasattr(content, key):
            return kind
    return "planes"


Input: TypeAlias = Annotated[
    Annotated[InputCard, Tag("planes")] | Annotated[PictureInput, Tag("picture")] | Annotated[MassInput, Tag("mass")],
    Discriminator(_kind_of_input),
]


class ContentsCard(BaseModel):
    """Constants of the evidence formula, the same as inside the graph, for judging a stored goods map again.

    ``evidence_cells``: how many cells across evidence is averaged over before its strongest part is taken; 1 = not at all.
    ``evidence_unit``: what is averaged, the share of a cell that is not explained, or ``nats``: -ln of the share that is, which goes on
    telling loads apart where shares are all near 1. ``look_alikes``: for a declared family, how much of what looks like another one counts
    as declared, because the network takes loads of the first for the second so often.
    """

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    top_share: Positive
    a: float
    b: float
    load_threshold: Level
    evidence_cells: Literal[1, 3, 5] = 1
    evidence_unit: Literal["share", "nats"] = "share"
    look_alikes: Mapping[str, Mapping[str, Level]] = {}


class LabelsCard(Table):
    """Names and ids, in the order of the graph's classes.

    ``names``: what findings, journal, exports and policy carry. ``ids``: one a name, for readers of the card; no record carries them.
    ``background``: classes of a goods map after the named ones, always allowed. ``silent``: names of which no finding is made, such
    as a classifier's ``clean``.
    """

    names: tuple[str, ...]
    ids: tuple[str, ...]
    background: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()

    @property
    def spoken(self) -> tuple[str, ...]:
        """Give the names of which findings are made."""
        return tuple(name for name in self.names if name not in self.silent)

    @model_validator(mode="after")
    def _distinct(self) -> "LabelsCard":
        if len(self.names) != len(self.ids) or len(set(self.names)) != len(self.names) or len(set(self.ids)) != len(self.ids):
            raise ValueError("labels need one distinct id for each distinct name")
        if set(self.silent) - set(self.names):
            raise ValueError(f"silent labels {sorted(set(self.silent) - set(self.names))} are not among the names")
        return self


JUDGED: Mapping[str, tuple[str, ...]] = {"contents": ("heterogeneity", "empty"), "weight": ("weight",)}
"""What bundles without labels of their own alert on, by purpose; their cards give a level for each."""


class Card(Table):
    """One bundle. ``thresholds``: default alert level a label (or ``heterogeneity``, ``empty``); ``files``: SHA-256 by relative path."""

    format: Literal["bundle/1"]
    name: str
    version: str
    purpose: Literal["detection", "contents", "weight"]
    head: str
    state: BundleState
    licence: str
    research_only: bool
    subjects: frozenset[SubjectKind]
    limits: str
    input: Input
    output: Output
    contents: ContentsCard | None = None
    labels: LabelsCard
    thresholds: Mapping[str, Level]
    training: Mapping[str, Any] = {}
    metrics: Mapping[str, Any] = {}
    files: Mapping[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]

    @model_validator(mode="before")
    @classmethod
    def _head_names_output(cls, content: Any) -> Any:  # noqa: ANN401 - unchecked TOML
        """The head stands once on the card and says how [output] is read."""
        if isinstance(content, dict) and isinstance(content.get("output"), dict):
            return {**content, "output": {"head": content.get("head"), **content["output"]}}
        return content

    @model_validator(mode="after")
    def _purpose_fits(self) -> "Card":
        if self.head != self.output.head:
            raise ValueError("the head stands at the top of the card, not in [output]")
        if isinstance(self.input, InputCard) and self.purpose == "detection" and self.input.tile_px == 0:
            raise ValueError("a detection bundle that is fed with planes needs a tile size")
        is_contents = isinstance(self.output, ContentsOutput) and isinstance(self.input, InputCard) and self.contents is not None
        if self.purpose == "contents" and not is_contents:
            raise ValueError("a contents bundle needs head goods-map, its four outputs, planes as input, and a [contents] table")
        is_weight = isinstance(self.output, WeightOutput) and isinstance(self.input, MassInput)
        if is_weight != (self.purpose == "weight"):
            raise ValueError("a weight bundle needs head mass and features as input, and only a weight bundle has them")
        if self.purpose == "detection" and isinstance(self.output, ContentsOutput):
            raise ValueError("head goods-map is for contents bundles")
        if isinstance(self.output, AnomalyMapOutput) and len(self.labels.spoken) != 1:
            raise ValueError("an anomaly map has one label")
        return self

    @model_validator(mode="after")
    def _look_alikes_are_families(self) -> "Card":
        alike = self.contents.look_alikes if self.contents is not None else {}
        strangers = sorted({*alike, *(name for others in alike.values() for name in others)} - set(self.labels.names))
        if strangers:
            raise ValueError(f"look_alikes names {strangers}, which are not among the families in [labels]")
        return self

    @model_validator(mode="after")
    def _levels_fit(self) -> "Card":
        ours = set(JUDGED["contents"] + JUDGED["weight"])
        if self.purpose == "detection" and set(self.labels.names) & ours:
            raise ValueError(f"labels {sorted(ours)} are what contents and weight bundles say; choose others")
        if self.purpose == "detection" and not self.labels.spoken:
            raise ValueError("a detection bundle needs a label of which findings are made")
        wanted = self.labels.spoken if self.purpose == "detection" else JUDGED[self.purpose]
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
    return parse_card(raw, f"{folder.parent.name}/{folder.name}"), raw


def parse_card(raw: bytes, where: str) -> Card:
    """Read the bytes of a card; ``where`` names it in errors.

    Raises:
        BundleIncompatible: the card is not one this version understands; every problem is named.
    """
    try:
        return Card.model_validate(tomllib.loads(raw.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise BundleIncompatible(f"card of {where} is not TOML: {problem}") from problem
    except RecursionError as problem:
        raise BundleIncompatible(f"card of {where}: expected tables of a few levels, it is nested too deeply to be read") from problem
    except ValidationError as problem:
        lines = [f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in problem.errors()]
        raise BundleIncompatible(f"card of {where}: " + "; ".join(lines)) from problem
