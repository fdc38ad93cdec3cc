"""qconv2d (directly) and qlinear of every tier against NumPy, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from tests.support.convolutions import SAME3, Convolution
from tests.support.guarded import assert_gaps_untouched, guarded, guarded_empty


@pytest.fixture
def isa(tier):
    """Every tier, those that only integers have among them."""
    return tier


class Case(Convolution):
    def operands(self, seed=0):
        """x, w, factor, bias: results spread over the grid."""
        rng = np.random.default_rng([seed, self.c, self.h, self.w, self.o])
        x = rng.integers(0, 256, (self.n, self.h, self.w, self.c), np.uint8)
        w = rng.integers(-128, 128, (self.o, self.c // self.groups, *self.kernel), np.int8)
        typical = 74 * 74 * np.sqrt(w[0].size)
        factor = rng.uniform(20, 60, self.o) / typical
        bias = rng.integers(-int(typical), int(typical), self.o, np.int32)
        return x, w, factor.astype(np.float32), bias


def check(case, isa, threads=1, **how):
    x, w, factor, bias = case.operands()
    how = {"x_zero": 117, "y_zero": 100, **case.window(), **how}
    y = kernels.qconv2d(x, w, factor, bias, isa=isa, threads=threads, algorithm="direct", **how)
    np.testing.assert_array_equal(y, reference.qconv2d(x, w, factor, bias, **how), strict=True)


AROUND_LANES = [1, 7, 8, 9, 16, 17, 31, 33, 48, 65]


@pytest.mark.covers("qconv_u8")
@pytest.mark.parametrize("o", AROUND_LANES)
@pytest.mark.parametrize("c", [1, 2, 3, 4, 5, 8, 9, 33])  # fours of bytes, rows of taps as one
def test_channels_around_the_lane_width(isa, c, o):
    check(Case(c, 4, 9, o, pads=SAME3), isa)


@pytest.mark.covers("qconv_u8")
@pytest.mark.parametrize("w", [*range(1, 31), 47, 60])
def test_widths_around_the_tile_width(isa, w):
    check(Case(12, 3, w, 40, pads=SAME3), isa)
    check(Case(12, 3, w, 9, pads=SAME3), isa)


GEOMETRIES = [
    Case(17, 11, 13, 20, (1, 1)),
    Case(300, 7, 50, 70, (1, 1)),
    Case(20, 9, 31, 24, (1, 1), strides=(2, 3)),
    Case(20, 9, 31, 24, (1, 1), pads=SAME3),
    Case(20, 12, 31, 24, (1, 7), pads=(0, 3, 0, 3)),
    Case(20, 12, 31, 24, (7, 1), pads=(3, 0, 3, 0)),
    Case(9, 20, 33, 24, (7, 7), pads=(3, 3, 3, 3)),
    Case(3, 40, 44, 33, (4, 4), strides=(4, 4)),
    Case(3, 30, 60, 64, (3, 3), pads=SAME3),
    Case(3, 30, 50, 21, (7, 7), strides=(2, 2), pads=(3, 3, 3, 3)),
    Case(16, 20, 20, 32, pads=(2, 2, 2, 2), dilations=(2, 2)),
    Case(16, 20, 20, 32, pads=(8, 8, 8, 8), dilations=(8, 8)),
    Case(16, 10, 17, 20, pads=(1, 2, 3, 4), strides=(2, 1), dilations=(1, 3)),
    Case(16, 5, 5, 20, pads=(9, 8, 7, 6)),
    Case(6, 2, 2, 20, (2, 2), pads=(3, 3, 3, 3), strides=(3, 3)),
    Case(512, 5, 30, 40, (1, 1)),
    Case(520, 6, 7, 40, pads=SAME3),
    Case(2048, 2, 9, 36, (1, 1)),  # pixels that share cache sets
    Case(24, 9, 40, 40, pads=SAME3, n=3),
    Case(8, 9, 10, 16, pads=SAME3, groups=2),
    Case(60, 9, 10, 66, pads=SAME3, groups=3, n=2),
    Case(40, 9, 33, 80, (1, 1), groups=4),
    Case(32, 9, 33, 32, pads=SAME3, groups=8),  # four channels per group
    Case(12, 9, 33, 12, pads=SAME3, groups=6),
    Case(1, 9, 33, 1, pads=SAME3),
    Case(6, 9, 33, 1, (1, 1)),
    *(Case(24, 3, 35, o, (1, 1)) for o in (17, 33, 40, 49, 65, 100)),  # several blocks
    Case(20, 9, 33, 50, pads=(0, 3, 2, 1), n=2),
    Case(24, 9, 22, 48, pads=SAME3, groups=24),
]
DEPTHWISE = [
    *(Case(c, 5, 13, c, pads=SAME3, groups=c) for c in (2, 5, 16, 31, 32, 33, 63, 64, 70, 130)),
    Case(24, 19, 22, 24, (5, 5), (2, 2), (4, 4, 4, 4), (2, 2), groups=24, n=2),
    Case(40, 3, 3, 40, (3, 3), pads=(5, 5, 5, 5), groups=40),
    Case(40, 9, 20, 40, (1, 7), pads=(0, 3, 0, 3), groups=40),
    Case(40, 9, 20, 40, (1, 1), groups=40),
    *(
        Case(20, 6, w, 20, (k, k), (s, s), (k // 2, k // 2, k - 1, k // 2), groups=20)
        for k in (3, 4, 5, 7)
        for s in (1, 2, 3)
        for w in (1, 2, 7, 9, 16)
    ),
    Case(36, 5, 14, 36, (5, 3), pads=(0, 4, 6, 4), groups=36),
]


@pytest.mark.covers("qconv_u8")
@pytest.mark.parametrize("case", GEOMETRIES, ids=str)
def test_windows(isa, case):
    check(case, isa)
    check(case, isa, dtype="float32", x_zero=0)


@pytest.mark.covers("qconv_depthwise_u8")
@pytest.mark.parametrize("case", DEPTHWISE, ids=str)
def test_depthwise(isa, case):
    check(case, isa)
    check(case, isa, dtype="float32", x_zero=0)


EXTREMES = {
    "all -128": lambda shape: np.full(shape, -128, np.int8),
    "all 127": lambda shape: np.full(shape, 127, np.int8),
    "one sign a channel": lambda shape: (
        np.where(np.arange(shape[0])[:, None, None, None] % 2, 127, -128).astype(np.int8)
        * np.ones(shape, np.int8)
    ),
    "opposite signs": lambda shape: (
        np.where(np.arange(np.prod(shape)) % 2, 127, -128).astype(np.int8).reshape(shape)
    ),
    "few large": lambda shape: np.where(
        np.random.default_rng(5).random(shape) < 0.05, 127, 1
    ).astype(np.int8),
    "zeros": lambda shape: np.zeros(shape, np.int8),
}


@pytest.mark.parametrize("case", [Case(72, 5, 17, 40, pads=SAME3), Case(3, 9, 21, 20, pads=SAME3),
                                  Case(130, 3, 19, 33, (1, 1)),
                                  Case(40, 6, 17, 40, pads=SAME3, groups=40)], ids=str)  # fmt: skip
@pytest.mark.parametrize("weights", EXTREMES)
@pytest.mark.parametrize("x", [0, 255, None], ids=str)
@pytest.mark.parametrize("x_zero", [0, 255])
def test_nothing_saturates_that_has_to_be_exact(isa, case, weights, x, x_zero):
    image, w, _, bias = case.operands()
    image = image if x is None else np.full_like(image, x)
    w = EXTREMES[weights](w.shape)
    one = np.ones(case.o, np.float32)  # sums below 2^24 come out as they are
    how = {"x_zero": x_zero, "dtype": "float32", **case.window()}
    y = kernels.qconv2d(image, w, one, bias, **how, isa=isa, threads=1)
    np.testing.assert_array_equal(y, reference.qconv2d(image, w, one, bias, **how))


ONE_OF_EACH_KERNEL = {
    "wide": Case(20, 7, 33, 40, pads=SAME3),
    "one vector": Case(36, 7, 33, 7, pads=SAME3),
    "merged": Case(3, 7, 33, 40, pads=SAME3),
    "pointwise": Case(64, 7, 33, 40, (1, 1)),
    "depthwise": Case(40, 7, 33, 40, pads=SAME3, groups=40),
}
EXACT = ["none", "relu", ("leaky_relu", 0.1), ("clip", -30.5, 42), "hard_swish"]
ROUNDED = [("hard_sigmoid", 0.02, 0.5), "sigmoid", "silu", "gelu_erf", "gelu_tanh", "tanh"]


def epilogue_of(case, activation, residual, after):
    shape = reference.qconv2d(*case.operands(), **case.window()).shape
    rng = np.random.default_rng(3)
    residuals = {
        "none": None,
        "bytes": rng.integers(0, 256, shape, np.uint8),
        "floats": rng.standard_normal(shape, np.float32) * 40,
    }
    return {
        "activation": activation, "residual": residuals[residual], "after": after, "x_zero": 90,
        "residual_zero": 100, "residual_scale": 0.37,
    }  # fmt: skip


@pytest.mark.parametrize("case", ONE_OF_EACH_KERNEL.values(), ids=ONE_OF_EACH_KERNEL)
@pytest.mark.parametrize("activation", EXACT, ids=str)
@pytest.mark.parametrize("residual", ["none", "bytes", "floats"])
@pytest.mark.parametrize("after", ["none", ("clip", -20, 30), ("leaky_relu", 0.3)], ids=str)
def test_epilogue(isa, case, activation, residual, after):
    epilogue = epilogue_of(case, activation, residual, after)
    check(case, isa, **epilogue, y_scale=1.0)
    check(case, isa, **epilogue, y_scale=0.7, y_zero=3)
    check(case, isa, **epilogue, dtype="float32")


@pytest.mark.parametrize("case", ONE_OF_EACH_KERNEL.values(), ids=ONE_OF_EACH_KERNEL)
@pytest.mark.parametrize("residual", ["none", "bytes", "floats"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("via", [(0.5, 0.5, 7), (1.0, 0.013, 128), (3.0, 2.0, 255)], ids=str)
def test_through_a_grid_on_the_way(isa, case, residual, dtype, via):
    epilogue = epilogue_of(case, "relu", residual, ("clip", -20, 90))
    check(case, isa, **epilogue, via=via, y_scale=0.7, y_zero=3, dtype=dtype)
    x, w, factor, bias = case.operands()
    epilogue |= {**case.window(), "via": via, "dtype": dtype}
    factor[::3] = np.inf  # and what is no number, where sums are 0
    y = kernels.qconv2d(x, w, factor, bias, **epilogue, isa=isa)
    with np.errstate(invalid="ignore"):
        expected = reference.qconv2d(x, w, factor, bias, **epilogue)
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("case", ONE_OF_EACH_KERNEL.values(), ids=ONE_OF_EACH_KERNEL)
@pytest.mark.parametrize("activation", ROUNDED, ids=str)
def test_costly_activations_give_the_bits_of_the_scalar_tier(isa, case, activation):
    x, w, factor, bias = case.operands()
    how = {**epilogue_of(case, activation, "bytes", "none"), **case.window(), "dtype": "float32"}
    factor = factor / 8
    y, expected = (kernels.qconv2d(x, w, factor, bias, isa=tier, **how) for tier in (isa, "scalar"))
    assert y.tobytes() == expected.tobytes()
    exact = reference.qconv2d(x, w, factor, bias, **how)
    np.testing.assert_allclose(y, exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", ONE_OF_EACH_KERNEL.values(), ids=ONE_OF_EACH_KERNEL)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_offsets_and_no_bias(isa, case, dtype):
    x, w, factor, _ = case.operands()
    offset = np.random.default_rng(1).standard_normal(case.o, np.float32) * 20
    how = {**case.window(), "x_zero": 120, "y_zero": 128, "dtype": dtype}
    y = kernels.qconv2d(x, w, factor, None, offset, **how, isa=isa)
    np.testing.assert_array_equal(y, reference.qconv2d(x, w, factor, None, offset, **how))


@pytest.mark.parametrize("case", ONE_OF_EACH_KERNEL.values(), ids=ONE_OF_EACH_KERNEL)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_what_is_no_number_becomes_zero(isa, case, dtype):
    x, w, factor, bias = case.operands()
    shape = reference.qconv2d(x, w, factor, bias, **case.window()).shape
    residual = np.zeros(shape, np.float32)
    residual[..., ::3], residual[..., 1::3] = np.nan, np.inf
    how = {**case.window(), "residual": residual, "y_zero": 9, "dtype": dtype}
    y = kernels.qconv2d(x, w, factor, bias, **how, isa=isa)
    np.testing.assert_array_equal(y, reference.qconv2d(x, w, factor, bias, **how))


def strides(shape, pixel):
    return (shape[1] * shape[2] * pixel, shape[2] * pixel, pixel, 1)


@pytest.mark.parametrize(
    "case",
    [*ONE_OF_EACH_KERNEL.values(), *GEOMETRIES[:12], *DEPTHWISE[:4], Case(7, 3, 20, 17, (1, 1))],
    ids=str,
)
@pytest.mark.parametrize("edge", ["start", "end"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("gap", [0, 3])
def test_slices_of_channels_touch_nothing_else(isa, case, edge, dtype, gap):
    x, w, factor, bias = case.operands()
    how = {**case.window(), "x_zero": 50, "y_zero": 70, "dtype": dtype}
    expected = reference.qconv2d(x, w, factor, bias, **how)
    residual = np.random.default_rng(2).integers(0, 256, expected.shape, np.uint8)
    expected = reference.qconv2d(x, w, factor, bias, residual=residual, **how)
    y = guarded_empty(expected.shape, dtype, strides(expected.shape, case.o + gap), edge)
    kernels.qconv2d(
        guarded(x, strides(x.shape, case.c + gap), at=edge),
        *(guarded(array, at=edge) for array in (w, factor, bias)),
        residual=guarded(residual, strides(residual.shape, case.o + gap), at=edge),
        out=y, isa=isa, **how,
    )  # fmt: skip
    np.testing.assert_array_equal(y, expected)
    assert_gaps_untouched(y)


@pytest.mark.parametrize("case", [*ONE_OF_EACH_KERNEL.values(), *GEOMETRIES[4:14]], ids=str)
def test_any_number_of_threads(isa, case):
    for threads in (2, 3):
        check(case, isa, threads)


@pytest.mark.parametrize("case", ONE_OF_EACH_KERNEL.values(), ids=ONE_OF_EACH_KERNEL)
@pytest.mark.parametrize("threads", [1, 2])
def test_weights_that_are_not_constant(isa, case, threads):
    x, w, factor, bias = case.operands()
    expected = reference.qconv2d(x, w, factor, bias, **case.window(), x_zero=33)
    y = np.empty_like(expected)
    window = {name: value for name, value in case.window().items() if name != "layout"}
    planar = [a.transpose(0, 3, 1, 2) for a in (x, y)]
    inputs = [planar[0], w, bias, factor, None, None]
    attributes = {**window, "x_zero": 33}
    _native.call("qconv2d", inputs, [planar[1]], attributes, isa=isa, threads=threads)
    np.testing.assert_array_equal(y, expected)


MATRICES = [(1, 1, 1), (3, 4, 5), (50, 64, 96), (31, 37, 33), (300, 130, 20), (7, 515, 70)]


@pytest.mark.parametrize("m, k, n", MATRICES)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_matrices(isa, m, k, n, dtype):
    rng = np.random.default_rng([m, k, n])
    a, b = rng.integers(0, 256, (m, k), np.uint8), rng.integers(-128, 128, (k, n), np.int8)
    factor = rng.uniform(0.001, 0.01, n).astype(np.float32) / np.float32(np.sqrt(k))
    bias, offset = rng.integers(-9000, 9000, n, np.int32), rng.standard_normal(n, np.float32)
    residual = rng.integers(0, 256, (m, n), np.uint8)
    how = {"x_zero": 140, "y_zero": 90, "residual": residual, "after": "relu", "dtype": dtype}
    expected = reference.qlinear(a, b, factor, bias, offset, **how)
    actual = kernels.qlinear(a, b, factor, bias, offset, **how, isa=isa)
    np.testing.assert_array_equal(actual, expected, strict=True)


@pytest.mark.parametrize("edge", ["start", "end"])
def test_rows_that_lie_apart(isa, edge):
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (20, 30), np.uint8), rng.integers(-128, 128, (30, 40), np.int8)
    factor = np.full(40, 0.002, np.float32)
    y = guarded_empty((20, 40), np.uint8, (43, 1), edge)
    inputs = [guarded(a, (33, 1), edge), guarded(b, at=edge), None, factor, None, None]
    _native.call("qlinear", inputs, [y], {"x_zero": 128, "y_zero": 128}, isa=isa)
    np.testing.assert_array_equal(y, reference.qlinear(a, b, factor, x_zero=128, y_zero=128))
    assert_gaps_untouched(y)
    turned = np.ascontiguousarray(b.T).T
    _native.call("qlinear", [a, turned, *inputs[2:]], [y], {"x_zero": 128, "y_zero": 128}, isa=isa)
    np.testing.assert_array_equal(y, reference.qlinear(a, b, factor, x_zero=128, y_zero=128))


def test_what_does_not_fit_is_refused():
    x, w = np.zeros((1, 4, 7, 7), np.uint8), np.zeros((8, 4, 3, 3), np.int8)
    factor = np.ones(8, np.float32)
    for options, message in [
        ({"x_zero": 256}, "x_zero=256 must be from 0 to 255"),
        ({"y_scale": 0.0}, "y_scale=0.0 must be positive and finite"),
        ({"residual_scale": np.inf}, "residual_scale=inf must be positive and finite"),
        ({"via": (0.0, 1.0, 0)}, "via_scale=0.0 must be positive and finite"),
        ({"via": (1.0, 1.0, 256)}, "via_zero=256 must be from 0 to 255"),
        ({"groups": 3}, "groups=3 does not fit 4 input channels"),
        ({"bias": np.zeros(3, np.int32)}, r"bias has shape \(3,\), expected \(8,\)"),
        ({"dtype": "int8"}, "dtype='int8'"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            kernels.qconv2d(x, w, factor, **options)
    with pytest.raises(ArgumentTypeError, match="w has dtype uint8, expected int8"):
        kernels.qconv2d(x, w.view(np.uint8), factor)
    wide = np.zeros((1, 65536), np.uint8), np.zeros((65536, 1), np.int8)
    with pytest.raises(ArgumentError, match="more than 65535 products"):
        kernels.qlinear(*wide, factor[:1])
    with pytest.raises(ArgumentError, match="qconv2d: y_zero=-1 must be from 0 to 255"):
        y = np.empty((1, 5, 5, 8), np.uint8).transpose(0, 3, 1, 2)
        nhwc = np.zeros((1, 7, 7, 4), np.uint8).transpose(0, 3, 1, 2)
        _native.call("qconv2d", [nhwc, w, None, factor, None, None], [y], {"y_zero": -1})


@pytest.mark.parametrize("case", ONE_OF_EACH_KERNEL.values(), ids=ONE_OF_EACH_KERNEL)
@pytest.mark.parametrize("zero", [0, 93, 255])
def test_a_zero_point_that_is_computed(isa, case, zero):
    """As an operand, instead of the attribute; padding has it as well."""
    x, w, factor, bias = case.operands()
    how = {"dtype": "float32", **case.window()}
    expected = reference.qconv2d(x, w, factor, bias, x_zero=zero, **how)
    image, y = x.transpose(0, 3, 1, 2), np.empty_like(expected)
    attributes = {n: list(getattr(case, n)) for n in ("strides", "pads", "dilations")}
    attributes["groups"] = case.groups
    inputs = [image, w, bias, factor, None, None, np.array([zero], np.uint8)]
    _native.call("qconv2d", inputs, [y.transpose(0, 3, 1, 2)], attributes, isa=isa)
    np.testing.assert_array_equal(y, expected)


def test_a_zero_point_that_is_none():
    x, w, factor, _ = Case(4, 3, 3, 8).operands()
    y = np.empty((1, 1, 1, 8), np.float32).transpose(0, 3, 1, 2)
    inputs = [x.transpose(0, 3, 1, 2), w, None, factor, None, None, np.zeros(2, np.uint8)]
    with pytest.raises(ArgumentError, match="one uint8"):
        _native.call("qconv2d", inputs, [y], {})
