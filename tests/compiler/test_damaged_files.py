"""Damaged model files end in a program or in an exception of ours, also when they are compiled."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import pyhades
from pyhades.errors import PyhadesError, ShapeError
from pyhades.ir.inference import infer_types
from pyhades.ir.registry import elements

SHAPE = (1, 3, 4, 4)
MODERATE = 1 << 24
"""Elements. A file may rightly ask for gigabytes, which a test does not want to wait for."""


def small_model(shape: tuple[int, ...] = SHAPE) -> bytes:
    """Operators whose inputs and attributes decide shapes."""
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], name="conv"),
        helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(np.array([1, -1]))),
        helper.make_node("Resize", ["c", "", "scales"], ["r"], mode="linear"),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Pad", ["p", "pads"], ["q"]),
        helper.make_node("Reshape", ["q", "k"], ["f"]),
        helper.make_node("Slice", ["f", "starts", "ends"], ["g"]),
        helper.make_node("Tile", ["g", "repeats"], ["y"]),
    ]
    weight = np.random.default_rng(0).normal(size=(2, 3, 3, 3)).astype(np.float32)
    initializers = [
        numpy_helper.from_array(weight, "w"),
        helper.make_tensor("b", TensorProto.FLOAT, [2], [1.0, 2.0]),
        numpy_helper.from_array(np.float32([1, 1, 2, 2]), "scales"),
        helper.make_tensor("pads", TensorProto.INT64, [8], [0, 0, 1, 1, 0, 0, 1, 1]),
        helper.make_tensor("starts", TensorProto.INT64, [1], [0]),
        helper.make_tensor("ends", TensorProto.INT64, [1], [9]),
        helper.make_tensor("repeats", TensorProto.INT64, [2], [1, 2]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        initializers,
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()


def compiles(data: bytes) -> bool:
    """Whether a file compiles; an exception that is not ours gets through."""
    try:
        graph = pyhades.load_onnx(data)
        infer_types(graph)
        kinds = [value.type for value in graph.values()]
        if any(k is not None and k.is_static and elements(k) > MODERATE for k in kinds):
            return True
        shapes = {value.name: SHAPE for value in graph.inputs if value.data is None}
        pyhades.compile(graph, input_shapes=shapes).close()
    except PyhadesError:
        return False
    return True


def test_every_prefix() -> None:
    data = small_model()
    assert compiles(data)
    assert not any(compiles(data[:length]) for length in range(len(data) - 10))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.slow
def test_random_bytes(seed: int) -> None:
    data, random = small_model(), np.random.default_rng(seed)
    good = 0
    for _ in range(700):
        damaged = bytearray(data)
        for position in random.integers(len(data), size=random.integers(1, 4)):
            damaged[position] = random.integers(256)
        good += compiles(bytes(damaged))
    assert 0 < good < 700


@pytest.mark.parametrize("shape", [(1 << 40, 3, 4, 4), (1, 3, 1 << 31, 1 << 31)])
def test_sizes_beyond_any_memory_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="larger than any memory"):
        pyhades.compile(pyhades.load_onnx(small_model(shape)))
