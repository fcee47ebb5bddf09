"""Thresholds and formula constants from calibration scans, and figures from test scans: pure arithmetic over what was observed.

Detector: a level for each label, so that at most 2 % of all clean scans reach any of them. Contents: what families the network takes for
each other, told from scans of their own; the share of the inside over which evidence is averaged; a logistic score of that mean (Platt,
"Probabilistic outputs for support vector machines", 1999), fitted to loads with and without foreign goods, both sides weighing the same;
an alert level that 3 % of the clean loads reach; the fill that 2 % of the loads stay below, under which a container is called empty; the
level under which a product is not named.

All levels are quantiles of the calibration scans themselves, so that on new ones a little more is to be expected.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.evaluation.curves import rate_at_false_alarms
from edge_agent.inference.card import ContentsCard
from edge_agent.inference.heads import highest_evidence_score
from edge_agent.sim.goods import FAMILIES
from edge_agent.sim.threat import LABELS
from training.formula import LEAST_FILL, Formula
from training.metrics import auc, auc_with_interval, share
from training.observe import SHARES, Detected, Examined

ALARM_SHARE, GOODS_ALARM_SHARE = 0.02, 0.03
_EMPTY_SURE, _EMPTY_EVEN = 0.02, 0.05
"""Shares of the loads with the least in them: those called empty at the alert level, and those at even odds."""
_SHOWS = 0.02
"""From this fill on, in truth, a load shows above the floor."""
_PRODUCT_RIGHT = 0.93
_LEAST_SLOPE, _MOST_SLOPE = 0.1, 40.0
_LEAST_ALIKE = 0.005
_FAR_BELOW = -20.0
_SURE_AT_09 = 2.2  # logit of 0.9
_HIDDEN: Mapping[str, tuple[str, ...]] = {
    "foreign_goods_s0": ("foreign",),
    "hidden_overlay_s1": ("overlay", "faint"),
    "hidden_overlay_that_shows_s1": ("overlay",),
    "unknown_goods_s1": ("unknown",),
}
_CLEAN_ROLES = ("cargo-clean", "parcel-clean", "vehicle-clean")


def detector_thresholds(scans: Sequence[Detected]) -> dict[str, float]:
    """Give a level a label: all cut the same share of the clean scans, and together 2 % of them."""
    clean = [seen for seen in scans if seen.role in _CLEAN_ROLES]
    scores = np.array([[seen.best[label] for label in LABELS] for seen in clean])
    for each in (0.02, 0.015, 0.01, 0.0075, 0.005, 0.0025):
        levels = np.quantile(scores, 1.0 - each, axis=0) + 0.005
        if (scores >= levels).any(axis=1).mean() <= ALARM_SHARE:
            break
    return {label: round(float(np.clip(level, 0.1, 0.95)), 3) for label, level in zip(LABELS, levels, strict=True)}


def detector_figures(scans: Sequence[Detected], thresholds: Mapping[str, float]) -> dict[str, Any]:
    """Give alarms and finds of whole scans by subject."""

    def alarmed(seen: Detected) -> bool:
        return any(seen.best[label] >= thresholds[label] for label in LABELS)

    def caught(seen: Detected) -> bool:
        return any(score >= thresholds[label] for label, score in seen.hits)

    figures: dict[str, Any] = {}
    for subject in ("cargo", "parcel", "vehicle"):
        clean, guilty = ([s for s in scans if s.role == f"{subject}-{state}"] for state in ("clean", "threat"))
        table = _share("clean_alerted", clean, alarmed) | (_share("threat_found", guilty, caught) if guilty else {})
        figures[f"{subject}_scans"] = table
    return figures


def container_figures(scans: Sequence[Detected], thresholds: Mapping[str, float]) -> dict[str, Any]:
    """Give the share of containers with small metal that alarm when 1 % and 5 % of the clean ones do, and of those that do so on it.

    A scan's score is its best margin over a label's level, in logits, so that one number moves all levels together. An alarm is on the
    metal where the middle of the detection lies in its box, whatever label it is given.
    """
    clean = np.array([_margin(seen.best.items(), thresholds) for seen in scans if seen.role == "clean"])
    guilty = [seen for seen in scans if seen.role == "guilty"]
    anywhere, on_it = (
        np.array([_margin(seen, thresholds) for seen in part]) for part in zip(*((s.best.items(), s.hits) for s in guilty), strict=True)
    )
    figures: dict[str, Any] = {"clean": len(clean), **auc_with_interval("auc", anywhere, clean)}
    for percent in (1, 5):
        for name, scores in (("found", anywhere), ("pointed", on_it)):
            rate, low, high = rate_at_false_alarms(clean, scores, percent / 100.0)
            key = f"{name}_at_{percent}pc_false"
            figures |= {key: round(rate, 3), f"{key}_n": len(scores), f"{key}_interval_95": [round(low, 3), round(high, 3)]}
    return figures


def _margin(scores: Iterable[tuple[str, float]], thresholds: Mapping[str, float]) -> float:
    """Give by how many logits the best of these labels and scores is above its level; far below where there is none."""
    return max((float(_logit(np.array(score)) - _logit(np.array(thresholds[label]))) for label, score in scores), default=_FAR_BELOW)


def look_alikes(scans: Sequence[Examined]) -> dict[str, dict[str, float]]:
    """Give for each family the others that its loads are taken for, and how much of each counts as declared where it is.

    For a family d and what looks like f: how often a load of d looks like f, over how often one of f does; shares of loads of one family,
    with one more load of d that looks like every family alike. Weights under ``_LEAST_ALIKE`` are left out.
    """
    names = [family.name for family in FAMILIES]
    single = [seen for seen in _of(scans, "clean") if len(seen.families) == 1]
    looks = {one: np.array([seen.shares for seen in single if seen.families[0] == one]) for one in names}
    known = [one for one in names if len(looks[one])]
    mean = {one: (looks[one].sum(axis=0) + 1.0 / len(names)) / (len(looks[one]) + 1.0) for one in known}
    found: dict[str, dict[str, float]] = {}
    for one in known:
        alike = {other: min(1.0, float(mean[one][names.index(other)] / mean[other][names.index(other)])) for other in known if other != one}
        found[one] = {other: round(weight, 3) for other, weight in alike.items() if weight >= _LEAST_ALIKE}
    return {one: others for one, others in found.items() if others}


def formula_from(scans: Sequence[Examined], begun: Formula) -> tuple[Formula, dict[str, float]]:
    """Give the constants of the formula and the alert levels (``heterogeneity``, ``empty``, and ``product`` for naming).

    ``begun``: what the scans were examined with; its temperature and its look-alikes stay.
    """
    loads, foreign, overlay = _of(scans, "clean"), _of(scans, "foreign"), _of(scans, "overlay", "faint")
    ours, theirs, small = (np.array([seen.evidence for seen in part]) for part in (loads, foreign, overlay))
    levels = np.quantile(ours, 1.0 - GOODS_ALARM_SHARE, axis=0)
    worth = [(theirs[:, i] > levels[i]).mean() + auc(small[:, i], ours[:, i]) for i in range(len(SHARES))]
    chosen = int(np.argmax(worth))
    a, b = (round(value, 3) for value in _platt(ours[:, chosen], theirs[:, chosen]))
    middle, slope = _empty_line(scans)
    formula = replace(begun, top_share=SHARES[chosen], a=a, b=b, empty_fill=middle, empty_slope=slope)
    alert, highest = float(_sigmoid(a * levels[chosen] + b)), highest_evidence_score(ContentsCard(**formula.table()))
    thresholds = {"heterogeneity": round(min(alert + 0.002, (alert + highest) / 2), 4), "empty": 0.9, "product": _product_level(loads)}
    return formula, thresholds


def contents_figures(scans: Sequence[Examined], formula: Formula, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """Give the figures of whole scans: foreign goods, hidden overlays, goods never seen, product, empty.

    The scores are the bundle's own. Areas compare loads that hold something undeclared with loads that do not: that an empty container
    scores low says nothing of that.
    """
    clean, empty = _of(scans, "clean"), _of(scans, "empty")

    def looks_empty(seen: Examined) -> bool:
        return formula.p_empty(seen.fill) >= thresholds["empty"]

    def alerted(seen: Examined) -> bool:
        return seen.score >= thresholds["heterogeneity"]

    figures: dict[str, Any] = {"clean_loads": _share("alerted", clean, alerted), "empty_loads": _share("alerted", empty, alerted)}
    reference = np.array([seen.score for seen in clean])
    for name, roles in _HIDDEN.items():
        guilty = _of(scans, *roles)
        if guilty:
            scores = np.array([seen.score for seen in guilty])
            figures[name] = auc_with_interval("auc", scores, reference) | _share("found", guilty, alerted)
            figures[name] |= {} if "unknown" in roles else _share("pointing_game", guilty, lambda seen: seen.points)
    figures["product"] = _product_figures(clean, thresholds["product"])
    figures["empty"] = _share("empty_seen_as_empty", empty, looks_empty) | _share("loaded_seen_as_empty", clean, looks_empty)
    return figures


def _product_figures(clean: Sequence[Examined], level: float) -> dict[str, Any]:
    single = [seen for seen in clean if len(seen.families) == 1]
    named = [seen for seen in single if seen.product[1] >= level]
    return {
        **_share("top1_of_all", single, _is_right),
        **_share("coverage", single, lambda seen: seen.product[1] >= level),
        **_share("top1_where_named", named, _is_right),
    }


def _product_level(clean: Sequence[Examined]) -> float:
    """Give the lowest share of the load at which naming its family is right in 93 % of the single-family loads."""
    single = [seen for seen in clean if len(seen.families) == 1 and seen.families != ("empty",)]
    for level in np.arange(0.0, 0.96, 0.02):
        named = [seen for seen in single if seen.product[1] >= level]
        if named and np.mean([_is_right(seen) for seen in named]) >= _PRODUCT_RIGHT:
            return round(float(level), 2)
    return 0.95


def _is_right(seen: Examined) -> bool:
    return seen.product[0] == seen.families[0]


def _empty_line(scans: Sequence[Examined]) -> tuple[float, float]:
    """Give the fill at which empty and loaded are as probable, and how steeply that changes with the ratio of fills.

    The alert level of 0.9 lies where 2 % of the loaded containers, those with the least in them, still pass for empty; even odds lie
    where 5 % do. A load that shows nowhere above the floor, or is thinner than goods, passes for empty at any level, however good the
    network is: how many such loads there are says something of the simulator only, and they are left out.
    """
    loaded = np.array([seen.fill for seen in _of(scans, "clean") if seen.true_fill > _SHOWS]) + LEAST_FILL
    sure, even = (float(level) for level in np.quantile(loaded, (_EMPTY_SURE, _EMPTY_EVEN)))
    slope = float(np.clip(_SURE_AT_09 / max(np.log(even / sure), 1e-3), 2.0, 12.0))
    return round(sure * float(np.exp(_SURE_AT_09 / slope)), 4), round(slope, 1)


def _platt(clean: NDArray[np.float64], guilty: NDArray[np.float64]) -> tuple[float, float]:
    """Fit sigmoid(a * x + b) by Newton's method, both sides weighing the same, with a weak pull of the slope towards 0."""
    x = np.concatenate([clean, guilty])
    y = np.concatenate([np.full(clean.size, 1.0 / (clean.size + 2.0)), np.full(guilty.size, (guilty.size + 1.0) / (guilty.size + 2.0))])
    weight = np.concatenate([np.full(clean.size, 0.5 / clean.size), np.full(guilty.size, 0.5 / guilty.size)])
    design, pull = np.stack([x, np.ones_like(x)], axis=1), np.diag([1e-3, 1e-6])
    value = np.zeros(2)
    for _ in range(50):
        p = _sigmoid(design @ value)
        gradient = design.T @ (weight * (p - y)) + pull @ value
        curvature = (design * (weight * p * (1.0 - p))[:, None]).T @ design + pull
        value -= np.linalg.solve(curvature, gradient)
    return float(np.clip(value[0], _LEAST_SLOPE, _MOST_SLOPE)), float(value[1])


def _of(scans: Sequence[Examined], *roles: str) -> list[Examined]:
    return [seen for seen in scans if seen.role in roles]


def _share(name: str, scans: Sequence[Any], holds: Callable[[Any], bool]) -> dict[str, Any]:
    return share(name, sum(holds(seen) for seen in scans), len(scans))


def _sigmoid(value: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(value, -60.0, 60.0))))


def _logit(value: NDArray[np.float64]) -> NDArray[np.float64]:
    inner: NDArray[np.float64] = np.clip(value, 1e-4, 1.0 - 1e-4)
    return np.log(inner / (1.0 - inner))
