"""From findings, obstacles and policy to a conclusion, in the decided order.

1. Any finding at or above its alert level: ``alert`` (obstacles are listed too).
2. Else a required check missing, or a blocking obstacle: ``unassessable``.
3. Else ``no-alert``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edge_agent.analysis.policy import Check, SubjectPolicy
from edge_agent.domain.assessment import MachineConclusion, Obstacle, Reason
from edge_agent.domain.declaration import Declaration
from edge_agent.domain.finding import Detection, Finding, Heterogeneity, ProductGuess, WeightEstimate
from edge_agent.errors import Scalar

EMPTY_FAMILY = "empty"
HETEROGENEITY = "heterogeneity"
WEIGHT = "weight"
_GONE_ALERTS_AT: Mapping[str, float] = {WEIGHT: 0.99}
"""Levels of bundles no longer in force, whose earlier findings are judged again under a new declaration; 0.5 for all other labels."""
_SPREAD = 1.645  # standard deviations of a normal error on each side of the middle hold 90 %


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a conclusion rests on.

    ``done``: checks that were carried out on every view. ``alert_levels``: the bundles' own level a label. ``notes``: what intake
    remarked; those the policy names in ``alert_on`` alert.
    """

    findings: tuple[Finding, ...]
    obstacles: tuple[Obstacle, ...]
    done: frozenset[Check]
    alert_levels: Mapping[str, float]
    declaration: Declaration | None
    notes: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The machine's word, why, and what stood in the way (each obstacle marked as the policy sees it)."""

    word: MachineConclusion
    reasons: tuple[Reason, ...]
    obstacles: tuple[Obstacle, ...]


def conclude(evidence: Evidence, policy: SubjectPolicy) -> Conclusion:
    """Apply ``policy`` to ``evidence``."""
    reasons = _of_detections([finding for finding in evidence.findings if isinstance(finding, Detection)], policy, evidence.alert_levels)
    reasons += [reason for finding in evidence.findings for reason in _of_whole_view(finding, evidence, policy)]
    reasons += [note for note in evidence.notes if note.code in policy.alert_on]
    missing = [Obstacle("check-missing", {"check": check.value}) for check in policy.required if check not in evidence.done]
    obstacles = tuple(_marked(obstacle, policy) for obstacle in (*evidence.obstacles, *missing))
    if reasons:
        word = MachineConclusion.ALERT
    elif any(obstacle.blocking for obstacle in obstacles):
        word = MachineConclusion.UNASSESSABLE
    else:
        word = MachineConclusion.NO_ALERT
    return Conclusion(word, tuple(reasons), obstacles)


def _marked(obstacle: Obstacle, policy: SubjectPolicy) -> Obstacle:
    match obstacle.code:
        case "dark":
            blocking = float(obstacle.params.get("share", 1.0)) > policy.max_dark_share
        case "goods-unknown":
            blocking = policy.unknown_goods == "blocking"
        case code:
            blocking = policy.blocks(code)
    return replace(obstacle, blocking=blocking)


def _of_detections(findings: Sequence[Detection], policy: SubjectPolicy, alert_levels: Mapping[str, float]) -> list[Reason]:
    """Give one reason for each label and view with an alerting detection: the best score, and how many there are."""
    alerting: dict[tuple[str, str], list[float]] = {}
    for finding in findings:
        if finding.score >= _alert_at(finding.label, alert_levels, policy):
            alerting.setdefault((finding.label, finding.view), []).append(finding.score)
    reasons = []
    for (label, view), scores in sorted(alerting.items(), key=lambda group: -max(group[1])):
        threshold = _alert_at(label, alert_levels, policy)
        params: dict[str, Scalar] = {"label": label, "score": round(max(scores), 4), "threshold": round(threshold, 4)}
        reasons.append(Reason("detection-alert", {**params, "count": len(scores), "view": view}))
    return reasons


def _of_whole_view(finding: Finding, evidence: Evidence, policy: SubjectPolicy) -> Sequence[Reason]:
    match finding:
        case Heterogeneity():
            return _of_heterogeneity(finding, evidence.declaration, _alert_at(HETEROGENEITY, evidence.alert_levels, policy))
        case ProductGuess():
            return _of_product(finding, evidence.declaration, _alert_at(EMPTY_FAMILY, evidence.alert_levels, policy))
        case WeightEstimate():
            return _of_weight(finding, evidence.declaration, _alert_at(WEIGHT, evidence.alert_levels, policy))
        case _:
            return ()


def _alert_at(label: str, alert_levels: Mapping[str, float], policy: SubjectPolicy) -> float:
    return policy.levels(label, alert_levels.get(label, _GONE_ALERTS_AT.get(label, 0.5))).alert_at


def _of_heterogeneity(finding: Heterogeneity, declaration: Declaration | None, alert_at: float) -> Sequence[Reason]:
    if finding.score < alert_at:
        return ()
    if declaration is not None and declaration.is_empty:
        code = "declared-empty-but-loaded"
    else:
        code = "heterogeneity" if finding.declared else "mixed-load"
    params: dict[str, Scalar] = {
        "score": round(finding.score, 4),
        "threshold": round(alert_at, 4),
        "families": ", ".join(finding.against),
        "declared": finding.declared,
        "view": finding.view,
    }
    return (Reason(code, params),)


def _of_product(finding: ProductGuess, declaration: Declaration | None, alert_at: float) -> Sequence[Reason]:
    share = dict(finding.ranked).get(EMPTY_FAMILY, 0.0)
    if declaration is None or declaration.is_empty or not declaration.items or share < alert_at:
        return ()
    params: dict[str, Scalar] = {"score": round(share, 4), "threshold": round(alert_at, 4), "view": finding.view}
    return (Reason("declared-goods-but-empty", params),)


def mismatch(estimate: WeightEstimate, declared_kg: float) -> float:
    """Give how surely the declared mass is wrong, in [0, 1]: one minus its two-sided probability under a normal error.

    The half width of the 90 % interval on the side of the declared mass stands for 1.645 standard deviations.
    """
    half = estimate.high_kg - estimate.mass_kg if declared_kg > estimate.mass_kg else estimate.mass_kg - estimate.low_kg
    return math.erf(abs(declared_kg - estimate.mass_kg) * _SPREAD / max(half, 1.0) / math.sqrt(2.0))


def declared_mass_kg(declaration: Declaration | None) -> float | None:
    """Give the declared gross mass in kg; None when some line does not say, 0 for a load declared empty."""
    if declaration is None or not declaration.items:
        return None
    masses = [item.gross_kg for item in declaration.items]
    if declaration.is_empty:
        return 0.0
    return None if any(mass is None for mass in masses) else sum(mass for mass in masses if mass is not None)


def _of_weight(finding: WeightEstimate, declaration: Declaration | None, alert_at: float) -> Sequence[Reason]:
    declared_kg = declared_mass_kg(declaration)
    if declared_kg is None or (score := mismatch(finding, declared_kg)) < alert_at:
        return ()
    params: dict[str, Scalar] = {"score": round(score, 4), "threshold": round(alert_at, 4), "declared_kg": round(declared_kg)}
    estimate: dict[str, Scalar] = {"mass_kg": round(finding.mass_kg), "low_kg": round(finding.low_kg), "high_kg": round(finding.high_kg)}
    return (Reason("weight-mismatch", {**params, **estimate}),)
