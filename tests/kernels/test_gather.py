"""Gather and scatter: element for element what NumPy gives."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from tests.support.guarded import guarded, guarded_empty

DTYPES = [np.float32, np.float64, np.float16, np.int8, np.int64, np.bool_]
REDUCED = [np.float32, np.float64, np.int8, np.uint8, np.int32, np.int64, np.uint64]
INDEX_DTYPES = [np.int32, np.int64]


def data(shape, dtype, seed=0):
    rng = np.random.default_rng([seed, *shape])
    return rng.integers(-9, 9, shape).astype(dtype)


def positions(shape, extent, dtype=np.int64, seed=0):
    """Random indices, negative ones among them."""
    return np.random.default_rng([seed, *shape]).integers(-extent, extent, shape).astype(dtype)


@pytest.mark.covers("gather_b1", "gather_b2", "gather_b4", "gather_b8")
@pytest.mark.parametrize("index_dtype", INDEX_DTYPES)
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_gather(axis, index_dtype):
    for dtype in DTYPES:
        x = data((4, 5, 6), dtype)
        for shape in ((), (3,), (2, 7)):
            indices = positions(shape, x.shape[axis], index_dtype)
            np.testing.assert_array_equal(
                kernels.gather(x, indices, axis), reference.gather(x, indices, axis)
            )


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_gather_elements(axis):
    for dtype in DTYPES:
        x = data((4, 5, 6), dtype)
        for shape in ((4, 5, 6), (2, 3, 4), (1, 1, 1)):
            indices = positions(shape, x.shape[axis])
            np.testing.assert_array_equal(
                kernels.gather_elements(x, indices, axis),
                reference.gather_elements(x, indices, axis),
            )


@pytest.mark.parametrize("batch_dims", [0, 1, 2])
@pytest.mark.parametrize("components", [1, 2, 3])
def test_gather_nd(batch_dims, components):
    if batch_dims + components > 4:
        pytest.skip("more components than axes")
    x = data((3, 3, 3, 3), np.float32)
    indices = positions((*x.shape[:batch_dims], 2, 5, components), 3)
    np.testing.assert_array_equal(
        kernels.gather_nd(x, indices, batch_dims), reference.gather_nd(x, indices, batch_dims)
    )


@pytest.mark.covers("scatter_b1", "scatter_b2", "scatter_b4", "scatter_b8")
def test_scatter_replaces():
    for dtype in DTYPES:
        x = data((4, 5, 6), dtype)
        for axis in range(3):
            indices = positions((3, 4, 5), x.shape[axis])
            updates = data(indices.shape, dtype, 1)
            np.testing.assert_array_equal(
                kernels.scatter_elements(x, indices, updates, axis),
                reference.scatter_elements(x, indices, updates, axis),
            )
        tuples = positions((7, 2), 4)
        updates = data((7, 6), dtype, 2)
        np.testing.assert_array_equal(
            kernels.scatter_nd(x, tuples, updates), reference.scatter_nd(x, tuples, updates)
        )


@pytest.mark.covers(
    *(f"scatter_{r}_{t}" for r in ("add", "mul", "max", "min")
      for t in ("f32", "f64", "i8", "u8", "i32", "i64", "u64"))
)  # fmt: skip
def test_scatter_reduces_in_order():
    for dtype in REDUCED:
        for reduction in ("add", "mul", "max", "min"):
            x = data((4, 5, 6), dtype)
            indices = positions((9, 3, 5), 4)
            updates = data(indices.shape, dtype, 1)
            with np.errstate(over="ignore"):
                expected = reference.scatter_elements(x, indices, updates, 0, reduction)
            actual = kernels.scatter_elements(x, indices, updates, 0, reduction)
            np.testing.assert_array_equal(actual, expected)
            tuples = positions((11, 1), 4)
            updates = data((11, 5, 6), dtype, 2)
            with np.errstate(over="ignore"):
                expected = reference.scatter_nd(x, tuples, updates, reduction)
            for threads in (1, 2):
                actual = kernels.scatter_nd(x, tuples, updates, reduction, threads=threads)
                np.testing.assert_array_equal(actual, expected)


def test_views_and_guard_pages():
    x = guarded(data((6, 7, 5), np.float32))
    indices = guarded(positions((3, 2), 7))
    y = guarded_empty((6, 3, 2, 5))
    _native.call("gather", [x, indices], [y], {"axis": 1})
    np.testing.assert_array_equal(y, reference.gather(x, indices, 1))
    view = x[::-1, ::2].transpose(2, 1, 0)
    np.testing.assert_array_equal(
        kernels.gather(view, indices % 4, 1), reference.gather(view, indices % 4, 1)
    )


def test_large_gathers_are_cut_into_chunks():
    x = data((50, 9, 33), np.float32)
    indices = positions((400, 3), 50)
    one = kernels.gather(x, indices, threads=1)
    np.testing.assert_array_equal(one, x[indices])
    np.testing.assert_array_equal(kernels.gather(x, indices, threads=2), one)


def test_slices_of_a_scatter_are_shared_by_workers():
    rng = np.random.default_rng(3)
    x = np.zeros((40, 3, 900), np.float32)
    updates = rng.standard_normal((40, 3, 700)).astype(np.float32)
    indices = rng.integers(0, 900, updates.shape)  # with repetitions, of which the last counts
    expected = x.copy()
    for position in np.ndindex(updates.shape):
        expected[(*position[:2], indices[position])] = updates[position]
    for threads in (1, 2, 3):
        actual = kernels.scatter_elements(x, indices, updates, axis=2, threads=threads)
        np.testing.assert_array_equal(actual, expected)
    total = kernels.scatter_elements(x, indices[:, :0], updates[:, :0], axis=2, threads=2)
    np.testing.assert_array_equal(total, x)


def test_indices_known_only_at_run_time_read_zeros_and_write_nothing_outside():
    x = np.arange(1, 5, dtype=np.float32)
    indices = np.array([3, 4, -4, -5, 1 << 40])
    y = np.full(5, 9, np.float32)
    _native.call("gather", [x, indices], [y], {})
    assert y.tolist() == [4, 0, 1, 0, 0]
    z = np.empty(4, np.float32)
    _native.call("scatter_elements", [x, indices, y + 10], [z], {})
    assert z.tolist() == [11, 2, 3, 14]


def test_empty_arrays():
    x = np.zeros((3, 0, 2), np.float32)
    assert kernels.gather(x, [0, 1], 0).shape == (2, 0, 2)
    assert kernels.gather(np.ones((3, 2)), np.zeros((0,), np.int64)).shape == (0, 2)
    tuples, updates = np.zeros((0, 1), np.int64), np.zeros((0, 2))
    assert kernels.scatter_nd(np.ones((3, 2)), tuples, updates).sum() == 6


def test_bad_arguments_are_named():
    x = np.zeros((3, 4), np.float32)
    with pytest.raises(ArgumentError, match=r"index 3 is outside \[-3, 3\)"):
        kernels.gather(x, [0, 3])
    with pytest.raises(ArgumentError, match="index -5"):
        kernels.gather_nd(x, [[0, -5]])
    with pytest.raises(ArgumentError, match="axis"):
        kernels.gather(x, [0], axis=2)
    with pytest.raises(ArgumentTypeError, match="indices"):
        kernels.gather(x, np.array([0.0]))
    with pytest.raises(ArgumentError, match="rank of data"):
        kernels.gather_elements(x, [0, 1])
    with pytest.raises(ArgumentError, match="longer than data"):
        kernels.gather_elements(x, np.zeros((2, 5), np.int64))
    with pytest.raises(ArgumentError, match="tuples of 3"):
        kernels.gather_nd(x, np.zeros((2, 3), np.int64))
    with pytest.raises(ArgumentError, match="one dtype"):
        kernels.scatter_nd(x, [[0]], np.zeros((1, 4)))
    with pytest.raises(ArgumentError, match="wrong shape"):
        kernels.scatter_nd(x, [[0]], np.zeros((1, 3), np.float32))
    with pytest.raises(ArgumentError, match="reduction"):
        kernels.scatter_nd(x, [[0]], x[:1], "mean")
