"""Where the memory of a process is."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

PAGES = re.compile(r" N(\d+)=(\d+)")
PAGE_SIZE = re.compile(r" kernelpagesize_kB=(\d+)")


def bytes_by_node(maps: Path = Path("/proc/self/numa_maps")) -> dict[str, int]:
    """Of this process, as the kernel says it; none where it does not."""
    try:
        text = maps.read_text()
    except OSError:
        return {}
    found: Counter[str] = Counter()
    for line in text.splitlines():
        size = PAGE_SIZE.search(line)
        if size is not None:
            for node, pages in PAGES.findall(line):
                found[node] += int(pages) * int(size[1]) * 1024
    return dict(sorted(found.items(), key=lambda item: int(item[0])))
