"""Numbers of threads that the environment asks for."""

from __future__ import annotations

from collections.abc import Mapping

from pyhades.errors import ConfigurationError

THREADS = "PYHADES_NUM_THREADS"
"""Threads of a team, and of all workers together, where no argument says it."""


def count_in(environment: Mapping[str, str], name: str) -> int | None:
    """The number of threads that a variable gives; None where it is not set.

    Raises
    ------
    ConfigurationError
        It is set to something else.

    Examples
    --------
    >>> count_in({"PYHADES_NUM_THREADS": "4"}, "PYHADES_NUM_THREADS")
    4
    """
    text = environment.get(name, "").split(",")[0].strip()
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ConfigurationError(
            f"{name}={text!r} is not a number of threads; unset it or use 1, 2, ..."
        )
    return int(text)
