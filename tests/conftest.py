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


@pytest.fixture(params=kernel_tiers())
def isa(request: pytest.FixtureRequest) -> str:
    """Every tier of this CPU that has kernels of its own."""
    return str(request.param)
