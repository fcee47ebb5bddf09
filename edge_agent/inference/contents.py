"""Comparing the load with the declared goods: one pass over the whole view."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.analysis.ports import ContentsEvidence, DeclaredFamilies
from edge_agent.domain.assessment import BundleUse
from edge_agent.domain.capture import SubjectKind
from edge_agent.domain.finding import Heterogeneity, ProductGuess
from edge_agent.domain.geometry import Box, Size
from edge_agent.domain.scan import View
from edge_agent.errors import BundleIncompatible
from edge_agent.imaging.regions import strongest_regions
from edge_agent.inference.bundle import Bundle, Goods
from edge_agent.inference.card import JUDGED, ContentsCard, InputCard
from edge_agent.inference.contract import DECLARED, check_contents
from edge_agent.inference.heads import EMPTY, GoodsClasses, judge_goods
from edge_agent.inference.outputs import ContentsOutput
from edge_agent.inference.prepare import ModelView, fill, model_view
from edge_agent.inference.session import Session

_REGION_AT = 0.5
_REGION_MIN_PX = 6
_MOST_REGIONS = 8
_MOST_GUESSES = 5


class ContentsAnalyser:
    """Satisfies ``analysis.ports.ContentsModel`` with one bundle on one session."""

    def __init__(self, bundle: Bundle, session: Session) -> None:
        """Bind a contents bundle to its session.

        Raises:
            BundleIncompatible: the graph's inputs, outputs or class count are not what the card says.
        """
        card = bundle.card
        if not isinstance(card.output, ContentsOutput) or not isinstance(card.input, InputCard):
            raise BundleIncompatible(f"{bundle.ref} is no contents bundle")
        if card.contents is None or bundle.goods is None:
            raise BundleIncompatible(f"{bundle.ref} lacks its [contents] table or its goods")
        self._bundle = bundle
        self._input: InputCard = card.input
        self._card = card
        self._output: ContentsOutput = card.output
        self._formula: ContentsCard = card.contents
        self._goods: Goods = bundle.goods
        self._classes = GoodsClasses(card.labels.names, card.labels.background)
        self._session = session
        check_contents(bundle, session, self._input, self._output)

    @property
    def bundle(self) -> BundleUse:
        return self._bundle.use

    @property
    def alert_levels(self) -> Mapping[str, float]:
        return {label: self._card.thresholds[label] for label in JUDGED["contents"]}

    def applies_to(self, subject: SubjectKind) -> bool:
        return subject in self._card.subjects

    @property
    def headings(self) -> Mapping[str, tuple[str, ...]]:
        return {name: self._goods.headings(name) for name in sorted(set(self._goods.family_of.values()))}

    def families(self, headings: Sequence[str]) -> DeclaredFamilies:
        return self._goods.families(headings)

    def examine(self, view: View, subject: SubjectKind, families: Sequence[str]) -> ContentsEvidence:
        """See ``analysis.ports.ContentsModel``."""
        source = model_view(view, self._input, subject)
        names = (self._output.score, self._output.heatmap, self._output.product, self._output.goods_map)
        feeds = {self._card.input.tensor: self._tensor(source), DECLARED: self._classes.multi_hot(families)}
        score, heat, product, goods = self._session.run(names, feeds)
        rows, columns = (-(-side // self._output.stride) for side in (source.size.height, source.size.width))
        shares = np.rint(goods[0, :, :rows, :columns] * 255.0).astype(np.uint8)
        scale = (view.size.width / columns, view.size.height / rows)
        ranked = sorted(zip(self._card.labels.names, map(float, product[0]), strict=True), key=lambda pair: -pair[1])
        # How empty it looks is asked of every scan, so that chance is told even when five families are likelier.
        told = [*ranked[:_MOST_GUESSES], *(pair for pair in ranked[_MOST_GUESSES:] if pair[0] == EMPTY)]
        guess = ProductGuess(tuple(told), view.name, self._bundle.ref)
        heat_map = np.ascontiguousarray(heat[0, 0, :rows, :columns])
        against = tuple(families) or self._classes.majority(shares)
        verdict = Heterogeneity(float(score[0]), _regions(heat_map, scale, view.size), against, bool(families), view.name, self._bundle.ref)
        return ContentsEvidence(verdict, guess, heat_map, shares)

    def judge_again(
        self, earlier: Heterogeneity, goods: NDArray[np.uint8], view: Size, families: Sequence[str]
    ) -> tuple[Heterogeneity, NDArray[np.float32]]:
        """See ``analysis.ports.ContentsModel``."""
        against = tuple(families) or self._classes.majority(goods)
        score, heat = judge_goods(goods, self._classes, against, self._formula)
        scale = (view.width / heat.shape[1], view.height / heat.shape[0])
        regions = _regions(heat, scale, view)
        return Heterogeneity(score, regions, against, bool(families), earlier.view, self._bundle.ref), heat

    def _tensor(self, source: ModelView) -> NDArray[np.float32]:
        multiple = self._input.multiple
        height, width = (-(-side // multiple) * multiple for side in (source.size.height, source.size.width))
        tensor = np.zeros((1, len(source.channels), height, width), dtype=np.float32)
        fill(tensor, source, 0, 0)
        return tensor


def _regions(heat: NDArray[np.float32], scale: tuple[float, float], view: Size) -> tuple[Box, ...]:
    boxes = strongest_regions(heat, _REGION_AT, _REGION_MIN_PX, _MOST_REGIONS)
    return tuple(box.scaled(*scale).clipped(view) for box in boxes)
