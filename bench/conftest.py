"""Benchmarks run with `pytest --benchmark-only` or `pytest bench`; plain `pytest` omits them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyhades.config import show_config

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    named = any(
        HERE in (path := Path(arg.split("::")[0]).resolve(), *path.parents) for arg in config.args
    )
    if named and config.args != config.getini("testpaths"):
        return
    if config.getoption("--benchmark-only", default=False):
        return
    benchmarks = [item for item in items if HERE in item.path.parents]
    config.hook.pytest_deselected(items=benchmarks)
    items[:] = [item for item in items if HERE not in item.path.parents]


def pytest_benchmark_update_machine_info(
    config: pytest.Config, machine_info: dict[str, object]
) -> None:
    machine_info["pyhades"] = dict(show_config().rows())
