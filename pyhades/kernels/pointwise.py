"""One step of a pointwise program on NumPy arrays; the engine fuses many into one pass."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from pyhades import _native
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels.arguments import Array, as_array, call, output

Threads = int | None
Isa = str | None


@cache
def _number(function: str) -> int:
    return _native.map_functions()[function][0]


def broadcast(arrays: dict[str, Array]) -> list[Array]:
    """Views of one shape; raises with the name and shape of each array otherwise."""
    try:
        return list(np.broadcast_arrays(*arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ArgumentError(f"shapes do not broadcast: {shapes}") from None


def map_arrays(
    function: str,
    arrays: dict[str, ArrayLike],
    constants: tuple[float, ...],
    out: Array | None,
    threads: Threads,
    isa: Isa,
) -> Array:
    """``function`` of the arrays, then the constants."""
    inputs = broadcast({name: as_array(name, array) for name, array in arrays.items()})
    result = output(out, inputs[0].shape)
    sources = [*range(len(inputs)), *(-1 - i for i in range(len(constants))), 0, 0][:3]
    code = [_number(function), len(inputs), *sources]
    try:
        numbers = [float(value) for value in constants]
    except (TypeError, ValueError):
        raise ArgumentTypeError(f"{function} takes numbers, not {constants!r}") from None
    attributes = {"code": code, "constants": numbers}
    call("map", inputs, [result], attributes, threads=threads, isa=isa)
    return result
