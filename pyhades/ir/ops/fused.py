"""Operators of our own, which the passes put in the place of several ONNX operators.

``FusedConv``, ``FusedConvTranspose`` and ``FusedMatMul`` finish with ``after(activation(product +
bias) + residual)``, the epilogue of the native kernels (docs/reference/native_operators.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.ops.convolution import CONV_ATTRIBUTES, TRANSPOSED_ATTRIBUTES, Conv, ConvTranspose
from pyhades.ir.ops.elementwise import Elementwise
from pyhades.ir.ops.matrix import MatMul
from pyhades.ir.ops.normalization import GroupNormalization
from pyhades.ir.registry import Array, Operator, attribute, elements, ir_op
from pyhades.ir.shapes import Shape, agree, broadcast, fail, shape_of
from pyhades.ir.signature import DType
from pyhades.numerics.attention import attention, repeat_heads, visible_keys
from pyhades.numerics.epilogue import NONE, Stage, activate, finish
from pyhades.numerics.functions import ACTIVATIONS, FUNCTIONS
from pyhades.numerics.integers import Grid, dequantize, quantize
from pyhades.numerics.matrix import product

EPILOGUE: dict[str, Any] = {
    "activation": "none",
    "activation_alpha": 0.0,
    "activation_beta": 0.0,
    "after": "none",
    "after_alpha": 0.0,
    "after_beta": 0.0,
}


def stage(node: Node, name: str) -> Stage:
    """The activation that attribute ``name`` ("activation" or "after") of ``node`` names."""
    function = attribute(node, name)
    if function == "none":
        return NONE
    if function not in ACTIVATIONS:
        fail(node, f"{name} {function!r} is none of {', '.join(('none', *ACTIVATIONS))}")
    numbers = (attribute(node, f"{name}_alpha"), attribute(node, f"{name}_beta"))
    return function, numbers[: len(FUNCTIONS[function].parameters)]


def finished(node: Node, x: Array, residual: Array | None) -> Array:
    """The epilogue of ``node`` after its bias."""
    return finish(x, stage(node, "activation"), residual, stage(node, "after"))


@ir_op("FusedConv", "F, F, F?, F? -> F", **CONV_ATTRIBUTES, **EPILOGUE)
class FusedConv(Conv):
    """Conv, then the epilogue; the fourth input is the residual, of the shape of the output."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, w, bias, residual = (*inputs, None, None)[:4]
        return [finished(node, super().reference(node, x, w, bias)[0], residual)]


@ir_op("FusedConvTranspose", "F, F, F?, F? -> F", **TRANSPOSED_ATTRIBUTES, **EPILOGUE)
class FusedConvTranspose(ConvTranspose):
    """ConvTranspose, then the epilogue; inputs are those of FusedConv."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        x, w, bias, residual = (*inputs, None, None)[:4]
        return [finished(node, super().reference(node, x, w, bias)[0], residual)]


@ir_op("FusedMatMul", "F, F, F?, F? -> F", alpha=1.0, **EPILOGUE)
class FusedMatMul(MatMul):
    """alpha * a @ b + bias [n], then the epilogue; the residual has the shape of the output."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        a, b, bias, residual = (*inputs, None, None)[:4]
        y = product(a, b, attribute(node, "alpha"), bias)
        return [finished(node, y, residual)]


@ir_op("FusedAttention", "F, F, F, F?, F?, int32? -> F", scale=1.0, causal=0, window=0)
class FusedAttention(Operator):
    """softmax(scale * q @ k^T + bias + mask) @ v over [b, h, tokens, d]; terms broadcast.

    Query heads share key heads in order. The last input says how many keys of each batch entry
    exist; the last query stands at the last of them. It sees none later if ``causal``, and none
    that is ``window`` or more away, if that is not 0.
    """

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
        q, k, v, *rest = inputs
        *terms, lengths = (*rest, *[None] * 3)[:3]
        m, n, heads = q.shape[2], k.shape[2], q.shape[1]
        lengths = np.array([n]) if lengths is None else np.clip(lengths, 0, n)
        causal, window = bool(attribute(node, "causal")), attribute(node, "window") or None
        visible = visible_keys(m, lengths, n, causal, window)
        keys, values = repeat_heads(k, heads), repeat_heads(v, heads)
        present = (term for term in terms if term is not None)
        return [attention(q, keys, values, attribute(node, "scale"), present, visible)]

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
        return [
            activate(x * scale.reshape(column) + shift.reshape(column), stage(node, "activation"))
        ]


@ir_op(
    "FusedGroupNorm",
    "F, F, F -> F",
    epsilon=1e-5,
    num_groups=None,
    activation="none",
    activation_alpha=0.0,
    activation_beta=0.0,
)
class FusedGroupNorm(GroupNormalization):
    """GroupNormalization, then the activation."""

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [activate(super().reference(node, *inputs)[0], stage(node, "activation"))]


@ir_op("Roll", "T -> T", shifts=None, axes=None)
class Roll(Operator):
    """Rotate along ``axes`` by ``shifts``, as numpy.roll."""

    flops_per_element = 0

    def shapes(self, node: Node) -> list[Shape]:
        return [shape_of(node, 0)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        return [np.roll(inputs[0], attribute(node, "shifts"), attribute(node, "axes"))]


@ir_op("Pointwise", "*... -> *", steps=None, constants=(), grids=None, to=np.dtype(np.float32))
class Pointwise(Elementwise):
    """A chain of element-wise functions of float32 and of bytes, whose result is either.

    ``steps`` lists (function of the table, destination register, source registers).
    Registers from 0 are the inputs, then temporaries; source ``-1 - i`` is ``constants[i]``. The
    last destination is the result. ``grids`` has scale and zero point of every input, and of the
    result, that is bytes.
    """

    def __init__(self, name: str, signature: str, **defaults: Any) -> None:
        super().__init__(name, signature, np.positive, 1, **defaults)

    def dtypes(self, node: Node) -> list[DType]:
        for value in node.inputs:
            kind = None if value is None else value.type
            if kind is not None and kind.dtype not in (np.float32, np.uint8):
                fail(node, f"inputs must be float32 or uint8, {value!r} is not")
        return [np.dtype(attribute(node, "to"))]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        constants = [np.float32(number) for number in attribute(node, "constants")]
        registers: dict[int, Any] = {-1 - i: number for i, number in enumerate(constants)}
        grids = [Grid(*(grid or ())) for grid in attribute(node, "grids") or ()]
        grids = grids or [Grid()] * (len(inputs) + 1)
        for i, x in enumerate(inputs):
            registers[i] = dequantize(x, grids[i]) if x.dtype == np.uint8 else x
        result = inputs[0]
        with np.errstate(all="ignore"):
            for function, destination, sources in attribute(node, "steps"):
                result = FUNCTIONS[function].function(*(registers[source] for source in sources))
                registers[destination] = result = np.asarray(result).astype(np.float32, copy=False)
        if attribute(node, "to") == np.uint8:
            result = quantize(result, grids[-1])
        shape = np.broadcast_shapes(*(x.shape for x in inputs))
        return [np.broadcast_to(result, shape).copy()]

    def flops(self, node: Node) -> int:
        return len(attribute(node, "steps")) * elements(node.outputs[0].type)
