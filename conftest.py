"""Fixtures that several folders of tests share."""

from __future__ import annotations

import pytest

from pyhades import _native


def kernel_tiers() -> list[str]:
    """The supported tiers that any kernel was written for, weakest first."""
    names = [name for _, _, name, _ in _native.implementations()]
    return [
        tier
        for tier in _native.supported_tiers()
        if any(name.endswith(f"_{tier}") for name in names)
    ]


def float_tiers() -> list[str]:
    """Those without the integer extensions of AVX-512, which mean nothing to float kernels."""
    return [tier for tier in kernel_tiers() if not tier.startswith("avx512_")]


@pytest.fixture(params=float_tiers())
def isa(request: pytest.FixtureRequest) -> str:
    """Every tier of this CPU that has float kernels of its own."""
    return str(request.param)


@pytest.fixture(params=kernel_tiers())
def tier(request: pytest.FixtureRequest) -> str:
    """Every tier of this CPU that has kernels of its own."""
    return str(request.param)
