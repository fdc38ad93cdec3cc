"""Recurrent layers: one row, and a batch."""

from __future__ import annotations

import numpy as np
import pytest

from bench.compute import benchmark_compute
from pyhades import _native
from pyhades.kernels.recurrent import cell_attributes, make_cell
from pyhades.numerics.recurrent import GATES

STEPS = 64


class Layer:
    """A Program of one recurrence on one tier, its weights packed."""

    def __init__(self, cell: str, hidden: int, batch: int, isa: str) -> None:
        rng = np.random.default_rng(0)
        width = GATES[cell] * hidden
        w = rng.standard_normal((width, hidden), np.float32) / np.float32(np.sqrt(hidden))
        builder = _native.ProgramBuilder(isa=isa)
        self.bindings = {}

        def operand(name, *shape):
            array = rng.standard_normal(shape, np.float32)
            slot = builder.io(name, array.nbytes)
            self.bindings[slot] = array
            steps = tuple(step // array.itemsize for step in array.strides)
            return slot, 0, "float32", shape, steps

        slot = builder.constant(w, f"bench_recurrent/{cell}/{hidden}")
        weight = (slot, 0, "float32", w.shape, (hidden, 1))
        states = 2 if cell == "lstm" else 1
        outputs = [operand("y", STEPS, batch, hidden)]
        outputs += [operand(f"state{i}", batch, hidden) for i in range(states)]
        inputs = [operand("x", STEPS, batch, width), weight, *[None] * 5]
        attributes = cell_attributes(make_cell(cell, None, None, False, False))
        builder.emit("recurrent", inputs, outputs, attributes, cell)
        self.flops = 2.0 * STEPS * batch * w.size
        self.context = _native.Context(builder.build(0), _native.team_of(1))

    def run(self) -> None:
        self.context.run(self.bindings)


@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize("hidden", [64, 256])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def bench_recurrence(benchmark, isa, cell, hidden, batch):
    layer, scalar = (Layer(cell, hidden, batch, tier) for tier in (isa, "scalar"))
    benchmark_compute(benchmark, layer.run, layer.flops, isa, 1, (scalar.run, scalar.flops))
