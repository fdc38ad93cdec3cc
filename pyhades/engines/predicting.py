"""A run of an engine: what it is given, and whether what it gives is a prediction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.engines.network import Network
from pyhades.engines.requests import Run
from pyhades.errors import EngineError

Check = Callable[[NDArray[np.float32], NDArray[Any]], None]
"""Raises where a prediction is none for a picture: shapes and numbers."""


def predicted(network: Network, run: Run, check: Check) -> list[NDArray[Any]]:
    """What the network says of each picture.

    Raises
    ------
    EngineError
        That is no prediction.
    """
    planes = [request.planes for request in run.requests]
    count = len(planes)
    result = np.asarray(network(_given(planes)))
    if count > 1 and (result.ndim < 3 or len(result) != count):
        raise EngineError(f"it gave {result.shape} for {count} pictures")
    # Engines use the memory of their results again.
    each = [np.array(result[n : n + 1] if count > 1 else result) for n in range(count)]
    for picture, prediction in zip(planes, each, strict=True):
        check(picture, prediction)
    return each


def _given(planes: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Pictures as an engine gets them: not to be written to, since another one may need them."""
    given = planes[0].view() if len(planes) == 1 else np.concatenate(planes)
    given.flags.writeable = False
    return given
