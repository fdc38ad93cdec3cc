"""Operators of our own, which the passes put in the place of several ONNX operators.

``FusedConv`` and ``FusedMatMul`` finish with ``after(activation(product + bias) + residual)``, the
epilogue of the native kernels (docs/reference/native_operators.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.ops.activation import elu, erf, gelu, sigmoid, softplus
from pyhades.ir.ops.convolution import CONV_ATTRIBUTES, Conv
from pyhades.ir.ops.elementwise import Elementwise, widened
from pyhades.ir.ops.matrix import MatMul
from pyhades.ir.ops.normalization import softmax
from pyhades.ir.registry import Array, Operator, attribute, elements, ir_op
from pyhades.ir.shapes import Shape, agree, broadcast, fail, shape_of

EPILOGUE: dict[str, Any] = {
    "activation": "none",
    "activation_alpha": 0.0,
    "activation_beta": 0.0,
    "after": "none",
    "after_alpha": 0.0,
    "after_beta": 0.0,
}

ACTIVATIONS: dict[str, Callable[[Array, float, float], Array]] = {
    "none": lambda x, a, b: x,
    "relu": lambda x, a, b: np.maximum(x, 0),
    "leaky_relu": lambda x, a, b: np.where(x < 0, x * np.float32(a), x),
    "clip": lambda x, a, b: np.minimum(np.maximum(x, np.float32(a)), np.float32(b)),
    "sigmoid": lambda x, a, b: sigmoid(x),
    "hard_sigmoid": lambda x, a, b: np.clip(x * np.float32(a) + np.float32(b), 0, 1),
    "hard_swish": lambda x, a, b: x * np.clip(x / 6 + np.float32(0.5), 0, 1),
    "silu": lambda x, a, b: x * sigmoid(x),
    "gelu_erf": lambda x, a, b: gelu(x, "none"),
    "gelu_tanh": lambda x, a, b: gelu(x, "tanh"),
    "tanh": lambda x, a, b: np.tanh(x),
}
"""Activations of an epilogue: x, alpha, beta. The names are those of ``enum class Activation``."""


def activate(node: Node, stage: str, x: Array) -> Array:
    """Apply the activation that attribute ``stage`` ("activation" or "after") of ``node`` names."""
    name = attribute(node, stage)
    if name not in ACTIVATIONS:
        fail(node, f"{stage} {name!r} is none of {', '.join(ACTIVATIONS)}")
    alpha, beta = attribute(node, f"{stage}_alpha"), attribute(node, f"{stage}_beta")
    return np.asarray(ACTIVATIONS[name](x, alpha, beta)).astype(x.dtype, copy=False)


def finish(node: Node, x: Array, residual: Array | None) -> Array:
    """The epilogue of ``node`` after its bias."""
    x = activate(node, "activation", x)
    return activate(node, "after", x if residual is None else x + residual)


@ir_op("FusedConv", "F, F, F?, F? -> F", **CONV_ATTRIBUTES, **EPILOGUE)
class FusedConv(Conv):
    """Conv, then the epilogue; the fourth input is the residual, of the shape of the output."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, w, bias, residual = (*inputs, None, None)[:4]
        return [finish(node, super().reference(node, x, w, bias)[0], residual)]


@ir_op("FusedMatMul", "F, F, F?, F? -> F", alpha=1.0, **EPILOGUE)
class FusedMatMul(MatMul):
    """alpha * a @ b + bias [n], then the epilogue; the residual has the shape of the output."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        a, b, bias, residual = (*inputs, None, None)[:4]
        y = super().reference(node, a, b)[0]
        if attribute(node, "alpha") != 1.0:
            y = y * np.asarray(attribute(node, "alpha"), y.dtype)
        return [finish(node, y if bias is None else y + bias, residual)]


@ir_op("FusedAttention", "F, F, F, F?, F? -> F", scale=1.0)
class FusedAttention(Operator):
    """softmax(scale * q @ k^T + bias + mask) @ v over [b, h, tokens, d]; terms broadcast."""

    def shapes(self, node: Node) -> list[Shape]:
        q, k, v = (shape_of(node, index) for index in range(3))
        if not len(q) == len(k) == len(v) == 4:
            fail(node, "q, k and v must have rank 4")
        agree(node, q[3], k[3], "head dimensions of q and k")
        agree(node, k[2], v[2], "numbers of keys and values")
        scores = (*q[:3], k[2])
        for index in (3, 4):
            if node.input(index) is not None:
                broadcast(node, scores, shape_of(node, index))
        return [(*q[:3], v[3])]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        q, k, v, *added = inputs
        scores = q @ k.swapaxes(2, 3) * np.asarray(attribute(node, "scale"), q.dtype)
        for term in added:
            scores = scores if term is None else scores + term
        return [softmax(scores, -1) @ v]

    def flops(self, node: Node) -> int:
        q, v = shape_of(node, 0), shape_of(node, 2)
        return 2 * int(q[0]) * int(q[1]) * int(q[2]) * int(v[2]) * (int(q[3]) + int(v[3]))


@ir_op("ScaleShift", "F, F, F -> F", activation="none", activation_alpha=0.0, activation_beta=0.0)
class ScaleShift(Operator):
    """activation(x * scale + shift) for x [n, c, ...] and one scale and shift per channel."""

    flops_per_element = 2

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        for index in (1, 2):
            agree(node, shape_of(node, index)[0], x[1], "channels")
        return [x]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, scale, shift = inputs
        column = (-1, *[1] * (x.ndim - 2))
        return [activate(node, "activation", x * scale.reshape(column) + shift.reshape(column))]


@ir_op("Roll", "T -> T", shifts=None, axes=None)
class Roll(Operator):
    """Rotate along ``axes`` by ``shifts``, as numpy.roll."""

    flops_per_element = 0

    def shapes(self, node: Node) -> list[Shape]:
        return [shape_of(node, 0)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [np.roll(inputs[0], attribute(node, "shifts"), attribute(node, "axes"))]


STEPS: dict[str, Callable[..., Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Min": np.minimum,
    "Max": np.maximum,
    "Pow": np.power,
    "Clip": lambda x, low, high: np.minimum(np.maximum(x, low), high),
    "PRelu": lambda x, slope: np.where(x < 0, x * slope, x),
    "LeakyRelu": lambda x, alpha: np.where(x < 0, x * alpha, x),
    "Elu": elu,
    "Celu": lambda x, alpha: np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(x / alpha)),
    "Selu": lambda x, alpha, gamma: gamma * elu(x, alpha),
    "ThresholdedRelu": lambda x, alpha: np.where(x > alpha, x, 0),
    "Swish": lambda x, alpha: x * sigmoid(alpha * x),
    "HardSigmoid": lambda x, alpha, beta: np.clip(x * alpha + beta, 0, 1),
    "HardSwish": lambda x: ACTIVATIONS["hard_swish"](x, 0, 0),
    "Gelu": lambda x: gelu(x, "none"),
    "GeluTanh": lambda x: gelu(x, "tanh"),
    "Relu": lambda x: np.maximum(x, 0),
    "Sigmoid": sigmoid,
    "Softplus": softplus,
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Mish": lambda x: x * np.tanh(softplus(x)),
    "Erf": erf,
    "Abs": np.abs,
    "Neg": np.negative,
    "Sign": np.sign,
    "Sqrt": np.sqrt,
    "Reciprocal": np.reciprocal,
    "Exp": np.exp,
    "Log": np.log,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.rint,
    "Sin": np.sin,
    "Cos": np.cos,
    "Tan": np.tan,
    "Asin": np.arcsin,
    "Acos": np.arccos,
    "Atan": np.arctan,
    "Sinh": np.sinh,
    "Cosh": np.cosh,
    "Tanh": np.tanh,
    "Asinh": np.arcsinh,
    "Acosh": np.arccosh,
    "Atanh": np.arctanh,
}
"""What one step of a Pointwise program may be; parameters of the ONNX operator follow x."""


@ir_op("Pointwise", "float32... -> float32", steps=None, constants=())
class Pointwise(Elementwise):
    """A chain of element-wise functions.

    ``steps`` lists (function of STEPS, destination register, source registers). Registers from 0
    are the inputs, then temporaries; source ``-1 - i`` is ``constants[i]``. The last destination
    is the result.
    """

    def __init__(self, name: str, signature: str, **defaults: Any) -> None:
        super().__init__(name, signature, np.positive, 1, **defaults)

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        constants = [np.float32(number) for number in attribute(node, "constants")]
        registers: dict[int, Any] = {-1 - i: number for i, number in enumerate(constants)}
        registers.update(enumerate(widened(x) for x in inputs))
        result = inputs[0]
        with np.errstate(all="ignore"):
            for function, destination, sources in attribute(node, "steps"):
                result = STEPS[function](*(registers[source] for source in sources))
                registers[destination] = result = np.asarray(result).astype(np.float32, copy=False)
        shape = np.broadcast_shapes(*(x.shape for x in inputs))
        return [np.broadcast_to(result, shape).astype(np.float32)]

    def flops(self, node: Node) -> int:
        return len(attribute(node, "steps")) * elements(node.outputs[0].type)
