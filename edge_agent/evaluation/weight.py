"""Errors of weighing, in kg and as shares of the true mass; what always guessing the median mass would give stands beside."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from edge_agent.domain.finding import WeightEstimate
from edge_agent.evaluation.figure import Figure, bounded, plain, shares
from edge_agent.evaluation.record import Record
from edge_agent.kpi.intervals import Interval

_RESAMPLES, _SEED = 1000, 1


def evaluate_weight(records: Sequence[Record]) -> list[Figure]:
    """Measure weighing on the scans whose mass is known; those that could not be weighed are counted, and are in no error."""
    weighed = [(record.truth.mass_kg, record.seen.weight) for record in records if record.truth.mass_kg is not None]
    pairs = [(true, estimate) for true, estimate in weighed if estimate is not None]
    figures = shares("weight/weighed", (estimate is not None for _, estimate in weighed), "scans")
    if not pairs:
        return figures
    true = np.array([mass for mass, _ in pairs])
    error = np.abs(np.array([estimate.mass_kg for _, estimate in pairs]) - true)
    n = {"scans": len(pairs)}
    guess = np.abs(true - np.median(true))
    figures += [
        bounded("weight/mean error kg", float(error.mean()), _interval(error, "mean"), n),
        bounded("weight/median error", float(np.median(error / true)), _interval(error / true, "median"), n),
        plain("weight/p90 error", float(np.percentile(error / true, 90)), n),
        plain("weight/mean error kg of the median mass", float(guess.mean()), n),
    ]
    return figures + shares("weight/in the 90 % interval", (_holds(estimate, mass) for mass, estimate in pairs), "scans")


def _holds(estimate: WeightEstimate, mass_kg: float) -> bool:
    return estimate.low_kg <= mass_kg <= estimate.high_kg


def _interval(values: NDArray[np.float64], measure: Literal["mean", "median"]) -> Interval:
    """Give the 95 % interval of a mean or median by drawing scans anew (bootstrap)."""
    rng = default_rng(_SEED)
    drawn = values[rng.integers(0, values.size, (_RESAMPLES, values.size))]
    low, high = np.quantile((np.mean if measure == "mean" else np.median)(drawn, axis=1), (0.025, 0.975))
    return Interval(float(low), float(high))
