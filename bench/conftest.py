"""Benchmarks run with `pytest --benchmark-only` or `pytest bench`; plain `pytest` omits them.

`pytest bench --benchmark-disable` runs each once, untimed, and counts the kernels that they run.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pyhades import _native
from pyhades.config import show_config

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def counted_unless_timed(request: pytest.FixtureRequest) -> None:
    """Recording takes time, too."""
    if request.config.getoption("benchmark_disable"):
        request.getfixturevalue("count_kernels")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    named = any(
        HERE in (path := Path(arg.split("::")[0]).resolve(), *path.parents) for arg in config.args
    )
    asked_for = named and config.args != config.getini("testpaths")
    if asked_for or config.getoption("--benchmark-only", default=False):
        if _native.emulated_tiers() and not config.getoption("benchmark_disable"):
            raise pytest.UsageError(
                "this build emulates instructions for tests and nothing is timed on it: build "
                "without PYHADES_EMULATE, or add --benchmark-disable"
            )
        return
    benchmarks = [item for item in items if HERE in item.path.parents]
    config.hook.pytest_deselected(items=benchmarks)
    items[:] = [item for item in items if HERE not in item.path.parents]


def pytest_benchmark_update_machine_info(
    config: pytest.Config, machine_info: dict[str, object]
) -> None:
    machine_info["pyhades"] = dict(show_config().rows())
