"""Products of bfloat16 on every tier, within the bound of their float32 sums."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from pyhades.kernels.epilogue import parse_activation
from pyhades.numerics.bfloat import UNIT, sum_bound, widened
from pyhades.numerics.epilogue import activate
from tests.support.convolutions import SAME3, Convolution
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty

HALF_ULP = 2.0**-8
"""The largest relative error of rounding to bfloat16."""


class Case(Convolution):
    def operands(self):
        """x, w, bias: the first two as bits of bfloat16."""
        rng = np.random.default_rng([self.c, self.h, self.w, self.o])
        x = rng.standard_normal((self.n, self.h, self.w, self.c), np.float32)
        w = rng.standard_normal((self.o, self.c // self.groups, *self.kernel), np.float32)
        bias = rng.standard_normal(self.o, np.float32)
        return reference.narrow_bf16(x), reference.narrow_bf16(w), bias


def exact(case, x, w, bias):
    """The sums in float64, and how far those of a kernel may be from them."""
    wide = [widened(bits).astype(np.float64) for bits in (x, w)]
    y = reference.conv2d(*wide, bias.astype(np.float64), **case.window())
    magnitudes = reference.conv2d(*map(np.abs, wide), np.abs(bias, dtype=np.float64),
                                  **case.window())  # fmt: skip
    return y, sum_bound(w[0].size) * magnitudes


def assert_within(y, expected, bound, terms=0.0):
    """``terms`` are what was added behind the sums, whose roundings count too."""
    bound = bound + 4 * UNIT * (np.abs(expected) + np.abs(terms))
    if y.dtype == np.uint16:
        y, bound = widened(y), bound + HALF_ULP * (np.abs(expected) + bound)
    assert np.all(np.abs(y - expected) <= bound)


def check(case, isa, threads=1):
    x, w, bias = case.operands()
    expected, bound = exact(case, x, w, bias)
    for dtype in ("uint16", "float32"):
        how = {"dtype": dtype, "threads": threads, "isa": isa, **case.window()}
        y = kernels.conv2d_bf16(x, w, bias, **how)
        assert y.dtype == dtype
        assert_within(y, expected, bound)
        positive = kernels.conv2d_bf16(x, w, bias, activation="relu", **how)
        assert_within(positive, np.maximum(expected, 0), bound)


AROUND_LANES = [1, 7, 8, 9, 16, 17, 31, 33, 48, 65]


@pytest.mark.covers("conv_bf16")
@pytest.mark.parametrize("o", AROUND_LANES)
@pytest.mark.parametrize("c", [1, 2, 3, 4, 5, 8, 9, 33])  # pairs, rows of taps as one
def test_channels_around_the_lane_width(tier, c, o):
    check(Case(c, 4, 9, o, pads=SAME3), tier)


@pytest.mark.covers("conv_bf16")
@pytest.mark.parametrize("w", [*range(1, 31), 47, 60])
def test_widths_around_the_tile_width(tier, w):
    check(Case(12, 3, w, 40, pads=SAME3), tier)
    check(Case(12, 3, w, 9, pads=SAME3), tier)


GEOMETRIES = [
    Case(17, 11, 13, 20, (1, 1)),
    Case(300, 7, 50, 70, (1, 1)),
    Case(20, 9, 31, 24, (1, 1), strides=(2, 3)),
    Case(20, 9, 31, 24, (1, 1), pads=SAME3),
    Case(20, 12, 31, 24, (1, 7), pads=(0, 3, 0, 3)),
    Case(20, 12, 31, 24, (7, 1), pads=(3, 0, 3, 0)),
    Case(9, 20, 33, 24, (7, 7), pads=(3, 3, 3, 3)),
    Case(3, 40, 44, 33, (4, 4), strides=(4, 4)),
    Case(3, 30, 50, 21, (7, 7), strides=(2, 2), pads=(3, 3, 3, 3)),
    Case(16, 20, 20, 32, pads=(8, 8, 8, 8), dilations=(8, 8)),
    Case(16, 10, 17, 20, pads=(1, 2, 3, 4), strides=(2, 1), dilations=(1, 3)),
    Case(16, 5, 5, 20, pads=(9, 8, 7, 6)),
    Case(6, 2, 2, 20, (2, 2), pads=(3, 3, 3, 3), strides=(3, 3)),
    Case(520, 6, 7, 40, pads=SAME3),
    Case(1024, 2, 9, 36, (1, 1)),  # pixels that share cache sets, so that they are copied
    Case(1023, 2, 9, 36, (1, 1)),
    Case(1024, 3, 4, 20, pads=SAME3),
    Case(512, 5, 6, 20, pads=SAME3, strides=(2, 2)),
    Case(24, 9, 40, 40, pads=SAME3, n=3),
    Case(60, 9, 10, 66, pads=SAME3, groups=3, n=2),
    Case(40, 9, 33, 80, (1, 1), groups=4),
    Case(12, 9, 33, 12, pads=SAME3, groups=12),
    *(Case(24, 3, 35, o, (1, 1)) for o in (17, 33, 40, 49, 65, 100)),  # several blocks
]


@pytest.mark.covers("conv_bf16")
@pytest.mark.parametrize("case", GEOMETRIES, ids=str)
def test_windows(tier, case):
    check(case, tier)


ONE_OF_EACH_KIND = {
    "wide": Case(20, 7, 33, 40, pads=SAME3),
    "one vector": Case(35, 7, 33, 7, pads=SAME3),
    "merged": Case(4, 7, 33, 40, pads=SAME3),
    "pointwise": Case(64, 7, 33, 40, (1, 1)),
}
LIPSCHITZ = 1.2
"""More than the steepest of the activations."""


@pytest.mark.parametrize("case", ONE_OF_EACH_KIND.values(), ids=ONE_OF_EACH_KIND)
@pytest.mark.parametrize(
    "activation", ["none", "relu", ("leaky_relu", 0.1), ("clip", -3.5, 2), "silu", "gelu_erf"],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("after", ["none", ("clip", -2, 3), "relu"], ids=str)
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_epilogue(tier, case, activation, residual, after, dtype):
    x, w, bias = case.operands()
    expected, bound = exact(case, x, w, bias)
    added = np.random.default_rng(3).standard_normal(expected.shape, np.float32)
    how = {"activation": activation, "after": after, "dtype": dtype, **case.window()}
    y = kernels.conv2d_bf16(x, w, bias, residual=added if residual else None, isa=tier, **how)
    expected = activate(expected, parse_activation(activation))
    expected = activate(expected + added * residual, parse_activation(after))
    costly = 4e-7 * np.abs(expected) + 1e-7  # of exponentials
    assert_within(y, expected, LIPSCHITZ * bound + costly, added * residual)


def test_what_is_infinite_stays_where_it_is_seen(tier):
    case = Case(3, 5, 12, 20, pads=SAME3)
    x, w, bias = case.operands()
    x[0, 2, 6, 0] = reference.narrow_bf16(np.float32([np.inf]))[0]
    y = kernels.conv2d_bf16(x, w, bias, dtype="float32", isa=tier, **case.window())
    seen = np.zeros((5, 12), bool)
    seen[1:4, 5:8] = True
    assert np.isfinite(y[0, ~seen]).all()
    assert not np.isfinite(y[0, seen]).any()


def strides(shape, pixel):
    return (shape[1] * shape[2] * pixel, shape[2] * pixel, pixel, 1)


@pytest.mark.parametrize(
    "case",
    [*ONE_OF_EACH_KIND.values(), *GEOMETRIES[:12], Case(7, 3, 20, 17, (1, 1))],
    ids=str,
)
@pytest.mark.parametrize("edge", ["start", "end"])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("gap", [0, 3])
def test_slices_of_channels_touch_nothing_else(tier, case, edge, dtype, gap):
    x, w, bias = case.operands()
    expected, bound = exact(case, x, w, bias)
    added = np.random.default_rng(2).standard_normal(expected.shape, np.float32)
    y = guarded_empty(expected.shape, dtype, strides(expected.shape, case.o + gap), edge)
    kernels.conv2d_bf16(
        guarded(x, strides(x.shape, case.c + gap), at=edge),
        *(guarded(array, at=edge) for array in (w, bias)),
        residual=guarded(added, strides(added.shape, case.o + gap), at=edge),
        out=y, isa=tier, dtype=dtype, **case.window(),
    )  # fmt: skip
    assert_within(np.array(y), expected + added, bound, added)
    assert_gaps_untouched(y)


@pytest.mark.parametrize("case", [*ONE_OF_EACH_KIND.values(), *GEOMETRIES[4:14]], ids=str)
def test_any_number_of_threads_gives_the_same_bits(tier, case):
    x, w, bias = case.operands()
    one, two, three = (
        kernels.conv2d_bf16(x, w, bias, threads=threads, isa=tier, **case.window())
        for threads in (1, 2, 3)
    )
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, three)


@pytest.mark.parametrize("case", ONE_OF_EACH_KIND.values(), ids=ONE_OF_EACH_KIND)
@pytest.mark.parametrize("threads", [1, 2])
def test_weights_that_are_not_constant(tier, case, threads):
    x, w, bias = case.operands()
    expected = kernels.conv2d_bf16(x, w, bias, isa=tier, threads=1, **case.window())
    y = np.empty_like(expected)
    window = {name: value for name, value in case.window().items() if name != "layout"}
    planar = [a.transpose(0, 3, 1, 2) for a in (x, y)]
    inputs = [planar[0], w, bias, None]
    _native.call("conv2d_bf16", inputs, [planar[1]], window, isa=tier, threads=threads)
    np.testing.assert_array_equal(y, expected)


MATRICES = [(1, 1, 1), (3, 4, 5), (50, 64, 96), (31, 37, 33), (300, 130, 20), (7, 515, 70)]


@pytest.mark.parametrize("m, k, n", MATRICES)
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_matrices(tier, m, k, n, dtype):
    rng = np.random.default_rng([m, k, n])
    a, b, bias, residual = (
        rng.standard_normal(shape, np.float32) for shape in [(m, k), (k, n), n, (m, n)]
    )
    a, b = map(reference.narrow_bf16, (a, b))
    wide = [widened(bits).astype(np.float64) for bits in (a, b)]
    expected = wide[0] @ wide[1] + bias + residual
    bound = sum_bound(k) * (np.abs(wide[0]) @ np.abs(wide[1]) + np.abs(bias))
    how = {"residual": residual, "dtype": dtype}
    y = kernels.linear_bf16(a, b, bias, **how, isa=tier)
    assert_within(y, expected, bound, residual)
    assert_within(reference.linear_bf16(a, b, bias, **how), expected, bound, residual)
    turned = kernels.linear_bf16(a, np.ascontiguousarray(b.T).T, bias, **how, isa=tier)
    np.testing.assert_array_equal(y, turned)


@pytest.mark.parametrize("edge", ["start", "end"])
def test_rows_that_lie_apart(tier, edge):
    rng = np.random.default_rng(0)
    a, b = (reference.narrow_bf16(rng.standard_normal(s, np.float32)) for s in [(20, 30), (30, 40)])
    expected = kernels.linear_bf16(a, b, isa=tier)
    y = guarded_empty((20, 40), np.uint16, (43, 1), edge)
    turned = np.ascontiguousarray(b.T).T
    for matrix in (guarded(b, at=edge), turned):
        inputs = [guarded(a, (33, 1), edge), matrix, None, None]
        _native.call("linear_bf16", inputs, [y], {}, isa=tier)
        np.testing.assert_array_equal(y, expected)
        assert_gaps_untouched(y)


SPECIAL = np.float32(
    [0.0, -0.0, 1.0, -2.5, 257.0, 256.5, 258.0, 3e38, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan,
     1e-40, -1e-45, 1.00390625, 1.01171875]
)  # fmt: skip


@pytest.mark.covers("narrow_bf16")
@pytest.mark.parametrize("n", [1, 7, 8, 9, 15, 16, 17, 33, 1000, 40000])
@pytest.mark.parametrize("edge", ["start", "end"])
def test_narrowing(isa, n, edge):
    x = np.random.default_rng(n).standard_normal(n, np.float32) * np.float32(1e3)
    x[: len(SPECIAL)] = SPECIAL[:n]
    expected = reference.narrow_bf16(x)
    for step in (1, 3):
        y = guarded_empty((n,), np.uint16, (step,), edge)
        _native.call("narrow_bf16", [guarded(x, (step,), edge)], [y], {}, isa=isa)
        np.testing.assert_array_equal(y, expected)
        assert_gaps_untouched(y)
    np.testing.assert_array_equal(kernels.narrow_bf16(x, isa=isa, threads=2), expected)


POOLS = [
    {"kernel": (2, 2)},
    {"kernel": (2, 2), "strides": (2, 2), "ceil_mode": True},
    {"kernel": (3, 3), "strides": (1, 1), "pads": (1, 1, 1, 1)},
    {"kernel": (3, 2), "strides": (2, 3), "pads": (2, 0, 1, 1), "dilations": (2, 1)},
]


@pytest.mark.covers("max_pool_bf16")
@pytest.mark.parametrize("channels", [1, 7, 8, 9, 16, 17, 33, 65])
@pytest.mark.parametrize("geometry", POOLS)
@pytest.mark.parametrize("edge", ["start", "end"])
def test_maxima(isa, channels, geometry, edge):
    rng = np.random.default_rng(channels)
    x = reference.narrow_bf16(rng.standard_normal((2, channels, 7, 8), np.float32))
    x[0, 0, :2, :2] = reference.narrow_bf16(np.float32([[np.nan, 1], [-np.inf, 2]]))
    expected = reference.narrow_bf16(reference.max_pool(widened(x), **geometry))
    np.testing.assert_array_equal(kernels.max_pool_bf16(x, **geometry, isa=isa), expected)
    np.testing.assert_array_equal(reference.max_pool_bf16(x, **geometry), expected)
    pixel = channels + 3
    source = guarded(x, (56 * pixel, 1, 8 * pixel, pixel), edge)
    _, _, h, w = expected.shape
    y = guarded_empty(expected.shape, np.uint16, (h * w * pixel, 1, w * pixel, pixel), edge)
    attributes = {name: value for name, value in geometry.items() if name != "ceil_mode"}
    attributes.setdefault("strides", attributes["kernel"])
    _native.call("max_pool_bf16", [source], [y], attributes, isa=isa)
    np.testing.assert_array_equal(y, expected)
    assert_gaps_untouched(y)


def test_what_does_not_fit_is_refused():
    x, w = np.zeros((1, 4, 7, 7), np.uint16), np.zeros((8, 4, 3, 3), np.uint16)
    for options, message in [
        ({"groups": 3}, "groups=3 does not fit 4 input channels"),
        ({"bias": np.zeros(3, np.float32)}, r"bias has shape \(3,\), expected \(8,\)"),
        ({"dtype": "bfloat16"}, "dtype='bfloat16'"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            kernels.conv2d_bf16(x, w, **options)
    with pytest.raises(ArgumentTypeError, match="w has dtype float32, expected uint16"):
        kernels.conv2d_bf16(x, w.astype(np.float32))
    y = np.zeros((1, 5, 5, 8), np.uint16).transpose(0, 3, 1, 2)
    last = np.zeros((1, 7, 7, 4), np.uint16).transpose(0, 3, 1, 2)
    with pytest.raises(ArgumentError, match="conv2d_bf16: residual must be float32"):
        _native.call("conv2d_bf16", [last, w, None, np.zeros_like(y)], [y], {})
    with pytest.raises(ArgumentError, match="linear_bf16: a must be uint16"):
        _native.call("linear_bf16", [x[0], w[0, 0], None, None], [y[0, 0]], {})
    with pytest.raises(ArgumentError, match="max_pool_bf16: x and y must be uint16"):
        _native.call("max_pool_bf16", [x], [y], {"kernel": [2, 2]})
    with pytest.raises(ArgumentError, match="narrow_bf16: x must be float32"):
        _native.call("narrow_bf16", [x], [x.copy()], {})
