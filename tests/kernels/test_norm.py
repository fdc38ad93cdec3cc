"""Normalisation against its NumPy reference in float64."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError
from pyhades.kernels import reference
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty
from tests.support.tolerances import EPS32, sum_bound
from tests.support.tolerances import assert_close as assert_within

WIDTHS = [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 128, 1000]


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def bound(expected, n):
    """Statistics of n numbers in blocks, then four roundings per element; |y| is of order 1."""
    return (n / 16 + 64) * 2.0**-24 * (1 + np.abs(expected.astype(np.float64)))


def assert_close(actual, expected, n):
    assert actual.shape == expected.shape and actual.dtype == np.float32
    error = np.abs(actual.astype(np.float64) - expected)
    assert np.all(error <= bound(expected, n)), error.max()


@pytest.mark.covers("rms_norm_f32")
@pytest.mark.parametrize("n", WIDTHS)
@pytest.mark.parametrize("extras", [False, True])
def test_rms_norm(isa, n, extras):
    x = normal(5, n)
    options = {"weight": normal(n, seed=1), "residual": normal(5, n, seed=2)} if extras else {}
    actual = kernels.rms_norm(x, eps=1e-3, isa=isa, **options)
    assert_close(actual, reference.rms_norm(x, eps=1e-3, **options), n)


@pytest.mark.covers("layer_norm_f32")
@pytest.mark.parametrize("n", WIDTHS)
@pytest.mark.parametrize("extras", [False, True])
def test_layer_norm(isa, n, extras):
    x = normal(3, 4, n) + np.float32(3)
    options = {}
    if extras:
        options = {"weight": normal(n, seed=1), "bias": normal(n, seed=2)}
        options["residual"] = normal(3, 4, n, seed=3)
    actual = kernels.layer_norm(x, eps=1e-2, isa=isa, **options)
    # The mean is 3: what is left of it after the subtraction is relative to 3, not to the result.
    assert_close(actual, reference.layer_norm(x, eps=1e-2, **options), 8 * n + 1000)


def test_layer_norm_of_a_large_mean_keeps_its_digits(isa):
    x = normal(2, 512) + np.float32(4096)
    expected = reference.layer_norm(x)
    assert np.abs(kernels.layer_norm(x, isa=isa) - expected).max() < 4096 * 2.0**-22


@pytest.mark.covers("group_norm_f32")
@pytest.mark.parametrize("c, groups", [(1, 1), (6, 3), (8, 8), (16, 1), (33, 11), (64, 32)])
@pytest.mark.parametrize("space", [(1,), (7, 9), (16, 16)])
def test_group_norm(isa, c, groups, space):
    x = normal(2, c, *space)
    weight, bias = normal(c, seed=1), normal(c, seed=2)
    actual = kernels.group_norm(x, groups, weight, bias, 1e-2, isa=isa)
    size = c // groups * int(np.prod(space))
    assert_close(actual, reference.group_norm(x, groups, weight, bias, 1e-2), 8 * size + 1000)


@pytest.mark.parametrize("c", [1, 7, 16, 33])
def test_group_norm_of_channels_last_images(isa, c):
    x = np.ascontiguousarray(normal(2, 12, c)).transpose(0, 2, 1)
    y = np.empty((2, 12, c), np.float32).transpose(0, 2, 1)
    attributes = {"groups": 1, "epsilon": 1e-2}
    _native.call("group_norm", [x, None, None], [y], attributes, isa=isa)
    assert_close(y, reference.group_norm(x, 1, eps=1e-2), 8 * 12 * c + 1000)


@pytest.mark.parametrize("c", [1, 3, 17])
def test_batch_norm(isa, c):
    x = normal(2, c, 5, 6)
    statistics = (normal(c, seed=1), normal(c, seed=2), normal(c, seed=3), normal(c, seed=4) ** 2)
    actual = kernels.batch_norm(x, *statistics, eps=0.1, isa=isa)
    assert_close(actual, reference.batch_norm(x, *statistics, eps=0.1), 200)


def norm_bound(y, *factors):
    """Statistics are sums of n terms; what follows is a handful of roundings."""
    depth = y.shape[-1] / 16 + 64 + 8
    return depth * EPS32 * (1 + np.abs(y) + sum(np.abs(factor) for factor in factors))


def normalized(x, axes, centred=True):
    wide = x.astype(np.float64)
    mean = wide.mean(axes, keepdims=True) if centred else 0.0
    inverse_std = 1 / np.sqrt(np.square(wide - mean).mean(axes, keepdims=True) + 1e-5)
    return (wide - mean) * inverse_std, mean, inverse_std


@pytest.mark.covers("layer_norm_f32", "rms_norm_f32")
@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("n", WIDTHS[1:])
def test_rows_stay_inside_their_memory(isa, n, at):
    rows = 5
    x, residual = normal(rows, n), normal(rows, n, seed=1)
    weight, bias = normal(n, seed=2), normal(n, seed=3)
    sources = [guarded(a, (n + 3, 1), at) for a in (x, residual)]
    vectors = [guarded(a, at=at) for a in (weight, bias)]
    outputs = [guarded_empty((rows, n), strides=(n + 5, 1), at=at)]
    outputs += [guarded_empty((rows,), at=at) for _ in range(2)]
    attributes = {"epsilon": 1e-5}

    operands = [sources[0], *vectors, sources[1]]
    _native.call("layer_norm", operands, outputs, attributes, isa=isa)
    y, mean, inverse_std = normalized(x + residual, -1)
    assert_within(outputs[0].copy(), y * weight + bias, norm_bound(y * weight, weight, bias))
    assert_within(outputs[1].copy(), mean[:, 0], sum_bound(x + residual)[:, 0] / n + EPS32)
    np.testing.assert_allclose(outputs[2], inverse_std[:, 0], rtol=(n / 16 + 72) * EPS32)

    _native.call("rms_norm", [sources[0], vectors[0], None], outputs[:1], attributes, isa=isa)
    y, _, _ = normalized(x, -1, centred=False)
    assert_within(outputs[0].copy(), y * weight, norm_bound(y * weight))
    for output in outputs:
        assert_gaps_untouched(output)


@pytest.mark.covers("group_norm_f32")
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("groups", [1, 3, 6])
@pytest.mark.parametrize("size", [2, 7, 16, 33, 65])
def test_groups_stay_inside_their_memory(isa, size, groups, channels_last):
    x, weight, bias = normal(2, 6, size), normal(6, seed=1), normal(6, seed=2)
    strides = (6 * size, 1, 6) if channels_last else None
    y = guarded_empty(x.shape, strides=strides)
    operands = [guarded(x, strides), guarded(weight), guarded(bias)]
    attributes = {"groups": groups, "epsilon": 1e-5}
    _native.call("group_norm", operands, [y], attributes, isa=isa)
    plain, _, _ = normalized(x.reshape(2, groups, -1), -1)
    scaled = plain.reshape(x.shape) * weight[:, None]
    assert_within(y.copy(), scaled + bias[:, None], norm_bound(scaled, weight[:, None]))
    assert_gaps_untouched(y)


def test_results_do_not_depend_on_threads(isa):
    x = normal(400, 130)
    planes = x.reshape(4, 100, 130)
    for threads in (2, 3):
        options = {"threads": threads, "isa": isa}
        single = {"threads": 1, "isa": isa}
        assert np.array_equal(kernels.layer_norm(x, **single), kernels.layer_norm(x, **options))
        assert np.array_equal(kernels.rms_norm(x, **single), kernels.rms_norm(x, **options))
        alone = kernels.group_norm(planes, 10, **single)
        assert np.array_equal(alone, kernels.group_norm(planes, 10, **options))


def test_bad_arguments_are_named():
    x = normal(2, 4)
    with pytest.raises(ArgumentError, match="weight has shape"):
        kernels.layer_norm(x, normal(3))
    with pytest.raises(ArgumentError, match="residual has shape"):
        kernels.rms_norm(x, residual=normal(4, 2))
    with pytest.raises(ArgumentError, match="divide into 3 groups"):
        kernels.group_norm(normal(1, 4, 2), 3)
    with pytest.raises(ArgumentError, match=r"expected \[n, c"):
        kernels.batch_norm(normal(4), *[normal(4)] * 4)


@pytest.mark.covers("rms_norm_f32")
@pytest.mark.parametrize("head_dim", [1, 16, 20, 128])
@pytest.mark.parametrize("at", ["start", "end"])
def test_heads_of_the_tokens_in_use(isa, head_dim, at):
    """In place, inside of wider rows: what stands beside and beyond stays as it is."""
    qkv = normal(5, 4 * head_dim)
    x, weight = guarded(qkv, at=at), guarded(normal(head_dim, seed=1), at=at)
    heads = x[:, : 3 * head_dim]
    inputs = [np.int32([4]), heads, weight]
    _native.call("rms_norm_heads", inputs, [heads], {"epsilon": 1e-6}, threads=2, isa=isa)
    rows = qkv[:4, : 3 * head_dim].reshape(-1, head_dim)
    expected = reference.rms_norm(rows, weight, eps=1e-6).reshape(4, -1)
    assert_close(x[:4, : 3 * head_dim], expected, head_dim)
    np.testing.assert_array_equal(x[4:], qkv[4:])
    np.testing.assert_array_equal(x[:, 3 * head_dim :], qkv[:, 3 * head_dim :])


def test_heads_that_do_not_divide_are_refused():
    x = np.zeros((2, 40), np.float32)
    with pytest.raises(ArgumentError, match="rms_norm_heads"):
        _native.call("rms_norm_heads", [np.int32([2]), x, np.ones(16, np.float32)], [x])
