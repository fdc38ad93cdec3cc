"""Unary element-wise operators: activations, elementary functions, predicates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyhades.ir.ops.elementwise import Elementwise
from pyhades.ir.registry import Array, register

_erf = np.vectorize(math.erf, otypes=[np.float64])


def erf(x: Array) -> Array:
    """Error function, exact to the precision of ``x``."""
    return np.asarray(_erf(x)).astype(x.dtype, copy=False) if x.size else x.copy()


def sigmoid(x: Array) -> Array:
    """Logistic function, without overflow for either sign."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small)).astype(x.dtype, copy=False)


def softplus(x: Array) -> Array:
    """log(1 + exp(x))."""
    return np.logaddexp(x, np.zeros((), x.dtype))


def gelu(x: Array, approximate: str) -> Array:
    """Gaussian error linear unit, exact or by its tanh approximation."""
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        return np.asarray(x * 0.5 * (1 + np.tanh(inner)))
    return np.asarray(x * 0.5 * (1 + erf(x * math.sqrt(0.5))))


def elu(x: Array, alpha: float) -> Array:
    """x, or alpha * (exp(x) - 1) below zero."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _is_infinite(x: Array, detect_positive: int, detect_negative: int) -> Array:
    found = (np.isposinf(x) & bool(detect_positive)) | (np.isneginf(x) & bool(detect_negative))
    return np.asarray(found)


def _hard_sigmoid(x: Array, alpha: float, beta: float) -> Array:
    return np.asarray(np.clip(x * alpha + beta, 0, 1))


def _selu(x: Array, alpha: float, gamma: float) -> Array:
    return np.asarray(gamma * elu(x, alpha))


def _celu(x: Array, alpha: float) -> Array:
    return np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(np.minimum(x, 0) / alpha))


def _floating(name: str, function: Any, flops: int, **defaults: Any) -> Elementwise:
    return Elementwise(name, "F -> F", function, flops, **defaults)


register(
    Elementwise("Relu", "N -> N", lambda x: np.maximum(x, 0)),
    _floating("LeakyRelu", lambda x, alpha: np.where(x < 0, x * alpha, x), 2, alpha=0.01),
    _floating("Elu", elu, 8, alpha=1.0),
    _floating("Selu", _selu, 9, alpha=1.6732631921768188, gamma=1.0507010221481323),
    _floating("Celu", _celu, 10, alpha=1.0),
    _floating("ThresholdedRelu", lambda x, alpha: np.where(x > alpha, x, 0), 1, alpha=1.0),
    _floating("Sigmoid", sigmoid, 10),
    _floating("HardSigmoid", _hard_sigmoid, 4, alpha=0.2, beta=0.5),
    _floating("HardSwish", lambda x: x * _hard_sigmoid(x, 1 / 6, 0.5), 5),
    _floating("Swish", lambda x, alpha: x * sigmoid(alpha * x), 12, alpha=1.0),
    _floating("Mish", lambda x: x * np.tanh(softplus(x)), 25),
    _floating("Softplus", softplus, 15),
    _floating("Softsign", lambda x: x / (1 + np.abs(x)), 3),
    _floating("Gelu", gelu, 20, approximate="none"),
    Elementwise("Erf", "N -> N", erf, 15),
    _floating("Tanh", np.tanh, 12),
    _floating("Exp", np.exp, 8),
    _floating("Log", np.log, 10),
    _floating("Sqrt", np.sqrt, 1),
    _floating("Reciprocal", np.reciprocal, 1),
    _floating("Floor", np.floor, 1),
    _floating("Ceil", np.ceil, 1),
    _floating("Round", np.rint, 1),
    *(
        _floating(name, function, 15)
        for name, function in {
            "Sin": np.sin,
            "Cos": np.cos,
            "Tan": np.tan,
            "Asin": np.arcsin,
            "Acos": np.arccos,
            "Atan": np.arctan,
            "Sinh": np.sinh,
            "Cosh": np.cosh,
            "Asinh": np.arcsinh,
            "Acosh": np.arccosh,
            "Atanh": np.arctanh,
        }.items()
    ),
    Elementwise("Abs", "N -> N", np.abs),
    Elementwise("Neg", "N -> N", np.negative),
    Elementwise("Sign", "N -> N", np.sign),
    Elementwise("Not", "bool -> bool", np.logical_not),
    Elementwise("BitwiseNot", "Z -> Z", np.invert),
    Elementwise("IsNaN", "F -> bool", np.isnan),
    Elementwise("IsInf", "F -> bool", _is_infinite, detect_positive=1, detect_negative=1),
)
