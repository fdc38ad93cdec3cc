"""Lengths and areas that a caller gives in pixels or as a share of something."""

from __future__ import annotations

import math
import operator
import re

from pyhades.errors import ArgumentError, ArgumentTypeError

Amount = int | str
"""Pixels, or a share such as ``"5%"``."""

_FORM = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(%|px)?")


def check_amount(name: str, value: Amount, least: int = 0) -> Amount:
    """``value``, which is a number of pixels of at least ``least``, or a share.

    Raises
    ------
    ArgumentTypeError
        It is neither a number of pixels nor a text.
    ArgumentError
        It is too small, or a text of another form.

    Examples
    --------
    >>> check_amount("margin", "12"), check_amount("margin", "2.5%")
    (12, '2.5%')
    """
    if isinstance(value, str):
        found = _FORM.fullmatch(value.strip())
        if found is None or ("." in found[1] and found[2] != "%"):
            raise ArgumentError(
                f"{name}={value!r}: give pixels, such as 20, or a share, such as 5%"
            )
        if found[2] == "%":
            if float(found[1]) > 100:
                raise ArgumentError(f"{name}={value!r}: a share is at most 100%")
            return f"{found[1]}%"
        value = int(found[1])
    try:
        if isinstance(value, bool):
            raise TypeError
        pixels = operator.index(value)
    except TypeError:
        raise ArgumentTypeError(
            f"{name}={value!r}: give a whole number of pixels, or a share such as '5%'"
        ) from None
    if pixels < least:
        raise ArgumentError(f"{name}={pixels} must be at least {least}")
    return pixels


def pixels_of(amount: Amount, whole: int) -> int:
    """In pixels, rounded to the nearest; shares are of ``whole``.

    Examples
    --------
    >>> pixels_of(12, 1000), pixels_of("2.5%", 1000)
    (12, 25)
    """
    if isinstance(amount, int):
        return amount
    return math.floor(float(amount.rstrip("%")) / 100 * whole + 0.5)


def check_between(name: str, value: object, low: float, high: float, unit: str = "") -> float:
    """``value`` as a number above ``low`` and of at most ``high``.

    Raises
    ------
    ArgumentTypeError
        It is no number.
    ArgumentError
        It lies outside, or is none of the real numbers.

    Examples
    --------
    >>> check_between("threshold", 0.5, 0, 1)
    0.5
    """
    if isinstance(value, bool | str) or not hasattr(value, "__float__"):
        raise ArgumentTypeError(f"{name}={value!r} is not a number")
    number = float(value)
    if not low < number <= high:  # not a number is neither
        raise ArgumentError(f"{name}={value!r} must be above {low:g} and at most {high:g}{unit}")
    return number
