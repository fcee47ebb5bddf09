"""Container numbers (ISO 6346) that belong to nobody."""

from numpy.random import Generator

from edge_agent.domain.numbering import container_remainder

OWNER_CODES = ("ZZZU", "XQXU", "QZQU")
"""Owner codes for simulated containers; they are given to no company in the simulator's world."""


def container_number(rng: Generator) -> str:
    """Draw a number with its correct check digit. Serials whose sum is 10 modulo 11 are not given out (ISO 6346, 4.1.1)."""
    while True:
        start = f"{rng.choice(OWNER_CODES)}{int(rng.integers(0, 1_000_000)):06d}"
        remainder = container_remainder(start)
        if remainder != 10:
            return f"{start}{remainder}"
