"""Copies, fills and padding: every element where NumPy puts it, bit for bit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError
from pyhades.kernels import reference
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty

DTYPES = [np.float32, np.float64, np.float16, np.int8, np.uint16, np.int64, np.bool_]
MODES = ["constant", "reflect", "edge", "wrap"]


def random_array(shape, dtype, seed=0):
    rng = np.random.default_rng([seed, *shape])
    bits = rng.integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
    return (bits & 1 if dtype is np.bool_ else bits).view(dtype)[..., 0]


def assert_same_bits(actual, expected):
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    assert actual.tobytes() == expected.tobytes()


def run_copy(x, y, isa=None):
    return _native.call("copy", [x], [y], {}, isa=isa)


@pytest.mark.parametrize(
    "dtype",
    [
        pytest.param(np.float32, marks=pytest.mark.covers("transpose_b4")),
        pytest.param(np.uint8, marks=pytest.mark.covers("transpose_b1")),
    ],
)
@pytest.mark.parametrize("rows", [2, 3, 8, 13, 16, 35])
@pytest.mark.parametrize("columns", [8, 11, 16, 31, 32, 47])
@pytest.mark.parametrize("at", ["start", "end"])
def test_transposes_stay_inside_their_memory(isa, rows, columns, at, dtype):
    x = random_array((columns, rows), dtype)
    source = guarded(x, at=at)
    for strides in (None, (columns + 5, 1)):
        y = guarded_empty((rows, columns), dtype, strides=strides, at=at)
        run_copy(source.T, y, isa)
        assert_same_bits(y.copy(), reference.transpose(x))
        assert_gaps_untouched(y)


@pytest.mark.covers("transpose_b4")
@pytest.mark.parametrize("columns", [16384, 16400, 16391])
@pytest.mark.parametrize("at", ["start", "end"])
def test_transposes_larger_than_the_caches(isa, columns, at):
    """Which store past them where rows are whole lines."""
    x = random_array((columns, 67), np.float32)
    for strides in (None, (16416, 1)):
        y = guarded_empty((67, columns), np.float32, strides=strides, at=at)
        run_copy(guarded(x, at=at).T, y, isa)
        assert_same_bits(y.copy(), reference.transpose(x))
        assert_gaps_untouched(y)


@pytest.mark.covers(
    "copy_rows", "copy_strided_b1", "copy_strided_b2", "copy_strided_b4", "copy_strided_b8"
)
def test_copies_stay_inside_their_memory():
    for dtype in (np.uint8, np.float16, np.float32, np.float64):
        x = random_array((3, 11, 7), dtype)
        source = guarded(x)
        for view in (source, source.transpose(1, 2, 0), source[:, ::3], source[..., :1]):
            y = guarded_empty(view.shape, dtype)
            run_copy(view, y)
            assert_same_bits(y.copy(), np.ascontiguousarray(view))


@pytest.mark.covers("pad_row_b1", "pad_row_b2", "pad_row_b4", "pad_row_b8")
def test_padding_stays_inside_its_memory():
    pads = [(2, 1), (0, 3), (1, 1)]
    flat = [before for before, _ in pads] + [after for _, after in pads]
    for dtype in (np.uint8, np.float16, np.float32, np.float64):
        x = random_array((3, 5, 7), dtype)
        for mode in MODES:
            y = guarded_empty((6, 8, 9), dtype, strides=(120, 15, 1))
            _native.call("pad", [guarded(x)], [y], {"pads": flat, "mode": mode, "value": 2})
            assert_same_bits(y.copy(), reference.pad(x, pads, mode, 2))
            assert_gaps_untouched(y)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axes", list(itertools.permutations(range(4))))
def test_every_transpose_of_four_axes(isa, dtype, axes):
    x = random_array((3, 5, 17, 19), dtype)
    assert_same_bits(kernels.transpose(x, axes, isa=isa), reference.transpose(x, axes))


@pytest.mark.parametrize("rows", [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 130])
@pytest.mark.parametrize("columns", [1, 3, 4, 8, 9, 16, 17, 63, 129])
def test_matrix_transpose_at_sizes_around_the_lane_width(isa, rows, columns):
    x = random_array((rows, columns), np.float32)
    assert_same_bits(kernels.transpose(x, isa=isa), reference.transpose(x))


def test_random_views_on_both_sides(isa):
    rng = np.random.default_rng(7)
    for _ in range(150):
        rank = int(rng.integers(0, 7))
        shape = rng.integers(1, 6, rank)
        dtype = DTYPES[rng.integers(len(DTYPES))]
        x, y = (random_view(rng, shape, dtype, broadcast) for broadcast in (True, False))
        run_copy(x, y, isa)
        np.testing.assert_array_equal(y.view(f"u{y.itemsize}"), x.view(f"u{x.itemsize}"))


def random_view(rng, shape, dtype, broadcast):
    """A view of that shape whose axes are permuted, sliced, reversed or (if allowed) repeated."""
    order = rng.permutation(len(shape))
    steps = rng.choice([1, 1, 1, 2, -1, -3], len(shape))
    repeated = rng.random(len(shape)) < (0.2 if broadcast else 0)
    extents = [1 if repeated[i] else shape[i] * abs(steps[i]) for i in order]
    base = random_array(tuple(extents), dtype, int(rng.integers(1 << 30)))
    view = base.transpose(np.argsort(order))
    view = view[(*(slice(None, None, step) for step in np.where(repeated, 1, steps)), ...)]
    return np.broadcast_to(view, tuple(shape)) if broadcast else view


def test_copies_into_a_slice_leave_its_surroundings_alone():
    x = random_array((2, 6, 9, 11), np.float32)
    target = np.full((2, 9, 11, 20), 5, np.float32)
    run_copy(x, target[..., 3:9].transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(
        target[..., 3:9].view(np.uint32), x.transpose(0, 2, 3, 1).view(np.uint32)
    )
    assert (target[..., :3] == 5).all() and (target[..., 9:] == 5).all()


def test_large_copies_are_cut_into_chunks():
    x = random_array((3, 401, 533), np.float32)
    for view in (x, x.transpose(1, 2, 0), x.transpose(2, 1, 0), x[:, ::2], x[..., None]):
        one = kernels.copy(view, threads=1)
        assert_same_bits(one, np.ascontiguousarray(view))
        assert_same_bits(kernels.copy(view, threads=2), one)


def test_empty_arrays():
    assert kernels.transpose(np.zeros((0, 3), np.float32)).shape == (3, 0)
    assert kernels.fill((2, 0), 1).shape == (2, 0)
    assert (
        kernels.pad(np.zeros((0, 2), np.int32), [(1, 1), (0, 0)], value=3).tolist() == [[3, 3]] * 2
    )
    assert kernels.pad(np.zeros((3, 2), np.int32), [(-1, -2), (0, 0)]).shape == (0, 2)


@pytest.mark.parametrize("value", [0, 1, -3, 2.5, float("inf"), 1e-7, 65519.9, 3.0e38])
@pytest.mark.parametrize("dtype", [*DTYPES, np.int32, np.uint64])
def test_fill_encodes_like_numpy(isa, value, dtype):
    if np.issubdtype(dtype, np.integer) and (value != int(min(value, 9)) or value < 0):
        pytest.skip("not a value of this dtype")
    with np.errstate(over="ignore"):
        expected = reference.fill((3, 5), value, dtype)
    assert_same_bits(kernels.fill((3, 5), value, dtype, isa=isa), expected)


def test_fill_keeps_large_integers_exact():
    assert kernels.fill((1,), 2**62 + 1, np.int64)[0] == 2**62 + 1
    assert kernels.fill((1,), -(2**63), np.int64)[0] == -(2**63)


def test_fill_writes_through_strides():
    target = np.zeros((4, 6), np.int16)
    _native.call("fill", [], [target[::2, 1::3]], {"value": 9})
    assert target.sum() == 9 * 4 and (target[::2, 1::3] == 9).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_padding(isa, mode, dtype):
    x = random_array((2, 3, 5, 7), dtype)
    for pads in (
        [(0, 0), (0, 0), (1, 2), (2, 1)],
        [(1, 1), (2, 0), (0, 3), (0, 0)],
        [(0, 0), (-1, 2), (4, -2), (-3, -1)],
        [(0, 0), (0, 0), (9, 11), (13, 20)],
    ):
        expected = reference.pad(x, pads, mode, 1)
        assert_same_bits(kernels.pad(x, pads, mode, 1, isa=isa), expected)
        channels_last = np.asfortranarray(x).transpose(0, 1, 3, 2)
        swapped = [pads[i] for i in (0, 1, 3, 2)]
        actual = kernels.pad(channels_last, swapped, mode, 1, isa=isa)
        assert_same_bits(np.ascontiguousarray(actual.transpose(0, 1, 3, 2)), expected)


@pytest.mark.parametrize("mode", MODES)
def test_padding_equals_numpy(mode):
    x = random_array((4, 6, 5), np.int32)
    pads = [(3, 2), (0, 5), (1, 0)]
    np.testing.assert_array_equal(kernels.pad(x, pads, mode), np.pad(x, pads, mode))
    np.testing.assert_array_equal(kernels.pad(x, pads, mode, threads=2), np.pad(x, pads, mode))


def test_padding_reads_and_writes_views():
    x = random_array((2, 8, 6, 5), np.float32)[:, ::-2]
    target = np.zeros((2, 9, 8, 12), np.float32)
    y = target[..., 2:6].transpose(0, 3, 1, 2)
    pads = [(0, 0), (0, 0), (1, 2), (2, 1)]
    flat = [before for before, _ in pads] + [after for _, after in pads]
    _native.call("pad", [x], [y], {"pads": flat, "mode": "reflect"})
    np.testing.assert_array_equal(y.view(np.uint32), np.pad(x.view(np.uint32), pads, "reflect"))
    assert not target[..., :2].any() and not target[..., 6:].any()


def test_bad_arguments_are_named():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ArgumentError, match="axes"):
        kernels.transpose(x, (0, 0))
    with pytest.raises(ArgumentError, match="pads"):
        kernels.pad(x, [(0, 0)])
    with pytest.raises(ArgumentError, match="trims"):
        kernels.pad(x, [(0, 0), (-4, 0)])
    with pytest.raises(ArgumentError, match="mode"):
        kernels.pad(x, [(0, 0), (0, 0)], mode="mirror")
    with pytest.raises(ArgumentError, match="empty"):
        kernels.pad(x[:, :0], [(0, 0), (0, 1)], mode="edge")
    with pytest.raises(ArgumentError, match=r"out has shape \(3, 2\), expected \(2, 3\)"):
        kernels.copy(x, out=np.zeros((3, 2), np.float32))
