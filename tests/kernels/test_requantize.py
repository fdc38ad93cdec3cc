"""Between float32 and grids of 8 bits, every tier against NumPy, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty

BYTES = np.arange(256, dtype=np.uint8)
GRIDS = [(1.0, 0), (0.037, 128), (3.5, 255), (1e-8, 7), (0.5, 100)]


@pytest.mark.covers("requantize_u8")
@pytest.mark.parametrize("x_grid", GRIDS)
@pytest.mark.parametrize("y_grid", GRIDS)
def test_every_point_of_a_grid(isa, x_grid, y_grid):
    expected = reference.requantize(BYTES, *x_grid, *y_grid)
    np.testing.assert_array_equal(kernels.requantize(BYTES, *x_grid, *y_grid, isa=isa), expected)


@pytest.mark.covers("requantize_u8")
@pytest.mark.parametrize("seed", range(20))
def test_every_point_of_any_grid(isa, seed):
    """Where a product is not the quotient, too: the ends, ties, and steps of every size."""
    rng = np.random.default_rng(seed)
    x = rng.permutation(np.tile(BYTES, 3))
    for _ in range(20):
        scales = np.exp(rng.uniform(-6, 6, 2)).astype(np.float32) if seed else [0.75, 0.5]
        x_grid, y_grid = ((float(scale), int(rng.integers(0, 256))) for scale in scales)
        expected = reference.requantize(x, *x_grid, *y_grid)
        np.testing.assert_array_equal(kernels.requantize(x, *x_grid, *y_grid, isa=isa), expected)


@pytest.mark.covers("dequantize_u8")
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("n", [1, 7, 8, 15, 16, 17, 33, 256])
def test_what_points_stand_for(isa, grid, n):
    y = kernels.requantize(BYTES[-n:], *grid, dtype="float32", isa=isa)
    np.testing.assert_array_equal(y, reference.requantize(BYTES[-n:], *grid, dtype="float32"))


@pytest.mark.covers("quantize_u8")
@pytest.mark.parametrize("grid", GRIDS)
def test_ties_ends_and_what_is_no_number(isa, grid):
    scale, zero = np.float32(grid[0]), grid[1]
    halves = (np.arange(-600, 600, dtype=np.float32) / 2) * scale
    odd = np.float32([np.nan, np.inf, -np.inf, 3e38, -3e38, 0.0, -0.0])
    x = np.concatenate([halves, np.nextafter(halves, np.float32(np.inf)), odd])
    with np.errstate(over="ignore"):
        expected = reference.requantize(x, y_scale=scale, y_zero=zero)
    y = kernels.requantize(x, y_scale=scale, y_zero=zero, isa=isa)
    np.testing.assert_array_equal(y, expected)
    assert y[-7] == 0 and y[-6] == 255 and y[-2] == y[-1] == zero


@pytest.mark.parametrize("dtypes", [("uint8", "uint8"), ("uint8", "float32"), ("float32", "uint8")])
@pytest.mark.parametrize("edge", ["start", "end"])
@pytest.mark.parametrize("threads", [1, 2])
def test_any_strides(isa, dtypes, edge, threads):
    source, result = dtypes
    x = np.random.default_rng(0).integers(0, 256, (3, 37, 5, 33)).astype(source)
    op = {"uint8uint8": "requantize", "uint8float32": "dequantize_u8"}.get(
        source + result, "quantize_u8"
    )
    expected = reference.requantize(x, 1.0, 0, 0.7, 5, dtype=result)
    attributes = {"x_scale": 1.0, "y_scale": 0.7, "y_zero": 5}
    if op == "quantize_u8":
        attributes = {"scale": 0.7, "zero": 5}
    elif op == "dequantize_u8":
        attributes = {"scale": 1.0, "zero": 0}
    layouts = [(37 * 5 * 33, 165, 33, 1), (37 * 5 * 40, 5 * 40, 40, 1), (1, 3 * 165, 3, 15)]
    for x_strides in layouts:
        for y_strides in layouts:
            y = guarded_empty(x.shape, result, y_strides, edge)
            operand = guarded(x, x_strides, edge)
            _native.call(op, [operand], [y], attributes, isa=isa, threads=threads)
            np.testing.assert_array_equal(y, expected)
            assert_gaps_untouched(y)


@pytest.mark.parametrize("op", ["dequantize_u8", "quantize_u8"])
@pytest.mark.parametrize("shape", [(1, 64, 130), (2, 65, 17), (3, 2, 7), (1, 9, 64)])
@pytest.mark.parametrize("edge", ["start", "end"])
def test_transposed(isa, op, shape, edge):
    """Rows that are contiguous in x become columns that are contiguous in y."""
    rows, columns = shape[1:]
    to_bytes = op == "quantize_u8"
    x = np.random.default_rng(0).integers(0, 256, shape).astype("f4" if to_bytes else "u1")
    operand = guarded(x, (rows * columns, 1, rows), edge)
    y = guarded_empty(shape, "u1" if to_bytes else "f4", (rows * columns, columns, 1), edge)
    _native.call(op, [operand], [y], {"scale": 0.7, "zero": 5}, isa=isa, threads=2)
    expected = reference.requantize(
        x, 0.7, 5, 0.7 if to_bytes else 1.0, 5 if to_bytes else 0, dtype=y.dtype.name
    )
    np.testing.assert_array_equal(y, expected)


@pytest.mark.covers("requantize_u8")
@pytest.mark.parametrize("n", [1, 63, 1024, 1025, 1056, 1087, 5000])
@pytest.mark.parametrize("edge", ["start", "end"])
def test_tables(isa, n, edge):
    rng = np.random.default_rng(n)
    x, table = rng.integers(0, 256, n, np.uint8), rng.integers(0, 256, 256, np.uint8)
    for strides in ((1,), (3,)):
        y = guarded_empty((n,), np.uint8, strides, edge)
        operands = [guarded(x, strides, edge), guarded(table, at=edge)]
        _native.call("lookup", operands, [y], {}, isa=isa, threads=2)
        np.testing.assert_array_equal(y, table[x])
        assert_gaps_untouched(y)
    every = rng.permutation(np.tile(BYTES, 8))
    y = np.empty_like(every)
    _native.call("lookup", [every, table], [y], {}, isa=isa)
    np.testing.assert_array_equal(y, table[every])
    with pytest.raises(ArgumentError, match=r"table must be contiguous uint8 \[256\]"):
        _native.call("lookup", [x, table[:255]], [y[:n]], {}, isa=isa)


def test_grids_that_are_none():
    cases = {
        "x_scale=0.0": (0.0,),
        "x_zero=256": (1.0, 256),
        "y_scale=-1.0": (1.0, 0, -1.0),
        "y_zero=-1": (1.0, 0, 1.0, -1),
    }
    for message, arguments in cases.items():
        with pytest.raises(ArgumentError, match=message):
            kernels.requantize(BYTES, *arguments)
    with pytest.raises(ArgumentTypeError, match="x is float32 already"):
        kernels.requantize(np.ones(1, np.float32), dtype="float32")
    with pytest.raises(ArgumentTypeError, match="x has dtype int64, expected float32"):
        kernels.requantize(BYTES.astype(np.int64))
