"""Routines: native operators written down one by one, without a graph."""

from __future__ import annotations

import doctest
import threading

import numpy as np
import pytest

import pyhades.compiler.assembly
from pyhades.compiler.assembly import Assembly
from pyhades.errors import ArgumentError, CancelledError, ClosedError

SHAPE = (300, 64)


def chain(steps: int = 3, **options):
    """Norms of one buffer, in place but for the first."""
    assembly = Assembly("chain")
    x, y = (assembly.bound(name, SHAPE, np.float32) for name in "xy")
    weight = assembly.resident(np.full(SHAPE[1], 2, np.float32))
    for index in range(steps):
        with assembly.scope("layers"), assembly.scope(str(index)):
            source = y if index else x
            assembly.emit("rms_norm", [source, weight, None], [y], "norm", epsilon=0.0)
    return assembly.build(**options)


def feeds() -> dict[str, np.ndarray]:
    x = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    return {"x": x, "y": np.zeros_like(x)}


def test_docstring_example():
    found = doctest.testmod(pyhades.compiler.assembly)
    assert found.attempted and not found.failed


def test_runs_on_the_buffers_of_the_caller(isa):
    routine, buffers = chain(isa=isa, threads=1), feeds()
    assert routine.isa == isa and routine.threads == 1
    routine.run(buffers)
    x = buffers["x"]
    expected = 2 * x / np.sqrt((x.astype(np.float64) ** 2).mean(-1, keepdims=True))
    np.testing.assert_allclose(buffers["y"], expected, rtol=1e-5)


def test_listing_and_trace():
    routine = chain(threads=1)
    assert [line.label for line in routine.lines] == [f"layers.{i}.norm" for i in range(3)]
    assert repr(routine).startswith("Routine(chain: 3 instructions, 0.00 GFLOP, arena ")
    assert len(str(routine).splitlines()) == 5 and "<td>rms_norm</td>" in routine._repr_html_()
    trace = routine.trace(feeds())
    assert trace.flops == routine.flops == 3 * 4 * 300 * 64
    assert trace.bytes == 3 * 8 * 300 * 64


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"z": np.zeros(1)}, "chain: bindings missing or unknown: z"),
        ({"x": np.zeros(SHAPE)}, "x must be C-contiguous float32, it is float64"),
        ({"x": np.zeros(SHAPE, np.float32, order="F")}, "x must be C-contiguous"),
        ({"x": np.zeros((2, 64), np.float32)}, "x needs a buffer of 76800 bytes, not 512"),
    ],
)
def test_buffers_that_do_not_fit(change, complaint):
    with pytest.raises(ArgumentError, match=complaint):
        chain().run(feeds() | change)


def test_a_missing_buffer_is_named():
    with pytest.raises(ArgumentError, match="missing or unknown: y"):
        chain().run({"x": feeds()["x"]})


def test_cancel_stops_a_run_and_only_that():
    routine, buffers = chain(steps=20000), feeds()
    timer = threading.Timer(0.05, routine.cancel)
    timer.start()
    with pytest.raises(CancelledError):
        for _ in range(100):
            routine.run(buffers)
    timer.join()
    routine.run(buffers)


def test_close_frees_and_refuses():
    with chain() as routine:
        routine.run(feeds())
    with pytest.raises(ClosedError):
        routine.run(feeds())
