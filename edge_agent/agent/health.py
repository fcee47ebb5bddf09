"""The site's health: a pure function of facts, and what of it is told so that a fault that comes and goes fills no journal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from edge_agent.agent.space import Level
from edge_agent.domain.assessment import Reason

State: TypeAlias = Literal["healthy", "degraded", "failing"]

FAILING = frozenset({"self-test-failed", "disk-full", "ledger-damaged"})
"""Reasons under which nothing may be called ``no-alert``, nothing is accepted any more, or what was written cannot be relied on."""
CALM_S, LONGEST_CALM_S = 10.0, 3600.0
"""A reason that is gone stays told for the first of these, and twice as long each time it came back, up to the second."""
_SPACE = {Level.LOW: "disk-low", Level.SPARING: "disk-sparing", Level.STOPPED: "disk-full"}


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """What health is judged from. ``disk_free``: share of the state directory's file system that is free; ``space``: how short it is.

    ``sandbox``: full, partial or none; ``sandbox_why``: codes of the fences that the kernel refused to decode children.
    ``model_problems``: why the bundles in force are not those that were asked for, not commissioned or not corrected any more.
    ``declarations_problem``: code of what is wrong with the customs system's file, empty when nothing is.
    ``cpu_why``: why models run on the CPU although a GPU is wanted, empty when they do not. ``self_test``: why the golden cases do not
    come out any more. ``allow_list_problem``: code of what is wrong with the configuration file since it was changed: the allow-list of
    before is in force. ``intake_problems``: drops that are overdue, lists of selections that cannot be read.
    ``ledger_problem``: what the weekly check of the whole ledger found. ``outbound_problem``: code of why headquarters, to which this site
    connects, is not reached.
    """

    lost_folders: tuple[str, ...]
    disk_free: float
    expired_consumers: tuple[str, ...]
    sandbox: str
    declarations_problem: str = ""
    sandbox_why: str = ""
    model_problems: tuple[Reason, ...] = ()
    cpu_why: str = ""
    self_test: Reason | None = None
    space: Level = Level.AMPLE
    allow_list_problem: str = ""
    intake_problems: tuple[Reason, ...] = ()
    ledger_problem: Reason | None = None
    outbound_problem: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """The state and why it is not better."""

    state: State
    reasons: tuple[Reason, ...]


def judge(facts: HealthFacts) -> Health:
    """Give the health that ``facts`` amount to. No fact hides another, and more bad facts never make a better state."""
    reasons = [facts.self_test] if facts.self_test is not None else []
    if facts.ledger_problem is not None:
        reasons.append(facts.ledger_problem)
    if facts.cpu_why:
        reasons.append(Reason("running-on-cpu", {"why": facts.cpu_why}))
    reasons += [Reason("folder-lost", {"scanner": scanner}) for scanner in facts.lost_folders]
    if facts.space in _SPACE:
        reasons.append(Reason(_SPACE[facts.space], {"free": round(facts.disk_free, 3)}))
    reasons += [Reason("consumer-expired", {"consumer": name}) for name in facts.expired_consumers]
    if facts.allow_list_problem:
        reasons.append(Reason("allow-list-unreadable", {"why": facts.allow_list_problem}))
    if facts.outbound_problem:
        reasons.append(Reason("headquarters-unreached", {"why": facts.outbound_problem}))
    if facts.declarations_problem:
        reasons.append(Reason("declarations-unreadable", {"why": facts.declarations_problem}))
    if facts.sandbox != "full":
        reasons.append(Reason("sandbox-partial", {"level": facts.sandbox, "why": facts.sandbox_why}))
    reasons += facts.intake_problems
    reasons += facts.model_problems
    return amounting_to(reasons)


def amounting_to(reasons: Sequence[Reason]) -> Health:
    """Give the health with these reasons: failing if one of them is, degraded by any other, healthy without."""
    if any(reason.code in FAILING for reason in reasons):
        return Health("failing", tuple(reasons))
    return Health("degraded" if reasons else "healthy", tuple(reasons))


Key: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]


def key(reason: Reason) -> Key:
    """Tell reasons apart by code and words: another scanner is another reason, a few more bytes on the disk are not."""
    return reason.code, tuple(sorted((name, value) for name, value in reason.params.items() if isinstance(value, str)))


@dataclass(frozen=True, slots=True)
class Trace:
    """When a reason was last true (monotonic seconds), and how long it must be away before that is believed."""

    last_true_s: float
    calm_s: float

    def is_over(self, now_s: float) -> bool:
        """Tell whether the reason has been away for long enough."""
        return now_s - self.last_true_s >= self.calm_s


@dataclass(frozen=True, slots=True)
class Told:
    """What the journal was told last, and the traces that reasons left."""

    health: Health = Health("healthy", ())
    traces: Mapping[Key, Trace] = field(default_factory=dict)


def next_told(told: Told, seen: Health, now_s: float) -> Told:
    """Give what the journal is to be told after ``seen`` at ``now_s``: what is worse at once, what is better after some calm.

    Each return of a reason doubles the calm that it needs, and an hour away is forgiven; so however often a share drops out, the
    journal gets some twenty rows of it and then two an hour.
    """
    present = {key(reason): reason for reason in seen.reasons}
    traces = {one: trace for one, trace in told.traces.items() if now_s - trace.last_true_s < LONGEST_CALM_S}
    traces |= {one: Trace(now_s, _calm(traces.get(one), now_s)) for one in present}
    known = [reason for reason in told.health.reasons if key(reason) not in present and key(reason) in traces]
    return Told(amounting_to([*seen.reasons, *(reason for reason in known if not traces[key(reason)].is_over(now_s))]), traces)


def _calm(before: Trace | None, now_s: float) -> float:
    if before is None:
        return CALM_S
    return min(2 * before.calm_s, LONGEST_CALM_S) if before.is_over(now_s) else before.calm_s


def has_news(before: Health, after: Health) -> bool:
    """Tell whether the journal has something to say: another state or another set of reasons, not another number in one."""
    return before.state != after.state or set(map(key, before.reasons)) != set(map(key, after.reasons))


def codes(reasons: Sequence[Reason]) -> list[str]:
    """Give the codes of ``reasons``, for log lines."""
    return [reason.code for reason in reasons]
