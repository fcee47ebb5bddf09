"""The site's health: a pure function of facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edge_agent.domain.assessment import Reason

_LOW_DISK = 0.10


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """What health is judged from. ``disk_free``: share of the state directory's file system that is free.

    ``sandbox``: full, partial or none; ``sandbox_why``: codes of the fences that the kernel refused to decode children.
    ``model_problems``: why the bundles in force are not those that were asked for, not commissioned or not corrected any more.
    ``declarations_problem``: code of what is wrong with the customs system's file, empty when nothing is.
    """

    wants_gpu: bool
    provider_is_cpu: bool
    lost_folders: tuple[str, ...]
    disk_free: float
    expired_consumers: tuple[str, ...]
    sandbox: str
    declarations_problem: str = ""
    sandbox_why: str = ""
    model_problems: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """The state and why it is not better."""

    state: Literal["healthy", "degraded", "failing"]
    reasons: tuple[Reason, ...]


def judge(facts: HealthFacts) -> Health:
    """Give the health that ``facts`` amount to; ``failing`` never comes from here, for a failed self-test ends the process."""
    reasons: list[Reason] = []
    if facts.wants_gpu and facts.provider_is_cpu:
        reasons.append(Reason("running-on-cpu"))
    reasons += [Reason("folder-lost", {"scanner": scanner}) for scanner in facts.lost_folders]
    if facts.disk_free < _LOW_DISK:
        reasons.append(Reason("disk-low", {"free": round(facts.disk_free, 3)}))
    reasons += [Reason("consumer-expired", {"consumer": name}) for name in facts.expired_consumers]
    if facts.declarations_problem:
        reasons.append(Reason("declarations-unreadable", {"why": facts.declarations_problem}))
    if facts.sandbox != "full":
        reasons.append(Reason("sandbox-partial", {"level": facts.sandbox, "why": facts.sandbox_why}))
    reasons += facts.model_problems
    return Health("degraded" if reasons else "healthy", tuple(reasons))


def codes(reasons: Sequence[Reason]) -> list[str]:
    """Give the codes of ``reasons``, for log lines."""
    return [reason.code for reason in reasons]
