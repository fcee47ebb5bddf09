"""Intervals for a proportion, with the standard library only: Wilson for screens, Clopper-Pearson where coverage must be guaranteed."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

_STEPS = 80
"""Halvings of [0, 1] in a bisection; more than a float can tell apart."""
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Interval:
    """Two-sided limits of a proportion, both in [0, 1]."""

    low: float
    high: float


def wilson(hits: int, n: int, confidence: float = 0.95) -> Interval:
    """Give the Wilson score interval (Wilson 1927); the whole of [0, 1] when ``n`` is 0.

    Raises:
        ValueError: ``hits`` is not in 0..n, or ``confidence`` not in (0, 1).
    """
    _check(hits, n, confidence)
    if n == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1.0 + confidence) / 2.0)
    share = hits / n
    centre = share + z * z / (2 * n)
    reach = z * math.sqrt(share * (1.0 - share) / n + z * z / (4 * n * n))
    scale = 1.0 + z * z / n
    # At the ends the formula gives exactly 0 and 1; rounding must not push them off.
    low = 0.0 if hits == 0 else max(0.0, (centre - reach) / scale)
    high = 1.0 if hits == n else min(1.0, (centre + reach) / scale)
    return Interval(low, high)


def clopper_pearson(hits: int, n: int, confidence: float = 0.95) -> Interval:
    """Give the exact interval (Clopper and Pearson 1934); the whole of [0, 1] when ``n`` is 0.

    Raises:
        ValueError: ``hits`` is not in 0..n, or ``confidence`` not in (0, 1).
    """
    _check(hits, n, confidence)
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if hits == 0 else _root(lambda p: beta_cdf(p, hits, n - hits + 1), tail)
    high = 1.0 if hits == n else _root(lambda p: beta_cdf(p, hits + 1, n - hits), 1.0 - tail)
    return Interval(low, high)


def beta_cdf(x: float, a: float, b: float) -> float:
    """Give the regularised incomplete beta function I_x(a, b) for ``x`` in [0, 1] and positive ``a``, ``b``.

    For integers it is a binomial tail: the chance of at least ``a`` hits in ``a + b - 1`` trials of probability ``x``.
    """
    if x <= 0.0 or x >= 1.0:
        return min(max(x, 0.0), 1.0)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    front = math.exp(log_front)
    # The fraction converges fast on the near side of the mean; symmetry brings the far side there.
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1.0 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """Evaluate the continued fraction of the incomplete beta function (DLMF 8.17.22) by Lentz's method."""
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _root(rising: Callable[[float], float], target: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        if rising(middle) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def _check(hits: int, n: int, confidence: float) -> None:
    if not 0 <= hits <= n:
        raise ValueError("hits lie between 0 and n")
    if not 0.0 < confidence < 1.0:
        raise ValueError("a confidence lies between 0 and 1")
