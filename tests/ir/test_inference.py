"""Shape rules: symbolic extents, unknown values, and errors that name the node."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyhades.errors import ArgumentError, ShapeError, UnsupportedOperatorError
from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Graph, Node, TensorType, Value
from pyhades.ir.inference import evaluate, infer_types
from pyhades.ir.interpreter import interpret
from pyhades.ir.registry import attribute, operator, operators

FLOAT = np.dtype(np.float32)
INT = np.dtype(np.int64)


def value(*shape: int | str, dtype: np.dtype[Any] = FLOAT) -> Value:
    return Value("x", TensorType(dtype, shape))


def vector(*numbers: int) -> Value:
    data = np.array(numbers, np.int64)
    return Value("c", TensorType(INT, data.shape), data)


def shape_after(op: str, *inputs: Value | None, outputs: int = 1, **attributes: Any) -> Any:
    node = Node(op, list(inputs), [Value(f"y{i}") for i in range(outputs)], attributes, "here")
    shapes = [kind.shape for kind in operator(op).infer(node)]
    return shapes if outputs > 1 else shapes[0]


UNKNOWN_VECTOR = Value("u", TensorType(INT, (2,)))
W = value(8, 3, 3, 3)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (shape_after("Add", value("n", 1), value(4)), ("n", 4)),
        (shape_after("Add", value("n"), value("n")), ("n",)),
        (shape_after("Add", value("n"), value("m")), ("?",)),
        (shape_after("Add", value("?"), value("?")), ("?",)),
        (shape_after("Add", value("n"), value(4)), (4,)),
        (shape_after("MatMul", value("n", 7, 5), value(5, 2)), ("n", 7, 2)),
        (shape_after("MatMul", value(5), value(5)), ()),
        (shape_after("Conv", value("n", 3, "h", 9), W), ("n", 8, "?", 7)),
        (shape_after("Reshape", value("n", 6, 4), vector(0, -1)), ("n", 24)),
        (shape_after("Reshape", value("n", 6, 4), vector(-1, 24)), ("?", 24)),
        (shape_after("Reshape", value(6, 4), vector(2, -1, 3)), (2, 4, 3)),
        (shape_after("Reshape", value(6, 4), UNKNOWN_VECTOR), ("?", "?")),
        (shape_after("Reshape", value(0, 4), vector(0, 9), allowzero=1), (0, 9)),
        (shape_after("Transpose", value("n", 2, 3), perm=[2, 0, 1]), (3, "n", 2)),
        (shape_after("Concat", value("n", 2), value("n", 3), axis=1), ("n", 5)),
        (shape_after("Concat", value(2, "n"), value(2, 3), axis=1), (2, "?")),
        (shape_after("Slice", value("n", 9), vector(1), vector(-1), vector(1)), ("n", 7)),
        (shape_after("Slice", value(9, 9), UNKNOWN_VECTOR, UNKNOWN_VECTOR), ("?", "?")),
        (shape_after("Slice", value(9), vector(-1), vector(-99), None, vector(-2)), (5,)),
        (shape_after("Pad", value("n", 5), vector(0, 1, 0, 2)), ("n", 8)),
        (shape_after("Gather", value("n", 4), value(2, 3, dtype=INT), axis=1), ("n", 2, 3)),
        (shape_after("GatherND", value(2, 3, 4), value("k", 2, dtype=INT)), ("k", 4)),
        (shape_after("ReduceMean", value("n", 3, 4), vector(1), keepdims=0), ("n", 4)),
        (shape_after("ReduceMean", value("n", 3), keepdims=0), ()),
        (shape_after("ReduceMean", value("n", 3), noop_with_empty_axes=1), ("n", 3)),
        (
            shape_after("Resize", value("n", 3, "h", "w"), None, None, vector(1, 3, 8, 9)),
            (1, 3, 8, 9),
        ),
        (shape_after("Resize", value(1, 3, 4, 4), None, None, UNKNOWN_VECTOR), ("?",) * 4),
        (shape_after("Expand", value("n", 1), vector(1, 5)), ("n", 5)),
        (shape_after("Tile", value("n", 2), vector(1, 3)), ("n", 6)),
        (shape_after("Squeeze", value("n", 1, 3), vector(1)), ("n", 3)),
        (shape_after("Unsqueeze", value("n", 3), vector(0, -1)), (1, "n", 3, 1)),
        (shape_after("Flatten", value("n", 2, 3)), ("n", 6)),
        (shape_after("Split", value(5, 2), outputs=2), [(3, 2), (2, 2)]),
        (shape_after("Shape", value("n", 2, 3), start=-2), (2,)),
        (shape_after("DepthToSpace", value("n", 8, 3, "w"), blocksize=2), ("n", 2, 6, "?")),
        (
            shape_after(
                "MaxPool", value(1, 2, 5, 5), kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1
            ),
            (1, 2, 3, 3),
        ),
        (
            shape_after("Einsum", value("b", 2, 3), value("b", 3, 4), equation="bij,bjk->bik"),
            ("b", 2, 4),
        ),
        (
            shape_after("LayerNormalization", value("n", 7, 4), value(4), outputs=3),
            [("n", 7, 4), ("n", 7, 1), ("n", 7, 1)],
        ),
    ],
)
def test_shapes(shape: Any, expected: Any) -> None:
    assert shape == expected


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "message"),
    [
        ("Add", [value(2), value(3)], {}, "extents 2 and 3 do not broadcast"),
        ("Add", [value(2)], {}, r"needs at least 2 input\(s\), has 1"),
        ("Relu", [value(2), value(2)], {}, r"takes at most 1 input\(s\), has 2"),
        ("Add", [value(2), None], {}, "input 1 is missing"),
        ("Add", [value(2), value(2, dtype=INT)], {}, "input 1 has dtype int64, expected float32"),
        ("Sqrt", [value(2, dtype=INT)], {}, "expected floating"),
        ("MatMul", [value(2, 3), value(4, 5)], {}, "inner extents differ: 3 and 4"),
        ("Conv", [value(1, 4, 9, 9), W], {}, "channels of x .* differ: 4 and 3"),
        ("Conv", [value(1, 3, 2, 2), W], {}, "a window of 3 does not fit a padded extent of 2"),
        ("Conv", [value(1, 3, 9, 9), W], {"pads": [1, 1]}, "pads needs 4 entries"),
        ("Conv", [value(1, 3, 9, 9), W], {"strides": [0, 1]}, "must be positive"),
        ("Conv", [value(1, 3, 9, 9), W], {"auto_pad": "SAME"}, "auto_pad 'SAME'"),
        ("Conv", [value(1, 3, 9, 9), W], {"kernel_shape": [5, 5]}, "contradicts the weight"),
        ("Conv", [value(1, 3, 9, 9), W, value(7)], {}, "bias and output channels differ"),
        ("Reshape", [value(6), vector(4)], {}, "does not fit the number of elements"),
        ("Reshape", [value(6), vector(-1, -1)], {}, "is not valid"),
        ("Transpose", [value(2, 3)], {"perm": [0, 0]}, "not a permutation"),
        ("Concat", [value(2, 3), value(3, 3)], {"axis": 1}, "extents of axis 0 differ"),
        ("Concat", [value(2)], {"axis": 1}, r"axis 1 is outside \[-1, 1\)"),
        ("Slice", [value(9), vector(0), vector(1), vector(0), vector(0)], {}, "must not be zero"),
        ("Softmax", [value(2, 3)], {"axis": 2}, "axis 2 is outside"),
        ("Resize", [value(1, 1), None, None, None], {}, "either scales or sizes"),
        ("Split", [value(5), vector(2, 2)], {}, "do not fit"),
        ("GroupNormalization", [value(1, 6, 2), value(6), value(6)], {"num_groups": 4}, "divide"),
        ("Squeeze", [value(2, 3), vector(0)], {}, "extent of axis 0 and 1 differ: 2 and 1"),
        ("Gemm", [value(2, 3), value(2, 3)], {}, "inner extents differ"),
    ],
)
def test_errors_name_the_node(
    op: str, inputs: list[Value | None], attributes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ShapeError, match=message) as caught:
        shape_after(op, *inputs, outputs=2 if op == "Split" else 1, **attributes)
    assert f"{op} 'here'" in str(caught.value)


def test_unknown_rank_gives_a_dtype_without_a_shape() -> None:
    x = Value("x", TensorType(FLOAT, None))
    node = Node("Relu", [x], [Value("y")])
    assert operator("Relu").infer(node) == [TensorType(FLOAT, None)]


def test_unknown_operator() -> None:
    with pytest.raises(UnsupportedOperatorError, match="no IR operator Frobnicate"):
        operator("Frobnicate")


def test_errors_of_a_graph_name_its_file() -> None:
    node = Node("Add", [value(2), value(3)], [Value("y")])
    with pytest.raises(ShapeError, match=r"^model\.onnx: Add"):
        infer_types(Graph([], node.outputs, [node], source="model.onnx"))


def test_evaluate_turns_numpy_errors_into_ours() -> None:
    node = Node("Concat", [], [Value("y")], {"axis": 5}, "joint")
    with pytest.raises(ShapeError, match=r"Concat 'joint'.*float64\[2\]"):
        evaluate(node, [np.ones(2), np.ones(2)])
    node = Node("Gather", [], [Value("y")], {}, "pick")
    with pytest.raises(ShapeError, match="an index is outside"):
        evaluate(node, [np.ones(2), np.array(2)])


def test_attribute_falls_back_to_its_default() -> None:
    node = Node("Softmax", [], [])
    assert attribute(node, "axis") == -1
    node.attributes["axis"] = 1
    assert attribute(node, "axis") == 1


def test_every_operator_is_documented() -> None:
    undocumented = [
        name for name in operators() if not (type(operator(name)).__doc__ or "").strip()
    ]
    assert undocumented == []


def test_costs() -> None:
    build = GraphBuilder()
    x = value(2, 3, 8, 8)
    y = build.one("Conv", x, build.constant(np.zeros((4, 3, 3, 3)), FLOAT), pads=[1, 1, 1, 1])
    build.one("MatMul", y, build.constant(np.zeros((8, 5)), FLOAT))
    conv, matmul = (operator(node.op).cost(node) for node in build.nodes)
    assert conv.flops == 2 * 27 * 2 * 4 * 64
    assert conv.bytes == 4 * (2 * 3 * 64 + 108 + 2 * 4 * 64)
    assert matmul.flops == 2 * 8 * (2 * 4 * 8 * 5)


def small_graph() -> Graph:
    build = GraphBuilder()
    x = value("n", 2)
    hidden = build.one("Relu", x)
    y = build.one("Add", hidden, build.constant([1, 2], FLOAT))
    y.name = "y"
    return Graph([x], [y], build.nodes)


def test_interpreter_returns_outputs_or_everything() -> None:
    feeds = {"x": np.float32([[-1, 1]])}
    graph = small_graph()
    results = interpret(graph, feeds)
    assert list(results) == ["y"]
    np.testing.assert_array_equal(results["y"], [[1, 3]])
    assert set(interpret(graph, feeds, keep_all=True)) == {value.name for value in graph.values()}


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "input 'x' is missing"),
        ({"x": np.ones((1, 2), np.float32), "z": 1}, "no input 'z'; it has x"),
        ({"x": np.ones((1, 3), np.float32)}, r"float32\[1, 3\], the graph wants float32\[n,2\]"),
        ({"x": np.ones((1, 2))}, "float64"),
    ],
)
def test_interpreter_checks_feeds(feeds: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        interpret(small_graph(), feeds)
