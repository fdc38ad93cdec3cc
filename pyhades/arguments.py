"""Checks of arguments that functions on every floor have in common."""

from __future__ import annotations

import operator

from pyhades.errors import ArgumentError, ArgumentTypeError


def check_count(name: str, value: object, least: int = 1) -> int:
    """``value`` as an integer of at least ``least``: no number of things is refused, not obeyed.

    Raises
    ------
    ArgumentTypeError
        It is no integer; True is none either.
    ArgumentError
        It is smaller.

    Examples
    --------
    >>> check_count("runs", 3)
    3
    >>> check_count("runs", 0)
    Traceback (most recent call last):
        ...
    pyhades.errors.ArgumentError: runs=0 must be at least 1
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        count = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ArgumentTypeError(f"{name}={value!r} is not an integer") from None
    if count < least:
        raise ArgumentError(f"{name}={count} must be at least {least}")
    return count
