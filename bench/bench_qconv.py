"""Convolutions of bytes with their weights packed, beside what each tier can multiply at most."""

from __future__ import annotations

import numpy as np
import pytest

from bench.products import MATRICES, Convolution, Product, benchmark_product, matrix_views
from bench.roof import integer_peak

# name: (channels, outputs, size, kernel, stride, pad, dilation, groups)
CASES = {
    "first_3x3": (3, 64, 320, 3, 1, 1, 1, 1),
    "stage_3x3": (64, 64, 320, 3, 1, 1, 1, 1),
    "half_3x3": (64, 32, 320, 3, 1, 1, 1, 1),
    "wide_3x3": (128, 64, 320, 3, 1, 1, 1, 1),
    "narrow_3x3": (32, 16, 320, 3, 1, 1, 1, 1),
    "narrowest_3x3": (16, 16, 320, 3, 1, 1, 1, 1),
    "middle_3x3": (32, 32, 160, 3, 1, 1, 1, 1),
    "dilated_3x3": (64, 64, 80, 3, 1, 2, 2, 1),
    "deep_3x3": (256, 128, 40, 3, 1, 1, 1, 1),
    "deeper_3x3": (512, 256, 20, 3, 1, 1, 1, 1),
    "deepest_3x3": (256, 256, 20, 3, 1, 8, 8, 1),
    "small_3x3": (512, 256, 10, 3, 1, 2, 2, 1),
    "pointwise": (256, 64, 96, 1, 1, 0, 1, 1),
    "pointwise_expand": (128, 512, 96, 1, 1, 0, 1, 1),
    "stem_7x7_s2": (3, 64, 224, 7, 2, 3, 1, 1),
    "depthwise_3x3": (128, 128, 96, 3, 1, 1, 1, 128),
    "grouped_8": (256, 256, 28, 3, 1, 1, 1, 32),
    "side_output": (64, 1, 160, 3, 1, 1, 1, 1),
    "direct_3x3": (64, 64, 80, 3, 1, 1, 1, 1),
    "winograd_3x3": (64, 64, 80, 3, 1, 1, 1, 1),
    "winograd_dilated": (64, 64, 80, 3, 1, 2, 2, 1),
}
"""Of U²-Net, InSPyReNet and others. A name may begin with the algorithm."""


def convolution(name: str, isa: str, threads: int = 1) -> Product:
    case = Convolution(*CASES[name])
    read, shape, made = case.shapes
    algorithm = next((a for a in ("direct", "winograd") if name.startswith(a)), "auto")
    attributes = {**case.attributes, "algorithm": algorithm}
    return product("qconv2d", read, weights(shape), made, case.views, attributes, isa, threads)


def matrices(name: str, isa: str, threads: int = 1) -> Product:
    m, k, n = MATRICES[name]
    views = matrix_views(m, k, n)
    return product("qlinear", (m, k), weights((k, n)), (m, n), views, {}, isa, threads)


def product(op: str, read, w, made, views, attributes, isa: str, threads: int) -> Product:
    """Of bytes around 3, whose sums are scaled to bytes again."""
    x, y = np.random.default_rng(0).integers(0, 256, read, np.uint8), np.empty(made, np.uint8)
    columns = made[-1]
    factor = np.full(columns, 0.3 / np.sqrt(w.size / columns) / 64, np.float32)
    constants = [w, np.zeros(columns, np.int32), factor, None, None]
    zeros = {"x_zero": 3, "y_zero": 0}
    return Product(op, x, y, views, constants, attributes | zeros, isa, threads)


def weights(shape: tuple[int, ...]):
    """As those of trained layers: around 0, the largest of them 127."""
    w = np.random.default_rng(1).standard_normal(shape)
    return np.rint(w * (127 / np.abs(w).max())).astype(np.int8)


@pytest.fixture
def isa(tier):
    """Every tier, those that only integers have among them."""
    return tier


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CASES)
def bench_qconv(benchmark, name, isa, threads):
    benchmark_product(benchmark, convolution, name, isa, threads, integer_peak)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", MATRICES)
def bench_qlinear(benchmark, name, isa, threads):
    benchmark_product(benchmark, matrices, name, isa, threads, integer_peak)
