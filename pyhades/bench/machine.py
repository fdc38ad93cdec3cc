"""The machine that numbers were measured on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyhades import _native
from pyhades.arguments import check_count
from pyhades.config import show_config
from pyhades.errors import ArgumentError
from pyhades.topology import plan_workers


def check_threads(threads: Sequence[int]) -> None:
    """Refuse a list of thread counts on which nothing would be measured."""
    if not threads:
        raise ArgumentError("threads is empty: there is nothing to measure")
    for count in threads:
        check_count("threads", count)


def describe_machine(
    isa: str | None, threads: Sequence[int], peaks: dict[int, float]
) -> dict[str, Any]:
    """What the numbers depend on; ``peak_gflops`` is measured, by number of threads.

    ``plan`` tells nodes, caches and cores, what limits their use, and how workers that took all of
    them would be placed.
    """
    config = show_config()
    return {
        "cpu": config.cpu,
        "tier": _native.tier_name(isa),
        "threads": list(threads),
        "plan": plan_workers().line(),
        "memory_gb": round(config.memory_bytes / 1e9, 1),
        "pyhades": config.version,
        "peak_gflops": {str(count): round(peak, 1) for count, peak in peaks.items()},
    }
