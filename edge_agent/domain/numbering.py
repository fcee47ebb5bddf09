"""Check digits of container numbers (ISO 6346) and of postal items (UPU S10), and what a misread number may have been."""

import re
from collections.abc import Iterator
from enum import StrEnum

_CONTAINER = re.compile(r"[A-Z]{3}[UJZ][0-9]{7}")
_POSTAL = re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}")
_CONTAINER_SHAPE = ("L", "L", "L", "C", *("D",) * 7)
_POSTAL_SHAPE = ("L", "L", *("D",) * 9, "L", "L")
_SIGNS = {"L": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "C": "UJZ", "D": "0123456789"}
_VALUES = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", (n for n in range(10, 39) if n % 11), strict=True)) | {str(n): n for n in range(10)}
_POSTAL_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)
_ALIKE = ("0OQDCU", "1IJLT7", "2Z", "3B8", "4A", "5S", "6GB8", "7TY1Z", "8B3S6", "9GQ", "CG", "EF", "HNM", "KX", "MW", "PRF", "UVJ", "VY")
"""Signs that readers take for one another, in both directions within each group."""


class NumberCheck(StrEnum):
    """What the check digit says of a number as it was read."""

    VALID = "valid"
    REPAIRABLE = "repairable"
    """Wrong, but one misread sign explains it."""
    INVALID = "invalid"
    UNCHECKED = "unchecked"
    """Not of a kind that has a check digit."""


def normalised(number: str) -> str:
    """Give a number as it is compared: upper case, without blanks and dashes."""
    return re.sub(r"[\s-]", "", number).upper()


def container_check_digit(number: str) -> int:
    """Give the check digit of the first ten signs (four letters, six digits): weights are powers of two, modulo 11, then 10.

    Two of the eleven remainders share the digit 0 (ISO 6346), so some misread signs pass: the check is a filter, not a proof.

    Raises:
        KeyError: a sign is neither a capital letter nor a digit.
    """
    return container_remainder(number) % 10


def container_remainder(number: str) -> int:
    """Give the sum over the first ten signs modulo 11, 0 to 10. Raises as :func:`container_check_digit`."""
    return sum(_VALUES[sign] << place for place, sign in enumerate(number[:10])) % 11


def is_container_number(number: str) -> bool:
    """Say whether a normalised number is a container's and its check digit is right."""
    return _CONTAINER.fullmatch(number) is not None and container_check_digit(number) == int(number[10])


def postal_check_digit(serial: str) -> int:
    """Give the check digit of the eight digits of a postal item's serial (UPU S10): weights 8 6 4 2 3 5 9 7, modulo 11.

    Raises:
        ValueError: not eight digits.
    """
    total = sum(weight * int(digit) for weight, digit in zip(_POSTAL_WEIGHTS, serial, strict=True))
    rest = 11 - total % 11
    return {10: 0, 11: 5}.get(rest, rest)


def is_postal_item(number: str) -> bool:
    """Say whether a normalised number is a postal item's and its check digit is right."""
    return _POSTAL.fullmatch(number) is not None and postal_check_digit(number[2:10]) == int(number[10])


def check(number: str) -> NumberCheck:
    """Judge a number by the check digit of its kind; its length and shape tell which."""
    plain = normalised(number)
    if is_container_number(plain) or is_postal_item(plain):
        return NumberCheck.VALID
    if not _has_a_kind(plain):
        return NumberCheck.UNCHECKED
    return NumberCheck.REPAIRABLE if candidates(plain) else NumberCheck.INVALID


def candidates(number: str) -> tuple[str, ...]:
    """Give the valid numbers that one misread sign turns into ``number``, sorted; a valid number has none but itself.

    A ``?`` stands for any sign of its place. Otherwise a sign may have been any one that looks like it (0 and O, 8 and B, ...).
    """
    plain = normalised(number)
    if is_container_number(plain) or is_postal_item(plain):
        return (plain,)
    found = {one for one in _variants(plain, _CONTAINER_SHAPE) if is_container_number(one)}
    found |= {one for one in _variants(plain, _POSTAL_SHAPE) if is_postal_item(one)}
    return tuple(sorted(found))


def _variants(plain: str, shape: tuple[str, ...]) -> Iterator[str]:
    """Give every text of ``shape`` that differs from ``plain`` in one sign that can be taken for the one written."""
    if len(plain) != len(shape) or plain.count("?") > 1:
        return
    for place, (sign, kind) in enumerate(zip(plain, shape, strict=True)):
        if "?" in plain and sign != "?":
            continue
        for other in _SIGNS[kind]:
            if sign == "?" or (other != sign and _look_alike(sign, other)):
                yield f"{plain[:place]}{other}{plain[place + 1 :]}"


def _look_alike(one: str, other: str) -> bool:
    return any(one in group and other in group for group in _ALIKE)


def _has_a_kind(plain: str) -> bool:
    """Say whether a text is near enough to a container's or a postal item's number to be judged as one."""
    return any(
        len(plain) == len(shape)
        and sum(sign not in _SIGNS["L" if kind == "C" else kind] for sign, kind in zip(plain, shape, strict=True)) <= 1
        for shape in (_CONTAINER_SHAPE, _POSTAL_SHAPE)
    )
