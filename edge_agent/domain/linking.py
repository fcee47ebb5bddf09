"""Which of the customs system's declarations belongs to a scan, and how surely. Pure.

Scores (the load is compared with the declaration from ``STRONG_LINK`` = 0.7 on):

=========================================================================  =====
the declaration's own number, or a container's or parcel's number            1.0
the same number, but its check digit is wrong on both sides                  0.9
a number that differs by one misread sign                                    0.8
no number was read: the only declaration expected within half an hour        0.5
no number was read: the nearest in time of several                           0.3
=========================================================================  =====

Divided by the number of declarations that a misread number may mean; times the share of the numbers read that are declared at all
(two containers of which one is declared: 0.5); halved when the scan was expected more than two weeks earlier or later, for
container numbers come back voyage after voyage.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from edge_agent.domain.consignment import Consignment
from edge_agent.domain.declaration import DeclaredItem, Link, LinkBasis
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.numbering import NumberCheck, candidates, check, normalised

_ABOUT_THEN = timedelta(minutes=30)
_SAME_VOYAGE = timedelta(days=14)
_SUBJECTS = (IdentityClass.CONTAINER, IdentityClass.PARCEL)


@dataclass(frozen=True, slots=True)
class DeclarationRecord:
    """One declaration as the customs system lists it, numbers in clear: it stays in memory.

    ``numbers``: normalised numbers of its containers or parcels (or plates); ``expected_at``: aware, when the subject is expected here,
    None when not said. ``identities``: its own number, carrier, traders.
    """

    numbers: tuple[str, ...]
    items: tuple[DeclaredItem, ...]
    expected_at: datetime | None = None
    identities: tuple[IdentityValue, ...] = ()
    consignment: Consignment = Consignment()


@dataclass(frozen=True, slots=True)
class Linked:
    """The records that belong to a scan, and how surely."""

    records: tuple[DeclarationRecord, ...]
    link: Link

    @property
    def items(self) -> tuple[DeclaredItem, ...]:
        """Give the goods of all records."""
        return tuple(item for record in self.records for item in record.items)


class Register:
    """All declarations at hand, found by number or time."""

    def __init__(self, records: Iterable[DeclarationRecord] = ()) -> None:
        self._by_number: dict[str, list[DeclarationRecord]] = {}
        self._by_repair: dict[str, list[DeclarationRecord]] = {}
        self._by_ref: dict[str, list[DeclarationRecord]] = {}
        expected: list[tuple[datetime, int, DeclarationRecord]] = []
        for place, record in enumerate(records):
            for number in record.numbers:
                self._by_number.setdefault(number, []).append(record)
                for repaired in candidates(number) if check(number) is NumberCheck.REPAIRABLE else ():
                    self._by_repair.setdefault(repaired, []).append(record)
            for identity in record.identities:
                if identity.kind is IdentityClass.DECLARATION:
                    self._by_ref.setdefault(normalised(identity.value), []).append(record)
            if record.expected_at is not None:
                expected.append((record.expected_at, place, record))
        self._expected = sorted(expected)

    def find(self, identities: Sequence[IdentityValue], taken_at: datetime | None) -> Linked | None:
        """Give the declaration of a scan with these identifiers, None when none fits. ``taken_at``: aware."""
        refs = [
            found for one in identities if one.kind is IdentityClass.DECLARATION for found in self._by_ref.get(normalised(one.value), ())
        ]
        if refs:
            return Linked(tuple(dict.fromkeys(refs)), Link(1.0, LinkBasis.NUMBER))
        numbers = _numbers(identities)
        if not numbers:
            return self._by_time(taken_at) if taken_at is not None else None
        found = [one for number in numbers if (one := self._of_number(number, taken_at)) is not None]
        if not found:
            return None
        records = tuple(dict.fromkeys(record for one in found for record in one.records))
        weakest = min(found, key=lambda one: one.link.score).link
        return Linked(records, Link(round(weakest.score * len(found) / len(numbers), 3), weakest.basis))

    def _of_number(self, number: str, taken_at: datetime | None) -> Linked | None:
        exact = self._by_number.get(number)
        if exact:
            is_sound = check(number) in (NumberCheck.VALID, NumberCheck.UNCHECKED)
            return _of_this_voyage(exact, Link(1.0 if is_sound else 0.9, LinkBasis.NUMBER), taken_at)
        repaired = list(self._by_repair.get(number, ()))
        for candidate in candidates(number):
            repaired += self._by_number.get(candidate, ())
        meant = {record.numbers for record in repaired}
        return _of_this_voyage(repaired, Link(0.8 / len(meant), LinkBasis.CORRECTED), taken_at) if repaired else None

    def _by_time(self, taken_at: datetime) -> Linked | None:
        lo = bisect_left(self._expected, taken_at - _ABOUT_THEN, key=lambda one: one[0])
        hi = bisect_right(self._expected, taken_at + _ABOUT_THEN, key=lambda one: one[0])
        near = self._expected[lo:hi]
        if not near:
            return None
        nearest = min(near, key=lambda one: (abs(one[0] - taken_at), one[1]))[2]
        link = Link(0.5, LinkBasis.TIME) if len(near) == 1 else Link(0.3, LinkBasis.ORDER)
        return Linked((nearest,), link)


def _numbers(identities: Sequence[IdentityValue]) -> tuple[str, ...]:
    """Give the numbers that tell the subject: containers and parcels, or else number plates."""
    for kinds in (_SUBJECTS, (IdentityClass.PLATE,)):
        numbers = tuple(dict.fromkeys(normalised(one.value) for one in identities if one.kind in kinds))
        if numbers:
            return numbers
    return ()


def _of_this_voyage(records: Sequence[DeclarationRecord], link: Link, taken_at: datetime | None) -> Linked:
    """Keep the records expected about now, or without a time; if all are of other times, keep them with half the score."""
    distinct = tuple(dict.fromkeys(records))
    near = tuple(record for record in distinct if _is_of_this_voyage(record, taken_at))
    return Linked(near, link) if near else Linked(distinct, Link(link.score / 2, link.basis))


def _is_of_this_voyage(record: DeclarationRecord, taken_at: datetime | None) -> bool:
    return record.expected_at is None or taken_at is None or abs(record.expected_at - taken_at) <= _SAME_VOYAGE
