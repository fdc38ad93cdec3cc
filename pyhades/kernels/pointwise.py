"""One step of a pointwise program on NumPy arrays; the engine fuses many into one pass."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from pyhades import _native
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels.arguments import Array, as_array, call, output
from pyhades.numerics.functions import FUNCTIONS

Threads = int | None
Isa = str | None
Wrapper = TypeVar("Wrapper", bound=Callable[..., Array])

_OF_ONE = """
Parameters
----------
x
    float32, any shape and strides.
{parameters}out, threads, isa
    See :mod:`pyhades.kernels`.

Returns
-------
ndarray
    float32, the shape of ``x``.

Raises
------
ArgumentError
    If ``out`` does not fit.
ArgumentTypeError
    If ``x`` is not float32.

"""
_OF_TWO = """
Parameters
----------
a, b
    float32, any strides, broadcast as NumPy does.
out, threads, isa
    See :mod:`pyhades.kernels`.

Returns
-------
ndarray
    float32, the shape that ``a`` and ``b`` broadcast to.

Raises
------
ArgumentError
    If the shapes do not broadcast, or ``out`` does not fit.
ArgumentTypeError
    If an array is not float32.

"""


def computes(function: str) -> Callable[[Wrapper], Wrapper]:
    """Decorate the wrapper of an element function: says what all of them have in common.

    Sections about arguments, results and errors follow the summary of its docstring, with the
    parameters as the table describes them.
    """
    row = FUNCTIONS[function]
    parameters = "".join(f"{p.name}\n    {p.meaning}\n" for p in row.parameters)
    sections = _OF_TWO if row.arrays == 2 else _OF_ONE.format(parameters=parameters)

    def complete(wrapper: Wrapper) -> Wrapper:
        if wrapper.__doc__:  # python -OO has none
            summary, _, examples = inspect.cleandoc(wrapper.__doc__).partition("\n\n")
            wrapper.__doc__ = f"{summary}\n{sections}{examples}\n"
        return wrapper

    return complete


@cache
def numbers() -> dict[str, int]:
    """The number of each function in pointwise programs."""
    return {name: row.number for name, row in _native.element_functions().items()}


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
    parameters: tuple[float, ...],
    out: Array | None,
    threads: Threads,
    isa: Isa,
) -> Array:
    """``function`` of the arrays, then the parameters."""
    inputs = broadcast({name: as_array(name, array) for name, array in arrays.items()})
    result = output(out, inputs[0].shape)
    sources = [*range(len(inputs)), *(-1 - i for i in range(len(parameters))), 0, 0][:3]
    code = [numbers()[function], len(inputs), *sources]
    try:
        constants = [float(value) for value in parameters]
    except (TypeError, ValueError):
        raise ArgumentTypeError(f"{function} takes numbers, not {parameters!r}") from None
    attributes: dict[str, Any] = {"code": code, "constants": constants}
    call("map", inputs, [result], attributes, threads=threads, isa=isa)
    return result
