"""Compiled programs, natively."""

from __future__ import annotations

import os
import pickle
import threading

import numpy as np
import pytest

import pyhades
from pyhades.compiler import build
from pyhades.compiler.placement import lower
from pyhades.debug import compare
from pyhades.errors import (
    ArgumentError,
    ArgumentTypeError,
    ClosedError,
    ConfigurationError,
    ShapeError,
)
from pyhades.ir.interpreter import interpret
from pyhades.onnx import save_onnx
from pyhades.passes import optimise
from tests.passes.test_passes import random_graph
from tests.support.graphs import Builder, feeds_for


def small_network(batch=1):
    """Two scales, a Concat and two outputs."""
    b = Builder()
    x = b.input(batch, 3, 16, 16)
    wide = b.op("Relu", b.op("Conv", x, b.weight(8, 3, 3, 3, scale=0.3), pads=[1] * 4))
    deep = b.op("MaxPool", wide, kernel_shape=[2, 2], strides=[2, 2])
    deep = b.op("Relu", b.op("Conv", deep, b.weight(8, 8, 3, 3, scale=0.2), pads=[1] * 4))
    up = b.op("Resize", deep, None, b.const([1, 1, 2, 2]), None, mode="linear")
    y = b.op("Conv", b.op("Concat", up, wide, axis=1), b.weight(2, 16, 1, 1), b.weight(2))
    return b.graph(b.op("Sigmoid", y), y)


def assert_right(graph, feeds, results):
    expected = interpret(graph, feeds)
    assert list(results) == list(expected)
    for name, want in expected.items():
        assert results[name].dtype == want.dtype
        np.testing.assert_allclose(results[name], want, rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("batch", [1, 3])
def test_results_on_every_tier(isa, batch):
    graph = small_network(batch)
    feeds = feeds_for(graph)
    with pyhades.compile(graph, isa=isa) as program:
        assert program.isa == isa
        assert_right(graph, feeds, program.run(feeds))


def test_symbolic_batch():
    b = Builder()
    x = b.input("batch", 3, 6, 6)
    graph = b.graph(b.op("Conv", x, b.weight(4, 3, 3, 3)))
    feeds = feeds_for(graph, shapes={"x0": (2, 3, 6, 6)})
    program = pyhades.compile(graph, input_shapes={"x0": (2, 3, 6, 6)})
    assert_right(graph, feeds, program.run(feeds))
    with pytest.raises(ShapeError, match="input_shapes"):
        pyhades.compile(graph)


def test_results_are_bit_equal_for_any_number_of_threads():
    graph = small_network()
    feeds = feeds_for(graph)
    runs = [pyhades.compile(graph, threads=t).run(feeds) for t in (1, 2, 3)]
    for name in runs[0]:
        assert all(np.array_equal(runs[0][name], run[name]) for run in runs[1:])


def test_calls_return_arrays_that_stay_as_they_are():
    program = pyhades.compile(small_network())
    first = feeds_for(small_network(), 1)["x0"]
    a, _ = program(first)
    copy = a.copy()
    b, _ = program(first * 2)
    assert np.array_equal(a, copy) and not np.array_equal(a, b)
    assert a.flags.writeable and a.flags.c_contiguous


def test_inputs_of_any_strides_are_accepted():
    graph = small_network()
    x = feeds_for(graph)["x0"]
    strided = np.asfortranarray(x)
    program = pyhades.compile(graph)
    assert np.array_equal(program(x)[0], program(strided)[0])


def test_bad_inputs_are_named():
    program = pyhades.compile(small_network())
    x = np.zeros((1, 3, 16, 16), np.float32)
    with pytest.raises(ArgumentError, match="'y'"):
        program.run({"x0": x, "y": x})
    with pytest.raises(ArgumentError, match="'x0'"):
        program.run({})
    with pytest.raises(ArgumentTypeError, match=r"x0.*float64.*astype"):
        program.run({"x0": x.astype(np.float64)})
    with pytest.raises(ShapeError, match=r"x0.*\(1, 3, 8, 8\).*input_shapes"):
        program.run({"x0": x[..., :8, :8]})
    with pytest.raises(ArgumentError, match="1 inputs"):
        program(x, x)
    for nothing in (None, [x], "x0"):
        with pytest.raises(ArgumentTypeError, match=r"\{'x0': x\}, not " + type(nothing).__name__):
            program.run(nothing)


def test_bad_arguments_are_refused():
    graph = small_network()
    with pytest.raises(ArgumentError, match="precision"):
        pyhades.compile(graph, precision="int4")
    with pytest.raises(ConfigurationError, match="isa"):
        pyhades.compile(graph, isa="mmx")
    with pytest.raises(ArgumentError, match="threads"):
        pyhades.compile(graph, threads=0)
    with pytest.raises(ArgumentTypeError, match=r"graph is str; give what pyhades\.load_onnx"):
        pyhades.compile("model.onnx")
    with pytest.raises(ArgumentTypeError, match="input_shapes=3"):
        pyhades.compile(graph, input_shapes=3)


@pytest.mark.parametrize("threads", [1, 2])
def test_many_threads_may_call_one_program(threads):
    graph = small_network()
    program = pyhades.compile(graph, threads=threads)
    feeds = [feeds_for(graph, seed) for seed in range(6)]
    expected = [program.run(feed) for feed in feeds]
    wrong = []

    def work(feed, want):
        for _ in range(20):
            have = program.run(feed)
            if not all(np.array_equal(have[name], want[name]) for name in want):
                wrong.append(feed)

    workers = [
        threading.Thread(target=work, args=pair) for pair in zip(feeds, expected, strict=True)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_pickles_by_path(tmp_path):
    path = tmp_path / "model.onnx"
    save_onnx(small_network(), path)
    program = pyhades.compile(pyhades.load_onnx(path), threads=1)
    x = feeds_for(small_network())["x0"]
    data = pickle.dumps(program)
    assert len(data) < 2000
    assert np.array_equal(pickle.loads(data)(x)[0], program(x)[0])


def test_a_program_without_file_does_not_pickle():
    with pytest.raises(ArgumentTypeError, match="save_onnx"):
        pickle.dumps(pyhades.compile(small_network()))


def test_survives_a_fork():
    program = pyhades.compile(small_network(), threads=2)
    x = feeds_for(small_network())["x0"]
    expected = program(x)[0]
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(program(x)[0], expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert np.array_equal(program(x)[0], expected)


def test_dump_finds_values_by_name():
    graph = small_network()
    feeds = feeds_for(graph)
    program = pyhades.compile(graph, keep_all=True)
    values = program.dump(feeds, "relu*")
    everything = interpret(graph, feeds, keep_all=True)
    assert values
    for name, have in values.items():
        np.testing.assert_allclose(have, everything[name], rtol=1e-4, atol=1e-4)
    with pytest.raises(ArgumentError, match="keep_all"):
        pyhades.compile(graph).dump(feeds)


def test_close_frees_and_refuses():
    program = pyhades.compile(small_network())
    with program:
        program(np.zeros((1, 3, 16, 16), np.float32))
    with pytest.raises(ClosedError):
        program(np.zeros((1, 3, 16, 16), np.float32))


def test_listing_and_trace_describe_every_instruction(tmp_path):
    graph = small_network()
    program = pyhades.compile(graph)
    assert len(str(program).splitlines()) == len(program.lines) + 2
    assert "conv2d" in program._repr_html_()
    trace = program.trace(feeds_for(graph))
    assert len(trace.lines) == len(program.lines) and trace.seconds > 0
    assert "GFLOP/s" in str(trace) and "<table>" in trace._repr_html_()
    assert set(trace.by_op()) == {line.op for line in program.lines}
    trace.save_chrome(tmp_path / "trace.json")
    assert "traceEvents" in (tmp_path / "trace.json").read_text()
    # Convolutions alone: 2 * outputs * taps.
    at_least = 2 * (8 * 256 * 27 + 8 * 64 * 72 + 2 * 256 * 16)
    assert at_least <= program.flops < 2 * at_least
    assert program.memory.arena > 0 and program.memory.constants > 0


@pytest.mark.parametrize("seed", range(60, 64))
def test_compare_finds_no_difference(seed):
    graph = random_graph(seed)
    found = compare(graph, feeds_for(graph))
    assert found.first is None and found.errors, str(found)


def test_integer_bool_and_double_graphs():
    b = Builder()
    i = b.input(3, 4, dtype=np.int64)
    flag, d = b.input(3, 4, dtype=np.bool_), b.input(3, 4, dtype=np.float64)
    total = b.op("Add", b.op("Mul", i, i), b.const(3, np.int64))
    chosen = b.op("Where", b.op("And", flag, b.op("Less", i, total)), total, i)
    wide = b.op("Sqrt", b.op("Abs", b.op("Sub", d, b.op("Cast", chosen, to=np.dtype(np.float64)))))
    graph = b.graph(chosen, wide, b.op("Not", flag))
    feeds = feeds_for(graph)
    assert_right(graph, feeds, pyhades.compile(graph).run(feeds))


def test_constants_of_a_file_are_known_by_name_and_shared(tmp_path):
    path = tmp_path / "model.onnx"
    save_onnx(small_network(), path)
    graph = pyhades.load_onnx(path)
    named = build.names_in_file(graph)
    lowered = lower(optimise(graph))
    weights = [b.data for b in lowered.buffers() if b.kind == "constant" and b.data.size > 8]
    assert weights
    assert all(str(path) in build._identity(data, named) for data in weights)
