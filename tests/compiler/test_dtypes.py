"""Every dtype that ONNX allows an operator, compiled and compared with the NumPy reference."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import pytest

import pyhades
from pyhades.errors import ShapeError
from pyhades.ir.interpreter import interpret
from tests.support.onnx_models import make_model

Array = np.ndarray[Any, Any]
Operand = tuple[int, ...] | Array | None
"""A shape for data of the tested dtype, a constant as it is, or an omitted input."""

OPSET = 28
NAMES = {
    "float": "float32",
    "double": "float64",
    **{name: name for name in ("float16", "int8", "int16", "int32", "int64")},
    **{name: name for name in ("uint8", "uint16", "uint32", "uint64", "bool")},
}


def integers(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


@dataclass
class Case:
    op: str
    operands: list[Operand]
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1

    def __str__(self) -> str:
        shapes = "x".join(str(len(o)) for o in self.operands if isinstance(o, tuple))
        return f"{self.op}-{shapes}"


def case(op: str, *operands: Operand, outputs: int = 1, **attributes: Any) -> Case:
    return Case(op, list(operands), attributes, outputs)


PADS3 = [1, 1, 0, 0, 1, 1]

CASES = [
    *(case(op, (2, 3)) for op in ("Abs", "Erf", "Neg", "Not", "Relu", "Sigmoid", "Identity")),
    *(case(op, (2, 3), (3,)) for op in ("Add", "Sub", "Mul", "Div", "Equal", "Max", "Pow")),
    *(case(op, (2, 3)) for op in ("Exp", "Log", "Sqrt", "Tanh", "Softplus", "Gelu", "HardSwish")),
    *(case(op, (4, 5)) for op in ("Elu", "Celu", "Selu", "ThresholdedRelu", "Swish", "LeakyRelu")),
    *(case(op, (4, 5)) for op in ("HardSigmoid", "Mish", "Clip")),
    case("Min", (2, 3), (3,), (1,)),
    case("Clip", (2, 3), (), ()),
    case("Clip", (2, 3), None, ()),
    case("Concat", (2, 3), (2, 1), axis=1),
    case("Conv", (2, 4, 5), (6, 2, 3), (6,), group=2),
    case("Conv", (2, 4, 5, 6), (6, 4, 3, 3), (6,), pads=[1, 0, 1, 2]),
    case("Conv", (2, 4, 4, 5, 6), (6, 2, 2, 3, 3), (6,), group=2, strides=[1, 2, 1], pads=PADS3),
    case("Conv", (2, 2, 4, 5, 6), (3, 2, 2, 3, 3), dilations=[2, 1, 2], auto_pad="SAME_LOWER"),
    case("Conv", (1, 2, 3, 3, 4, 3), (2, 2, 2, 2, 2, 2)),
    case("ConvTranspose", (2, 4, 5), (4, 3, 3), (6,), group=2),
    case("ConvTranspose", (2, 4, 3, 5), (4, 3, 3, 3), (3,), strides=[2, 1], pads=[1, 0, 0, 1]),
    case("ConvTranspose", (1, 2, 3, 5, 4), (2, 3, 3, 2, 3), strides=[2, 1, 2], dilations=[1, 2, 1]),
    case("MaxPool", (2, 3, 6), outputs=2, kernel_shape=[3]),
    case("MaxPool", (2, 3, 6, 5), kernel_shape=[2, 3], ceil_mode=1, strides=[2, 2]),
    case("MaxPool", (2, 3, 4, 6, 5), outputs=2, kernel_shape=[2, 2, 2], storage_order=1),
    case(
        "MaxPool", (2, 3, 4, 6, 5), outputs=2, kernel_shape=[3, 2, 2], pads=PADS3, strides=[2] * 3
    ),
    case("AveragePool", (2, 3, 6), kernel_shape=[3]),
    case("AveragePool", (2, 3, 6, 5, 4), kernel_shape=[2, 3, 2], pads=[1] * 6),
    case("AveragePool", (2, 3, 6, 5, 4), kernel_shape=[2] * 3, pads=[1] * 6, count_include_pad=1),
    case("GlobalAveragePool", (2, 3, 4, 5)),
    case("GlobalMaxPool", (2, 3, 4)),
    case("MatMul", (2, 1, 3, 4), (5, 4, 2)),
    case("MatMul", (4,), (4, 2)),
    case("MatMul", (2, 3, 4), (4,)),
    case("Gemm", (3, 4), (4, 5), (5,), alpha=2.0, beta=3.0),
    case("Gemm", (4, 3), (5, 4), (3, 1), transA=1, transB=1),
    case("Gemm", (3, 4), (4, 5)),
    case("BatchNormalization", (2, 3, 4), (3,), (3,), (3,), (3,)),
    case("InstanceNormalization", (2, 3, 4), (3,), (3,)),
    case("GroupNormalization", (2, 4, 4), (4,), (4,), num_groups=2),
    case("LayerNormalization", (2, 3, 4), (4,), (4,), outputs=3),
    case("LayerNormalization", (2, 3, 4), (2, 1, 4), axis=1),
    case("RMSNormalization", (2, 3, 4), (4,)),
    *(case(op, (2, 3, 4), axis=1) for op in ("Softmax", "LogSoftmax")),
    *(case(op, ()) for op in ("Softmax", "LogSoftmax")),
    *(case(f"Reduce{kind}", (2, 3, 4), integers(-1)) for kind in ("Max", "Min", "Sum", "Mean")),
    *(case(f"Reduce{kind}", (2, 3, 4), integers(1)) for kind in ("L1", "L2", "Prod", "SumSquare")),
    *(case(f"Reduce{kind}", (2, 3, 4), keepdims=0) for kind in ("Max", "LogSum", "LogSumExp")),
    case("ReduceMin", (2, 3, 4), noop_with_empty_axes=1),
    case("Gather", (4, 3), integers(-1, 0, 2)),
    case("GatherND", (4, 3), integers(-1, 0).reshape(1, 2)),
    case("GatherElements", (4, 3), integers(1, 0, -1).reshape(1, 3)),
    case("ScatterElements", (4, 3), integers(1, 0, -1).reshape(1, 3), (1, 3)),
    case("ScatterND", (4, 3), integers(-1, 0).reshape(2, 1), (2, 3)),
    *(
        case("ScatterND", (4, 3), integers(1, 1).reshape(2, 1), (2, 3), reduction=reduction)
        for reduction in ("add", "mul", "max", "min")
    ),
    case("CumSum", (4, 3), np.array(1)),
    case("Where", np.array([[True], [False]]), (2, 3), (3,)),
    case("Pad", (2, 3), integers(0, 1, 1, -1), ()),
    case("Pad", (2, 3), integers(2, 1), (), integers(-1)),
    *(case("Pad", (2, 3), integers(0, 1, 1, 1), mode=m) for m in ("wrap", "edge", "reflect")),
    *(
        case("Resize", (2, 3, 4, 5), None, None, integers(2, 3, 8, 7), mode=mode)
        for mode in ("nearest", "linear", "cubic")
    ),
    case("Slice", (4, 5), integers(-1, 0), integers(-10, 4), integers(0, 1), integers(-2, 3)),
    case("Split", (5, 2), integers(2, 3), outputs=2),
    case("Expand", (3, 1), integers(2, 3, 4)),
    case("Tile", (2, 3), integers(2, 2)),
    case("Reshape", (2, 3), integers(3, -1)),
    case("Flatten", (2, 3, 4)),
    case("Squeeze", (2, 1)),
    case("Unsqueeze", (2, 3), integers(0, -1)),
    case("Trilu", (2, 3, 4), np.array(1), upper=0),
    case("Trilu", (3, 5)),
    case("Transpose", (2, 3, 4), perm=[2, 0, 1]),
    case("DepthToSpace", (2, 8, 2, 3), blocksize=2, mode="CRD"),
]

TOLERANCES = {"float16": 2e-3, "float32": 1e-5, "float64": 1e-12}


def dtypes_of(case: Case) -> list[str]:
    """The dtypes that the newest definition allows the first operand of the tested dtype."""
    schema = onnx.defs.get_schema(case.op, OPSET)
    position = next(i for i, operand in enumerate(case.operands) if isinstance(operand, tuple))
    kind = schema.inputs[min(position, len(schema.inputs) - 1)].type_str
    allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    names = [name.removeprefix("tensor(").removesuffix(")") for name in allowed[kind]]
    return sorted(NAMES[name] for name in names if name in NAMES)


def data(shape: tuple[int, ...], dtype: np.dtype[Any], random: np.random.Generator) -> Array:
    if dtype.kind == "f":
        return np.asarray(random.uniform(0.25, 2, shape)).astype(dtype)
    if dtype.kind == "b":
        return np.asarray(random.random(shape) > 0.5)
    return np.asarray(random.choice([1, 2, 4, 7] + [-5, -3] * (dtype.kind == "i"), shape), dtype)


def model_of(case: Case, dtype: np.dtype[Any]) -> tuple[bytes, dict[str, Array]]:
    random = np.random.default_rng(zlib.crc32(f"{case} {dtype}".encode()))
    feeds, constants, order = {}, {}, []
    for index, operand in enumerate(case.operands):
        name = "" if operand is None else f"x{index}"
        order.append(name)
        if isinstance(operand, tuple):
            feeds[name] = data(operand, dtype, random)
        elif operand is not None:
            constants[name] = operand
    arguments = {"inputs": order, "outputs": case.outputs, **case.attributes}
    return make_model(case.op, OPSET, feeds, constants, **arguments), feeds


@pytest.mark.parametrize(
    ("case", "dtype"), [(case, name) for case in CASES for name in dtypes_of(case)], ids=str
)
def test_dtype(case: Case, dtype: str) -> None:
    model, feeds = model_of(case, np.dtype(dtype))
    if case.op == "Resize" and dtype == "bool" and case.attributes["mode"] != "nearest":
        with pytest.raises(ShapeError, match="booleans have no values in between"):
            pyhades.load_onnx(model)
        return
    graph = pyhades.load_onnx(model)
    with np.errstate(all="ignore"):
        expected = interpret(graph, feeds)
    with pyhades.compile(graph) as program:
        results = program.run(feeds)
    # Integers between two pixels are truncated, and may lie on either side of an integer.
    coarse = case.op == "Resize" and np.dtype(dtype).kind in "iu"
    for name, want in expected.items():
        assert results[name].dtype == want.dtype
        rtol = TOLERANCES.get(dtype, 0)
        atol = 1 if coarse else rtol
        np.testing.assert_allclose(results[name], want, rtol=rtol, atol=atol, err_msg=name)
