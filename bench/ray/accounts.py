"""CPU seconds of a process and of all that it started, by what they are for, out of ``/proc``.

They are nearly the same beside other work, where pictures a second are not: so they tell what is
spent, and on what, when a machine is shared.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
ROLES = {
    r"ray::.*MapWorker": "actors",
    r"raylet/raylet ": "raylets",
    r"gcs_server": "gcs",
    r"dashboard|runtime_env|log_monitor|monitor\.py": "agents",
    r"ray::": "other workers",
    r"default_worker|setup_worker": "other workers",
}
"""By what their command line has in it; what fits none is "others"."""


def spent() -> Counter[str]:
    """CPU seconds by role so far, ``"driver"`` among them, which is this process."""
    tables = {int(path.name): path for path in Path("/proc").glob("[0-9]*")}
    stats = {pid: stat for pid, path in tables.items() if (stat := _stat(path)) is not None}
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in stats.items():
        children.setdefault(parent, []).append(pid)
    found: Counter[str] = Counter()
    todo = [os.getpid()]
    while todo:
        pid = todo.pop()
        todo += children.get(pid, [])
        found["driver" if pid == os.getpid() else _role(tables[pid])] += stats[pid][1]
    return found


def _stat(path: Path) -> tuple[int, float] | None:
    """The parent of a process and its CPU seconds; None where it has gone."""
    try:
        fields = Path(path, "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), sum(map(int, fields[11:13])) / TICKS


def _role(path: Path) -> str:
    try:
        line = Path(path, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "others"
    return next((role for pattern, role in ROLES.items() if re.search(pattern, line)), "others")
