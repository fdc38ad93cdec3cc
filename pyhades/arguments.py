"""Checks of arguments that functions on every floor have in common."""

from __future__ import annotations

import operator
import warnings
from typing import TypeVar, get_args

import numpy as np

from pyhades.errors import ArgumentError, ArgumentTypeError

T = TypeVar("T")


def one_of(name: str, value: T, allowed: object) -> T:
    """``value``, which is one of ``allowed``: no name is accepted that means nothing.

    Parameters
    ----------
    name
        What the caller calls the argument.
    value
        What was given for it.
    allowed
        The Literal that annotates the argument, or the names themselves.

    Returns
    -------
    object
        ``value``.

    Raises
    ------
    ArgumentError
        It is none of them; the message lists them.

    Examples
    --------
    >>> one_of("order", "rgb", ("rgb", "bgr"))
    'rgb'
    >>> one_of("order", "grb", ("rgb", "bgr"))
    Traceback (most recent call last):
        ...
    pyhades.errors.ArgumentError: order='grb' is none of 'rgb', 'bgr'
    """
    names: tuple[object, ...] = get_args(allowed) or tuple(allowed)  # type: ignore[arg-type]
    # Compared by type first: an array compared with a name has no truth value.
    if not any(type(value) is type(known) and value == known for known in names):
        raise ArgumentError(f"{name}={value!r} is none of {', '.join(map(repr, names))}")
    return value


def renamed(old: str, new: str, old_value: T, new_value: T) -> T:
    """The value of an argument that had another name once; None where neither is given.

    Raises
    ------
    ArgumentError
        Both are given.

    Examples
    --------
    >>> renamed("path", "model", None, "gpt-oss-20b/")
    'gpt-oss-20b/'
    """
    if old_value is None:
        return new_value
    if new_value is not None:
        raise ArgumentError(f"{old} is the old name of {new}; give {new} alone")
    # Seen from here: the caller of the function that has the argument.
    warnings.warn(f"{old}= is called {new}= now", DeprecationWarning, stacklevel=3)
    return old_value


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


def check_flag(name: str, value: object) -> bool:
    """``value`` as True or False.

    Raises
    ------
    ArgumentTypeError
        It is neither.

    Examples
    --------
    >>> check_flag("prefix_cache", True)
    True
    """
    if not isinstance(value, (bool, np.bool_)):
        raise ArgumentTypeError(f"{name}={value!r} is neither True nor False")
    return bool(value)
