"""What the trader declared, and how surely it belongs to the scan."""

import re
from dataclasses import dataclass
from enum import StrEnum

from edge_agent.domain.ids import Token

EMPTY_HEADING = "0000"
STRONG_LINK = 0.7
"""Link score from which the load is compared with the declaration."""


_BETWEEN_DIGITS = re.compile(r"[\s.]")
_HS = re.compile(r"[0-9]{4,10}")


def hs_digits(text: str) -> str:
    """Give an HS code as digits only, as :class:`DeclaredItem` holds it; empty stays empty.

    Raises:
        ValueError: not 4 to 10 digits, with dots or blanks between them at most.
    """
    digits = _BETWEEN_DIGITS.sub("", text)
    if digits and not _HS.fullmatch(digits):
        raise ValueError("hs must be 4 to 10 digits")
    return digits


@dataclass(frozen=True, slots=True)
class DeclaredItem:
    """One line of goods. ``hs``: heading of the Harmonized System, 4 to 10 digits (``0000`` = declared empty), empty when not declared.

    ``description`` is kept verbatim. Masses in kg, ``gross_kg`` with packing, ``net_kg`` without; None when not declared.
    """

    hs: str
    description: str = ""
    gross_kg: float | None = None
    packages: int | None = None
    net_kg: float | None = None
    volume_m3: float | None = None

    @property
    def heading(self) -> str:
        """The four digits by which bundles map goods to families."""
        return self.hs[:4]


class LinkBasis(StrEnum):
    """By what a declaration was found to belong to a scan."""

    TOGETHER = "together"
    """It came in the scan's own side-car."""
    NUMBER = "number"
    """The same container or parcel number."""
    CORRECTED = "corrected"
    """The number that was read differs by one misread sign."""
    TIME = "time"
    """No number: the only one expected about when the scan was taken."""
    ORDER = "order"
    """No number: of several expected about then, the one nearest in time."""


@dataclass(frozen=True, slots=True)
class Link:
    """How surely a declaration belongs to a scan: ``score`` in [0, 1], and by what."""

    score: float = 1.0
    basis: LinkBasis = LinkBasis.TOGETHER

    @property
    def is_strong(self) -> bool:
        """Whether the load may be compared with the declaration."""
        return self.score >= STRONG_LINK


@dataclass(frozen=True, slots=True)
class Declaration:
    """The declared goods of one subject. ``source``: where they were read (``sidecar``, ``declarations``). ``ref``: token of its number."""

    items: tuple[DeclaredItem, ...]
    source: str
    ref: Token | None = None
    link: Link = Link()

    @property
    def headings(self) -> tuple[str, ...]:
        """Distinct four-digit headings, sorted; goods that are declared in words only have none."""
        return tuple(sorted({item.heading for item in self.items if item.hs}))

    @property
    def is_empty(self) -> bool:
        """Whether the subject was declared empty."""
        return self.headings == (EMPTY_HEADING,)


def comparable(declaration: Declaration | None) -> Declaration | None:
    """Give the declaration that the load may be compared with: None when there is none, or when it may be another scan's."""
    return declaration if declaration is not None and declaration.link.is_strong else None
