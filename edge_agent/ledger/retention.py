"""What may go, decided from facts alone: evidence, open questions, legal holds and rows that somebody still waits for never do.

Times of keeping count from the last thing that happened to a scan: its acceptance, its assessment, or any later word about it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from edge_agent.domain.assessment import ControlOutcome, FactKind, MachineConclusion, OfficerConclusion
from edge_agent.domain.ids import ScanId, Seq, Token


class Kind(IntEnum):
    """What a scan leaves on the disk, least valuable first; the order in which things go when space is short."""

    BLOBS = 1
    """Heat maps, goods maps and side-cars."""
    ORIGINALS = 2
    """The spool copy of an assessed revision."""
    PACKAGE = 3
    QUARANTINE = 4
    """The copy of a revision that was set aside: nobody has looked into it."""
    NAMES = 5
    """File names in the ledger, which at many sites are container numbers; they free no space."""


class Guard(StrEnum):
    """Why something must stay, whatever its age and however short the space."""

    IN_WORK = "in-work"
    HELD = "held"
    UNDECIDED = "undecided"
    EVIDENCE = "evidence"
    UNACKNOWLEDGED = "unacknowledged"


class Why(StrEnum):
    """Why something goes."""

    EXPIRED = "expired"
    SPACE = "space"


@dataclass(frozen=True, slots=True)
class Word:
    """One fact about a scan: its kind, and what it concludes (empty where it concludes nothing)."""

    kind: FactKind
    conclusion: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that may go. ``revision`` 0: of all revisions. ``path``: relative to the state directory, empty for what is no file.

    ``bytes``: what it takes on the disk, about: a blob that several scans share is counted for each.
    """

    kind: Kind
    scan_id: ScanId
    revision: int = 0
    path: str = ""
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Holding:
    """A scan as retention sees it. ``last_seq``: its newest row, 0 without one; ``last_at``: when something last happened to it.

    ``words``: its facts in their order; ``is_open``: one of its jobs waits or runs; ``tokens``: identifiers that it names.
    """

    scan_id: ScanId
    last_at: datetime
    last_seq: Seq
    words: tuple[Word, ...]
    items: tuple[Item, ...]
    is_open: bool = False
    is_held: bool = False
    tokens: frozenset[Token] = frozenset()


@dataclass(frozen=True, slots=True)
class Periods:
    """How long things of ordinary scans are kept; None = for ever. ``enforcement``: all things of enforcement scans, files and rows.

    ``least``: when space is short, ordinary things go after this time already.
    """

    kept: Mapping[Kind, timedelta | None]
    journal: timedelta | None
    enforcement: timedelta | None
    least: timedelta


@dataclass(frozen=True, slots=True)
class Rules:
    """What a plan is made by. ``until``: up to when ages are counted; ``acknowledged``: up to here every durable consumer has all rows."""

    periods: Periods
    until: datetime
    acknowledged: Seq


@dataclass(frozen=True, slots=True)
class Eviction:
    """One thing that goes, and why."""

    item: Item
    why: Why


def is_enforcement(words: Iterable[Word]) -> bool:
    """Tell whether a scan was ever alerted, passed on, called suspicious, or found to hold something."""
    return any((word.kind, word.conclusion) in _ENFORCEMENT or word.kind is FactKind.REFERRAL for word in words)


_ENFORCEMENT = {
    (FactKind.ASSESSMENT, MachineConclusion.ALERT),
    (FactKind.VERDICT, OfficerConclusion.SUSPICIOUS),
    (FactKind.CONTROL, ControlOutcome.FOUND),
}


def is_undecided(words: Iterable[Word]) -> bool:
    """Tell whether a person is still to decide: nobody has spoken since an alert, an ``unassessable`` or a referral."""
    machine_asks = passed_on = False
    for word in words:
        if word.kind is FactKind.ASSESSMENT:
            machine_asks = word.conclusion != MachineConclusion.NO_ALERT
        elif word.kind is FactKind.REFERRAL:
            passed_on = True
        elif word.kind is FactKind.VERDICT or (word.kind is FactKind.CONTROL and word.conclusion != ControlOutcome.NOT_EXAMINED):
            machine_asks = passed_on = False
    return machine_asks or passed_on


def guard(holding: Holding, rules: Rules) -> Guard | None:
    """Say why everything of a scan stays; None when its age alone decides."""
    if holding.is_open:
        return Guard.IN_WORK
    if holding.is_held:
        return Guard.HELD
    if is_undecided(holding.words):
        return Guard.UNDECIDED
    if rules.periods.enforcement is None and is_enforcement(holding.words):
        return Guard.EVIDENCE
    if holding.last_seq > rules.acknowledged:
        return Guard.UNACKNOWLEDGED
    return None


def plan(holdings: Iterable[Holding], rules: Rules, need_bytes: int = 0) -> list[Eviction]:
    """Give what goes: all that is expired, and then, until ``need_bytes`` are freed, ordinary things that are old enough for a shortage.

    Least valuable first, oldest first. Names go only when no file with them is left. The plan for a smaller need is a part of the plan
    for a larger one.
    """
    expired: list[tuple[tuple[object, ...], Eviction]] = []
    could: list[tuple[tuple[object, ...], Eviction]] = []
    for holding in holdings:
        if guard(holding, rules) is not None:
            continue
        for item in holding.items:
            place = (item.kind, holding.last_at, holding.scan_id, item.revision, item.path)
            if _is_expired(item, holding, rules):
                expired.append((place, Eviction(item, Why.EXPIRED)))
            elif _is_spare(item, holding, rules):
                could.append((place, Eviction(item, Why.SPACE)))
    going = [eviction for _, eviction in sorted(expired, key=lambda pair: pair[0])]
    freed = sum(eviction.item.bytes for eviction in going)
    for _, eviction in sorted(could, key=lambda pair: pair[0]):
        if freed >= need_bytes:
            break
        going.append(eviction)
        freed += eviction.item.bytes
    return going


def _is_expired(item: Item, holding: Holding, rules: Rules) -> bool:
    if item.kind is Kind.NAMES and _has_named_files(holding):
        return False
    kept = rules.periods.enforcement if is_enforcement(holding.words) else rules.periods.kept.get(item.kind)
    return kept is not None and holding.last_at + kept <= rules.until


def _is_spare(item: Item, holding: Holding, rules: Rules) -> bool:
    is_old = holding.last_at + rules.periods.least <= rules.until
    return is_old and item.bytes > 0 and not is_enforcement(holding.words)


def _has_named_files(holding: Holding) -> bool:
    return any(item.kind in (Kind.ORIGINALS, Kind.QUARANTINE) for item in holding.items)


@dataclass(frozen=True, slots=True)
class Row:
    """A journal row as retention sees it."""

    seq: Seq
    scan_id: ScanId | None
    created_at: datetime


def last_of_prefix(rows: Sequence[Row], holdings: Mapping[ScanId, Holding], rules: Rules) -> Seq | None:
    """Give the last of the oldest ``rows`` that may go, None when the very first one stays.

    Rows go as a prefix only, so the first one that stays keeps all that follow. The rows of a scan go when all its rows are old
    enough and nothing but names is left of it; a row about a scan that is in no job any more goes by its own age.
    """
    last: Seq | None = None
    for row in rows:
        if not _row_may_go(row, holdings.get(row.scan_id) if row.scan_id is not None else None, rules):
            break
        last = row.seq
    return last


def _row_may_go(row: Row, holding: Holding | None, rules: Rules) -> bool:
    if row.seq > rules.acknowledged:
        return False
    if holding is None:
        return rules.periods.journal is not None and row.created_at + rules.periods.journal <= rules.until
    if guard(holding, rules) is not None or any(item.kind is not Kind.NAMES for item in holding.items):
        return False
    kept = rules.periods.enforcement if is_enforcement(holding.words) else rules.periods.journal
    return kept is not None and holding.last_at + kept <= rules.until


def erasable(
    used: Mapping[Token, tuple[str, datetime]], holdings: Iterable[Holding], rules: Rules, kept: Mapping[str, timedelta | None]
) -> list[Token]:
    """Give the tokens whose values may be forgotten: expired by their class, and named by no scan that is young or guarded.

    ``used``: class and last use of each value that is still there. ``kept``: how long the values of a class are kept after their last
    use; None = for ever.
    """
    left = {token for token, (kind, since) in used.items() if _is_past(since, kept.get(kind), rules)}
    for holding in holdings:
        named = holding.tokens & left
        is_guarded = bool(named) and (guard(holding, rules) is not None or not _is_evidence_past(holding, rules))
        left -= {token for token in named if is_guarded or not _is_past(holding.last_at, kept.get(used[token][0]), rules)}
    return sorted(left)


def _is_past(since: datetime, kept: timedelta | None, rules: Rules) -> bool:
    return kept is not None and since + kept <= rules.until


def _is_evidence_past(holding: Holding, rules: Rules) -> bool:
    return not is_enforcement(holding.words) or _is_past(holding.last_at, rules.periods.enforcement, rules)


def counted_until(before: datetime | None, now: datetime, ran: timedelta) -> datetime:
    """Give up to when ages are counted: ``now``, but at most two days on for each day of running since the last count.

    A wall clock that jumps years ahead must not make everything old at once; one that is set right again counts at once.
    ``before``: None at the first count. ``ran``: by the monotonic clock.
    """
    if before is None or now <= before:
        return now
    return min(now, before + 2 * ran)
