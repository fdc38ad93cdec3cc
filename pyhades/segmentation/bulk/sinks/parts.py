"""Files that are being written, under names that tell by whom: what the dead left is taken away."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

_FILE = "0"
_IN_USE: set[str] = set()
"""Parts that this process is writing."""
_NUMBERS = itertools.count()
_NAME = re.compile(r"\.pyhades-([0-9a-f]{8})-(\d+)-([0-9a-f]{8})-([0-9a-f]+)-[0-9a-f]+\.part")


def part_name(target: str = "") -> str:
    """A new name that no other process on no other machine uses.

    Parameters
    ----------
    target
        What it will be, where somebody is to find it again, see :func:`parts_of`.
    """
    pid, mark = os.getpid(), _mark(target) if target else _FILE
    name = f".pyhades-{_host()}-{pid}-{_birth(pid)}-{mark}-{next(_NUMBERS):x}.part"
    _IN_USE.add(name)
    return name


def release(name: str) -> None:
    """Nobody in this process writes that part any more."""
    _IN_USE.discard(name)


def parts_of(folder: Path, target: str) -> list[Path]:
    """What the dead have left of a file, the largest first."""
    wanted = _mark(target)
    found = [path for path, mark in _dead_parts(folder) if mark == wanted]
    return sorted(found, key=lambda path: -path.stat().st_size)


def forget_parts(path: Path) -> None:
    """Take away what the dead have left of a file, such as its second name: killed in between."""
    for part in parts_of(path.parent, path.name):
        part.unlink(missing_ok=True)


def clean(folder: Path, *, keep_archives: bool = True) -> int:
    """Take away what the dead left in a folder; how many there were.

    Only files of ours, and of processes of this machine that are no more. Parts of archives stay
    for those who go on with them.
    """
    removed = 0
    for path, mark in _dead_parts(folder):
        if mark != _FILE and keep_archives:
            continue
        path.unlink(missing_ok=True)
        removed += 1
    return removed


def _dead_parts(folder: Path) -> Iterator[tuple[Path, str]]:
    """Their paths and the marks of what they were to be."""
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError:
        return
    for name in names:
        match = _NAME.fullmatch(name)
        if match and match[1] == _host() and not _lives(name, int(match[2]), match[3]):
            yield folder / name, match[4]


def _lives(name: str, pid: int, birth: str) -> bool:
    return _birth(pid) == birth and (pid != os.getpid() or name in _IN_USE)


def _mark(target: str) -> str:
    encoded = target.encode("utf-8", "surrogateescape")
    return hashlib.blake2b(encoded, digest_size=8).hexdigest()


@functools.cache
def _host() -> str:
    """Of the machine, or of the container."""
    identity = Path("/etc/machine-id")
    text = identity.read_text() if identity.exists() else ""
    return _short(text + socket.gethostname())


def _birth(pid: int) -> str:
    """When a process began, as numbers of processes are used again; nothing for a dead one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else _short(boot + fields[19])


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
