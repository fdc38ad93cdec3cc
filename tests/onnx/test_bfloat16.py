"""bfloat16 is computed in float32 and rounded wherever the file rounds, as ONNX says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyhades
from pyhades import load_onnx
from pyhades.ir.interpreter import interpret

ml_dtypes = pytest.importorskip("ml_dtypes")
onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

BF16 = np.dtype(ml_dtypes.bfloat16)
RANDOM = np.random.default_rng(0)
node = helper.make_node


def values(*shape: int) -> Any:
    return RANDOM.normal(size=shape).astype(BF16)


def tensor(name: str, array: Any) -> Any:
    raw = array.tobytes()
    return helper.make_tensor(name, TensorProto.BFLOAT16, array.shape, raw, raw=True)


def model(nodes: list[Any], weights: dict[str, Any], kind: int = TensorProto.BFLOAT16) -> Any:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, [2, 3, 6, 6])],
        [helper.make_tensor_value_info("y", kind, None)],
        [tensor(name, array) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


POINTWISE = [node("Mul", ["x", "w"], ["a"]), node("Add", ["a", "w"], ["b"])]

NETWORKS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "add": ([node("Add", ["x", "w"], ["y"])], {"w": values(3, 1, 1)}),
    "chain": ([*POINTWISE, node("Sub", ["b", "x"], ["y"])], {"w": values(3, 1, 1)}),
    "sqrt": ([node("Abs", ["x"], ["a"]), node("Sqrt", ["a"], ["y"])], {}),
    "moves": (
        [
            node("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1]),
            node("Mul", ["t", "t"], ["q"]),
            node("Concat", ["q", "t"], ["y"], axis=3),
        ],
        {},
    ),
    "product": ([node("MatMul", ["x", "w"], ["y"])], {"w": values(6, 4)}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_operator_rounds(name: str) -> None:
    proto, x = model(*NETWORKS[name]), values(2, 3, 6, 6)
    (expected,) = ReferenceEvaluator(proto).run(None, {"x": x})
    program = pyhades.compile(load_onnx(proto), threads=1)
    for feed in (x, x.astype(np.float32)):
        y = program(feed)
        assert y.dtype == np.float32
        # A product sums in another order, and NumPy's sums bfloat16 with rounding in between.
        if name == "product":
            exact = x.astype(np.float64) @ NETWORKS[name][1]["w"].astype(np.float64)
            np.testing.assert_allclose(y, exact, rtol=2**-8, atol=1e-5)
        else:
            np.testing.assert_array_equal(y, np.asarray(expected, np.float32))
        np.testing.assert_array_equal(y, y.astype(BF16).astype(np.float32))
        np.testing.assert_array_equal(interpret(load_onnx(proto), {"x": feed})["y"].shape, y.shape)


def test_chains_are_one_instruction() -> None:
    """Rounding is a step of the chain, not a pass over memory."""
    proto = model(*NETWORKS["chain"])
    listing = [line.kernel for line in pyhades.compile(load_onnx(proto), threads=1).lines]
    assert len(listing) == 1, listing


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "i4", "u1"])
def test_casts_round(dtype: str) -> None:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    x = (10 * np.abs(RANDOM.normal(size=(2, 3, 6, 6)))).astype(dtype)
    nodes = [
        node("Cast", ["x"], ["c"], to=TensorProto.BFLOAT16),
        node("Mul", ["c", "c"], ["s"]),
        node("Cast", ["s"], ["y"], to=kind),
    ]
    proto = model(nodes, {}, kind)
    squares = (x.astype(BF16) * x.astype(BF16)).astype(np.float32)
    y = pyhades.compile(load_onnx(proto), threads=1)(x)
    if np.dtype(dtype).kind == "f" or dtype == "i4":
        np.testing.assert_array_equal(y, squares.astype(dtype))


def test_inputs_are_rounded() -> None:
    """Float32 that is fed for bfloat16 has no more precision than the file asks for."""
    proto = model([node("Add", ["x", "x"], ["y"])], {})
    x = RANDOM.normal(size=(2, 3, 6, 6)).astype(np.float32)
    y = pyhades.compile(load_onnx(proto), threads=1)(x)
    np.testing.assert_array_equal(y, 2 * x.astype(BF16).astype(np.float32))


def test_statistics_stay_wide() -> None:
    """Mean and inverse deviation of a LayerNormalization are float32 in such files."""
    nodes = [node("LayerNormalization", ["x", "w"], ["n", "y"], axis=-1)]
    proto = model(nodes, {"w": values(6)})
    x = values(2, 3, 6, 6)
    y = pyhades.compile(load_onnx(proto), threads=1)(x)
    mean = x.astype(np.float32).mean(-1, keepdims=True)
    np.testing.assert_allclose(y, mean, rtol=1e-5, atol=1e-7)
