"""Element-wise operators."""

from __future__ import annotations

import math

import numpy as np

from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Value
from pyhades.onnx.elements import BFLOAT16, ELEMENTS, DType, dtype_of, onnx_dtype
from pyhades.onnx.translate import OnnxNode, onnx_op, same

same("Abs", "Ceil", "Elu", "Exp", "Floor", "HardSigmoid", "LeakyRelu", "Log", "Neg", since=6)
same("Reciprocal", "Relu", "Selu", "Sigmoid", "Sqrt", "Tanh", since=6)
same("Not", "Softplus", "Softsign")
same("Acos", "Asin", "Atan", "Cos", "Sin", "Tan", since=7)
same("Acosh", "Asinh", "Atanh", "Cosh", "Erf", "IsNaN", "Sign", "Sinh", since=9)
same("IsInf", "ThresholdedRelu", since=10)
same("Round", since=11)
same("Celu", since=12)
same("HardSwish", since=14)
same("BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Mish", since=18)
same("Gelu", since=20)
same("Swish", since=24)


@onnx_op("SwiGLU", since=28)
def swiglu(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """A gate, through Swish, times a value."""
    gate = graph.one("Swish", node.input(0), alpha=node.attributes.get("alpha", 1.0))
    return [graph.one("Mul", gate, node.input(1))]


@onnx_op("Shrink", since=9)
def shrink(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Zero between -lambd and lambd; beyond, x comes nearer to zero by the bias."""
    x, dtype = node.input(0), node.dtype(0)
    bound = node.attributes.get("lambd", 0.5)
    bias = graph.constant(node.attributes.get("bias", 0.0), dtype)
    if dtype.kind == "f":
        low, high = graph.constant(-bound, dtype), graph.constant(bound, dtype)
    else:
        # Integers are compared with integers: the next ones inside of the bounds.
        low, high = (
            graph.constant(math.ceil(-bound), dtype),
            graph.constant(math.floor(bound), dtype),
        )
    zero = graph.constant(0, dtype)
    above = graph.one("Where", graph.one("Greater", x, high), graph.one("Sub", x, bias), zero)
    return [graph.one("Where", graph.one("Less", x, low), graph.one("Add", x, bias), above)]


same(
    "Add",
    "And",
    "Div",
    "Equal",
    "Greater",
    "Less",
    "Mul",
    "Or",
    "PRelu",
    "Pow",
    "Sub",
    "Xor",
    since=7,
)
same("Max", "Mean", "Min", "Sum", since=6)
same("Where", since=9)
same("Mod", since=10)
same("BitShift", since=11)
same("GreaterOrEqual", "LessOrEqual", since=12)

_FLOAT32 = np.finfo(np.float32)


@onnx_op("Clip", since=6)
def clip_6(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """Bounds were attributes, the float32 limits standing for none."""
    dtype = node.dtype(0)
    lower, upper = (
        node.attributes.get("min", _FLOAT32.min),
        node.attributes.get("max", _FLOAT32.max),
    )
    bounds = [
        None if bound == none else graph.constant(bound, dtype)
        for bound, none in ((lower, _FLOAT32.min), (upper, _FLOAT32.max))
    ]
    return graph.emit("Clip", [node.input(0), *bounds])


same("Clip", since=11)


@onnx_op("Cast", since=6)
def cast(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The target is a data type number; ``saturate`` concerns float8 only, which we refuse."""
    number = node.attributes.get("to")
    to = dtype_of(number, f"{node.where}: the target")
    return [_cast(node, graph, to, is_bfloat16=number == BFLOAT16.number)]


def _cast(node: OnnxNode, graph: GraphBuilder, to: DType, *, is_bfloat16: bool) -> Value:
    """Input 0 in another dtype, on the coarser grid of bfloat16 where the file has that."""
    result = graph.one("Cast", node.input(0), to=to)
    if not is_bfloat16:
        node.elements.mark(result, ELEMENTS[onnx_dtype(to)])
        return result
    result = graph.one("RoundBFloat16", result)
    node.elements.mark(result, BFLOAT16)
    return result


@onnx_op("BitCast", since=26)
def bit_cast(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The target is a data type number; bfloat16 is held as float32, whose bits are others."""
    number = node.attributes.get("to")
    if number == BFLOAT16.number:
        raise node.unsupported("bits cannot become bfloat16, which pyhades holds as float32")
    return [graph.one("BitCast", node.input(0), to=dtype_of(number, f"{node.where}: the target"))]


@onnx_op("CastLike", since=15)
def cast_like(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """A Cast to the type of input 1; attributes concern float8 only."""
    is_bfloat16 = node.element(1) is BFLOAT16
    return [_cast(node, graph, node.dtype(1), is_bfloat16=is_bfloat16)]


@onnx_op("Dropout", since=7)
def dropout_7(node: OnnxNode, graph: GraphBuilder) -> list[Value]:
    """The ratio was an attribute and inference the only mode; the mask had the dtype of x."""
    outputs = graph.emit("Dropout", [node.input(0)], outputs=len(node.output_names))
    if node.opset < 10 and len(outputs) == 2:
        outputs[1] = graph.one("Cast", outputs[1], to=node.dtype(0))
    return outputs


same("Dropout", since=12)
