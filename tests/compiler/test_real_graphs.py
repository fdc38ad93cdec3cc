"""The three real graphs against onnxruntime; skipped where they are not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import pyhades
from pyhades.compiler.placement import lower
from pyhades.passes import optimise

pytestmark = pytest.mark.slow

BOUND = 1e-4
SALIENCY = ("conv2d_176", "add_137", "add_138", "add_139", "sigmoid_5")
"""InSPyReNet's maps per scale, before the final min-max."""

SHAPE_ARITHMETIC = {"gather", "scatter_nd", "gather_nd", "cast", "binary", "unary", "select"}


@pytest.mark.parametrize("name", ["u2netp", "u2net"])
def test_u2net_agrees_with_onnxruntime(name: str, real_graph) -> None:
    compare(real_graph(name), ())


def test_inspyrenet_agrees_with_onnxruntime_on_every_scale(real_graph) -> None:
    compare(real_graph("inspyrenet"), SALIENCY)


def compare(path: Path, extra: tuple[str, ...]) -> None:
    model = onnx.load(path)
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in extra)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    del model
    graph = pyhades.load_onnx(path)
    values = {value.name: value for value in graph.values()}
    graph.outputs += [values[name] for name in extra]
    program = pyhades.compile(graph)
    assert not SHAPE_ARITHMETIC & {line.op for line in program.lines}
    x = np.random.default_rng(0).standard_normal(graph.inputs[0].type.static_shape)
    feeds = {graph.inputs[0].name: x.astype(np.float32)}
    wanted = session.run(None, feeds)
    for (name, have), want in zip(program.run(feeds).items(), wanted, strict=True):
        assert np.abs(have - want).max() < BOUND, name


@pytest.mark.parametrize(("name", "copies"), [("u2netp", 2), ("u2net", 2), ("inspyrenet", 260)])
def test_copies_do_not_come_back(name: str, copies: int, real_graph) -> None:
    lowered = lower(optimise(pyhades.load_onnx(real_graph(name))))
    assert sum(instruction.op == "copy" for instruction in lowered.instructions) <= copies
