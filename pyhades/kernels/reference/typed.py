"""Element-wise functions of every dtype, in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from pyhades.kernels.arguments import Array

Function = Callable[..., Any]

_UNARY: dict[str, Function] = {
    "copy": np.positive,
    "abs": np.abs,
    "neg": np.negative,
    "sign": np.sign,
    "square": np.square,
    "relu": lambda x: np.maximum(x, x.dtype.type(0)),
    "not": np.logical_not,
    "bitwise_not": np.invert,
    "is_nan": np.isnan,
    "is_inf": np.isinf,
    "is_positive_inf": np.isposinf,
    "is_negative_inf": np.isneginf,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "sqrt": np.sqrt,
    "reciprocal": np.reciprocal,
}

_erf = np.vectorize(math.erf, otypes=[np.float64])
_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def _times_gate(x: Array, gate: Array) -> Array:
    """``x * gate``, whose limit at -inf is zero."""
    return np.where(x == -np.inf, 0, x * gate)


_ELEMENTARY: dict[str, Function] = {
    **{name: getattr(np, name) for name in ("exp", "log", "sin", "cos", "tan")},
    **{name: getattr(np, name) for name in ("sinh", "cosh", "tanh")},
    **{f"a{name}": getattr(np, f"arc{name}") for name in ("sin", "cos", "tan")},
    **{f"a{name}": getattr(np, f"arc{name}") for name in ("sinh", "cosh", "tanh")},
    "erf": _erf,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "silu": lambda x: _times_gate(x, 1 / (1 + np.exp(-x))),
    "softplus": lambda x: np.logaddexp(0, x),
    "softsign": lambda x: np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x))),
    "mish": lambda x: _times_gate(x, np.tanh(np.logaddexp(0, x))),
    "gelu_erf": lambda x: _times_gate(x, _erfc(-x / math.sqrt(2)) / 2),
    "gelu_tanh": lambda x: _times_gate(
        x, 1 / (1 + np.exp(-math.sqrt(8 / math.pi) * x * (1 + 0.044715 * x * x)))
    ),
    "hard_swish": lambda x: _times_gate(x, np.clip((x + 3) / 6, 0, 1)),
}


def _divide(a: Array, b: Array) -> Array:
    """Integers: towards zero; by zero is zero, as nothing traps."""
    if a.dtype.kind not in "iu":
        return np.asarray(np.divide(a, b))
    floored = np.floor_divide(a, b)
    inexact = (b != 0) & (floored * b != a) & ((a < 0) != (b < 0))
    return np.asarray(floored + inexact.astype(a.dtype))


def _power(a: Array, b: Array) -> Array:
    """Integers: wraps around; a negative exponent gives the truncated quotient."""
    if a.dtype.kind not in "iu":
        return np.asarray(np.power(a, b))
    bits = 8 * a.itemsize

    def one(base: int, exponent: int) -> int:
        if exponent < 0:
            return base ** (exponent & 1) if base in (1, -1) else 0
        value = pow(base, exponent, 1 << bits)
        return value - (1 << bits) if a.dtype.kind == "i" and value >> (bits - 1) else value

    pairs = np.broadcast(a, b)
    return np.array([one(int(x), int(y)) for x, y in pairs], a.dtype).reshape(pairs.shape)


def _shift(function: Function, beyond: Function) -> Function:
    """Shifts by an amount outside [0, bits) shift everything out."""

    def shifted(a: Array, b: Array) -> Any:
        inside = (b >= 0) & (b < 8 * a.itemsize)
        return np.where(inside, function(a, np.where(inside, b, b.dtype.type(0))), beyond(a))

    return shifted


_BINARY: dict[str, Function] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": _divide,
    "mod": np.mod,
    "fmod": np.fmod,
    "pow": _power,
    "min": np.minimum,
    "max": np.maximum,
    **{name: getattr(np, name) for name in ("equal", "less", "less_equal", "greater")},
    "greater_equal": np.greater_equal,
    **{name: getattr(np, f"logical_{name}") for name in ("and", "or", "xor")},
    **{f"bitwise_{name}": getattr(np, f"bitwise_{name}") for name in ("and", "or", "xor")},
    "shift_left": _shift(np.left_shift, np.zeros_like),
    "shift_right": _shift(np.right_shift, lambda a: -(a < 0).astype(a.dtype)),
}


def _array(value: ArrayLike) -> Array:
    return value if isinstance(value, np.ndarray) else np.asarray(value, np.float32)


def _computable(x: Array) -> Array:
    """16-bit floats compute in float32 and round once at the end."""
    return x.astype(np.float32) if x.dtype.name in ("float16", "bfloat16") else x


def unary(x: ArrayLike, function: str) -> Array:
    """See :func:`pyhades.kernels.unary`."""
    x = _array(x)
    with np.errstate(all="ignore"):
        if function in _ELEMENTARY:
            wide = _ELEMENTARY[function](x.astype(np.float64))
            # NumPy rounds float64 to 16 bits by way of float32 or not, by dtype; here always so.
            return np.asarray(wide.astype(_computable(x).dtype).astype(x.dtype))
        result = np.asarray(_UNARY[function](_computable(x)))
        return result if result.dtype == np.bool_ else result.astype(x.dtype)


def binary(a: ArrayLike, b: ArrayLike, function: str) -> Array:
    """See :func:`pyhades.kernels.binary`."""
    a, b = _array(a), _array(b)
    with np.errstate(all="ignore"):
        result = np.asarray(_BINARY[function](_computable(a), _computable(b)))
        return result if result.dtype == np.bool_ else result.astype(a.dtype)


def where(condition: ArrayLike, a: ArrayLike, b: ArrayLike) -> Array:
    """See :func:`pyhades.kernels.where`."""
    return np.where(condition, _array(a), _array(b))


def cast(x: ArrayLike, dtype: DTypeLike) -> Array:
    """See :func:`pyhades.kernels.cast`."""
    x, target = np.asarray(x), np.dtype(dtype)
    with np.errstate(all="ignore"):
        is_half = target.name in ("float16", "bfloat16")
        return (x.astype(np.float32) if is_half else x).astype(target)
