"""conv2d of every tier against NumPy in float64."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from tests.support.convolutions import SAME3, Convolution
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty
from tests.support.tolerances import EPS32, assert_close


class Case(Convolution):
    def operands(self, seed=0):
        rng = np.random.default_rng([seed, self.c, self.h, self.w, self.o])
        x = rng.standard_normal((self.n, self.h, self.w, self.c), np.float32)
        w = rng.standard_normal((self.o, self.c // self.groups, *self.kernel), np.float32)
        return x, w, rng.standard_normal(self.o, np.float32)

    def expected(self, x, w, bias):
        """The result in float64, and the bound on the error of a float32 sum in any order."""
        wide = [a.astype(np.float64) for a in (x, w, bias)]
        exact = reference.conv2d(*wide, **self.window())
        sizes = reference.conv2d(*map(np.abs, wide), **self.window())
        terms = w[0].size + 1
        return exact, 4 * np.sqrt(terms) * EPS32 * sizes


def check(case, isa, **options):
    x, w, bias = case.operands()
    exact, bound = case.expected(x, w, bias)
    y = kernels.conv2d(x, w, bias, **case.window(), isa=isa, threads=1, **options)
    assert_close(y, exact, bound)


AROUND_LANES = [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 65]


@pytest.mark.covers("conv_direct_f32")
@pytest.mark.parametrize("o", [o for o in AROUND_LANES if o > 4])
@pytest.mark.parametrize("c", AROUND_LANES)
def test_channels_around_the_lane_width(isa, c, o):
    check(Case(c, 5, 19, o, pads=SAME3), isa, algorithm="direct")


@pytest.mark.covers("conv_direct_f32")
@pytest.mark.parametrize("w", [*range(1, 31), 47, 60, 85, 100, 130])
def test_widths_around_the_tile_width(isa, w):
    check(Case(16, 3, w, 40, pads=SAME3), isa, algorithm="direct")
    check(Case(16, 3, w, 9, pads=SAME3), isa, algorithm="direct")


GEOMETRIES = [
    Case(17, 11, 13, 20, (1, 1)),
    Case(300, 7, 150, 70, (1, 1)),
    Case(20, 9, 31, 24, (1, 1), strides=(2, 3)),
    Case(20, 9, 31, 24, (1, 1), pads=SAME3),
    Case(20, 12, 31, 24, (1, 7), pads=(0, 3, 0, 3)),
    Case(20, 12, 31, 24, (7, 1), pads=(3, 0, 3, 0)),
    Case(9, 20, 33, 24, (7, 7), pads=(3, 3, 3, 3)),
    Case(3, 40, 44, 33, (4, 4), strides=(4, 4)),
    Case(3, 30, 100, 64, (3, 3), pads=SAME3),
    Case(3, 30, 50, 21, (7, 7), strides=(2, 2), pads=(3, 3, 3, 3)),
    Case(16, 20, 20, 32, pads=(2, 2, 2, 2), dilations=(2, 2)),
    Case(16, 20, 20, 32, pads=(8, 8, 8, 8), dilations=(8, 8)),
    Case(16, 12, 96, 32, pads=(7, 7, 7, 7), dilations=(7, 7)),
    Case(16, 10, 17, 20, pads=(1, 2, 3, 4), strides=(2, 1), dilations=(1, 3)),
    Case(16, 5, 5, 20, pads=(9, 8, 7, 6)),
    Case(16, 5, 200, 20, pads=(0, 9, 0, 1)),
    Case(6, 2, 2, 20, (2, 2), pads=(3, 3, 3, 3), strides=(3, 3)),
    Case(512, 5, 30, 40, (1, 1)),
    Case(520, 6, 7, 40, pads=SAME3),
    Case(700, 9, 30, 40, pads=SAME3),
    Case(24, 9, 40, 40, pads=SAME3, n=3),
    Case(8, 9, 10, 16, pads=SAME3, groups=2),
    Case(60, 9, 10, 66, pads=SAME3, groups=3, n=2),
    Case(40, 9, 33, 80, (1, 1), groups=4),
    Case(32, 9, 33, 32, pads=SAME3, groups=8),  # four channels per group
    Case(12, 9, 33, 12, pads=SAME3, groups=6),
    *(
        Case(g * i, 7, 33, g * o, pads=SAME3, groups=g, n=2)
        for g in (2, 5, 6, 16)
        for i, o in ((4, 4), (3, 5), (2, 3), (2, 8))
    ),  # groups that share a vector
    Case(96, 5, 9, 48, (1, 1), groups=12),
    Case(1, 9, 33, 1, pads=SAME3),
    Case(6, 9, 33, 1, (1, 1)),
    *(Case(24, 3, 35, o, (1, 1)) for o in (17, 33, 40, 49, 65, 100)),  # several blocks
    Case(20, 9, 33, 50, pads=(0, 3, 2, 1), n=2),
]


@pytest.mark.covers("conv_direct_f32")
@pytest.mark.parametrize("case", GEOMETRIES, ids=str)
def test_windows(isa, case):
    check(case, isa, algorithm="direct")


@pytest.mark.covers("conv_depthwise_f32")
@pytest.mark.parametrize("case", [
    *(Case(c, 9, 22, c, pads=SAME3, groups=c) for c in AROUND_LANES[1:]),
    Case(24, 9, 22, 48, pads=SAME3, groups=24),
    Case(5, 9, 22, 15, pads=SAME3, groups=5),
    Case(24, 19, 22, 24, pads=SAME3, strides=(2, 2), groups=24),
    Case(24, 19, 22, 24, (5, 5), pads=(4, 4, 4, 4), dilations=(2, 2), groups=24, n=2),
    Case(24, 3, 3, 24, (3, 3), pads=(5, 5, 5, 5), groups=24),
    Case(24, 9, 30, 24, (1, 7), pads=(0, 3, 0, 3), groups=24),
    Case(24, 9, 30, 24, (1, 1), groups=24),
    *(
        Case(20, 6, w, 20, (k, k), (s, s), (k // 2, k // 2, k - 1, k // 2), groups=20)
        for k in (3, 4, 5, 7)
        for s in (1, 2, 3)
        for w in (1, 2, 7, 9, 16, 23)
    ),
    Case(36, 5, 14, 36, (5, 3), pads=(0, 4, 6, 4), groups=36),
    Case(36, 1, 40, 36, (1, 5), pads=(0, 2, 0, 2), groups=36),
], ids=str)  # fmt: skip
def test_depthwise(isa, case):
    check(case, isa)


@pytest.mark.covers("conv_dot_f32")
@pytest.mark.parametrize("case", [
    *(Case(c, 6, 19, 1, pads=SAME3) for c in AROUND_LANES[1:]),
    *(Case(40, 6, 19, o, pads=SAME3) for o in (2, 3, 4)),
    Case(64, 6, 100, 1, pads=SAME3),
    Case(20, 20, 33, 1, (1, 1)),
    Case(1, 25, 33, 1, (7, 7)),
    Case(1, 25, 33, 1, (7, 7), pads=(3, 3, 3, 3)),
    Case(33, 12, 40, 2, pads=(4, 4, 4, 4), dilations=(4, 4), strides=(2, 2), n=2),
    Case(40, 12, 20, 8, pads=SAME3, groups=4),
], ids=str)  # fmt: skip
def test_few_output_channels(isa, case):
    check(case, isa, algorithm="direct")


def winograd_bound(case, x, w, bias):
    """Error of 4x4 tiles: it depends on all of the patch, so every pixel gets the worst bound."""
    exact, bound = case.expected(x, w, bias)
    return exact, 2 * bound.max()


@pytest.mark.covers("conv_winograd_f32")
@pytest.mark.parametrize("case", [
    *(Case(c, 9, 14, 40, pads=SAME3) for c in AROUND_LANES),
    *(Case(20, 9, 14, o, pads=SAME3) for o in AROUND_LANES),
    *(Case(17, h, w, 33, pads=SAME3) for h in range(1, 10) for w in (1, 4, 6, 15)),
    Case(20, 12, 50, 24, pads=(0, 2, 3, 0)),
    Case(20, 12, 50, 24),
    Case(6, 3, 5, 24, pads=(7, 0, 0, 9)),
    Case(64, 33, 50, 70, pads=SAME3, n=3),
    Case(300, 11, 30, 150, pads=SAME3),  # filters that are transformed while it runs
    *(Case(900, 5, 9, o, pads=SAME3) for o in (33, 47, 48, 63)),
    Case(333, 21, 41, 100, pads=(2, 2, 2, 2), dilations=(2, 2)),
    *(Case(20, 19, 22, 40, pads=(d,) * 4, dilations=(d, d), n=2) for d in (2, 3, 4, 8, 30)),
    Case(20, 17, 30, 40, pads=(1, 3, 0, 5), dilations=(1, 3)),
    Case(150, 17, 30, 40, pads=(2, 0, 7, 0), dilations=(4, 2)),
], ids=str)  # fmt: skip
def test_winograd(isa, case):
    x, w, bias = case.operands()
    exact, bound = winograd_bound(case, x, w, bias)
    y = kernels.conv2d(x, w, bias, **case.window(), isa=isa, threads=1, algorithm="winograd")
    assert_close(y, exact, bound)


LAYERS = [
    (Case(64, 32, 32, 64, pads=SAME3), "winograd"),
    (Case(16, 80, 80, 16, pads=SAME3), "winograd"),
    (Case(256, 20, 20, 64, pads=SAME3), "winograd"),
    (Case(512, 10, 10, 128, pads=SAME3), "winograd"),
    (Case(512, 4, 4, 128, pads=SAME3), "direct"),
    (Case(256, 20, 20, 128, pads=(4, 4, 4, 4), dilations=(4, 4)), "direct"),
    (Case(256, 6, 6, 64, pads=SAME3), "direct"),  # too few tiles for the weights
    (Case(3, 80, 80, 64, pads=SAME3), "direct"),  # too few channels for the transforms
    (Case(64, 33, 33, 64, pads=(2, 2, 2, 2), dilations=(2, 2)), "winograd"),
    (Case(64, 12, 12, 64, pads=(4, 4, 4, 4), dilations=(4, 4)), "direct"),  # tiles hold 3x3 outputs
    (Case(64, 33, 33, 64, strides=(1, 2), pads=SAME3), "direct"),
]


@pytest.mark.parametrize("case, algorithm", LAYERS, ids=str)
def test_layers_choose_winograd_where_it_pays(isa, kernels_run, case, algorithm):
    algorithm = "direct" if isa == "scalar" else algorithm
    x, w, bias = case.operands()
    exact, bound = winograd_bound(case, x, w, bias)
    assert_close(kernels.conv2d(x, w, bias, **case.window(), isa=isa), exact, bound)
    assert kernels_run == {f"conv_{algorithm}_f32_{isa}"}


def test_winograd_refuses_other_windows():
    x, w = np.zeros((1, 4, 7, 7), np.float32), np.zeros((8, 4, 3, 3), np.float32)
    with pytest.raises(ArgumentError, match="winograd"):
        kernels.conv2d(x, w, strides=(2, 2), algorithm="winograd")


ACTIVATIONS = {
    "relu": lambda v: np.maximum(v, 0),
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "silu": lambda v: v / (1 + np.exp(-v)),
    "tanh": np.tanh,
    "hard_swish": lambda v: v * np.clip(v / 6 + 0.5, 0, 1),
    "hard_sigmoid": lambda v: np.clip(0.2 * v + 0.5, 0, 1),
    ("leaky_relu", 0.1): lambda v: np.where(v < 0, 0.1 * v, v),
    ("clip", -0.5, 2): lambda v: np.clip(v, -0.5, 2),
}
ONE_OF_EACH_KERNEL = {
    "direct": Case(20, 7, 33, 40, (3, 5), pads=(1, 2, 1, 2)),
    "partial sums": Case(600, 5, 8, 40, pads=SAME3),
    "dot": Case(40, 7, 33, 2, pads=SAME3),
    "depthwise": Case(40, 7, 33, 40, pads=SAME3, groups=40),
    "winograd": Case(36, 33, 34, 35, pads=SAME3),
    "winograd, filters": Case(600, 9, 9, 50, pads=SAME3),
    "winograd, dilated": Case(36, 33, 34, 35, pads=(2, 2, 2, 2), dilations=(2, 2)),
}


@pytest.mark.parametrize("case", ONE_OF_EACH_KERNEL.values(), ids=ONE_OF_EACH_KERNEL)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("with_residual", [False, True])
def test_epilogue(isa, case, activation, with_residual):
    x, w, bias = case.operands()
    exact, bound = case.expected(x, w, bias)
    residual = np.random.default_rng(1).standard_normal(exact.shape, np.float32)
    y = kernels.conv2d(
        x, w, bias, activation=activation, residual=residual if with_residual else None,
        **case.window(), isa=isa, threads=1,
    )  # fmt: skip
    expected = ACTIVATIONS[activation](exact) + (residual if with_residual else 0)
    # No activation here is steeper than 1.5; its own rounding is a few units in the last place.
    assert_close(y, expected, 1.5 * bound + 16 * EPS32 * (1 + np.abs(expected)))


@pytest.mark.parametrize("case", ONE_OF_EACH_KERNEL.values(), ids=ONE_OF_EACH_KERNEL)
@pytest.mark.parametrize("after, finish", [
    ({"after": "relu"}, lambda v: np.maximum(v, 0)),
    ({"after": "clip", "after_alpha": -0.5, "after_beta": 0.75}, lambda v: np.clip(v, -0.5, 0.75)),
    ({"after": "leaky_relu", "after_alpha": 0.1}, lambda v: np.where(v < 0, 0.1 * v, v)),
])  # fmt: skip
@pytest.mark.parametrize("with_residual", [False, True])
def test_activation_after_the_residual(isa, case, after, finish, with_residual):
    x, w, bias = case.operands()
    exact, bound = case.expected(x, w, bias)
    residual = np.random.default_rng(1).standard_normal(exact.shape, np.float32)
    y = np.empty(exact.shape, np.float32)
    window = {name: value for name, value in case.window().items() if name != "layout"}
    planar = [a.transpose(0, 3, 1, 2) for a in (x, residual, y)]
    _native.call(
        "conv2d",
        [planar[0], w, bias, planar[1] if with_residual else None],
        [planar[2]],
        {**window, **after},
        constants=(1,),
        isa=isa,
    )
    expected = finish(exact + (residual if with_residual else 0))
    assert_close(y, expected, bound + 4 * EPS32 * (1 + np.abs(expected)))


@pytest.mark.parametrize("case", ONE_OF_EACH_KERNEL.values(), ids=ONE_OF_EACH_KERNEL)
@pytest.mark.parametrize("edge", ["start", "end"])
def test_slices_of_channels_touch_nothing_else(isa, case, edge):
    x, w, bias = case.operands()
    exact, bound = case.expected(x, w, bias)

    def strides(shape, pixel):
        return (shape[1] * shape[2] * pixel, shape[2] * pixel, pixel, 1)

    wide_x = guarded(x, strides(x.shape, case.c + 3), at=edge)
    y = guarded_empty(exact.shape, strides=strides(exact.shape, case.o + 5), at=edge)
    kernels.conv2d(
        wide_x, guarded(w, at=edge), guarded(bias, at=edge), **case.window(), out=y, isa=isa
    )
    assert_close(y, exact, bound)
    assert_gaps_untouched(y)


@pytest.mark.parametrize("pixel", [512, 1024, 2048])
def test_pixels_that_share_cache_sets(isa, pixel):
    case = Case(48, 6, 40, 40, pads=SAME3)
    x, w, bias = case.operands()
    exact, bound = case.expected(x, w, bias)
    wide = np.zeros((*x.shape[:3], pixel), np.float32)
    wide[..., 8:56] = x
    narrow = wide[..., 8:56]
    y = kernels.conv2d(narrow, w, bias, **case.window(), isa=isa, algorithm="direct")
    assert_close(y, exact, bound)


SHORT_LAST_PASS = Case(128, 32, 32, 136, pads=SAME3)
"""Output channels of a chunk in passes of which the last has fewer."""


@pytest.mark.parametrize(
    "case", [*ONE_OF_EACH_KERNEL.values(), *GEOMETRIES, SHORT_LAST_PASS], ids=str
)
def test_any_number_of_threads_gives_the_same_bits(isa, case):
    x, w, bias = case.operands()
    results = [
        kernels.conv2d(x, w, bias, **case.window(), threads=threads, isa=isa)
        for threads in (1, 2, 3)
    ]
    assert results[0].tobytes() == results[1].tobytes() == results[2].tobytes()


@pytest.mark.parametrize("case", ONE_OF_EACH_KERNEL.values(), ids=ONE_OF_EACH_KERNEL)
@pytest.mark.parametrize("threads", [1, 2])
def test_weights_that_are_not_constant(isa, case, threads):
    x, w, bias = case.operands()
    expected = kernels.conv2d(x, w, bias, **case.window(), isa=isa)
    y = np.empty_like(expected)
    window = {name: value for name, value in case.window().items() if name != "layout"}
    planar = [a.transpose(0, 3, 1, 2) for a in (x, y)]
    inputs = [planar[0], w, bias, None]
    _native.call("conv2d", inputs, [planar[1]], window, threads=threads, isa=isa)
    assert y.tobytes() == expected.tobytes()


def test_planar_arrays_and_out(isa):
    case = Case(20, 7, 33, 40, pads=SAME3)
    x, w, bias = case.operands()
    expected = kernels.conv2d(x, w, bias, pads=SAME3, layout="NHWC", isa=isa)
    planar = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    out = np.empty((1, 40, 7, 33), np.float32)
    assert kernels.conv2d(planar, w, bias, pads=SAME3, out=out, isa=isa) is out
    np.testing.assert_array_equal(out.transpose(0, 2, 3, 1), expected)


def test_no_bias_and_empty_batches(isa):
    x, w, _ = Case(20, 7, 33, 40, pads=SAME3).operands()
    zeros = np.zeros(40, np.float32)
    with_zeros = kernels.conv2d(x, w, zeros, pads=SAME3, layout="NHWC", isa=isa)
    np.testing.assert_array_equal(
        kernels.conv2d(x, w, pads=SAME3, layout="NHWC", isa=isa), with_zeros
    )
    empty = kernels.conv2d(x[:0], w, pads=SAME3, layout="NHWC", isa=isa)
    assert empty.shape == (0, 7, 33, 40)


def test_non_finite_values_spread_no_further_than_their_window(isa):
    case = Case(20, 9, 33, 40, pads=SAME3)
    x, w, bias = case.operands()
    x[0, 4, 16, 3] = np.nan
    window = case.window()
    y = kernels.conv2d(x, w, bias, activation="relu", **window, isa=isa, algorithm="direct")
    seen = np.zeros((9, 33), bool)
    seen[3:6, 15:18] = True
    assert np.isnan(y[0][seen]).all() and not np.isnan(y[0][~seen]).any()


@pytest.mark.parametrize("change, message", [
    ({"groups": 3}, "groups"),
    ({"pads": (0, 0)}, "pads"),
    ({"strides": (0, 1)}, "strides"),
    ({"dilations": (9, 9)}, "kernel spans"),
    ({"layout": "CHWN"}, "layout"),
    ({"bias": np.zeros(3, np.float32)}, "bias"),
    ({"algorithm": "fft"}, "algorithm"),
    ({"activation": "softmax"}, "activation"),
    ({"residual": np.zeros((1, 8, 5, 4), np.float32)}, "residual"),
])  # fmt: skip
def test_bad_arguments_are_named(change, message):
    x, w = np.zeros((1, 4, 7, 7), np.float32), np.zeros((8, 4, 3, 3), np.float32)
    with pytest.raises(ArgumentError, match=message):
        kernels.conv2d(x, w, **change)


def test_other_dtypes_are_refused():
    x, w = np.zeros((1, 4, 7, 7)), np.zeros((8, 4, 3, 3), np.float32)
    with pytest.raises(ArgumentTypeError, match="float32"):
        kernels.conv2d(x, w)
