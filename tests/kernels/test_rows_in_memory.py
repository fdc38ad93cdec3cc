"""Norms, softmax and reductions on arrays that end where memory does, at sizes around the lanes."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty
from tests.support.tolerances import EPS32, assert_close, sum_bound
from tests.support.views import scattered

SIZES = [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 144, 513]
EPSILON = 1e-5
AT = pytest.mark.parametrize("at", ["start", "end"])


def random(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(np.float32)


def norm_bound(y, *factors):
    """Statistics are sums of n terms; what follows is a handful of roundings."""
    depth = y.shape[-1] / 16 + 64 + 8
    return depth * EPS32 * (1 + np.abs(y) + sum(np.abs(factor) for factor in factors))


def normalized(x, axes, centred=True):
    wide = x.astype(np.float64)
    mean = wide.mean(axes, keepdims=True) if centred else 0.0
    inverse_std = 1 / np.sqrt(np.square(wide - mean).mean(axes, keepdims=True) + EPSILON)
    return (wide - mean) * inverse_std, mean, inverse_std


@pytest.mark.covers("layer_norm_f32", "rms_norm_f32")
@AT
@pytest.mark.parametrize("n", [size for size in SIZES if size > 1])
def test_rows_are_normalised(isa, n, at):
    rows = 5
    x, residual = random(rows, n), random(rows, n, seed=1)
    weight, bias = random(n, seed=2), random(n, seed=3)
    # One row of padding per row: strides that are longer than rows.
    sources = [guarded(a, (n + 3, 1), at) for a in (x, residual)]
    vectors = [guarded(a, at=at) for a in (weight, bias)]
    outputs = [guarded_empty((rows, n), strides=(n + 5, 1), at=at)]
    outputs += [guarded_empty((rows,), at=at) for _ in range(2)]
    attributes = {"epsilon": EPSILON}

    operands = [sources[0], *vectors, sources[1]]
    _native.call("layer_norm", operands, outputs, attributes, isa=isa)
    y, mean, inverse_std = normalized(x + residual, -1)
    assert_close(outputs[0].copy(), y * weight + bias, norm_bound(y * weight, weight, bias))
    assert_close(outputs[1].copy(), mean[:, 0], sum_bound(x + residual)[:, 0] / n + EPS32)
    np.testing.assert_allclose(outputs[2], inverse_std[:, 0], rtol=(n / 16 + 72) * EPS32)

    _native.call("rms_norm", [sources[0], vectors[0], None], outputs[:1], attributes, isa=isa)
    y, _, _ = normalized(x, -1, centred=False)
    assert_close(outputs[0].copy(), y * weight, norm_bound(y * weight))
    for output in outputs:
        assert_gaps_untouched(output)


@pytest.mark.covers("group_norm_f32")
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("groups", [1, 3, 6])
@pytest.mark.parametrize("size", [2, 7, 16, 33, 65])
def test_groups_are_normalised(isa, size, groups, channels_last):
    x, weight, bias = random(2, 6, size), random(6, seed=1), random(6, seed=2)
    strides = (6 * size, 1, 6) if channels_last else None
    y = guarded_empty(x.shape, strides=strides)
    operands = [guarded(x, strides), guarded(weight), guarded(bias)]
    attributes = {"groups": groups, "epsilon": EPSILON}
    _native.call("group_norm", operands, [y], attributes, isa=isa)
    plain, _, _ = normalized(x.reshape(2, groups, -1), -1)
    scaled = plain.reshape(x.shape) * weight[:, None]
    assert_close(y.copy(), scaled + bias[:, None], norm_bound(scaled, weight[:, None]))
    assert_gaps_untouched(y)


@pytest.mark.covers("softmax_f32")
@AT
@pytest.mark.parametrize("log", [0, 1])
@pytest.mark.parametrize("n", SIZES)
def test_softmax(isa, n, log, at):
    x = random(5, n) * 10
    x[1] += 1e4
    x[2, : n // 2] = -np.inf
    source, y = guarded(x, (n + 3, 1), at), guarded_empty((5, n), strides=(n + 2, 1), at=at)
    _native.call("softmax", [source], [y], {"log": log}, isa=isa)
    wide = x.astype(np.float64)
    shifted = wide - wide.max(-1, keepdims=True)
    expected = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    expected = expected if log else np.exp(expected)
    hidden = np.isneginf(expected)
    assert np.array_equal(np.isneginf(y), hidden)
    actual, expected = np.where(hidden, 0, y), np.where(hidden, 0, expected)
    # exp multiplies the rounding of its argument; log adds that of a sum of n terms.
    bound = (n / 16 + 72) * EPS32 * (1 + np.abs(expected)) if log else None
    if not log:
        bound = (n / 16 + 72) * EPS32 * expected + 1e-36
    assert_close(actual, expected, bound)
    assert_gaps_untouched(y)


REDUCTIONS = {
    "sum": np.sum,
    "mean": np.mean,
    "max": np.max,
    "min": np.min,
    "prod": np.prod,
    "l1": lambda x, **axes: np.abs(x).sum(**axes),
    "l2": lambda x, **axes: np.sqrt(np.square(x).sum(**axes)),
    "log_sum": lambda x, **axes: np.log(x.sum(**axes)),
    "log_sum_exp": lambda x, **axes: np.log(np.exp(x).sum(**axes)),
    "sum_square": lambda x, **axes: np.square(x).sum(**axes),
}


def reduce(x, function, axes, isa=None):
    shape = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
    y = guarded_empty(shape, x.dtype)
    _native.call("reduce", [x], [y], {"function": function, "axes": list(axes)}, isa=isa)
    return y.copy()


@pytest.mark.covers("reduce_f32")
@pytest.mark.parametrize("function", REDUCTIONS)
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 2), (0, 1, 2)], ids=str)
def test_reductions(isa, function, axes):
    for n in (1, 7, 16, 17, 33, 65):
        x = np.abs(random(3, 5, n)) / 2 + np.float32(0.5)  # around 1, where products stay finite
        expected = REDUCTIONS[function](x.astype(np.float64), axis=axes, keepdims=True)
        actual = reduce(guarded(x), function, axes, isa)
        if function in ("max", "min"):
            assert np.array_equal(actual, expected)
            continue
        terms = np.prod([x.shape[axis] for axis in axes])
        # Factors are rounded one after another, terms of sums in blocks.
        depth = terms if function == "prod" else terms / 16 + 72
        assert_close(actual, expected, depth * EPS32 * (1 + np.abs(expected)))


@pytest.mark.covers("reduce_typed")
@pytest.mark.parametrize("dtype", [np.float64, np.int8, np.uint8, np.int32, np.int64])
@pytest.mark.parametrize("function", ["sum", "max", "min", "prod"])
def test_reductions_of_other_dtypes(function, dtype):
    x = np.random.default_rng(0).integers(1, 4, (3, 4, 5)).astype(dtype)
    view = scattered(np.random.default_rng(1), x)
    for axes in ((0,), (2,), (0, 1), (0, 1, 2)):
        wrapped = {} if function in ("max", "min") else {"dtype": dtype}
        expected = REDUCTIONS[function](x, axis=axes, keepdims=True, **wrapped)
        np.testing.assert_array_equal(reduce(view, function, axes), expected)


@pytest.mark.covers("arg_reduce")
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint8])
def test_positions_of_extrema(dtype, axis, last):
    x = np.random.default_rng(0).integers(0, 4, (3, 5, 17)).astype(dtype)
    for function in ("argmax", "argmin"):
        turned = np.flip(x, axis) if last else x
        expected = getattr(np, function)(turned, axis=axis, keepdims=True)
        expected = x.shape[axis] - 1 - expected if last else expected
        y = guarded_empty(expected.shape, np.int64)
        attributes = {"function": function, "axis": axis, "select_last_index": last}
        _native.call("arg_reduce", [guarded(x)], [y], attributes)
        np.testing.assert_array_equal(y, expected)


@pytest.mark.covers("cumsum")
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
def test_running_sums(dtype, axis, exclusive, reverse):
    x = np.random.default_rng(0).integers(-9, 9, (7, 19)).astype(dtype)
    turned = np.flip(x, axis) if reverse else x
    expected = turned.cumsum(axis, dtype=dtype) - (turned if exclusive else 0)
    y = guarded_empty(x.shape, dtype)
    attributes = {"axis": axis, "exclusive": exclusive, "reverse": reverse}
    _native.call("cumsum", [guarded(x)], [y], attributes)
    np.testing.assert_array_equal(y, np.flip(expected, axis) if reverse else expected)
