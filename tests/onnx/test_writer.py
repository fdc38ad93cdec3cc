"""Written files are what other tools read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from pyhades import load_onnx
from pyhades.errors import ArgumentError
from pyhades.ir.builder import GraphBuilder
from pyhades.ir.graph import Graph, TensorType, Value
from pyhades.onnx import save_onnx
from pyhades.onnx.writer import onnx_chunks
from tests.support.onnx_models import run_rival


def small_graph() -> Graph:
    build = GraphBuilder()
    x = Value("x", TensorType(np.dtype(np.float32), ("batch", 2, 4, 4)))
    weight = build.constant(np.linspace(-1, 1, 54).reshape(3, 2, 3, 3), np.float32)
    y = build.one("Conv", x, weight, pads=[1, 1, 1, 1], auto_pad="NOTSET", group=1)
    y = build.one("LeakyRelu", y, alpha=0.25)
    y = build.one("ReduceMean", y, build.integers([1]), keepdims=1)
    y = build.one("Cast", y, to=np.dtype(np.float64))
    y.name = "y"
    return Graph([x], [y], build.nodes, "small", metadata={"licence": "CC0"})


def test_written_graph_passes_the_checker_and_runs(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    save_onnx(small_graph(), path)
    onnx.checker.check_model(path, full_check=True)
    assert onnx.load(path).metadata_props[0].value == "CC0"
    x = np.random.default_rng(0).normal(size=(3, 2, 4, 4)).astype(np.float32)
    (y,) = run_rival(path.read_bytes(), {"x": x})
    assert y.shape == (3, 1, 4, 4)
    assert y.dtype == np.float64


def test_a_graph_may_be_written_where_it_was_read(tmp_path: Path) -> None:
    """Its weights are mapped from that very file."""
    path = tmp_path / "small.onnx"
    save_onnx(small_graph(), path)
    graph = load_onnx(path)
    save_onnx(graph, path)
    save_onnx(graph, path)  # what was mapped is still there
    assert [node.op for node in load_onnx(path).nodes] == [node.op for node in graph.nodes]
    onnx.checker.check_model(path, full_check=True)
    assert list(tmp_path.iterdir()) == [path]


def test_round_trip() -> None:
    graph = small_graph()
    again = load_onnx(b"".join(bytes(chunk) for chunk in onnx_chunks(graph)))
    assert [node.op for node in again.nodes] == [node.op for node in graph.nodes]
    assert [node.attributes for node in again.nodes] == [node.attributes for node in graph.nodes]
    assert str(again.inputs[0].type) == "float32[batch,2,4,4]"


def test_an_opset_with_another_spelling_is_refused() -> None:
    with pytest.raises(ArgumentError, match="ReduceMean cannot be written as it is in opset 17"):
        onnx_chunks(small_graph(), opset=17)


def test_untyped_values_are_refused() -> None:
    graph = small_graph()
    graph.outputs[0].type = None
    with pytest.raises(ArgumentError, match="'y' has no type"):
        onnx_chunks(graph)
