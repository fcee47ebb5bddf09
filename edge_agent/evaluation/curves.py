"""How well a score tells two groups apart. ``guilty``: scores (n,) that ought to be high, ``clean``: scores (m,) that ought to be low."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from edge_agent.kpi.intervals import Interval
from edge_agent.kpi.rates import Rate

Scores = NDArray[np.float64]
_STEPS = 60
_Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Separation:
    """Two groups of scores under one name; what an ROC curve is drawn from."""

    name: str
    guilty: Scores
    clean: Scores

    @property
    def is_defined(self) -> bool:
        return bool(self.guilty.size and self.clean.size)


def separation(name: str, guilty: Sequence[float], clean: Sequence[float]) -> Separation:
    """Give two groups of scores."""
    return Separation(name, np.array(guilty, dtype=np.float64), np.array(clean, dtype=np.float64))


def auc(groups: Separation) -> float:
    """Give the area under the ROC curve: how often a guilty score is above a clean one; ties count half.

    Raises:
        ValueError: a group is empty.
    """
    if not groups.is_defined:
        raise ValueError("an area needs scores of both groups")
    ordered = np.sort(groups.clean)
    below = np.searchsorted(ordered, groups.guilty, side="left")
    not_above = np.searchsorted(ordered, groups.guilty, side="right")
    return float((below + not_above).mean() / (2.0 * ordered.size))


def auc_interval(area: float, guilty: int, clean: int) -> Interval:
    """Give the 95 % interval of an area by the score method: all areas whose own standard error would not rule out the one seen.

    The standard error is Hanley and McNeil's (Radiology 143, 1982), with the two group sizes in its correction replaced by their mean
    (Newcombe, Statistics in Medicine 25, 2006, method 5). Unlike the simple interval it has a width when the groups are wholly apart.
    """
    pairs, mean = guilty * clean, (guilty + clean) / 2.0 - 1.0

    def reach(value: float) -> float:
        spread = 1.0 + mean * (1.0 - value) / (2.0 - value) + mean * value / (1.0 + value)
        return _Z * math.sqrt(value * (1.0 - value) * spread / pairs)

    low = _root(lambda value: area - value - reach(value), 0.0, area)
    high = _root(lambda value: reach(value) - (value - area), area, 1.0)
    return Interval(low, high)


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Give where a function that is positive above ``low`` becomes negative below ``high``; it may touch 0 at either end."""
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if falling(middle) > 0.0 else (low, middle)
    return (low + high) / 2.0


def found_at(groups: Separation, false_alarms: float) -> Rate:
    """Give how many guilty scores lie above the lowest threshold at which at most this share of the clean ones alarms."""
    falling = np.sort(groups.clean)[::-1]
    allowed = math.floor(false_alarms * falling.size + 1e-9)
    if allowed >= falling.size:
        return Rate(groups.guilty.size, groups.guilty.size)
    return Rate(int((groups.guilty > falling[allowed]).sum()), groups.guilty.size)


def roc(groups: Separation) -> tuple[Scores, Scores]:
    """Give the corners of the ROC curve: shares of the clean and of the guilty at or above each score, both rising from 0 to 1."""
    levels = np.unique(np.concatenate([groups.guilty, groups.clean]))[::-1]
    points = [(0.0, 0.0), *((float((groups.clean >= at).mean()), float((groups.guilty >= at).mean())) for at in levels)]
    false, true = np.array(points).T
    return false, true


@dataclass(frozen=True, slots=True)
class Bin:
    """Scores in a range: their mean, and how many of them belong to guilty scans."""

    mean: float
    rate: Rate


def reliability(groups: Separation, bins: int = 10) -> list[Bin]:
    """Give how often a score of about so much belongs to a guilty scan, over ``bins`` equal ranges of [0, 1]; empty ones are left out."""
    scores = np.concatenate([groups.guilty, groups.clean])
    is_guilty = np.arange(scores.size) < groups.guilty.size
    places = np.minimum((scores * bins).astype(int), bins - 1)
    return [
        Bin(float(scores[places == place].mean()), Rate(int(is_guilty[places == place].sum()), int((places == place).sum())))
        for place in np.unique(places)
    ]
