"""Consignments that were selected for scanning, against the scans that were accepted. Pure.

A selection is *pending* until it is settled: *scanned* when a scan of its number is accepted in time, *missed* when its due time passes
first, and then *late* should the scan come after all. A scan counts when it was accepted at or after the moment of selection, by the
scanner that was asked for (any, when none was).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from edge_agent.domain.capture import Selection
from edge_agent.domain.identity import IdentityClass, IdentityValue
from edge_agent.domain.ids import ScanId, ScannerId, Token
from edge_agent.domain.numbering import NumberCheck, candidates, check, normalised

NUMBERED = frozenset({IdentityClass.CONTAINER, IdentityClass.PARCEL, IdentityClass.PLATE, IdentityClass.DECLARATION})
"""Identifiers by which a consignment can be selected."""
REMEMBERED = timedelta(days=30)
"""How long after its due time a selection is still recognised when its scan comes."""


class SelectionState(StrEnum):
    """What became of a selection."""

    PENDING = "pending"
    SCANNED = "scanned"
    MISSED = "missed"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Selected:
    """One line of a list of selected consignments, with its number in clear: it stays in memory.

    ``number``: normalised; ``kind``: what it is the number of. ``scanner``: None = any. ``since``, ``due``: aware.
    """

    number: str
    kind: IdentityClass
    scanner: ScannerId | None
    reason: Selection
    campaign: str
    since: datetime
    due: datetime

    def __repr__(self) -> str:
        """Hide the number, so that a traceback or a log of this object carries no personal data."""
        return f"Selected({self.reason}, since {self.since.isoformat()})"


@dataclass(frozen=True, slots=True)
class Listed:
    """A selection that the site has taken in. ``scan_id``: the scan that settled it."""

    selected: Selected
    token: Token
    state: SelectionState = SelectionState.PENDING
    scan_id: ScanId | None = None

    @property
    def key(self) -> tuple[Token, datetime, ScannerId | None]:
        """Tell selections apart: the same consignment may be selected again."""
        return self.token, self.selected.since, self.selected.scanner


@dataclass(frozen=True, slots=True)
class ScanSeen:
    """An accepted scan as selections see it. ``numbers``: normalised identifiers by which consignments are selected."""

    scan_id: ScanId
    scanner: ScannerId
    numbers: tuple[str, ...]
    accepted_at: datetime


def numbers_of(identities: Iterable[IdentityValue]) -> tuple[str, ...]:
    """Give the normalised numbers of a scan by which it may have been selected, each once."""
    return tuple(dict.fromkeys(normalised(one.value) for one in identities if one.kind in NUMBERED))


def by_number(listed: Iterable[Listed]) -> dict[str, tuple[Listed, ...]]:
    """Give the selections of each number, the last one made first."""
    found: dict[str, list[Listed]] = {}
    for one in sorted(listed, key=lambda each: (each.selected.since, each.token), reverse=True):
        found.setdefault(one.selected.number, []).append(one)
    return {number: tuple(group) for number, group in found.items()}


def meant_by(number: str, register: Mapping[str, Sequence[Listed]]) -> Sequence[Listed]:
    """Give the selections that a number read at the scanner means; one misread sign is put right where the check digit shows it."""
    if number in register:
        return register[number]
    if check(number) is not NumberCheck.REPAIRABLE:
        return ()
    meant = [candidate for candidate in candidates(number) if candidate in register]
    return register[meant[0]] if len(meant) == 1 else ()


def settled_by(scan: ScanSeen, register: Mapping[str, Sequence[Listed]]) -> tuple[Listed, ...]:
    """Give the selections that a scan settles, in their new state."""
    found = dict.fromkeys(one for number in scan.numbers for one in meant_by(number, register) if _is_for(one, scan))
    return tuple(replace(one, state=_after(one, scan), scan_id=scan.scan_id) for one in found)


def overdue(listed: Iterable[Listed], now: datetime) -> tuple[Listed, ...]:
    """Give the pending selections whose due time has passed, as missed."""
    return tuple(
        replace(one, state=SelectionState.MISSED) for one in listed if one.state is SelectionState.PENDING and one.selected.due < now
    )


def reason_for(
    numbers: Sequence[str], scanner: ScannerId, register: Mapping[str, Sequence[Listed]], taken_at: datetime
) -> Selection | None:
    """Say why a scan was taken, by the last selection made of its numbers before it was taken; None when it was never selected."""
    fitting = [
        one
        for number in numbers
        for one in meant_by(number, register)
        if one.selected.scanner in (None, scanner) and one.selected.since <= taken_at
    ]
    return max(fitting, key=lambda one: one.selected.since).selected.reason if fitting else None


def _is_for(one: Listed, scan: ScanSeen) -> bool:
    return (
        one.state in (SelectionState.PENDING, SelectionState.MISSED)
        and one.selected.scanner in (None, scan.scanner)
        and one.selected.since <= scan.accepted_at
    )


def _after(one: Listed, scan: ScanSeen) -> SelectionState:
    """A scan accepted in time settles a selection as scanned, even if that is noticed after it was called missed."""
    is_late = one.state is SelectionState.MISSED or scan.accepted_at > one.selected.due
    return SelectionState.LATE if is_late else SelectionState.SCANNED
