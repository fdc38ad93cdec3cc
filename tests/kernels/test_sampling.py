"""Sampling against the cumulated softmax in float64."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import kernels
from pyhades.errors import ArgumentError
from pyhades.kernels import reference
from tests.support.guarded import guarded

SIZES = [1, 2, 15, 16, 17, 1023, 1024, 1025, 5000]


def random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def assert_within_rounding(token: int, row: np.ndarray, heat: float, uniform: float) -> None:
    """The share lies in the token's part of the unit interval, give or take rounding."""
    weights = np.exp((row.astype(np.float64) - row.max()) / heat)
    sums = weights.cumsum() / weights.sum()
    before = sums[token] - weights[token] / weights.sum()
    assert before - 1e-6 <= uniform <= sums[token] + 1e-6


@pytest.mark.covers("sample_f32")
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("heat", [0.3, 1.0, 2.5])
def test_the_share_lies_in_the_part_of_the_token(isa, n, heat):
    logits, uniforms = random(n, 40, n) * 3, np.random.default_rng(1).random(40)
    uniforms[:2] = 0, 1 - 2.0**-53
    tokens = kernels.sample(logits, heat, uniforms, isa=isa, threads=1)
    for token, row, uniform in zip(tokens, logits, uniforms, strict=True):
        assert_within_rounding(int(token), row, heat, uniform)
    agree = tokens == reference.sample(logits, heat, uniforms)
    assert agree.mean() >= 0.95  # a share next to the border of two parts may fall either way
    np.testing.assert_array_equal(
        kernels.sample(logits, heat, uniforms, isa=isa, threads=2), tokens
    )


def test_frequencies_follow_the_softmax(isa):
    logits = np.tile(np.float32([0, 1, -1, 2, -np.inf]), (20000, 1))
    tokens = kernels.sample(logits, 1.0, np.random.default_rng(3).random(20000), isa=isa)
    weights = np.exp(logits[0].astype(np.float64))
    expected = weights / weights.sum() * 20000
    counts = np.bincount(tokens, minlength=5)
    assert counts[4] == 0
    chi_square = ((counts[:4] - expected[:4]) ** 2 / expected[:4]).sum()
    assert chi_square < 21.1  # one in ten thousand, three degrees of freedom


def test_zero_temperature_takes_the_first_of_the_largest(isa):
    logits = np.float32([[1, 5, 5, np.nan], [np.nan, np.nan, -np.inf, 0], [-np.inf, 2, np.inf, 3]])
    np.testing.assert_array_equal(kernels.sample(logits, 0.0, isa=isa), [1, 3, 2])


def test_tokens_of_no_weight_are_never_taken(isa):
    logits = np.full((1, 3000), -np.inf, np.float32)
    logits[0, [7, 2900]] = 0
    for uniform, expected in [(0, 7), (0.49, 7), (0.51, 2900), (1 - 2.0**-53, 2900)]:
        assert kernels.sample(logits, 1.0, uniform, isa=isa)[0] == expected


@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("n", [5, 1029])
def test_touches_nothing_outside(isa, at, n):
    logits = random(0, 3, n)
    expected = kernels.sample(logits, 1.0, 0.7, isa=isa)
    out = guarded(np.zeros(3, np.int32), at=at)
    kernels.sample(guarded(logits, at=at), 1.0, 0.7, isa=isa, out=out)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"temperature": -1}, "temperature"),
        ({"temperature": np.nan}, "temperature"),
        ({"uniform": 1.0}, "uniform"),
        ({"logits": np.zeros((2, 0), np.float32)}, "no columns"),
    ],
)
def test_refuses_what_has_no_meaning(arguments, complaint):
    with pytest.raises(ArgumentError, match=complaint):
        kernels.sample(**{"logits": np.zeros((1, 3), np.float32)} | arguments)
