"""Attention with every keyword against float64, in one block of keys and in several."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty
from tests.support.tolerances import EPS32, assert_close

covers = pytest.mark.covers("attention_f32")


def random(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def operands(b, hq, hkv, m, n, d, dv):
    return random(b, hq, m, d), random(b, hkv, n, d, seed=1), random(b, hkv, n, dv, seed=2)


def check(actual, q, k, v, **options):
    """The error of a score becomes a relative error of its weight; weights add up to one."""
    wide = {
        key: value.astype(np.float64) if isinstance(value, np.ndarray) and value.ndim else value
        for key, value in options.items()
        if key != "kv_lengths"
    }
    wide["kv_lengths"] = options.get("kv_lengths")
    q64, k64, v64 = (x.astype(np.float64) for x in (q, k, v))
    expected = reference.attention(q64, k64, v64, **wide)
    d, n = q.shape[-1], k.shape[2]
    scale = options.get("scale") or 1 / np.sqrt(d)
    lengths = np.linalg.norm(q64, axis=-1).max() * np.linalg.norm(k64, axis=-1).max(initial=0)
    addends = [options.get(name) for name in ("bias", "mask")]
    largest = sum(
        np.abs(x[np.isfinite(x)]).max(initial=0) for x in addends if isinstance(x, np.ndarray)
    )
    score_error = (d + 4) * EPS32 * (abs(scale) * lengths + largest)
    relative = 2 * score_error + (n + 16) * EPS32
    assert_close(actual, expected, relative * np.abs(v64).max(initial=1e-3))


@covers
@pytest.mark.parametrize("d", [1, 5, 8, 16, 32, 33, 64])
def test_sizes_around_tiles_and_lanes(isa, d):
    for m, n in itertools.product([1, 2, 6, 7, 14, 15, 29], [1, 3, 8, 15, 16, 17, 32, 33, 49]):
        q, k, v = operands(1, 2, 2, m, n, d, d)
        check(kernels.attention(q, k, v, isa=isa), q, k, v)


@covers
@pytest.mark.parametrize("dv", [1, 7, 16, 20, 32, 48, 65])
def test_values_of_another_width(isa, dv):
    for n in (40, 300):
        q, k, v = operands(2, 3, 3, 18, n, 24, dv)
        check(kernels.attention(q, k, v, scale=0.3, isa=isa), q, k, v, scale=0.3)


KEYWORDS = [
    {},
    {"causal": True},
    {"window": 3},
    {"window": 1},
    {"causal": True, "window": 5},
    {"causal": True, "window": 200},
    {"sinks": random(6)},
    {"sinks": random(6) * 30, "causal": True},
    {"bias": random(6, 1, 1)},
    {"bias": "full"},
    {"bias": "keys", "causal": True, "window": 40},
    {"bias": "heads", "mask": "batches"},
    {"mask": "batches", "sinks": random(6), "scale": 2.0},
    {"kv_lengths": np.array([0, 7], np.int32), "causal": True},
    {"kv_lengths": np.array([1, 30], np.int32), "sinks": random(6), "window": 4},
    {"kv_lengths": np.array([11, 30], np.int32), "bias": "full"},
]


@covers
@pytest.mark.parametrize("keywords", KEYWORDS, ids=lambda keywords: "-".join(keywords) or "plain")
@pytest.mark.parametrize(("m", "n"), [(1, 33), (19, 30), (40, 30), (30, 300), (90, 430)])
@pytest.mark.parametrize("key_heads", [6, 2])
def test_keywords(isa, keywords, m, n, key_heads):
    q, k, v = operands(2, 6, key_heads, m, n, 20, 24)
    bias = {
        "full": (2, 6, m, n),
        "keys": (2, 1, 1, n),
        "heads": (1, 6, m, n),
        "batches": (2, 1, m, n),
    }
    options = {
        key: random(*bias[value]) if isinstance(value, str) else value
        for key, value in keywords.items()
    }
    one = kernels.attention(q, k, v, isa=isa, threads=1, **options)
    check(one, q, k, v, **options)
    np.testing.assert_array_equal(kernels.attention(q, k, v, isa=isa, threads=2, **options), one)


@covers
@pytest.mark.parametrize("at", ["start", "end"])
def test_touches_nothing_outside(isa, at):
    for m, n, d in [(1, 1, 1), (3, 17, 7), (15, 33, 31), (20, 47, 40), (5, 300, 9)]:
        q, k, v = (guarded(x, at=at) for x in operands(1, 2, 1, m, n, d, d + 1))
        bias, mask = (guarded(random(1, 2, m, n, seed=seed), at=at) for seed in (3, 4))
        sinks = guarded(random(2), at=at)
        y = guarded_empty((1, 2, m, d + 1), strides=(0, m * (d + 3), d + 3, 1), at=at)
        inputs = [q, k, v, bias, sinks, None, mask]
        _native.call("attention", inputs, [y], {"causal": 1}, isa=isa)
        check(np.array(y), q, k, v, bias=bias, mask=mask, sinks=sinks, causal=True)
        assert_gaps_untouched(y)


@covers
def test_views_of_one_projection(isa):
    """Heads as slices of [b, n, 3, h, d], as a network makes them, and a bias stored transposed."""
    b, n, h, d = 3, 36, 4, 32
    qkv = random(b, n, 3, h, d)
    q, k, v = (qkv[:, :, i].transpose(0, 2, 1, 3) for i in range(3))
    bias = random(n, n, h).transpose(2, 0, 1)
    mask = np.where(random(b, 1, n, n) > 0.5, -100, 0).astype(np.float32)
    options = {"bias": bias, "mask": mask}
    check(kernels.attention(q, k, v, isa=isa, **options), q, k, v, **options)


def test_masked_rows_give_zeros(isa):
    for n in (20, 400):
        q, k, v = operands(1, 1, 1, 17, n, 8, 8)
        mask = np.zeros((17, n), np.float32)
        mask[3], mask[5, :-1] = -np.inf, -np.inf
        y = kernels.attention(q, k, v, mask=mask, isa=isa)
        np.testing.assert_array_equal(y[0, 0, 3], np.zeros(8, np.float32))
        np.testing.assert_allclose(y[0, 0, 5], v[0, 0, -1], rtol=1e-6)
        check(y, q, k, v, mask=mask)


def test_large_scores_do_not_overflow(isa):
    q, k, v = operands(1, 2, 2, 20, 300, 16, 16)
    y = kernels.attention(q * 1000, k * 1000, v, isa=isa)
    best = (q.astype(np.float64) @ k.swapaxes(-1, -2)).argmax(-1)
    expected = np.take_along_axis(v, best[..., None], axis=2)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)


def test_no_keys():
    q, k, v = operands(1, 2, 2, 3, 0, 4, 4)
    np.testing.assert_array_equal(kernels.attention(q, k, v), np.zeros((1, 2, 3, 4)))
    q, k, v = operands(1, 2, 2, 0, 3, 4, 4)
    assert kernels.attention(q, k, v).shape == (1, 2, 0, 4)


def test_bad_arguments_are_named():
    q, k, v = operands(2, 4, 2, 5, 6, 8, 8)
    with pytest.raises(ArgumentError, match="multiple"):
        kernels.attention(q[:, :3], k, v)
    with pytest.raises(ArgumentError, match="k has shape"):
        kernels.attention(q, k[..., :4], v)
    with pytest.raises(ArgumentError, match="v has shape"):
        kernels.attention(q, k, v[:, :, :4])
    with pytest.raises(ArgumentError, match="bias"):
        kernels.attention(q, k, v, bias=random(3, 6))
    with pytest.raises(ArgumentError, match="window"):
        kernels.attention(q, k, v, window=0)
    with pytest.raises(ArgumentError, match="kv_lengths"):
        kernels.attention(q, k, v, kv_lengths=np.array([7, 1], np.int32))
    with pytest.raises(ArgumentTypeError, match="kv_lengths"):
        kernels.attention(q, k, v, kv_lengths=np.array([3, 1]))
    with pytest.raises(ArgumentError, match="sinks"):
        kernels.attention(q, k, v, sinks=random(3))
