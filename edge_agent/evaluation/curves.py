"""How well a score tells two groups apart. ``guilty``: scores (n,) that ought to be high, ``clean``: scores (m,) that ought to be low."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from edge_agent.kpi.intervals import Interval
from edge_agent.kpi.rates import Rate

Scores = NDArray[np.float64]
_STEPS = 60
_DRAWS, _SEED = 10_000, 1
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
    """Give how many guilty scores lie above the lowest threshold at which at most this share of the clean ones alarms.

    The ``Rate``'s own interval takes the threshold for known; :func:`rate_at_false_alarms` does not.
    """
    allowed = _allowed(groups.clean, false_alarms)
    if allowed >= groups.clean.size:
        return Rate(groups.guilty.size, groups.guilty.size)
    return Rate(int(_found_above_each(groups.clean, groups.guilty)[allowed]), groups.guilty.size)


def rate_at_false_alarms(clean: Scores, guilty: Scores, share: float) -> tuple[float, float, float]:
    """Give which share of the guilty is found where at most ``share`` of the clean ones alarm, with its 95 % interval.

    ``clean`` (n,), ``guilty`` (m,): scores of whole scans, float64, any unit, high = suspect. ``share``: false alarms allowed, in [0, 1].
    The threshold is the lowest that so many of the clean scores allow; what is above it counts, what equals it does not.

    Returns (rate, low, high), each in [0, 1], ``low <= rate <= high``. The interval is a percentile bootstrap (Efron and Tibshirani, "An
    Introduction to the Bootstrap", 1993, section 13.3) of 10,000 seeded draws, each of n clean and m guilty scores with replacement
    and with a threshold of its own, because the threshold is an estimate too: at 1 % it rests on one or two of 200 clean scores. Where the
    Wilson interval of the rate at the threshold as it stands reaches further, that one counts: draws of scores that lie wholly apart all
    give the same rate.

    No draw knows a clean score above the highest one seen, so that with few clean scans the interval is too narrow: for normal scores it
    holds the true rate in about 75 % of trials where ``share * n`` is 1, in 90 % where it is 2 and in 92 to 95 % from 4 up. The Wilson
    interval alone holds it in 25 to 75 %.

    Raises:
        ValueError: a group is empty, or ``share`` does not lie in [0, 1].
    """
    if not clean.size or not guilty.size:
        raise ValueError("a rate at fixed false alarms needs scores of both groups")
    if not 0.0 <= share <= 1.0:
        raise ValueError("a share lies between 0 and 1")
    found, allowed = found_at(Separation("", guilty, clean), share), _allowed(clean, share)
    rate, fixed = found.hits / found.n, found.interval
    if allowed >= clean.size:  # no threshold is needed, so none is estimated
        return rate, fixed.low, fixed.high
    rng = default_rng(_SEED)
    # Of n scores drawn anew the threshold is the one of rank allowed + 1. The ranks drawn are n uniform numbers, whose order statistic has
    # this beta distribution; the guilty above it are so many in m throws. It is the same as drawing scores, without drawing n of them.
    ranks = np.minimum(clean.size * rng.beta(allowed + 1, clean.size - allowed, _DRAWS), clean.size - 1).astype(np.intp)
    hits = rng.binomial(guilty.size, _found_above_each(clean, guilty)[ranks] / guilty.size)
    low, high = np.quantile(hits / guilty.size, (0.025, 0.975))
    return rate, min(float(low), fixed.low, rate), max(float(high), fixed.high, rate)


def _allowed(clean: Scores, false_alarms: float) -> int:
    """Give how many of the clean scores may alarm."""
    return math.floor(false_alarms * clean.size + 1e-9)


def _found_above_each(clean: Scores, guilty: Scores) -> NDArray[np.intp]:
    """Give (n,) how many guilty scores lie above each of the n clean ones, the highest of these first."""
    above: NDArray[np.intp] = guilty.size - np.searchsorted(np.sort(guilty), np.sort(clean)[::-1], side="right")
    return above


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
