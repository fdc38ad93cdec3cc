"""The machine, in a line below every table."""

from __future__ import annotations

import os

from pyhades.config import show_config


def machine_line() -> str:
    """CPU, tier, cores, and how busy it is already."""
    config = show_config()
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return f"{config.cpu}, {config.tier}, {cores} CPUs, load {load:.1f}; pyhades {config.version}"
