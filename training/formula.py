"""Constants of the judgement that the contents network's graph ends in; ``training.contents_network`` states the formula."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Formula:
    """Constants of the judgement; they are written to the card's [contents] table."""

    top_share: float = 0.02
    a: float = 1.0
    b: float = 0.0
    load_threshold: float = 0.5
    empty_fill: float = 0.03
    empty_slope: float = 150.0
    temperature: float = 1.0

    def table(self) -> dict[str, float]:
        """Give the constants by name."""
        return asdict(self)
