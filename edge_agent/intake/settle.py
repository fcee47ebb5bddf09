"""When a drop is taken: a pure state machine over what was seen of it. Monotonic seconds come in with every call.

Laws: a drop is never taken within ``quiet_s`` of a change; once it stops changing, it is taken at the latest when the deadline of
its last missing member has passed and it was looked at once more. Nothing is left lying for ever, whatever it holds. A drop that
cannot be read now is tried again, each time after a longer wait, for as long as it is there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from heapq import nsmallest
from typing import TypeAlias

from edge_agent.domain.drop import Completeness, Drop, ProbeResult
from edge_agent.domain.ids import DropKey
from edge_agent.domain.profile import Need, Profile
from edge_agent.errors import ScanRejected
from edge_agent.intake.grouping import is_unknown

_HOPELESS_QUIETS = 3
"""A hopeless drop is given this many quiet times, for a scanner that writes again over a bad file."""
_LONGEST_WAIT_S = 60.0
_OVERDUE_AFTER_S = 300.0
"""How long after its deadline a drop may still be written to, or be unreadable, before that is worth a person's look."""
_OLDEST_EVERY = 4

Fingerprint: TypeAlias = tuple[tuple[str, int, int], ...]


class Action(StrEnum):
    """What to do with a drop now."""

    WAIT = "wait"
    PROBE = "probe"
    ACCEPT = "accept"
    ACCEPT_PARTIAL = "accept-partial"


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of one drop. Times are monotonic seconds.

    ``unchanged_since``: when its present fingerprint was first seen. ``result``: what the probe said about this fingerprint, None
    when it was not asked yet; ``probed_at``: when it was asked. ``failures``: how often in a row it could not be read as it is now;
    ``not_before``: when to try again.
    """

    drop: Drop
    first_seen: float
    unchanged_since: float
    result: ProbeResult | None = None
    probed_at: float = 0.0
    failures: int = 0
    not_before: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """What to do with a drop, and when to ask again at the latest if nothing changes (monotonic seconds; now, unless WAIT).

    ``missing``: roles that had not come by their deadline; ``reason``: the code that explains a partial acceptance.
    """

    action: Action
    again_at: float
    missing: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """All unsettled drops after a look at the folder. ``vanished``: keys of drops that went away before they were taken."""

    watched: Mapping[DropKey, Watched]
    vanished: tuple[DropKey, ...]


def survey(before: Mapping[DropKey, Watched], drops: Sequence[Drop], now: float) -> Survey:
    """Take in one look at the folder; ``drops`` are those that are not known as taken."""
    watched = {drop.key: observe(before.get(drop.key), drop, now) for drop in drops}
    return Survey(watched, tuple(sorted(set(before) - set(watched))))


def observe(before: Watched | None, drop: Drop, now: float) -> Watched:
    """Take in one sight of a drop. A changed fingerprint starts the quiet time again and makes the probe's word stale."""
    if before is None:
        return Watched(drop, now, now)
    if before.drop.fingerprint != drop.fingerprint:
        return Watched(drop, before.first_seen, now)
    return before


def probed(watched: Watched, result: ProbeResult, now: float) -> Watched:
    """Take in the probe's word about the drop as it is in ``watched``."""
    return replace(watched, result=result, probed_at=now, failures=0)


def postponed(watched: Watched, now: float) -> Watched:
    """Take in that the drop could not be read now (locked, vanished half-way): try again after 1, 2, 4, ... at most 60 seconds."""
    wait_s = min(2.0**watched.failures, _LONGEST_WAIT_S)
    return replace(watched, failures=min(watched.failures + 1, 16), not_before=now + wait_s)


def is_overdue(watched: Watched, profile: Profile, now: float) -> bool:
    """Say whether a drop is still written to, or still cannot be read, long after all of it should have been there."""
    due = watched.first_seen + max((rule.deadline_s for rule in profile.members), default=0.0) + _OVERDUE_AFTER_S
    return now >= due and (watched.failures > 0 or watched.unchanged_since >= due - _OVERDUE_AFTER_S)


def in_turn(drops: Sequence[Watched], most: int) -> list[Watched]:
    """Give the ``most`` drops that are taken next, in order: those first seen last go first, of one look the oldest files first.

    So whoever stands at the gate does not wait for a backlog; and so that the backlog does not wait for ever, every fourth place is
    given to whoever has waited longest.
    """
    newest = nsmallest(most, drops, key=lambda one: (-one.first_seen, _written_at(one), one.drop.key))
    oldest = nsmallest(most, drops, key=lambda one: (one.first_seen, _written_at(one), one.drop.key))
    sources = iter(newest), iter(oldest)
    order: dict[DropKey, Watched] = {}
    while len(order) < len(newest):
        source = sources[len(order) % _OLDEST_EVERY == _OLDEST_EVERY - 1]
        turn = next(one for one in source if one.drop.key not in order)
        order[turn.drop.key] = turn
    return list(order.values())


def _written_at(watched: Watched) -> int:
    return max(member.mtime_ns for member in watched.drop.members)


def refused(drop: Drop, error: ScanRejected) -> ProbeResult:
    """Give the result that stands for a probe that a drop's bytes ended: no more time will help it."""
    names = tuple(member.name for member in drop.members)
    return ProbeResult(Completeness.HOPELESS, names, None, None, error.code, tuple(sorted(error.fields.items())))


def next_step(watched: Watched, profile: Profile, now: float) -> Step:
    """Decide what to do with a drop."""
    if now < watched.not_before:
        return Step(Action.WAIT, watched.not_before)
    quiet_at = watched.unchanged_since + profile.quiet_s
    if is_unknown(watched.drop):
        due = max(quiet_at, watched.first_seen + profile.unknown_after_s)
        return Step(Action.WAIT, due) if now < due else Step(Action.ACCEPT_PARTIAL, now, (), "unsupported-format")
    if now < quiet_at:
        return Step(Action.WAIT, quiet_at)
    if watched.result is None:
        return Step(Action.PROBE, now)
    if watched.result.completeness is Completeness.COMPLETE:
        return Step(Action.ACCEPT, now)
    return _give_up_or_wait(watched, watched.result, profile, now)


def _give_up_or_wait(watched: Watched, result: ProbeResult, profile: Profile, now: float) -> Step:
    """Wait until the drop's deadline, look once more then (a file may change without changing its size), and take it as it is."""
    missing = missing_roles(watched.drop, profile)
    if result.completeness is Completeness.HOPELESS:
        due = watched.unchanged_since + _HOPELESS_QUIETS * profile.quiet_s
    else:
        due = max(watched.unchanged_since + profile.quiet_s, watched.first_seen + _patience_s(missing, profile))
    if now < due:
        return Step(Action.WAIT, due)
    if watched.probed_at < due:
        return Step(Action.PROBE, now)
    return Step(Action.ACCEPT_PARTIAL, now, missing, result.reason)


def missing_roles(drop: Drop, profile: Profile) -> tuple[str, ...]:
    """Give the required and expected roles that a drop has no member for."""
    present = {member.role for member in drop.members}
    return tuple(rule.role for rule in profile.members if rule.need is not Need.OPTIONAL and rule.role not in present)


def _patience_s(missing: Sequence[str], profile: Profile) -> float:
    """Give the seconds from first sight after which no awaited member is awaited any more.

    When all roles are there and yet something is missing (a file's end, a listed picture), the longest deadline counts.
    """
    awaited = [rule for rule in profile.members if rule.need is not Need.OPTIONAL and (not missing or rule.role in missing)]
    return max((rule.deadline_s for rule in awaited), default=0.0)
