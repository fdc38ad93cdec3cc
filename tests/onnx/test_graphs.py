"""Graphs as writers write them: order, names, functions, graphs within graphs; by onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import pyhades
from pyhades import load_onnx
from pyhades.errors import ModelError
from pyhades.ir.interpreter import interpret
from pyhades.onnx import translate
from pyhades.onnx.schema import MODEL
from pyhades.onnx.translate import OnnxNode, onnx_op
from pyhades.onnx.wire import Record, encode

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

WEIGHT = np.arange(8, dtype=np.float32).reshape(2, 4)
X = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
Nodes = list[Any]
node: Callable[..., Any] = helper.make_node


def info(name: str, kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, (2, 4))


def model(nodes: Nodes, weights: Any = (), **parts: Any) -> Any:
    inputs, outputs = parts.get("inputs", [info("x")]), parts.get("outputs", [info("y")])
    graph = helper.make_graph(
        nodes, "g", inputs, outputs, list(weights), sparse_initializer=parts.get("sparse", [])
    )
    domains = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
    return helper.make_model(
        graph, opset_imports=domains, ir_version=10, functions=parts.get("functions", [])
    )


def agrees(proto: Any) -> None:
    """Compiled, the model gives what onnxruntime gives."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    program = pyhades.compile(load_onnx(proto), threads=1)
    feeds = {name: X for name in program.inputs}
    results, wanted = program.run(feeds), session.run(None, feeds)
    for value, array in zip(session.get_outputs(), wanted, strict=True):
        np.testing.assert_allclose(results[value.name], array, rtol=1e-6)


W = numpy_helper.from_array(WEIGHT, "w")


def sparse(indices: list[Any]) -> Any:
    values = numpy_helper.from_array(np.float32([5, 6]), "w")
    where = numpy_helper.from_array(np.array(indices, np.int64))
    return helper.make_sparse_tensor(values, where, [2, 4])


RELU = [node("Relu", ["x"], ["y"])]
ADD = [node("Add", ["x", "w"], ["y"])]

ACCEPTED = {
    "backwards": model(
        [node("Neg", ["b"], ["y"]), node("Exp", ["a"], ["b"]), node("Abs", ["x"], ["a"])]
    ),
    "an output is an input": model(RELU, outputs=[info("y"), info("x")]),
    "an output is a constant": model([], [W], outputs=[info("w")]),
    "an output twice": model(RELU, outputs=[info("y"), info("y")]),
    "an input that nothing reads": model(RELU, inputs=[info("x"), info("z")]),
    "a constant is an input, too": model(ADD, [W], inputs=[info("x"), info("w")]),
    "the last of two constants": model(
        ADD, [numpy_helper.from_array(-WEIGHT, "w"), W]
    ),
    "inputs left out at the end": model([node("Clip", ["x", "", ""], ["y"])]),
    "outputs left out at the end": model([node("Dropout", ["x"], ["y", ""])]),
    "sparse, by numbers": model(ADD, sparse=[sparse([1, 6])]),
    "sparse, by places": model(ADD, sparse=[sparse([[0, 1], [1, 2]])]),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_onnxruntime_accepts(name: str) -> None:
    agrees(ACCEPTED[name])


def test_what_only_others_read_is_skipped() -> None:
    """Training information, documentation, fields of later versions, and any ir_version."""
    proto = model(RELU)
    proto.ir_version = 99
    proto.training_info.add().algorithm.CopyFrom(proto.graph)
    proto.graph.doc_string = proto.graph.node[0].doc_string = "text"
    later = b"\xfa\x7f\x03new"  # field 2047, three bytes
    program = pyhades.compile(load_onnx(proto.SerializeToString() + later), threads=1)
    np.testing.assert_array_equal(program(X), np.maximum(X, 0))


def test_equal_and_empty_node_names_do_not_matter() -> None:
    nodes = [
        node("Abs", ["x"], ["a"], name="n"),
        node("Exp", ["a"], ["b"], name="n"),
        node("Neg", ["b"], ["y"]),
    ]
    program = pyhades.compile(load_onnx(model(nodes)), threads=1)
    np.testing.assert_allclose(program(X), -np.exp(np.abs(X)), rtol=1e-6)


REFUSED = {
    "made twice": (
        model([node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["y"], name="again")]),
        r"node 'again': output 'y' has a name that is taken",
    ),
    "an input made": (model([node("Relu", ["x"], ["x"])], outputs=[info("x")]), "'x'.*taken"),
    "a constant made": (model([node("Relu", ["x"], ["w"])], [W], outputs=[info("w")]), "taken"),
    "two inputs": (model(RELU, inputs=[info("x"), info("x")]), "taken"),
    "cycle": (
        model(
            [
                node("Add", ["x", "b"], ["a"], name="n1"),
                node("Relu", ["a"], ["b"], name="n2"),
                node("Relu", ["b"], ["y"], name="n3"),
            ]
        ),
        "'n2' -> 'n1' -> 'n2' read each other's results in a cycle",
    ),
    "reads itself": (model([node("Add", ["x", "y"], ["y"], name="n")]), "'n' -> 'n'.*cycle"),
    "nothing makes": (model([node("Add", ["x", "q"], ["y"])]), "reads 'q', which nothing makes"),
    "no such output": (model([node("Relu", ["x"], ["h"])]), "'y' is made by no node"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_onnxruntime_refuses(name: str) -> None:
    proto, message = REFUSED[name]
    with pytest.raises(Exception, match="ONNXRuntimeError"):
        onnxruntime.InferenceSession(proto.SerializeToString())
    with pytest.raises(ModelError, match=message):
        load_onnx(proto)


def test_the_order_of_the_file_is_kept_where_it_works() -> None:
    nodes = [node("Relu", ["x"], [f"v{i}"], name=f"n{i}") for i in range(20)]
    nodes.append(node("Sum", [f"v{i}" for i in range(20)], ["y"], name="sum"))
    assert [n.name for n in load_onnx(model(nodes)).nodes] == [n.name for n in nodes]
    shuffled = [nodes[i] for i in np.random.default_rng(0).permutation(21)]
    graph = load_onnx(model(shuffled))
    first = [n.name for n in shuffled if n.name != "sum"]
    assert [n.name for n in graph.nodes] == [*first, "sum"]


def function(name: str, nodes: Nodes, attributes: Any = (), defaults: Any = (), **kw: Any) -> Any:
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("local", 1)]
    made = helper.make_function(
        "local", name, kw.get("inputs", ["a"]), kw.get("outputs", ["b"]), nodes, opsets,
        list(attributes), list(defaults),
    )  # fmt: skip
    if "overload" in kw:
        made.overload = kw["overload"]
    return made


def referring(op: str, inputs: list[str], outputs: list[str], name: str, to: str, kind: int) -> Any:
    made = node(op, inputs, outputs)
    made.attribute.add(name=name, ref_attr_name=to, type=kind)
    return made


FLOAT = 1
LEAK = function("Leak", [referring("LeakyRelu", ["a"], ["b"], "alpha", "slope", FLOAT)], ["slope"])
LEAK_HALF = function(
    "Leak",
    [referring("LeakyRelu", ["a"], ["b"], "alpha", "slope", FLOAT)],
    [],
    [helper.make_attribute("slope", 0.5)],
)
TWICE = function(
    "Twice",
    [
        # Its names are its own: y is no output of the model.
        referring("Leak", ["a"], ["y"], "slope", "s", FLOAT),
        node("Leak", ["y"], ["b"], domain="local", slope=0.25),
    ],
    ["s"],
)
TWICE.node[0].domain = "local"
CLAMP = function("Clamp", [node("Clip", ["a", "lo", "hi"], ["b"])], inputs=["a", "lo", "hi"])
PASS = function("Pass", [node("Relu", ["a"], ["c"])], outputs=["a", "c"])

FUNCTIONS = {
    "attribute": ([node("Leak", ["x"], ["y"], domain="local", slope=0.1)], [LEAK]),
    "attribute left out": ([node("Leak", ["x"], ["y"], domain="local")], [LEAK]),
    "default": ([node("Leak", ["x"], ["y"], domain="local")], [LEAK_HALF]),
    "default replaced": ([node("Leak", ["x"], ["y"], domain="local", slope=2.0)], [LEAK_HALF]),
    "nested": ([node("Twice", ["x"], ["y"], domain="local", s=0.5)], [TWICE, LEAK]),
    "called twice": (
        [
            node("Leak", ["x"], ["h"], domain="local", slope=3.0),
            node("Leak", ["h"], ["y"], domain="local"),
        ],
        [LEAK],
    ),
    "input left out": ([node("Clamp", ["x", "", "w"], ["y"], domain="local")], [CLAMP]),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_written_out(name: str) -> None:
    nodes, functions = FUNCTIONS[name]
    agrees(model(nodes, [numpy_helper.from_array(np.float32(0.5), "w")], functions=functions))


def test_a_function_that_passes_its_input_on() -> None:
    nodes = [node("Pass", ["x"], ["p", "q"], domain="local"), node("Add", ["p", "q"], ["y"])]
    program = pyhades.compile(load_onnx(model(nodes, functions=[PASS])), threads=1)
    np.testing.assert_allclose(program(X), X + np.maximum(X, 0))


def test_overloads() -> None:
    functions = [
        function("F", [node("Exp", ["a"], ["b"])], overload="one"),
        function("F", [node("Neg", ["a"], ["b"])], overload="two"),
    ]
    nodes = [node("F", ["x"], ["y"], domain="local", overload="two")]
    np.testing.assert_allclose(
        interpret(load_onnx(model(nodes, functions=functions)), {"x": X})["y"], -X
    )


def test_functions_that_call_themselves_are_refused() -> None:
    there = function("There", [node("Back", ["a"], ["b"], domain="local")])
    back = function("Back", [node("There", ["a"], ["b"], domain="local")])
    nodes = [node("There", ["x"], ["y"], domain="local")]
    with pytest.raises(ModelError, match="'There' calls itself"):
        load_onnx(model(nodes, functions=[there, back]))


def test_functions_do_not_unfold_without_end() -> None:
    """Forty functions that each call the next twice: 2^40 nodes in three kilobytes."""
    functions = [
        function(
            f"F{i}",
            [
                node(f"F{i + 1}", ["a"], ["c"], domain="local"),
                node(f"F{i + 1}", ["c"], ["b"], domain="local"),
            ],
        )
        for i in range(40)
    ]  # fmt: skip
    functions.append(function("F40", [node("Relu", ["a"], ["b"])]))
    nodes = [node("F0", ["x"], ["y"], domain="local")]
    with pytest.raises(ModelError, match="written out"):
        load_onnx(model(nodes, functions=functions))


def test_errors_in_a_function_name_the_call_and_the_node() -> None:
    functions = [function("F", [node("Conv", ["a", "a"], ["b"], name="inner")])]
    nodes = [node("F", ["x"], ["y"], domain="local", name="outer")]
    with pytest.raises(pyhades.errors.PyhadesError, match=r"'outer' \(F\).*'inner' \(Conv\)"):
        load_onnx(model(nodes, functions=functions))


@pytest.fixture
def branches() -> Iterator[None]:
    """An operator with a graph in an attribute: both ways to translate it."""
    saved = {domain: dict(table) for domain, table in translate._TRANSLATORS.items()}

    @onnx_op("Inline", since=1, domain="local")
    def inline(call: OnnxNode, graph: Any) -> list[Any]:
        return list(call.attributes["body"].inline([call.input(0)]))

    @onnx_op("Apart", since=1, domain="local")
    def apart(call: OnnxNode, graph: Any) -> list[Any]:
        body, captured = call.attributes["body"].graph([call.input(0).type])
        assert [value.name for value in body.inputs[1:]] == [value.name for value in captured]
        inputs = {value.name: X for value in body.inputs}
        return [graph.constant(next(iter(interpret(body, inputs).values())))]

    yield
    translate._TRANSLATORS.clear()
    translate._TRANSLATORS.update(saved)


def body(nodes: Nodes, weights: Any = ()) -> Any:
    return helper.make_graph(nodes, "body", [info("i")], [info("o")], list(weights))


@pytest.mark.parametrize("op", ["Inline", "Apart"])
def test_graphs_within_graphs(op: str, branches: None) -> None:
    inner = body(
        [
            node("Add", ["t", "own"], ["o"]),
            node("Mul", ["i", "outer"], ["s"]),
            node("Add", ["s", "w"], ["t"]),
        ],
        [numpy_helper.from_array(np.float32(2), "own")],
    )
    # What the graph within reads is made after the node, in the order of the file.
    nodes = [
        node(op, ["x"], ["y"], domain="local", body=inner),
        node("Identity", ["x"], ["outer"]),
    ]
    graph = load_onnx(model(nodes, [W]))
    np.testing.assert_allclose(interpret(graph, {"x": X})["y"], X * X + WEIGHT + 2, rtol=1e-6)


def test_a_graph_written_out_twice(branches: None) -> None:
    inner = body([node("Exp", ["i"], ["e"]), node("Neg", ["e"], ["o"])])
    nodes = [
        node("Inline", ["x"], ["h"], domain="local", body=inner),
        node("Inline", ["h"], ["y"], domain="local", body=inner),
    ]
    graph = load_onnx(model(nodes))
    names = [value.name for value in graph.values()]
    assert len(set(names)) == len(names)
    np.testing.assert_allclose(interpret(graph, {"x": X})["y"], -np.exp(-np.exp(X)), rtol=1e-6)


def test_graphs_nested_too_deep_are_refused() -> None:
    graph: Record = {}
    for _ in range(60):
        attribute = {"name": "then_branch", "type": 5, "g": graph}
        graph = {"nodes": [{"op_type": "If", "attributes": [attribute]}]}
    with pytest.raises(ModelError, match="100 deep"):
        load_onnx(b"".join(map(bytes, encode({"graph": graph}, MODEL))))
