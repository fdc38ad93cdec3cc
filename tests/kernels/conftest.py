"""Keeps the declarations of kernel tests honest.

``@pytest.mark.covers("rms_norm_f32")`` says that a test runs that kernel function. Here the claim
is checked against the kernels that did run; test_registry.py checks that every kernel is claimed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyhades import _native


@pytest.fixture(autouse=True)
def kernels_run(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[set[str]]:
    """Names of the kernels that this test has run; fails a test that runs fewer than it claims."""
    claimed = {name for mark in request.node.iter_markers("covers") for name in mark.args}
    ran: set[str] = set()
    original = _native.call

    def recording_call(*args: Any, **kwargs: Any) -> str:
        kernel = str(original(*args, **kwargs))
        ran.add(kernel)
        return kernel

    monkeypatch.setattr(_native, "call", recording_call)
    yield ran
    functions = {function for _, function, name, _ in _native.implementations() if name in ran}
    missing = claimed - functions
    if missing and not request.node.stash.get(FAILED, False):
        pytest.fail(f"claims to cover {sorted(missing)} but ran only {sorted(ran)}")


@pytest.fixture(autouse=True)
def fresh_teams() -> None:
    """Teams keep the scratch of earlier calls; here a kernel that asks for too little must fail."""
    _native._teams.clear()


FAILED = pytest.StashKey[bool]()
CLAIMED = pytest.StashKey[set[str]]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Note the kernels that tests claim, if every module of this folder was collected."""
    if set(Path(__file__).parent.glob("test_*.py")) <= {item.path for item in items}:
        marks = (mark for item in items for mark in item.iter_markers("covers"))
        config.stash[CLAIMED] = {name for mark in marks for name in mark.args}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Remember failures and skips, so that the check above does not add a second report."""
    report = yield
    if call.when == "call" and call.excinfo is not None:
        item.stash[FAILED] = True
    return report
