"""Activations of float32 arrays, as one-step pointwise programs."""

from __future__ import annotations

from typing import Literal

from numpy.typing import ArrayLike

from pyhades.arguments import one_of
from pyhades.kernels.arguments import Array
from pyhades.kernels.pointwise import Isa, Threads, computes, map_arrays

Approximation = Literal["none", "tanh"]
"""Of the error function in :func:`gelu`."""


@computes("relu")
def relu(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """``max(x, 0)``.

    Examples
    --------
    >>> relu([-1.0, 2.0])
    array([0., 2.], dtype=float32)
    """
    return map_arrays("relu", {"x": x}, (), out, threads, isa)


@computes("leaky_relu")
def leaky_relu(
    x: ArrayLike,
    alpha: float = 0.01,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``x`` where positive, else ``alpha * x``.

    Examples
    --------
    >>> leaky_relu([-1.0, 2.0], alpha=0.25)
    array([-0.25,  2.  ], dtype=float32)
    """
    return map_arrays("leaky_relu", {"x": x}, (alpha,), out, threads, isa)


@computes("sigmoid")
def sigmoid(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """``1 / (1 + exp(-x))``.

    Examples
    --------
    >>> sigmoid([0.0, 2.0]).round(4)
    array([0.5   , 0.8808], dtype=float32)
    """
    return map_arrays("sigmoid", {"x": x}, (), out, threads, isa)


@computes("hard_sigmoid")
def hard_sigmoid(
    x: ArrayLike,
    alpha: float = 0.2,
    beta: float = 0.5,
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """``alpha * x + beta`` clipped to [0, 1].

    Examples
    --------
    >>> hard_sigmoid([-4.0, 0.0, 4.0])
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return map_arrays("hard_sigmoid", {"x": x}, (alpha, beta), out, threads, isa)


@computes("silu")
def silu(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """``x * sigmoid(x)``, also called swish.

    Examples
    --------
    >>> silu([-1.0, 1.0]).round(4)
    array([-0.2689,  0.7311], dtype=float32)
    """
    return map_arrays("silu", {"x": x}, (), out, threads, isa)


def gelu(
    x: ArrayLike,
    approximate: Approximation = "none",
    *,
    out: Array | None = None,
    threads: Threads = None,
    isa: Isa = None,
) -> Array:
    """Gaussian error linear unit, ``x * Phi(x)``.

    Parameters
    ----------
    x
        float32, any shape and strides.
    approximate
        ``"none"`` for the error function, ``"tanh"`` for the approximation of the paper.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32, the shape of ``x``.

    Raises
    ------
    ArgumentError
        If ``approximate`` is neither, or ``out`` does not fit.
    ArgumentTypeError
        If ``x`` is not float32.

    References
    ----------
    Hendrycks and Gimpel, "Gaussian Error Linear Units (GELUs)", 2016.

    Examples
    --------
    >>> gelu([0.0, 1.0]).round(4)
    array([0.    , 0.8413], dtype=float32)
    """
    functions = {"none": "gelu_erf", "tanh": "gelu_tanh"}
    one_of("approximate", approximate, Approximation)
    return map_arrays(functions[approximate], {"x": x}, (), out, threads, isa)


@computes("hard_swish")
def hard_swish(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """``x * clip(x / 6 + 1 / 2, 0, 1)``.

    Examples
    --------
    >>> hard_swish([0.0, 3.0])
    array([0., 3.], dtype=float32)
    """
    return map_arrays("hard_swish", {"x": x}, (), out, threads, isa)


@computes("mish")
def mish(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """``x * tanh(softplus(x))``.

    Examples
    --------
    >>> mish([0.0, 1.0]).round(4)
    array([0.    , 0.8651], dtype=float32)
    """
    return map_arrays("mish", {"x": x}, (), out, threads, isa)


@computes("softplus")
def softplus(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """``log(1 + exp(x))``.

    Examples
    --------
    >>> softplus([0.0, 1.0]).round(4)
    array([0.6931, 1.3133], dtype=float32)
    """
    return map_arrays("softplus", {"x": x}, (), out, threads, isa)


@computes("tanh")
def tanh(
    x: ArrayLike, *, out: Array | None = None, threads: Threads = None, isa: Isa = None
) -> Array:
    """Hyperbolic tangent.

    Examples
    --------
    >>> tanh([0.0, 1.0]).round(4)
    array([0.    , 0.7616], dtype=float32)
    """
    return map_arrays("tanh", {"x": x}, (), out, threads, isa)
