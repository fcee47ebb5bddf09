"""Where a vendor's side-car says what, as a value: the part of a profile that reads a side-car nobody has written code for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class DocumentKind(StrEnum):
    """How the side-car is written."""

    XML = "xml"
    JSON = "json"
    CSV = "csv"
    """A heading line, then one line a row of goods."""
    CSV_PAIRS = "csv-pairs"
    """A name and its value on each line."""


@dataclass(frozen=True, slots=True)
class SidecarMap:
    """Paths by the name of our field; ``goods`` and ``third_party`` are read below each place that ``*_rows`` leads to.

    ``root``: name of an XML document's outermost element, empty = any. ``time_format``: as ``strptime`` knows it, empty = ISO 8601.
    ``is_lenient``: a bare ``&`` in XML is text. ``words``: by field, the vendor's word (lower case) to ours; ``*`` stands for any other.
    """

    kind: DocumentKind
    root: str = ""
    delimiter: str = ","
    time_format: str = ""
    is_lenient: bool = False
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    goods_rows: str = ""
    goods: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    third_party_rows: str = ""
    third_party: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def paths(self) -> tuple[tuple[str, str], ...]:
        """Give each mapped field with each of its paths; fields of rows have their table before them (``goods.hs``)."""
        tables = (("", "", self.fields), ("goods.", self.goods_rows, self.goods), ("third_party.", self.third_party_rows, self.third_party))
        found: list[tuple[str, str]] = []
        for table, rows, fields in tables:
            found += [(f"{table}rows", rows)] if rows else []
            found += [(table + name, path) for name, paths in fields.items() for path in paths]
        return tuple(found)
