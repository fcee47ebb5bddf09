"""The ``[output]`` table of a card, by head: which tensors the graph gives and how they are written. Strictly read.

Shapes below: N pictures a call, A candidates, C classes. Every tensor may be float32 or float16, class ids any number type.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

Level = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]
BoxForm: TypeAlias = Literal["xyxy", "yxyx", "xywh", "cxcywh"]
BoxUnit: TypeAlias = Literal["px", "normalised"]
Activation: TypeAlias = Literal["none", "sigmoid", "softmax"]


class Table(BaseModel):
    """A table of a card: an unknown key is refused, and so is a number that is none."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DetectionOutput(Table):
    """Head ``boxes-scores``: boxes [N, A, 4] xyxy in px of the tile, scores [N, A, C] in [0, 1]."""

    head: Literal["boxes-scores"]
    boxes: str
    scores: str


class ContentsOutput(Table):
    """Head ``goods-map``: score [N], heatmap [N, 1, h, w], product [N, K], goods map [N, K + B, h, w].

    ``stride``: input px a map px.
    """

    head: Literal["goods-map"]
    score: str
    heatmap: str
    product: str
    goods_map: str
    stride: Count


class WeightOutput(Table):
    """Head ``mass``: [N, 3] kg, 5 %, 50 % and 95 % quantile of the mass of the load."""

    head: Literal["mass"]
    mass_kg: str


class YoloxOutput(Table):
    """Head ``yolox``: [N, A, 5 + C], rows of box, objectness and class probabilities.

    ``decoded``: whether the graph gives cxcywh in px; the usual export leaves that out, and each box stands in units of its cell in
    the grids of ``strides``, finest first. ``iou``: two boxes of a label that overlap more are one object.
    """

    head: Literal["yolox"]
    tensor: str
    decoded: bool
    strides: Annotated[tuple[Count, ...], Field(min_length=1)] = (8, 16, 32)
    iou: Level = 0.5


class YoloRowsOutput(Table):
    """Heads ``yolov5`` and ``yolov7``: [N, A, 4 + 1 + C] with objectness, [N, A, 4 + C] without.

    ``nms`` "inside": the graph suppresses by itself and gives [A, 7], rows of picture number, xyxy, class, score, all pictures in one
    list (the end-to-end export of v7); ``objectness`` and ``iou`` mean nothing then.
    """

    head: Literal["yolov5", "yolov7"]
    tensor: str
    box: BoxForm = "cxcywh"
    unit: BoxUnit = "px"
    objectness: bool = True
    activation: Activation = "none"
    nms: Literal["outside", "inside"] = "outside"
    iou: Level = 0.5


class YoloColumnsOutput(Table):
    """Head ``yolov8``, also of v9 and v11 exports: [N, 4 + C, A], with objectness [N, 5 + C, A].

    ``nms`` "inside": [N, A, 6], rows of xyxy, score, class (exports with suppression, v10).
    """

    head: Literal["yolov8"]
    tensor: str
    box: BoxForm = "cxcywh"
    unit: BoxUnit = "px"
    objectness: bool = False
    activation: Activation = "none"
    nms: Literal["outside", "inside"] = "outside"
    iou: Level = 0.5


class DetrOutput(Table):
    """Head ``detr``: either ``logits`` [N, A, C] and boxes [N, A, 4], or ``labels`` [N, A], boxes and ``scores`` [N, A].

    With ``activation`` "softmax" the logits hold one class more, the last, for "no object". ``sizes``: input of the graph that takes the
    picture's width and height [N, 2] int64, as exports with post-processing want it; the size of the tensor is given.
    ``first_class``: the id in ``labels`` of the card's first label.
    """

    head: Literal["detr"]
    boxes: str
    logits: str | None = None
    labels: str | None = None
    scores: str | None = None
    sizes: str | None = None
    box: BoxForm
    unit: BoxUnit
    activation: Activation = "sigmoid"
    first_class: int = 0

    @model_validator(mode="after")
    def _one_form(self) -> "DetrOutput":
        raw = self.logits is not None and self.labels is None and self.scores is None
        ready = self.logits is None and self.labels is not None and self.scores is not None
        if not raw and not ready:
            raise ValueError("head detr needs either logits and boxes, or labels, boxes and scores")
        return self


class SsdOutput(Table):
    """Head ``ssd-nms``, suppressed in the graph: boxes [N, A, 4], scores [N, A], classes [N, A].

    ``first_class``: the id in ``classes`` of the card's first label, 1 in most exports of this kind.
    """

    head: Literal["ssd-nms"]
    boxes: str
    scores: str
    classes: str
    box: BoxForm
    unit: BoxUnit
    first_class: int


class ClassifierOutput(Table):
    """Head ``classifier``: [N, C]. A finding's box is all that the model looked at: the view, or the tile."""

    head: Literal["classifier"]
    tensor: str
    activation: Activation


class AnomalyMapOutput(Table):
    """Head ``anomaly-map``: [N, 1, h, w] or [N, h, w], larger = stranger.

    ``low`` and ``high``: values that count as 0 and 1. ``region_at``: connected places from this level up, in [0, 1], become findings.
    ``min_share``: smallest region, as a share of the map.
    """

    head: Literal["anomaly-map"]
    tensor: str
    low: float
    high: float
    region_at: Level
    min_share: Level = 0.0

    @model_validator(mode="after")
    def _rising(self) -> "AnomalyMapOutput":
        if self.high <= self.low:
            raise ValueError("high must be above low")
        return self


LocatedOutput: TypeAlias = DetectionOutput | YoloxOutput | YoloRowsOutput | YoloColumnsOutput | DetrOutput | SsdOutput | ClassifierOutput
"""Outputs that become boxes with labels and scores."""

Output: TypeAlias = Annotated[LocatedOutput | AnomalyMapOutput | ContentsOutput | WeightOutput, Field(discriminator="head")]
