"""The generated networks on every tier: the same operators and shapes as the real ones."""

from __future__ import annotations

import doctest
from functools import cache

import numpy as np
import pytest

import pyhades
import pyhades.compiler.program
from pyhades.debug import compare
from pyhades.ir.interpreter import interpret
from pyhades.networks import SwinConfig, swin, u2net
from tests.support.graphs import Builder, feeds_for

NETWORKS = {
    "u2net": lambda batch: u2net((64, 96), small=True, batch=batch),
    "u2net of constant sizes": lambda batch: u2net(64, small=True, batch=batch, sizes="constant"),
    "swin": lambda batch: swin((64, 96), SwinConfig.tiny(), batch=batch, saliency=True),
}


@cache
def prepared(name, batch):
    graph = NETWORKS[name](batch)
    feeds = feeds_for(graph)
    return graph, feeds, interpret(graph, feeds)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_agree_with_the_interpreter(name, batch, isa):
    graph, feeds, expected = prepared(name, batch)
    with pyhades.compile(graph, isa=isa) as program:
        results = program.run(feeds)
        assert not {"gather", "gather_nd", "scatter_nd", "cast"} & {
            line.op for line in program.lines
        }
    for key, want in expected.items():
        scale = max(1.0, np.abs(want).max())
        assert np.abs(results[key] - want).max() < 1e-4 * scale, key


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_bit_equal_for_any_number_of_threads(name):
    graph, feeds, _ = prepared(name, 1)
    runs = [pyhades.compile(graph, threads=threads).run(feeds) for threads in (1, 2, 3)]
    for key in runs[0]:
        assert all(np.array_equal(runs[0][key], run[key]) for run in runs[1:]), key


def test_every_attention_of_swin_is_fused():
    graph, _, _ = prepared("swin", 1)
    lines = pyhades.compile(graph).lines
    assert sum(line.op == "attention" for line in lines) >= sum(SwinConfig.tiny().depths)


def test_compare_names_the_first_value_beyond_the_tolerance():
    b = Builder()
    x = b.op("Conv", b.input(1, 8, 9, 9), b.weight(8, 8, 3, 3))
    graph = b.graph(b.op("Softmax", x, axis=1))
    found = compare(graph, feeds_for(graph), tolerance=0.0)
    assert found.first == "conv0" and "conv0" in str(found)


def test_docstring_example():
    assert doctest.testmod(pyhades.compiler.program).failed == 0
