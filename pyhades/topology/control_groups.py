"""What control groups allow a process: CPUs, shares of CPUs, memory; versions 1 and 2.

A process is in a group of every hierarchy, and every group above it limits it too. The groups are
folders below the mount; a container often sees its own as the topmost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from pyhades.topology.files import read_cpus, read_number, read_text

MOUNT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
T = TypeVar("T", int, float)


@dataclass(frozen=True)
class ControlGroups:
    """The groups of one process.

    Parameters
    ----------
    mount
        Where the hierarchies are mounted.
    membership
        The file that names the groups of the process.
    """

    mount: Path = MOUNT
    membership: Path = MEMBERSHIP

    def cpu_quota(self) -> tuple[float, str] | None:
        """CPUs that may be used at a time, the least on the way up, and the group that says so."""
        found = [(_quota(folder), name) for folder, name in self._groups("cpu")]
        return _least(found)

    def memory_limit(self) -> tuple[int, str] | None:
        """Bytes that may be used, the least on the way up, and the group that says so."""
        found = [(_memory(folder), name) for folder, name in self._groups("memory")]
        return _least(found)

    def cpus(self) -> tuple[tuple[int, ...], str] | None:
        """CPUs of the cpuset, and the group that says so."""
        return self._nearest(
            "cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"
        )  # fmt: skip

    def memory_nodes(self) -> tuple[tuple[int, ...], str] | None:
        """Nodes of the cpuset, and the group that says so."""
        return self._nearest(
            "cpuset.mems.effective", "cpuset.effective_mems", "cpuset.mems"
        )  # fmt: skip

    def _nearest(self, *names: str) -> tuple[tuple[int, ...], str] | None:
        """The list of the nearest group that has one: what it says holds already what is above."""
        for folder, group in self._groups("cpuset"):
            for name in names:
                if told := read_cpus(folder / name):
                    return told, group
        return None

    def _groups(self, controller: str) -> Iterator[tuple[Path, str]]:
        """Folders and names of the groups that may limit something, from the process upwards."""
        own = self._paths()
        for top in (self.mount, self.mount / "unified"):
            yield from _upwards(top, own.get("", "/"))
        for folder in self._hierarchies(controller):
            yield from _upwards(folder, own.get(controller, "/"))

    def _hierarchies(self, controller: str) -> list[Path]:
        """Where version 1 mounts a controller: alone, or with others as in ``cpu,cpuacct``."""
        alone = self.mount / controller
        if alone.is_dir():
            return [alone]
        return [path for path in self.mount.glob("*,*") if controller in path.name.split(",")]

    def _paths(self) -> dict[str, str]:
        """Groups of the process by controller; that of version 2 by the empty name."""
        paths: dict[str, str] = {}
        for line in (read_text(self.membership) or "").splitlines():
            number, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            names = [""] if number == "0" else controllers.split(",")
            paths |= dict.fromkeys(names, path)
        return paths


def _upwards(top: Path, path: str) -> Iterator[tuple[Path, str]]:
    """Folders from a group to the topmost, and what they are called.

    ``..`` in a path leads out of what a container sees, and is passed over.
    """
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
    for length in range(len(parts), -1, -1):
        yield top.joinpath(*parts[:length]), "/" + "/".join(parts[:length])


def _quota(folder: Path) -> float | None:
    try:
        quota, period = (read_text(folder / "cpu.max") or "").split()
        return int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        pass
    quota_us = read_number(folder / "cpu.cfs_quota_us")
    period_us = read_number(folder / "cpu.cfs_period_us")
    return quota_us / period_us if quota_us and period_us and quota_us > 0 else None


def _memory(folder: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        limit = read_number(folder / name)
        if limit is not None:
            return limit
    return None


def _least(found: list[tuple[T | None, str]]) -> tuple[T, str] | None:
    known = [(limit, name) for limit, name in found if limit is not None]
    return min(known, key=lambda pair: pair[0]) if known else None
