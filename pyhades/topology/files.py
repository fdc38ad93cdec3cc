"""Small files of the kernel, read so that a missing or odd one is no error but nothing known.

Containers and sandboxes leave out files that every machine seems to have; what reads them says
what it makes of that.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

MOST_CPUS = 1 << 16
"""No list names more: a number beyond it is damage, not a machine."""


def parse_cpus(text: str) -> tuple[int, ...]:
    """Numbers of a list as the kernel writes it, in order.

    Raises
    ------
    ValueError
        It is no such list.

    Examples
    --------
    >>> parse_cpus("0-3,8")
    (0, 1, 2, 3, 8)
    """
    numbers: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        begin, end = int(first), int(last or first)
        if not 0 <= begin <= end < MOST_CPUS:
            raise ValueError(f"{part!r} is no range of numbers")
        numbers.update(range(begin, end + 1))
    return tuple(sorted(numbers))


def format_cpus(numbers: Iterable[int]) -> str:
    """The list as the kernel would write it; ``-`` where there are none.

    Examples
    --------
    >>> format_cpus((8, 0, 1, 2, 3))
    '0-3,8'
    """
    ranges: list[list[int]] = []
    for number in sorted(set(numbers)):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(f"{a}-{b}" if a < b else f"{a}" for a, b in ranges) or "-"


def read_text(path: Path) -> str | None:
    """What a file holds, without white space around it; None where it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None


def read_number(path: Path) -> int | None:
    """The whole number in a file; None where there is none."""
    try:
        return int(read_text(path) or "")
    except ValueError:
        return None


def read_cpus(path: Path) -> tuple[int, ...] | None:
    """The list of numbers in a file, which may be empty; None where there is no list."""
    text = read_text(path)
    try:
        return None if text is None else parse_cpus(text)
    except ValueError:
        return None


def read_fields(path: Path) -> dict[str, str]:
    """Lines of the form ``name: value``, by name; the first of equal names."""
    fields: dict[str, str] = {}
    for line in (read_text(path) or "").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    return fields


def parse_kilobytes(text: str) -> int | None:
    """Bytes of a size like ``32768 kB`` or ``32768K``; None where it is none."""
    digits = text.split()[0].rstrip("kKB") if text.strip() else ""
    return int(digits) * 1024 if digits.isdecimal() else None


def numbered(folder: Path, prefix: str) -> list[int]:
    """Numbers of the folders and files called ``prefix`` and a number, in order."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return []
    tails = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    return sorted(int(tail) for tail in tails if tail.isdecimal())
