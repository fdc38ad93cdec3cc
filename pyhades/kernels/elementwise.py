"""Element-wise functions of float32 arrays, as one-step pointwise programs.

All take ``out=None, threads=None, isa=None``, see :mod:`pyhades.kernels`. Functions of several
arrays broadcast them as NumPy does. The engine fuses chains of these into one pass over memory.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from pyhades import _native
from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, output

Threads = int | None
Isa = str | None


@cache
def _number(function: str) -> int:
    return _native.map_functions()[function][0]


def _map(
    function: str,
    arrays: dict[str, ArrayLike],
    constants: tuple[float, ...],
    out: Array | None,
    threads: Threads,
    isa: Isa,
) -> Array:
    """One step of the pointwise machine: the arrays, then the constants, are its sources."""
    inputs = [as_array(name, array) for name, array in arrays.items()]
    try:
        inputs = list(np.broadcast_arrays(*inputs))
    except ValueError:
        shapes = ", ".join(f"{name} {np.shape(array)}" for name, array in arrays.items())
        raise ArgumentError(f"shapes do not broadcast: {shapes}") from None
    result = output(out, inputs[0].shape)
    sources = [*range(len(inputs)), *(-1 - i for i in range(len(constants))), 0, 0][:3]
    code = [_number(function), len(inputs), *sources]
    attributes = {"code": code, "constants": [float(value) for value in constants]}
    _native.call("map", list(inputs), [result], attributes, threads=threads, isa=isa)
    return result


def relu(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """``max(x, 0)``.

    Examples
    --------
    >>> relu([-1.0, 2.0])
    array([0., 2.], dtype=float32)
    """
    return _map("relu", {"x": x}, (), out, threads, isa)


def leaky_relu(
    x: ArrayLike,
    alpha: float = 0.01,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``x`` where positive, else ``alpha * x``."""
    return _map("leaky_relu", {"x": x}, (alpha,), out, threads, isa)


def sigmoid(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """``1 / (1 + exp(-x))``."""
    return _map("sigmoid", {"x": x}, (), out, threads, isa)


def hard_sigmoid(
    x: ArrayLike,
    alpha: float = 0.2,
    beta: float = 0.5,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``alpha * x + beta`` clipped to [0, 1]."""
    return _map("hard_sigmoid", {"x": x}, (alpha, beta), out, threads, isa)


def silu(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """``x * sigmoid(x)``, also called swish."""
    return _map("silu", {"x": x}, (), out, threads, isa)


def gelu(
    x: ArrayLike,
    approximate: str = "none",
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """Gaussian error linear unit, ``x * Phi(x)``.

    Parameters
    ----------
    x
        float32, any shape.
    approximate
        ``"none"`` for the error function, ``"tanh"`` for the approximation of the paper.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Raises
    ------
    ArgumentError
        If ``approximate`` is neither.

    References
    ----------
    Hendrycks and Gimpel, "Gaussian Error Linear Units (GELUs)", 2016.

    Examples
    --------
    >>> gelu([0.0, 1.0]).round(4)
    array([0.    , 0.8413], dtype=float32)
    """
    functions = {"none": "gelu_erf", "tanh": "gelu_tanh"}
    if approximate not in functions:
        raise ArgumentError(f"approximate={approximate!r} is neither 'none' nor 'tanh'")
    return _map(functions[approximate], {"x": x}, (), out, threads, isa)


def hard_swish(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """``x * clip(x / 6 + 1 / 2, 0, 1)``."""
    return _map("hard_swish", {"x": x}, (), out, threads, isa)


def mish(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """``x * tanh(softplus(x))``."""
    return _map("mish", {"x": x}, (), out, threads, isa)


def softplus(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """``log(1 + exp(x))``."""
    return _map("softplus", {"x": x}, (), out, threads, isa)


def tanh(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """Hyperbolic tangent."""
    return _map("tanh", {"x": x}, (), out, threads, isa)


def erf(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """Error function."""
    return _map("erf", {"x": x}, (), out, threads, isa)


def exp(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """Exponential; results below the smallest normal number are zero."""
    return _map("exp", {"x": x}, (), out, threads, isa)


def log(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """Natural logarithm; NaN below zero."""
    return _map("log", {"x": x}, (), out, threads, isa)


def sqrt(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """Square root; NaN below zero."""
    return _map("sqrt", {"x": x}, (), out, threads, isa)


def clip(
    x: ArrayLike,
    lower: float,
    upper: float,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``min(max(x, lower), upper)``."""
    return _map("clip", {"x": x}, (lower, upper), out, threads, isa)


def add(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``a + b``.

    Examples
    --------
    >>> add([[1.0], [2.0]], [10.0, 20.0])
    array([[11., 21.],
           [12., 22.]], dtype=float32)
    """
    return _map("add", {"a": a, "b": b}, (), out, threads, isa)


def subtract(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``a - b``."""
    return _map("sub", {"a": a, "b": b}, (), out, threads, isa)


def multiply(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``a * b``."""
    return _map("mul", {"a": a, "b": b}, (), out, threads, isa)


def divide(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``a / b``."""
    return _map("div", {"a": a, "b": b}, (), out, threads, isa)


def minimum(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """The smaller of ``a`` and ``b``; NaN if either is."""
    return _map("min", {"a": a, "b": b}, (), out, threads, isa)


def maximum(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """The larger of ``a`` and ``b``; NaN if either is."""
    return _map("max", {"a": a, "b": b}, (), out, threads, isa)


def power(
    a: ArrayLike,
    b: ArrayLike,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``a`` to the power of ``b``; NaN for a negative ``a`` and a ``b`` that is no whole number.

    Examples
    --------
    >>> power([2.0, 3.0], [2.0])
    array([4., 9.], dtype=float32)
    """
    return _map("pow", {"a": a, "b": b}, (), out, threads, isa)
