"""The probes of the roof do what they count: sums that are exact, or close to float64's."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native
from pyhades.errors import ArgumentError

CHAINS = 12


def run(op, inputs=(), **how):
    y = np.empty(1, np.float32)
    _native.call(op, list(inputs), [y], **how)
    return float(y[0])


def lanes_of(function, tier):
    kernel = _native.selected(function, tier)
    return {"scalar": 1, "avx2": 8}.get(kernel.removeprefix(f"{function}_"), 16)


@pytest.mark.covers("roof_multiply_add_f32")
@pytest.mark.parametrize("rounds", [0, 1, 7, 1000])
def test_multiply_adds(isa, rounds):
    lanes = lanes_of("roof_multiply_add_f32", isa)
    chains = 1 + 0.1 * np.arange(CHAINS)
    for _ in range(rounds):
        chains = chains * 0.999999 + 1e-7
    found = run("roof_multiply_add", attributes={"rounds": rounds}, isa=isa)
    assert found == pytest.approx(lanes * chains.sum(), rel=1e-4)


@pytest.mark.covers("roof_dot_i8")
@pytest.mark.parametrize("rounds", [0, 1, 7, 1000])
def test_dot_products(tier, rounds):
    lanes = lanes_of("roof_dot_i8", tier)
    found = run("roof_dot", attributes={"rounds": rounds}, isa=tier)
    assert found == lanes * CHAINS * (1 + 4 * rounds)


@pytest.mark.covers("roof_dot_bf16")
@pytest.mark.parametrize("rounds", [0, 1, 7, 1000])
def test_products_of_bfloat16(tier, rounds):
    lanes = lanes_of("roof_dot_bf16", tier)
    found = run("roof_dot_bf16", attributes={"rounds": rounds}, isa=tier)
    assert found == lanes * CHAINS * (1 + 2 * rounds)


@pytest.mark.covers("roof_read_f32")
@pytest.mark.parametrize("count", [0, 64, 4096, 64 * 1001])
def test_reading(isa, count):
    x = np.random.default_rng(count).integers(-8, 9, count).astype(np.float32)
    assert run("roof_read", [x], isa=isa) == x.sum()


def test_what_is_refused():
    with pytest.raises(ArgumentError, match=r"roof_read: x must be float32 .* multiple of 64"):
        run("roof_read", [np.zeros(65, np.float32)])
    with pytest.raises(ArgumentError, match="roof_dot: rounds must not be negative"):
        run("roof_dot", attributes={"rounds": -1})
    with pytest.raises(ArgumentError, match="roof_dot: y must be float32"):
        _native.call("roof_dot", [], [np.empty(2, np.float32)])
    with pytest.raises(ArgumentError, match="roof_multiply_add gives y"):
        run("roof_multiply_add", [np.zeros(64, np.float32)])
