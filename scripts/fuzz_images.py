"""Read a million image files with mistakes in them: ``python scripts/fuzz_images.py``.

Each is read or refused; a crash, a hang, another exception or more memory than there may be ends
the process that reads it, and is told with the number of the file. ``tests/segmentation/image``
does the same with the first ten thousand.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PIECE = 10_000


def piece(first: int, count: int) -> dict[str, float] | str:
    """What came of some files, or what went wrong."""
    command = [sys.executable, "-m", "tests.support.image_fuzz", str(first), str(count)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    if done.returncode == 0:
        return dict(json.loads(done.stdout))
    last = done.stderr.strip().splitlines()[-1:] or ["no message"]
    return f"files {first} to {first + count}: exit code {done.returncode}: {last[0]}"


def main() -> int:
    """Run it; the exit code is the number of pieces in which something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no more after")
    options = parser.parse_args()
    began, total, largest, wrong = time.monotonic(), Counter[str](), Counter[str](), 0

    def in_time(first: int) -> dict[str, float] | str | None:
        late = time.monotonic() - began > options.seconds
        return None if late else piece(first, min(PIECE, end - first))

    end = options.first + options.count
    with ThreadPoolExecutor(options.processes) as pool:
        for result in pool.map(in_time, range(options.first, end, PIECE)):
            if isinstance(result, str):
                wrong += 1
                print(result)
            elif result is not None:
                total.update(read=int(result.get("read", 0)), refused=int(result.get("refused", 0)))
                largest |= Counter({k: v for k, v in result.items() if "_" in k})
    print(f"{total['read']} read, {total['refused']} refused, {wrong} pieces went wrong; {largest}")
    return min(wrong, 100)


if __name__ == "__main__":
    sys.exit(main())
