"""Matrix products against float64, at sizes around tiles, lanes and blocks of k."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty
from tests.support.tolerances import EPS32, assert_close

covers = pytest.mark.covers("gemm_f32")

ACTIVATIONS = [
    *("none", "relu", "sigmoid", "hard_swish", "silu", "gelu_erf", "gelu_tanh", "tanh"),
    *("hard_sigmoid", ("leaky_relu", 0.1), ("clip", -0.5, 2)),
]
ROWS = [1, 2, 3, 4, 5, 6, 7, 13, 14, 15, 29]
COLUMNS = [1, 4, 7, 8, 9, 15, 16, 17, 31, 33, 48, 65]


def random(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def bound(a, b, alpha=1.0, scale=1.2):
    """Chains of at most 512 products, their sums added in turn; activations stretch the error."""
    k = a.shape[-1]
    depth = min(k, 512) + k / 384 + 16
    magnitude = np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)
    return scale * depth * EPS32 * (abs(alpha) * magnitude + 4)


def check(actual, a, b, **options):
    wide = {
        key: value.astype(np.float64) if isinstance(value, np.ndarray) else value
        for key, value in options.items()
    }
    expected = reference.matmul(a.astype(np.float64), b.astype(np.float64), **wide)
    assert_close(actual, expected, bound(a, b, options.get("alpha", 1.0)))


@covers
@pytest.mark.parametrize("packed", [False, True], ids=["packed per run", "packed ahead"])
@pytest.mark.parametrize("k", [1, 2, 19])
def test_sizes_around_tiles_and_lanes(isa, k, packed):
    for m, n in itertools.product(ROWS, COLUMNS):
        a, b = random(m, k), random(k, n)
        right = kernels.pack_matrix(b, isa=isa) if packed else b
        check(kernels.gemm(a, right, isa=isa), a, b)


@pytest.mark.parametrize(
    ("m", "k", "n"),
    [
        (144, 1100, 70),  # several blocks of k
        (30, 513, 33),
        (1, 3000, 1000),  # one row takes several panels at once
        (2, 700, 128),
        (3, 9216, 128),  # slices of k, b in place
        (5, 20001, 33),  # slices of k, b packed
        (700, 40, 96),  # several blocks of rows
        (29, 1024, 96),  # rows that evict each other are copied
        (600, 3, 5),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_blocks_and_slices(isa, m, k, n, packed):
    a, b, bias, residual = random(m, k), random(k, n), random(n), random(m, n)
    right = kernels.pack_matrix(b, isa=isa) if packed else b
    options = {"bias": bias, "activation": "relu", "residual": residual}
    one = kernels.gemm(a, right, isa=isa, threads=1, **options)
    check(one, a, b, **options)
    for threads in (2, 3):
        again = kernels.gemm(a, right, isa=isa, threads=threads, **options)
        np.testing.assert_array_equal(again, one)


@covers
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("with_residual", [False, True])
@pytest.mark.parametrize("n", [32, 37])
def test_epilogue(isa, activation, with_residual, n):
    a, b, bias = random(17, 24), random(24, n), random(n)
    options = {
        "bias": bias,
        "activation": activation,
        "residual": random(17, n) if with_residual else None,
    }
    check(kernels.gemm(a, b, isa=isa, **options), a, b, **options)


def test_activation_after_the_residual(isa):
    a, b, residual = random(9, 12), random(12, 40), random(9, 40)
    y = np.empty((9, 40), np.float32)
    attributes = {"activation": "leaky_relu", "activation_alpha": 0.1}
    attributes |= {"after": "clip", "after_alpha": -0.5, "after_beta": 2.0}
    _native.call("gemm", [a, b, None, residual], [y], attributes, isa=isa)
    product = a.astype(np.float64) @ b
    expected = np.clip(
        np.where(product < 0, product * np.float32(0.1), product) + residual, -0.5, 2
    )
    assert_close(y, expected, bound(a, b))


@covers
@pytest.mark.parametrize("at", ["start", "end"])
def test_touches_nothing_outside(isa, at):
    for m, n, k in itertools.product([1, 3, 14, 15], [1, 7, 16, 17, 32, 33, 47], [1, 5, 24]):
        row = n + 3
        a = guarded(random(m, k), strides=(k + 2, 1), at=at)
        b = guarded(random(k, n), at=at)
        bias, residual = guarded(random(n), at=at), guarded(random(m, n), strides=(row, 1), at=at)
        for constants in ((), (1,)):
            for activation in ("relu", "silu"):
                y = guarded_empty((m, n), strides=(row, 1), at=at)
                attributes = {"activation": activation}
                _native.call(
                    "gemm", [a, b, bias, residual], [y], attributes, constants=constants, isa=isa
                )
                check(np.array(y), a, b, bias=bias, activation=activation, residual=residual)
                assert_gaps_untouched(y)


@covers
def test_any_strides(isa):
    big = random(70, 200, 3)
    lefts = [big[:50, :60, 0], big[::2, 5:65, 1], random(60, 50).T, big[:50, :60, 2][::-1, ::-1]]
    rights = [random(60, 45), random(45, 60).T, random(60, 90)[:, ::2], random(60, 50)[::-1, 5:]]
    for a, b in itertools.product(lefts, rights):
        check(kernels.gemm(a[:35], b, isa=isa), a[:35], b)
        check(kernels.gemm(a[:4], b, isa=isa), a[:4], b)
        check(kernels.gemm(a, kernels.pack_matrix(b, isa=isa), isa=isa), a, b)


@covers
@pytest.mark.parametrize("columns", [64, 192, 1024])
def test_elements_that_compete_for_a_set_of_the_cache(isa, columns):
    """Rows, or steps of k in a transposed matrix, whose distance divides the size of a way."""
    square = random(192, columns)
    for a in (square[:31, :50], square[:190, :33].T, square[:190, :5].T):
        b = random(a.shape[1], 150)
        check(kernels.gemm(a, b, isa=isa), a, b)


@covers
@pytest.mark.parametrize(
    ("a_shape", "b_shape"),
    [
        ((6, 17, 9), (9, 21)),  # b repeats, the rows merge
        ((3, 4, 20, 9), (3, 4, 9, 20)),  # batches of small matrices
        ((3, 1, 20, 9), (1, 4, 9, 20)),  # both repeat
        ((2, 1, 5, 9), (4, 9, 32)),
        ((2, 3, 2, 15, 9), (2, 3, 2, 9, 3)),
        ((5, 1, 40), (5, 40, 33)),
        ((2, 200, 30), (2, 30, 50)),
        ((9, 6), (6, 5)),
        ((2, 3, 10000), (2, 10000, 20)),
    ],
)
def test_batches_broadcast(isa, a_shape, b_shape):
    a, b = random(*a_shape), random(*b_shape)
    one = kernels.matmul(a, b, alpha=0.5, isa=isa, threads=1)
    check(one, a, b, alpha=0.5)
    np.testing.assert_array_equal(kernels.matmul(a, b, alpha=0.5, isa=isa, threads=2), one)
    transposed = np.ascontiguousarray(b.swapaxes(-1, -2)).swapaxes(-1, -2)
    check(kernels.matmul(a, transposed, isa=isa), a, b)
    columns = np.ascontiguousarray(a.swapaxes(-1, -2)).swapaxes(-1, -2)
    bias, residual = random(b.shape[-1]), random(*one.shape)
    options = {"bias": bias, "residual": residual, "activation": "gelu_tanh"}
    check(kernels.matmul(columns, b, isa=isa, **options), a, b, **options)


def test_nothing_at_all(isa):
    assert kernels.gemm(random(0, 0), random(0, 0), isa=isa).shape == (0, 0)


def test_no_depth_leaves_the_bias(isa):
    bias = random(5)
    y = kernels.gemm(random(2, 0), random(0, 5), bias, isa=isa)
    np.testing.assert_array_equal(y, np.broadcast_to(bias, (2, 5)))


def test_non_finite_values_stay_in_their_row_and_column(isa):
    a, b = random(20, 30), random(30, 40)
    a[3, 4], b[7, 8] = np.nan, np.inf
    y = kernels.gemm(a, b, activation="relu", isa=isa)
    assert np.isnan(y[3]).all()
    assert np.isinf(y[a[:, 7] > 0, 8][np.arange(len(y[a[:, 7] > 0])) != 3]).any()
    rest = np.delete(np.delete(y, 3, 0), 8, 1)
    assert np.isfinite(rest).all()


def test_result_does_not_depend_on_where_a_row_lies(isa):
    a, b = random(100, 700), random(700, 50)
    whole = kernels.gemm(a, kernels.pack_matrix(b, isa=isa), isa=isa)
    for first, last in [(0, 1), (5, 7), (40, 100)]:
        part = kernels.gemm(a[first:last], kernels.pack_matrix(b, isa=isa), isa=isa)
        np.testing.assert_array_equal(part, whole[first:last])


def test_packed_matrices():
    b = random(30, 20)
    packed = kernels.pack_matrix(b)
    assert packed.shape == (30, 20) and packed.nbytes >= b.nbytes
    a, expected = random(7, 30), kernels.gemm(random(7, 30), packed)
    b[:] = 0  # the packed copy is its own
    np.testing.assert_array_equal(kernels.gemm(a, packed), expected)
    scalar = kernels.pack_matrix(random(30, 20), isa="scalar")
    assert kernels.gemm(a, scalar).shape == (7, 20)
    if "avx2" in _native.supported_tiers():
        with pytest.raises(ArgumentError, match="isa"):
            kernels.gemm(a, scalar, isa="avx2")


def test_writes_into_out():
    a, b = random(4, 5), random(5, 6)
    out = np.empty((4, 6), np.float32)
    assert kernels.gemm(a, b, out=out) is out
    check(out, a, b)


def test_bad_arguments_are_named():
    a, b = random(4, 5), random(5, 6)
    with pytest.raises(ArgumentError, match=r"a \(4, 5\) and b \(6, 5\)"):
        kernels.gemm(a, b.T)
    with pytest.raises(ArgumentError, match="bias"):
        kernels.gemm(a, b, random(5))
    with pytest.raises(ArgumentError, match="residual"):
        kernels.gemm(a, b, residual=random(6, 4))
    with pytest.raises(ArgumentError, match="activation"):
        kernels.gemm(a, b, activation="swoosh")
    with pytest.raises(ArgumentTypeError, match="float64"):
        kernels.gemm(a.astype(np.float64), b)
    with pytest.raises(ArgumentError, match="broadcast"):
        kernels.matmul(random(2, 4, 5), random(3, 5, 6))
    with pytest.raises(ArgumentError, match="two axes"):
        kernels.matmul(random(5), b)
