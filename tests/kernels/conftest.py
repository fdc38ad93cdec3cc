"""Keeps the declarations of kernel tests honest.

``@pytest.mark.covers("rms_norm_f32")`` says that a test compares that kernel function with its
reference. Here the claim is checked against the kernels that did run; at the end of a whole run
tests/support/kernel_census.py checks that every kernel of every tier is among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pyhades import _native
from tests.support.kernel_census import record

FUNCTIONS = {kernel.name: kernel.function for kernel in _native.implementations()}
FAILED = pytest.StashKey[bool]()


@pytest.fixture(autouse=True)
def claims(request: pytest.FixtureRequest, kernels_run: set[str]) -> Iterator[None]:
    """Fails a test that runs fewer kernel functions than it claims."""
    yield
    claimed = {name for mark in request.node.iter_markers("covers") for name in mark.args}
    covered = {name for name in kernels_run if FUNCTIONS.get(name) in claimed}
    missing = claimed - {FUNCTIONS[name] for name in covered}
    if request.node.stash.get(FAILED, False):
        return
    if missing:
        pytest.fail(f"claims to cover {sorted(missing)} but ran only {sorted(kernels_run)}")
    record(request.node, covered)


@pytest.fixture(autouse=True)
def fresh_teams() -> None:
    """Teams keep the scratch of earlier calls; here a kernel that asks for too little must fail."""
    _native._teams.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Remember failures and skips, so that the check above does not add a second report."""
    report = yield
    if call.when == "call" and call.excinfo is not None:
        item.stash[FAILED] = True
    return report
