"""Energy that the processor says it has used, where its counters may be read."""

from __future__ import annotations

from pathlib import Path

_COUNTERS = Path("/sys/class/powercap")


class EnergyMeter:
    """Joules of all packages since it was made, from Intel's and AMD's RAPL counters."""

    def __init__(self) -> None:
        self._packages = [path for path in _COUNTERS.glob("*rapl:?") if _read(path) is not None]
        self._began = {path: _read(path) or 0 for path in self._packages}

    def joules(self) -> float | None:
        """Since the beginning; None where there are no counters, or they may not be read."""
        if not self._packages:
            return None
        total = 0
        for path in self._packages:
            used = (_read(path) or 0) - self._began[path]
            total += used if used >= 0 else used + int((path / "max_energy_range_uj").read_text())
        return total * 1e-6


def _read(path: Path) -> int | None:
    try:
        return int((path / "energy_uj").read_text())
    except (OSError, ValueError):
        return None
