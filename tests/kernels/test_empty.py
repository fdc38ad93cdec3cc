"""Extents of zero: empty results as NumPy has them, on teams that have no scratch yet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyhades import kernels
from pyhades.kernels import reference


def ones_bf16(*shape):
    return np.full(shape, 0x3F80, np.uint16)


def random(*shape: int) -> Any:
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


# A call of the function named, from extents of which one after the other becomes zero.
CALLS: dict[str, tuple[dict[str, int], Any]] = {
    "gemm": (
        {"m": 3, "k": 4, "n": 5},
        lambda m, k, n: {"a": random(m, k), "b": random(k, n), "bias": random(n)},
    ),
    "matmul": (
        {"batch": 9, "m": 3, "k": 4, "n": 5},
        lambda batch, m, k, n: {"a": random(batch, m, k), "b": random(batch, k, n)},
    ),
    "attention": (
        {"batch": 2, "queries": 3},
        lambda batch, queries: {
            "q": random(batch, 2, queries, 8),
            "k": random(batch, 2, 5, 8),
            "v": random(batch, 2, 5, 8),
        },
    ),
    "conv2d": (
        {"n": 2},
        lambda n: {"x": random(n, 3, 6, 7), "w": random(4, 3, 3, 3), "pads": (1, 1, 1, 1)},
    ),
    "conv2d_bf16": (
        {"n": 2},
        lambda n: {"x": ones_bf16(n, 3, 6, 7), "w": ones_bf16(4, 3, 3, 3)},
    ),
    "linear_bf16": (
        {"m": 2},
        lambda m: {"a": ones_bf16(m, 5), "b": ones_bf16(5, 4)},
    ),
    "narrow_bf16": ({"n": 2}, lambda n: {"x": random(n, 3)}),
    "max_pool_bf16": (
        {"n": 2, "c": 3},
        lambda n, c: {"x": ones_bf16(n, c, 6, 7), "kernel": (2, 2)},
    ),
    "layer_norm": ({"rows": 3}, lambda rows: {"x": random(rows, 40)}),
    "rms_norm": ({"rows": 3}, lambda rows: {"x": random(rows, 40)}),
    "group_norm": (
        {"n": 2},
        lambda n: {"x": random(n, 4, 3, 4), "groups": 2},
    ),
    "softmax": ({"rows": 3}, lambda rows: {"x": random(rows, 40)}),
    "qconv2d": (
        {"n": 2},
        lambda n: {
            "x": np.ones((n, 3, 6, 7), np.uint8),
            "w": np.ones((4, 3, 3, 3), np.int8),
            "factor": np.ones(4, np.float32),
        },
    ),
    "qlinear": (
        {"m": 2},
        lambda m: {
            "a": np.ones((m, 5), np.uint8),
            "b": np.ones((5, 4), np.int8),
            "factor": np.ones(4, np.float32),
        },
    ),
    "requantize": ({"n": 2}, lambda n: {"x": np.ones((n, 3), np.uint8), "y_scale": 0.5}),
    "max_pool": ({"n": 2, "c": 3}, lambda n, c: {"x": random(n, c, 6, 7), "kernel": (2, 2)}),
    "average_pool": ({"n": 2, "c": 3}, lambda n, c: {"x": random(n, c, 6, 7), "kernel": (2, 2)}),
    "deform_conv2d": (
        {"n": 2},
        lambda n: {
            "x": random(n, 4, 6, 7),
            "w": random(3, 4, 2, 2),
            "offset": random(n, 8, 5, 6),
        },
    ),
    "fold": (
        {"n": 2, "c": 3},
        lambda n, c: {"columns": random(n, 4 * c, 30), "size": (6, 7), "kernel": (2, 2)},
    ),
    "grid_sample": (
        {"n": 2, "c": 3, "positions": 4},
        lambda n, c, positions: {
            "x": random(n, c, 6, 7),
            "grid": random(n, positions, 5, 2),
        },
    ),
    "roi_align": (
        {"regions": 3, "c": 4},
        lambda regions, c: {
            "x": random(1, c, 6, 7),
            "rois": np.abs(random(regions, 4)),
            "images": np.zeros(regions, np.int64),
            "bins": (2, 3),
        },
    ),
    "roi_max_pool": (
        {"regions": 3, "c": 4},
        lambda regions, c: {
            "x": random(1, c, 6, 7),
            "rois": np.abs(random(regions, 5)),
            "bins": (2, 3),
        },
    ),
    "reduce": (
        {"a": 2, "b": 4, "c": 7},
        lambda a, b, c: {"x": random(a, b, c), "function": "sum", "axes": (1,)},
    ),
    "rank": ({"a": 2, "b": 4, "c": 7}, lambda a, b, c: {"x": random(a, b, c), "k": 0, "axis": 1}),
    "cumsum": ({"a": 2, "b": 4, "c": 7}, lambda a, b, c: {"x": random(a, b, c), "axis": 1}),
    "resize": ({"n": 2, "c": 3}, lambda n, c: {"x": random(n, c, 6, 7), "size": (9, 3)}),
    "transpose": ({"a": 2, "b": 4, "c": 7}, lambda a, b, c: {"x": random(a, b, c)}),
    "pad": ({"a": 2, "b": 4}, lambda a, b: {"x": random(a, b), "pads": [(1, 1), (2, 2)]}),
    "gelu": ({"a": 2, "b": 4}, lambda a, b: {"x": random(a, b)}),
    "quantize_rows": ({"rows": 2}, lambda rows: {"x": random(rows, 64)}),
    "qgemm": (
        {"m": 3},
        lambda m: {
            "a": random(m, 64),
            "w": kernels.pack_weight(kernels.quantize(random(9, 64), "int8")),
        },
    ),
    "top_k": ({"rows": 3}, lambda rows: {"logits": random(rows, 40), "k": 4}),
    "suppress": (
        {"b": 2, "c": 3, "n": 5},
        lambda b, c, n: {"boxes": random(b, n, 4), "scores": random(b, c, n), "most": 4},
    ),
    "sample": ({"rows": 3}, lambda rows: {"logits": random(rows, 40)}),
}

CASES = [(name, None) for name in CALLS] + [
    (name, extent) for name, (extents, _) in CALLS.items() for extent in extents
]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("name", "empty"), CASES)
def test_empty_extents(name: str, empty: str | None, isa: str, threads: int) -> None:
    extents, arguments = CALLS[name]
    given = arguments(**{**extents, **({empty: 0} if empty else {})})
    actual = getattr(kernels, name)(**given, isa=isa, threads=threads)
    expected = getattr(reference, name)(**given)
    results = [x if isinstance(x, tuple) else (x,) for x in (actual, expected)]
    for one, other in zip(*results, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
