"""What the trader declared."""

from dataclasses import dataclass

from edge_agent.domain.ids import Token

EMPTY_HEADING = "0000"


@dataclass(frozen=True, slots=True)
class DeclaredItem:
    """One line of goods. ``hs``: heading of the Harmonized System, digits, 4 or more (``0000`` = declared empty).

    ``description`` is kept verbatim. Masses in kg; None when not declared.
    """

    hs: str
    description: str = ""
    gross_kg: float | None = None
    packages: int | None = None

    @property
    def heading(self) -> str:
        """The four digits by which bundles map goods to families."""
        return self.hs[:4]


@dataclass(frozen=True, slots=True)
class Declaration:
    """The declared goods of one subject. ``source``: where they were read (``sidecar``, ``declarations``). ``ref``: token of its number."""

    items: tuple[DeclaredItem, ...]
    source: str
    ref: Token | None = None

    @property
    def headings(self) -> tuple[str, ...]:
        """Distinct four-digit headings, sorted."""
        return tuple(sorted({item.heading for item in self.items}))

    @property
    def is_empty(self) -> bool:
        """Whether the subject was declared empty."""
        return self.headings == (EMPTY_HEADING,)
