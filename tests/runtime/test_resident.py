"""Constants that kernels read where they lie."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from pyhades import _native
from pyhades.errors import ArgumentError

WIDTH = 37


def build(weight: np.ndarray, source: str) -> tuple[_native.Program, int, int]:
    builder = _native.ProgramBuilder()
    x_slot, y_slot = builder.io("x", WIDTH * 4), builder.io("y", WIDTH * 4)
    weight_slot = builder.constant(weight, f"resident test {source} {weight[0]}", source)
    rows, vector = ("float32", (1, WIDTH), (WIDTH, 1)), ("float32", (WIDTH,), (1,))
    inputs = [(x_slot, 0, *rows), (weight_slot, 0, *vector), None]
    builder.emit("rms_norm", inputs, [(y_slot, 0, *rows)], {"epsilon": 0.0}, "norm")
    return builder.build(0), x_slot, y_slot


def run(program: _native.Program, x_slot: int, y_slot: int) -> np.ndarray:
    y = np.empty(WIDTH, np.float32)
    context = _native.Context(program, _native.Team(1))
    context.run({x_slot: np.ones(WIDTH, np.float32), y_slot: y})
    return y


def test_a_resident_constant_is_not_copied():
    weight = np.full(WIDTH, 2, np.float32)
    program, x_slot, y_slot = build(weight, "resident")
    assert program.constant_bytes == WIDTH * 4
    assert run(program, x_slot, y_slot) == pytest.approx(np.full(WIDTH, 2))
    weight[:] = 3
    assert run(program, x_slot, y_slot) == pytest.approx(np.full(WIDTH, 3))


def test_a_copied_constant_is_independent_of_its_source():
    weight = np.full(WIDTH, 4, np.float32)
    program, x_slot, y_slot = build(weight, "memory")
    weight[:] = 3
    assert run(program, x_slot, y_slot) == pytest.approx(np.full(WIDTH, 4))


def test_the_program_keeps_its_resident_memory_alive():
    program, x_slot, y_slot = build(np.full(WIDTH, 5, np.float32), "resident")
    gc.collect()
    np.full(1000, 7, np.float32)
    assert run(program, x_slot, y_slot) == pytest.approx(np.full(WIDTH, 5))


def test_a_kernel_that_packs_refuses_a_resident_constant():
    builder = _native.ProgramBuilder()
    slots = [builder.io("a", 64 * 4), builder.io("y", 64 * 4)]
    b = builder.constant(np.ones((8, 8), np.float32), "resident test b", "resident")
    square = ("float32", (8, 8), (8, 1))
    with pytest.raises(ArgumentError, match="product: input 1 is resident"):
        inputs = [(slots[0], 0, *square), (b, 0, *square), None, None]
        builder.emit("gemm", inputs, [(slots[1], 0, *square)], {}, "product")


def test_an_unknown_kind_of_source():
    with pytest.raises(ArgumentError, match="memory, file, resident"):
        _native.ProgramBuilder().constant(b"1234", "key", "elsewhere")
