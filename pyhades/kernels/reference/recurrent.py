"""Recurrent cells, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.kernels.recurrent import Activation, make_cell
from pyhades.numerics import recurrent
from pyhades.numerics.recurrent import CellKind


def recurrence(
    x: ArrayLike,
    w: ArrayLike,
    cell: CellKind = "lstm",
    bias: ArrayLike | None = None,
    peepholes: ArrayLike | None = None,
    h: ArrayLike | None = None,
    c: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    *,
    reverse: bool = False,
    activations: Sequence[Activation] | None = None,
    clip: float | None = None,
    linear_before_reset: bool = False,
    input_forget: bool = False,
) -> tuple[Array, ...]:
    """See :func:`pyhades.kernels.recurrence`; computed in float64."""
    plan = make_cell(cell, activations, clip, linear_before_reset, input_forget)
    results = recurrent.recurrence(
        np.asarray(x).astype(np.float64),
        np.asarray(w).astype(np.float64),
        plan,
        _wide(bias),
        _wide(peepholes),
        _wide(h),
        _wide(c),
        None if lengths is None else np.asarray(lengths),
        reverse,
    )
    kept = results if cell == "lstm" else results[:2]
    return tuple(result.astype(np.float32) for result in kept)


def _wide(array: ArrayLike | None) -> Array | None:
    return None if array is None else np.asarray(array).astype(np.float64)
