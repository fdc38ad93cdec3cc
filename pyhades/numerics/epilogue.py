"""What finishes a matrix product or a convolution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyhades.numerics.array import Array
from pyhades.numerics.functions import FUNCTIONS

Stage = tuple[str, Sequence[float]]
"""Name and parameters of an activation."""

NONE: Stage = ("none", ())


def activate(x: Array, stage: Stage) -> Array:
    """The activation of ``x``, in its dtype."""
    name, parameters = stage
    if name == "none":
        return x
    return np.asarray(FUNCTIONS[name].function(x, *parameters)).astype(x.dtype, copy=False)


def finish(
    x: Array, activation: Stage, residual: Array | None = None, after: Stage = NONE
) -> Array:
    """``after(activation(x) + residual)``."""
    x = activate(x, activation)
    return activate(x if residual is None else x + residual, after)
