"""Only what is wanted is computed."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import pyhades
from pyhades.errors import ArgumentError
from pyhades.networks import u2net


def test_side_outputs_are_pruned():
    graph = u2net(64, small=True)
    names = [value.name for value in graph.outputs]
    whole, last = pyhades.compile(graph), pyhades.compile(graph, outputs=names[:1])
    assert len(last.lines) < len(whole.lines) and list(last.outputs) == names[:1]
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 64), np.float32)
    np.testing.assert_array_equal(whole(x)[0], last(x))
    assert [value.name for value in graph.outputs] == names


def test_order_and_pickling(tmp_path):
    from pyhades.networks import write_u2net

    pytest.importorskip("onnx")
    path = tmp_path / "network.onnx"
    write_u2net(path, size=64, small=True)
    graph = pyhades.load_onnx(path)
    names = [value.name for value in graph.outputs]
    program = pyhades.compile(graph, outputs=[names[2], names[0]])
    assert list(program.outputs) == [names[2], names[0]]
    assert list(pickle.loads(pickle.dumps(program)).outputs) == [names[2], names[0]]


@pytest.mark.parametrize(
    ("names", "complaint"), [(["nothing"], "no output 'nothing'"), ([], "empty")]
)
def test_wrong_names(names, complaint):
    with pytest.raises(ArgumentError, match=complaint):
        pyhades.compile(u2net(64, small=True), outputs=names)
