"""The table of element functions: what is computed of one element of each operand.

Its native twin is csrc/base/functions.inc. From the two follow the element-wise operators of the
IR, what passes fuse into chains and epilogues, how the rest is lowered, and which functions
:mod:`pyhades.kernels` has; a test holds them together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pyhades.numerics import activations as act
from pyhades.numerics import arithmetic as arith
from pyhades.numerics.elementary import erf, is_infinite, round_bfloat16, round_float16


class Parameter(NamedTuple):
    """A number that follows the arrays."""

    name: str
    meaning: str
    default: float | None = None
    """None: the caller has to give it."""


@dataclass(frozen=True)
class ElementFunction:
    """A row of the table.

    Attributes
    ----------
    name
        As in csrc/base/functions.inc, in pointwise programs, and for users.
    function
        Of the arrays, then the parameters; in the dtype of the first array.
    onnx
        The operator that computes it, empty where there is none.
    where
        Attributes of that operator which select this function.
    arrays, parameters
        Its operands.
    dtypes
        Those of the arrays, in the notation of :mod:`pyhades.ir.signature`. Kernels may know fewer.
    flops
        Per element.
    is_step
        Whether it may be a step of a pointwise program (float32).
    is_activation
        Whether it may finish a matrix product or a convolution.
    is_predicate
        Whether the result is bool.
    """

    name: str
    function: Callable[..., Any]
    onnx: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    arrays: int = 1
    parameters: tuple[Parameter, ...] = ()
    dtypes: str = "F"
    flops: int = 1
    is_step: bool = True
    is_activation: bool = False
    is_predicate: bool = False


_ALPHA_ELU = Parameter("alpha", "Scale below zero.", 1.0)
_ACTIVATION: dict[str, Any] = {"is_activation": True}
_TYPED: dict[str, Any] = {"is_step": False}
_PREDICATE: dict[str, Any] = {"is_step": False, "is_predicate": True}
_TWO: dict[str, Any] = {"arrays": 2, "dtypes": "N"}
_COMPARISON: dict[str, Any] = {**_TWO, **_PREDICATE}
_BITWISE: dict[str, Any] = {**_TYPED, "arrays": 2, "dtypes": "Z"}
_LOGICAL: dict[str, Any] = {**_TYPED, "arrays": 2, "dtypes": "bool"}

_ACTIVATIONS = (
    ElementFunction("relu", act.relu, "Relu", dtypes="N", **_ACTIVATION),
    ElementFunction(
        "leaky_relu",
        act.leaky_relu,
        "LeakyRelu",
        parameters=(Parameter("alpha", "Slope below zero.", 0.01),),
        flops=2,
        **_ACTIVATION,
    ),
    ElementFunction(
        "clip",
        act.clip,
        "Clip",
        parameters=(Parameter("lower", "Least result."), Parameter("upper", "Greatest result.")),
        dtypes="N",
        flops=2,
        **_ACTIVATION,
    ),
    ElementFunction("sigmoid", act.sigmoid, "Sigmoid", flops=10, **_ACTIVATION),
    ElementFunction(
        "hard_sigmoid",
        act.hard_sigmoid,
        "HardSigmoid",
        parameters=(Parameter("alpha", "Slope.", 0.2), Parameter("beta", "Value at zero.", 0.5)),
        flops=4,
        **_ACTIVATION,
    ),
    ElementFunction("hard_swish", act.hard_swish, "HardSwish", flops=5, **_ACTIVATION),
    ElementFunction("silu", act.silu, "Swish", {"alpha": 1.0}, flops=12, **_ACTIVATION),
    ElementFunction(
        "gelu_erf", act.gelu_erf, "Gelu", {"approximate": "none"}, flops=20, **_ACTIVATION
    ),
    ElementFunction(
        "gelu_tanh", act.gelu_tanh, "Gelu", {"approximate": "tanh"}, flops=20, **_ACTIVATION
    ),
    ElementFunction("round_float16", round_float16, "RoundFloat16", **_ACTIVATION),
    ElementFunction("tanh", np.tanh, "Tanh", flops=12, **_ACTIVATION),
)

_OF_ONE = (
    ElementFunction("copy", np.copy, dtypes="T"),
    ElementFunction("abs", np.abs, "Abs", dtypes="N"),
    ElementFunction("neg", np.negative, "Neg", dtypes="N"),
    ElementFunction("sign", np.sign, "Sign", dtypes="N"),
    ElementFunction("floor", np.floor, "Floor"),
    ElementFunction("ceil", np.ceil, "Ceil"),
    ElementFunction("round", np.rint, "Round"),
    ElementFunction("round_bfloat16", round_bfloat16, "RoundBFloat16", flops=4),
    ElementFunction("sqrt", np.sqrt, "Sqrt"),
    ElementFunction("reciprocal", np.reciprocal, "Reciprocal"),
    ElementFunction("square", np.square, dtypes="N"),
    ElementFunction("exp", np.exp, "Exp", flops=8),
    ElementFunction("log", np.log, "Log", flops=10),
    ElementFunction("erf", erf, "Erf", dtypes="N", flops=15),
    ElementFunction("sin", np.sin, "Sin", flops=15),
    ElementFunction("cos", np.cos, "Cos", flops=15),
    ElementFunction("tan", np.tan, "Tan", flops=15),
    ElementFunction("asin", np.arcsin, "Asin", flops=15),
    ElementFunction("acos", np.arccos, "Acos", flops=15),
    ElementFunction("atan", np.arctan, "Atan", flops=15),
    ElementFunction("sinh", np.sinh, "Sinh", flops=15),
    ElementFunction("cosh", np.cosh, "Cosh", flops=15),
    ElementFunction("asinh", np.arcsinh, "Asinh", flops=15),
    ElementFunction("acosh", np.arccosh, "Acosh", flops=15),
    ElementFunction("atanh", np.arctanh, "Atanh", flops=15),
    ElementFunction("mish", act.mish, "Mish", flops=25),
    ElementFunction("softplus", act.softplus, "Softplus", flops=15),
    ElementFunction("softsign", act.softsign, "Softsign", flops=3),
    ElementFunction("not", np.logical_not, "Not", dtypes="bool", **_TYPED),
    ElementFunction("bitwise_not", np.invert, "BitwiseNot", dtypes="Z", **_TYPED),
    ElementFunction("is_nan", np.isnan, "IsNaN", **_PREDICATE),
    *(
        ElementFunction(
            name,
            lambda x, positive=positive, negative=negative: is_infinite(x, positive, negative),
            "IsInf",
            {"detect_positive": int(positive), "detect_negative": int(negative)},
            **_PREDICATE,
        )
        for name, positive, negative in (
            ("is_inf", True, True),
            ("is_positive_inf", True, False),
            ("is_negative_inf", False, True),
        )
    ),
)

_OF_ONE_AND_PARAMETERS = (
    ElementFunction("elu", act.elu, "Elu", parameters=(_ALPHA_ELU,), flops=8),
    ElementFunction("celu", act.celu, "Celu", parameters=(_ALPHA_ELU,), flops=10),
    ElementFunction(
        "swish",
        act.swish,
        "Swish",
        parameters=(Parameter("alpha", "Scale in the gate.", 1.0),),
        flops=12,
    ),
    ElementFunction(
        "thresholded_relu",
        act.thresholded_relu,
        "ThresholdedRelu",
        parameters=(Parameter("alpha", "What x has to exceed.", 1.0),),
    ),
    ElementFunction(
        "selu",
        act.selu,
        "Selu",
        parameters=(
            Parameter("alpha", "Scale below zero.", 1.6732631921768188),
            Parameter("gamma", "Scale.", 1.0507010221481323),
        ),
        flops=9,
    ),
    ElementFunction(
        "shrink",
        act.shrink,
        parameters=(
            Parameter("bound", "What |x| has to exceed.", 0.5),
            Parameter("bias", "Subtracted from |x|.", 0.0),
        ),
        flops=2,
    ),
    ElementFunction("fma", arith.multiply_add, arrays=3, flops=2),
)

_OF_TWO = (
    ElementFunction("add", np.add, "Add", **_TWO),
    ElementFunction("sub", np.subtract, "Sub", **_TWO),
    ElementFunction("mul", np.multiply, "Mul", **_TWO),
    ElementFunction("div", arith.divide, "Div", **_TWO),
    ElementFunction("min", np.minimum, "Min", **_TWO),
    ElementFunction("max", np.maximum, "Max", **_TWO),
    ElementFunction("pow", arith.power, "Pow", flops=20, **_TWO),
    ElementFunction("mod", np.mod, "Mod", {"fmod": 0}, **_TWO, **_TYPED),
    ElementFunction("fmod", np.fmod, "Mod", {"fmod": 1}, **_TWO),
    ElementFunction("equal", np.equal, "Equal", **{**_COMPARISON, "dtypes": "T"}),
    ElementFunction("less", np.less, "Less", **_COMPARISON),
    ElementFunction("less_equal", np.less_equal, "LessOrEqual", **_COMPARISON),
    ElementFunction("greater", np.greater, "Greater", **_COMPARISON),
    ElementFunction("greater_equal", np.greater_equal, "GreaterOrEqual", **_COMPARISON),
    ElementFunction("and", np.logical_and, "And", **_LOGICAL),
    ElementFunction("or", np.logical_or, "Or", **_LOGICAL),
    ElementFunction("xor", np.logical_xor, "Xor", **_LOGICAL),
    ElementFunction("bitwise_and", np.bitwise_and, "BitwiseAnd", **_BITWISE),
    ElementFunction("bitwise_or", np.bitwise_or, "BitwiseOr", **_BITWISE),
    ElementFunction("bitwise_xor", np.bitwise_xor, "BitwiseXor", **_BITWISE),
    ElementFunction("shift_left", arith.shift_left, "BitShift", {"direction": "LEFT"}, **_BITWISE),
    ElementFunction(
        "shift_right", arith.shift_right, "BitShift", {"direction": "RIGHT"}, **_BITWISE
    ),
)

FUNCTIONS: dict[str, ElementFunction] = {
    row.name: row for row in (*_ACTIVATIONS, *_OF_ONE, *_OF_ONE_AND_PARAMETERS, *_OF_TWO)
}
"""The table, by name."""

ACTIVATIONS: tuple[str, ...] = tuple(name for name, row in FUNCTIONS.items() if row.is_activation)
"""Names of what may finish a matrix product or a convolution."""


def functions_of(onnx: str) -> tuple[ElementFunction, ...]:
    """What an ONNX operator may compute; its attributes choose, the first that fits.

    Examples
    --------
    >>> [row.name for row in functions_of("Gelu")]
    ['gelu_erf', 'gelu_tanh']
    """
    # A PRelu is a leaky ReLU whose slope is an input.
    name = "LeakyRelu" if onnx == "PRelu" else onnx
    return tuple(row for row in FUNCTIONS.values() if name and row.onnx == name)


def choose(onnx: str, attribute: Callable[[str], Any]) -> ElementFunction | None:
    """The function that an ONNX operator computes with these attributes; None where none fits.

    Examples
    --------
    >>> choose("Gelu", {"approximate": "tanh"}.get).name
    'gelu_tanh'
    """
    for row in functions_of(onnx):
        if all(attribute(name) == value for name, value in row.where.items()):
            return row
    return None
