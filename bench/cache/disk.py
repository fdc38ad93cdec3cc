"""How fast records go to disk and come back, and how long a folder takes to open.

``python -m bench.cache.disk [DIR]`` prints a table. Records are those of gpt-oss-20b in int8: 209
kB of random bytes, which no codec makes smaller. What is read back stands in the page cache, unless
``--cold`` asks the kernel to forget it. Opening is measured with records of a few bytes, since
contents are not looked at: with as many of 209 kB the folder would have ``--records`` x 209 kB.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pyhades.bench.machine import describe_machine
from pyhades.bench.pictures.page_cache import forget
from pyhades.llm.cache.disk import DiskLevel
from pyhades.llm.cache.policies import Use
from pyhades.llm.cache.records import Key, Part, Record

LAYERS, BLOCK_BYTES = 12, 17_408
"""Layers of gpt-oss-20b that see everything, and 16 tokens of one in int8."""
SHAPES = {"full_attention": (LAYERS, BLOCK_BYTES)}
SMALL = {"full_attention": (1, 16)}
RECORDS_OF_A_SEGMENT = 320
"""Of 209 kB in 64 MB."""


def record_of(number: int, contents: np.ndarray) -> Record:
    names = [value.to_bytes(32, "little") for value in (number + 1, number)]
    key, use = Key(names[0], Part.BLOCK), Use(float(number), 1, number % 2048)
    return Record(key, names[1], bytes(64), {"full_attention": contents}, use)


def megabytes_a_second(
    nbytes: int, work: Callable[[Record], object], records: Sequence[Record]
) -> str:
    """As a cell of a table: over all records, and of the slowest in ms."""
    times = []
    for record in records:
        begin = time.perf_counter()
        work(record)
        times.append(time.perf_counter() - begin)
    rate = nbytes * len(records) / sum(times) / 1e6
    return f"{rate:.0f} | {1e3 * statistics.median(times):.2f} | {1e3 * max(times):.1f}"


def measure_records(folder: Path, count: int, is_cold: bool) -> None:
    """Print the rows of put and get."""
    dice = np.random.default_rng(0)
    made = [dice.integers(0, 256, (LAYERS, 1, BLOCK_BYTES), np.uint8) for _ in range(8)]
    records = [record_of(number, made[number % 8]) for number in range(count)]
    nbytes = records[0].nbytes
    level = DiskLevel(folder, 1 << 36, SHAPES)
    print(f"| put | {megabytes_a_second(nbytes, level.put, records)} |")
    level.close()
    if is_cold:
        for path in folder.glob("*.segment"):
            forget(path)
    level = DiskLevel(folder, 1 << 36, SHAPES)
    how = "get, from the disk" if is_cold else "get, from the page cache"
    print(f"| {how} | {megabytes_a_second(nbytes, lambda r: level.get(r.key), records)} |")
    assert level.counts().hits == count
    level.close()


def measure_opening(folder: Path, count: int, *, with_index: bool) -> None:
    """Print how long it takes until so many records are known."""
    tiny = np.zeros((1, 1, 16), np.uint8)
    segment_bytes = RECORDS_OF_A_SEGMENT * 2 * 300
    level = DiskLevel(folder, 1 << 36, SMALL, segment_bytes=segment_bytes)
    for number in range(count):
        level.put(record_of(number, tiny))
    level.close()
    if not with_index:
        for path in folder.glob("*.segment"):
            os.truncate(path, path.stat().st_size - 1)
    begin = time.perf_counter()
    level = DiskLevel(folder, 1 << 36, SMALL)
    seconds = time.perf_counter() - begin
    assert level.counts().records == count
    how = "with indices" if with_index else "record by record"
    print(
        f"open {count} records in {len(list(folder.glob('*.segment')))} segments, {how}: "
        f"{seconds:.2f} s, {1e6 * seconds / count:.1f} us each"
    )
    level.close()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="on the disk to measure")
    parser.add_argument("--megabytes", type=int, default=512, help="to write and read back")
    parser.add_argument("--records", type=int, default=50_000, help="to open")
    parser.add_argument("--cold", action="store_true", help="read from the disk itself")
    wanted = parser.parse_args()
    machine = describe_machine(None, [1], {})
    print(f"{machine['cpu']}, {machine['memory_gb']:.0f} GB, pyhades {machine['pyhades']}\n")
    print("| | MB/s | median ms | longest ms |\n|---|---|---|---|")
    count = wanted.megabytes * 1_000_000 // (LAYERS * BLOCK_BYTES)
    with tempfile.TemporaryDirectory(dir=wanted.folder) as folder:
        measure_records(Path(folder) / "records", count, wanted.cold)
        print()
        for with_index in (True, False):
            measure_opening(
                Path(folder) / f"index {with_index}", wanted.records, with_index=with_index
            )


if __name__ == "__main__":
    main()
