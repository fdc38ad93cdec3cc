"""``python -m tests.fuzz``: as many damaged inputs as one likes, in processes that may crash."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BATCH = 2500
FAULTY = 3
"""Exit code of a batch that found something; any other one is that of a crash."""


def main() -> int:
    """Run batches in child processes; the exit code says whether anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="how many inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--memory", type=float, default=4.0, help="gigabytes for each")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin none after")
    parser.add_argument("--keep", type=Path, help="folder for inputs that go wrong")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    return _here(options) if options.here else _batches(options)


def _here(options: argparse.Namespace) -> int:
    from tests.fuzz.campaign import run
    from tests.fuzz.judge import limit_memory

    limit_memory(options.memory)
    findings = run(options.count, options.seed, options.keep, options.first)
    print(findings)
    for fault in findings.faults:
        print("FAULT", fault)
    return FAULTY if findings.faults else 0


def _batches(options: argparse.Namespace) -> int:
    end, begin, bad = options.first + options.count, time.monotonic(), 0

    def batch(first: int) -> int:
        if time.monotonic() - begin > options.seconds:
            return 0
        command = [sys.executable, "-m", "tests.fuzz", "--here", f"--seed={options.seed}"]
        command += [f"--first={first}", f"--count={min(BATCH, end - first)}"]
        command += [f"--memory={options.memory}"]
        if options.keep is not None:
            folder = options.keep / f"{options.seed}-{first}"
            folder.mkdir(parents=True, exist_ok=True)
            command.append(f"--keep={folder}")
        # Single-threaded libraries: their threads' stacks would count as memory.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        print(f"from {first}: {done.stdout.strip()}", flush=True)
        if done.returncode not in (0, FAULTY):
            print(f"CRASH from {first}: exit {done.returncode}\n{done.stderr[-600:]}", flush=True)
        return int(done.returncode != 0)

    with ThreadPoolExecutor(options.jobs) as pool:
        bad = sum(pool.map(batch, range(options.first, end, BATCH)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
