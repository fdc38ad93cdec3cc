"""What the thread that runs the model pays for a call to the levels, while they write and read.

``python -m bench.cache.calls`` prints microseconds per call, with blocks of gpt-oss (393 kB).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from pyhades.bench.machine import describe_machine
from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.memory import MemoryLevel
from pyhades.llm.cache.policies import Use
from pyhades.llm.cache.records import Key, Part, Record

LAYERS, BLOCK_BYTES = 12, 32768
RECORDS = 300


class Outliving(MemoryLevel):
    """Stands for a disk: what is measured is how long nobody waits for it."""

    name = "disk"
    outlives = True


def main() -> None:
    print(describe_machine(None, [1], {}))
    values = np.random.default_rng(0).standard_normal(LAYERS * BLOCK_BYTES // 2, np.float32)
    contents = values.view(np.uint16)[1::2].copy().view(np.uint8).reshape(LAYERS, 1, -1)
    records = [_record(number, contents) for number in range(2 * RECORDS)]
    keys = [record.key for record in records]
    levels = Levels([MemoryLevel(1 << 30), Outliving(1 << 30)], queue_bytes=1 << 40)
    print("\n| call | median, us | 99 %, us | most, us |\n|---|---|---|---|")
    _measure("copying a block", lambda record: contents.copy(), records)
    _measure("has, idle", levels.has, keys)
    _measure("write_through", levels.write_through, records[:RECORDS])
    _measure("take_down", levels.take_down, records[RECORDS:])
    _measure("has, while it writes", levels.has, keys)
    _measure("would_write, while it writes", levels.would_write, keys)
    _measure("touch 2000 blocks", lambda _: levels.touch((keys * 4)[:2000], Use(1.0)), range(50))
    levels.flush(60.0)
    _measure("fetch 600 blocks", lambda _: levels.fetch(keys).cancel(), range(50))
    fetch = levels.fetch(keys)
    _measure("taken, while it reads", lambda _: fetch.taken(), range(100_000))
    levels.close()


def _record(number: int, contents: Any) -> Record:
    key = Key(number.to_bytes(32, "little"), Part.BLOCK)
    return Record(key, bytes(32), bytes(64), {"full_attention": contents}, Use(0.0, depth=number))


def _measure(name: str, call: Callable[[Any], object], items: Iterable[Any]) -> None:
    taken = []
    for item in items:
        began = time.perf_counter()
        call(item)
        taken.append(1e6 * (time.perf_counter() - began))
    middle, late, most = np.percentile(taken, [50, 99, 100])
    print(f"| {name} | {middle:.1f} | {late:.0f} | {most:.0f} |")


if __name__ == "__main__":
    main()
