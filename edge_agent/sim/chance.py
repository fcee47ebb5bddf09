"""Draws that several parts of the simulator share."""

import numpy as np
from numpy.random import Generator


def log_uniform(rng: Generator, low: float, high: float) -> float:
    """Draw between two positive bounds so that every ratio is as likely: as many from 1 to 10 as from 10 to 100."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
