"""A side-car of any vendor to :class:`~edge_agent.domain.drop.SideCar`, by the paths of the profile's ``[map]``.

What a path does not find is not given; what it finds must make sense, or the side-car is refused with the field's name and what is
wrong with its value (never the value).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo

from edge_agent.domain.assessment import ControlOutcome, OfficerConclusion
from edge_agent.domain.capture import CaptureKind, Selection
from edge_agent.domain.clock import Stamp
from edge_agent.domain.consignment import Consignment, RiskFlag, Route
from edge_agent.domain.declaration import EMPTY_HEADING, DeclaredItem, hs_digits
from edge_agent.domain.drop import SideCar
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.sidecar_map import DocumentKind, SidecarMap
from edge_agent.domain.third_party import ThirdPartyAssessment, ThirdPartyConclusion
from edge_agent.errors import UnreadableScan
from edge_agent.formats.tree import Node, Path, find, parse_path, read_csv, read_json, read_xml, texts

IDENTITIES: Mapping[str, IdentityClass] = {
    "containers": IdentityClass.CONTAINER,
    "parcels": IdentityClass.PARCEL,
    "plates": IdentityClass.PLATE,
    "drivers": IdentityClass.DRIVER,
    "seals": IdentityClass.SEAL,
    "declaration_ref": IdentityClass.DECLARATION,
    "carriers": IdentityClass.TRADER,
    "traders": IdentityClass.TRADER,
    "officers": IdentityClass.OFFICER,
    "scan_id": IdentityClass.VENDOR_SCAN,
}
"""Fields that hold identifiers: they become tokens and stand in clear nowhere but in the erasable identity table."""

_MOST_ROWS = 1000
_T = TypeVar("_T")


def read_mapped(data: bytes, rules: SidecarMap, clock: str) -> SideCar | None:
    """Read a side-car; None while its end is not written. ``clock``: IANA zone of times that are written without one.

    Raises:
        UnreadableScan: malformed, or a value makes no sense; ``field`` says which, ``problem`` why.
        UnsupportedFormat: another document than the profile says, or an XML with a DOCTYPE.
    """
    document = _document(data, rules)
    return None if document is None else _Fields(document, rules, clock).sidecar()


def stamp(text: str, clock: str, time_format: str = "") -> Stamp:
    """Give the moment that ``text`` names; without an offset of its own it is taken in the zone ``clock`` and marked so.

    ``time_format``: as ``strptime`` knows it; empty = ISO 8601.

    Raises:
        UnreadableScan: not a date and time, or outside the calendar once it is UTC.
    """
    try:
        written = _moment(text.strip(), time_format)
        is_assumed = written.tzinfo is None
        aware = written.replace(tzinfo=ZoneInfo(clock)) if is_assumed else written
        return Stamp(aware.astimezone(UTC), text.strip(), is_assumed)
    except (ValueError, OverflowError) as error:
        raise UnreadableScan("the side-car's time is not a date and time", {"field": "taken_at", "problem": "not-a-time"}) from error


def _moment(text: str, time_format: str) -> datetime:
    return datetime.strptime(text, time_format) if time_format else datetime.fromisoformat(text)  # noqa: DTZ007 - the zone follows


def _document(data: bytes, rules: SidecarMap) -> Node | None:
    match rules.kind:
        case DocumentKind.XML:
            return read_xml(data, rules.root, is_lenient=rules.is_lenient)
        case DocumentKind.JSON:
            return read_json(data)
        case DocumentKind.CSV | DocumentKind.CSV_PAIRS:
            return read_csv(data, rules.delimiter, is_pairs=rules.kind is DocumentKind.CSV_PAIRS)


@lru_cache(maxsize=1024)
def _path(text: str) -> Path:
    return parse_path(text)


@dataclass(frozen=True, slots=True)
class _Place:
    """A node and the paths that lead from it to our fields. ``table``: of the fields, as in ``goods.``; empty for those of the document.

    ``matched``: collects the fields and paths that found a value.
    """

    node: Node
    paths: Mapping[str, Sequence[str]]
    table: str = ""
    matched: set[tuple[str, str]] = field(default_factory=set)

    def all(self, name: str) -> tuple[str, ...]:
        values: list[str] = []
        for path in self.paths.get(name, ()):
            found = texts(self.node, _path(path))
            if found:
                self.matched.add((self.table + name, path))
            values += found
        return tuple(values)

    def first(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    def amount(self, name: str) -> float | None:
        """Give a number that is not negative."""
        text = self.first(name)
        return _sensible(self.table + name, _amount, text, "not-an-amount") if text else None


class _Fields:
    """One document being read."""

    def __init__(self, document: Node, rules: SidecarMap, clock: str) -> None:
        self._rules = rules
        self._clock = clock
        self._document = document
        self._top = _Place(document, rules.fields)

    def sidecar(self) -> SideCar:
        top, taken = self._top, self._top.first("taken_at")
        read = SideCar(
            taken_at=stamp(taken, self._clock, self._rules.time_format) if taken else None,
            kind=self._word("kind", CaptureKind),
            selection=self._word("selection", Selection),
            beam=top.first("beam"),
            identities=tuple(dict.fromkeys(self._identities())),
            items=self._items(),
            resources=tuple(dict.fromkeys(top.all("resources"))),
            pitch_mm=self._pitch(),
            system=top.first("system"),
            consignment=self._consignment(),
            third_party=tuple(self._third_party()),
            analyst=self._word("analyst", OfficerConclusion),
            examination=self._word("examination", ControlOutcome),
        )
        return replace(read, matched=tuple(sorted(top.matched)))

    def _word(self, name: str, ours: Callable[[str], _T]) -> _T | None:
        """Give our word for the vendor's; a word that is neither ours nor in the profile's table is refused, never guessed."""
        text = self._top.first(name)
        return _sensible(name, ours, self._ours(name, text), "unknown-word") if text else None

    def _ours(self, name: str, text: str) -> str:
        table = self._rules.words.get(name, {})
        return table.get(text.lower(), table.get("*", text.lower()))

    def _identities(self) -> Iterator[IdentityValue]:
        confidences = self._confidences()
        for name, kind in IDENTITIES.items():
            for place, value in enumerate(self._top.all(name)):
                confidence = confidences[place] if name == "containers" and place < len(confidences) else None
                yield IdentityValue(kind, value, confidence)

    def _confidences(self) -> tuple[float | None, ...]:
        """Give how surely each container's number was read; percentages become shares, and a negative one says nothing."""
        given = [_sensible("container_confidence", _number, text, "not-a-number") for text in self._top.all("container_confidence")]
        return tuple(None if value < 0 else min(value / 100 if value > 1 else value, 1.0) for value in given)

    def _items(self) -> tuple[DeclaredItem, ...]:
        if self._is_empty():
            return (DeclaredItem(EMPTY_HEADING),)
        found = (_item(place) for place in self._rows("goods", self._rules.goods_rows, self._rules.goods))
        return tuple(item for item in found if item.hs or item.description)

    def _is_empty(self) -> bool:
        text = self._top.first("empty")
        return bool(text) and self._ours("empty", text) in ("true", "yes", "1")

    def _pitch(self) -> tuple[float, float] | None:
        x_mm, y_mm = self._top.amount("pitch_x_mm"), self._top.amount("pitch_y_mm")
        if x_mm is None and y_mm is None:
            return None
        pitch = (x_mm if x_mm is not None else y_mm or 0.0, y_mm if y_mm is not None else x_mm or 0.0)
        if not all(0.0 < value < 1000.0 for value in pitch):
            raise UnreadableScan("a value of the side-car makes no sense", {"field": "pitch_x_mm", "problem": "not-an-amount"})
        return pitch

    def _consignment(self) -> Consignment:
        top = self._top
        route = Route(top.first("origin"), top.first("destination"), top.first("vessel"), top.first("voyage"))
        source = top.first("risk_source")
        flags = tuple(RiskFlag(code, source) for code in dict.fromkeys(top.all("risk_flags")))
        return Consignment(route, flags, top.amount("gross_kg"), top.amount("volume_m3"))

    def _third_party(self) -> Iterator[ThirdPartyAssessment]:
        rules = self._rules
        for place in self._rows("third_party", rules.third_party_rows, rules.third_party):
            word = self._ours("third_party", place.first("conclusion"))
            known = word in tuple(ThirdPartyConclusion)
            conclusion = ThirdPartyConclusion(word) if known else ThirdPartyConclusion.UNKNOWN
            yield ThirdPartyAssessment("sidecar", place.first("algorithm"), place.first("version"), conclusion)

    def _rows(self, table: str, path: str, paths: Mapping[str, Sequence[str]]) -> list[_Place]:
        """Give the places that the path of a table of rows leads to; none where the profile gives no path."""
        rows = list(find(self._document, _path(path)))[:_MOST_ROWS] if path else []
        if rows:
            self._top.matched.add((f"{table}.rows", path))
        return [_Place(row, paths, f"{table}.", self._top.matched) for row in rows]


def _item(place: _Place) -> DeclaredItem:
    packages = place.amount("packages")
    return DeclaredItem(
        hs=_sensible("goods.hs", hs_digits, place.first("hs"), "not-a-heading"),
        description=place.first("description"),
        gross_kg=place.amount("gross_kg"),
        packages=None if packages is None else round(packages),
        net_kg=place.amount("net_kg"),
        volume_m3=place.amount("volume_m3"),
    )


def _number(text: str) -> float:
    value = float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    if not -1e9 < value < 1e9:
        raise ValueError("not a number that can be meant")
    return value


def _amount(text: str) -> float:
    value = _number(text)
    if value < 0:
        raise ValueError("less than nothing")
    return value


def _sensible(name: str, read: Callable[[str], _T], text: str, problem: str) -> _T:
    """Read a value; ``name``: its field, ``problem``: the word for what is wrong when it cannot be read."""
    try:
        return read(text)
    except ValueError as error:
        raise UnreadableScan("a value of the side-car makes no sense", {"field": name, "problem": problem}) from error
