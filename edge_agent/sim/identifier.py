"""Container numbers (ISO 6346) that belong to nobody."""

from numpy.random import Generator

OWNER_CODES = ("ZZZU", "XQXU", "QZQU")
"""Owner codes for simulated containers; they are given to no company in the simulator's world."""

_LETTERS = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", (n for n in range(10, 39) if n % 11), strict=True))


def check_digit(number: str) -> int:
    """Give the check digit of the first ten characters (four letters, six digits): weights are powers of two, modulo 11, then 10.

    Raises:
        KeyError, ValueError: a character is neither a capital letter nor a digit.
    """
    values = [_LETTERS[sign] if sign.isalpha() else int(sign) for sign in number[:10]]
    return sum(value << place for place, value in enumerate(values)) % 11 % 10


def container_number(rng: Generator) -> str:
    """Draw a number with its correct check digit. Serials whose sum is 10 modulo 11 are not given out (ISO 6346, 4.1.1)."""
    while True:
        start = f"{rng.choice(OWNER_CODES)}{int(rng.integers(0, 1_000_000)):06d}"
        values = [_LETTERS[sign] if sign.isalpha() else int(sign) for sign in start]
        if sum(value << place for place, value in enumerate(values)) % 11 != 10:
            return f"{start}{check_digit(start)}"
