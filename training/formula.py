"""Constants of the judgement that the contents network's graph ends in; ``training.contents_network`` states the formula."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

LEAST_FILL = 0.001
"""Added to the fill before its logarithm is taken: an empty container has none."""

FLOOR_SHARE, FLOOR_ROW_AT = 0.2, 0.05
"""The fill is taken above the floor: without the lowest fifth of the rows that show the inside, those whose share of inside is at least
5 % of the fullest row's. Where rays fall in at an angle, boards, members and pockets fill that band and look like a low layer of goods."""


@dataclass(frozen=True, slots=True)
class Formula:
    """Constants of the judgement; they are written to the card's [contents] table.

    ``look_alikes``: for a declared family the others that it is taken for, and how much of each counts as declared.
    """

    top_share: float = 0.02
    evidence_cells: int = 3
    a: float = 1.0
    b: float = 0.0
    load_threshold: float = 0.5
    empty_fill: float = 0.03
    empty_slope: float = 4.0
    temperature: float = 1.0
    evidence_unit: Literal["nats"] = "nats"
    look_alikes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def table(self) -> dict[str, Any]:
        """Give the constants by name."""
        return asdict(self)

    def alike(self, families: Sequence[str]) -> NDArray[np.float32]:
        """Give (K, K): how much of a family (column) counts as declared where another one (row) is."""
        rows = [[1.0 if one == other else self.look_alikes.get(one, {}).get(other, 0.0) for other in families] for one in families]
        return np.array(rows, dtype=np.float32)

    def p_empty(self, fill: float) -> float:
        """Give how probable it is that a container with this share of load is empty: graded by the ratio of fills, so never 0 or 1."""
        return 1.0 / (1.0 + ((fill + LEAST_FILL) / self.empty_fill) ** self.empty_slope)
