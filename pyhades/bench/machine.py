"""The machine that numbers were measured on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyhades import _native
from pyhades.config import show_config


def describe_machine(
    isa: str | None, threads: Sequence[int], peaks: dict[int, float]
) -> dict[str, Any]:
    """What the numbers depend on; ``peak_gflops`` is measured, by number of threads."""
    config = show_config()
    return {
        "cpu": config.cpu,
        "tier": _native.tier_name(isa),
        "threads": list(threads),
        "memory_gb": round(config.memory_bytes / 1e9, 1),
        "pyhades": config.version,
        "peak_gflops": {str(count): round(peak, 1) for count, peak in peaks.items()},
    }
