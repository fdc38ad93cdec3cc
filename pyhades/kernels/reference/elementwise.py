"""Element-wise functions, in NumPy; computed in float64 and rounded once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyhades.kernels.arguments import Array
from pyhades.numerics.functions import FUNCTIONS


def _compute(function: str, *arrays: ArrayLike, parameters: tuple[float, ...] = ()) -> Array:
    """The parameters reach the kernels as float32."""
    wide = [np.asarray(x, np.float64) for x in arrays]
    numbers = [np.float64(np.float32(number)) for number in parameters]
    with np.errstate(all="ignore"):
        return np.asarray(FUNCTIONS[function].function(*wide, *numbers), np.float32)


def relu(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.relu`."""
    return _compute("relu", x)


def leaky_relu(x: ArrayLike, alpha: float = 0.01) -> Array:
    """See :func:`pyhades.kernels.leaky_relu`."""
    return _compute("leaky_relu", x, parameters=(alpha,))


def hard_sigmoid(x: ArrayLike, alpha: float = 0.2, beta: float = 0.5) -> Array:
    """See :func:`pyhades.kernels.hard_sigmoid`."""
    return _compute("hard_sigmoid", x, parameters=(alpha, beta))


def gelu(x: ArrayLike, approximate: str = "none") -> Array:
    """See :func:`pyhades.kernels.gelu`."""
    return _compute({"none": "gelu_erf", "tanh": "gelu_tanh"}[approximate], x)


def clip(x: ArrayLike, lower: float, upper: float) -> Array:
    """See :func:`pyhades.kernels.clip`."""
    return _compute("clip", x, parameters=(lower, upper))


def sigmoid(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.sigmoid`."""
    return _compute("sigmoid", x)


def silu(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.silu`."""
    return _compute("silu", x)


def hard_swish(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.hard_swish`."""
    return _compute("hard_swish", x)


def mish(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.mish`."""
    return _compute("mish", x)


def softplus(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.softplus`."""
    return _compute("softplus", x)


def tanh(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.tanh`."""
    return _compute("tanh", x)


def erf(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.erf`."""
    return _compute("erf", x)


def exp(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.exp`."""
    return _compute("exp", x)


def log(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.log`."""
    return _compute("log", x)


def sqrt(x: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.sqrt`."""
    return _compute("sqrt", x)


def add(a: ArrayLike, b: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.add`."""
    return _compute("add", a, b)


def subtract(a: ArrayLike, b: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.subtract`."""
    return _compute("sub", a, b)


def multiply(a: ArrayLike, b: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.multiply`."""
    return _compute("mul", a, b)


def divide(a: ArrayLike, b: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.divide`."""
    return _compute("div", a, b)


def minimum(a: ArrayLike, b: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.minimum`."""
    return _compute("min", a, b)


def maximum(a: ArrayLike, b: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.maximum`."""
    return _compute("max", a, b)


def power(a: ArrayLike, b: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.power`."""
    return _compute("pow", a, b)
