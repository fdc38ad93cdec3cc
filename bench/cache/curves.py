"""What every policy finds on every trace, by how much room there is.

``python -m bench.cache.curves --json docs/figures/reports/cache.json`` takes some minutes;
``python docs/figures/speed.py`` then draws it and fills docs/reference/cache_speed.md. Nothing here
depends on the machine: numbers are those of the traces and of the cache.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any, get_args

from tqdm import tqdm

from bench.cache.rooms import GB, Rooms
from bench.cache.simulator import Outcome, simulate
from bench.cache.traces import KINDS, SEEDS, TUNING_SEEDS
from bench.cache.traces.mooncake import read_mooncake
from bench.cache.traces.trace import Trace
from pyhades.bench.machine import describe_machine
from pyhades.llm.cache.policies import PolicyName

MEMORY = tuple(Rooms(gb * GB) for gb in (0.5, 1, 2, 8))
"""Level 1 alone."""
DISK = tuple(Rooms(1 * GB, gb * GB) for gb in (2, 8))
"""One GB of memory, and a disk."""
POLICIES: tuple[PolicyName, ...] = get_args(PolicyName)


@dataclass(frozen=True)
class Task:
    """One trace of one seed in one room under one policy."""

    trace: str
    """Of ``KINDS``, or the path of a file."""
    seed: int
    rooms: Rooms
    policy: PolicyName
    asks: int | None = None
    """Only the first so many prompts."""

    def run(self) -> Outcome:
        """What is found."""
        trace = trace_named(self.trace, self.seed)
        return simulate(trace.first(self.asks or len(trace.asked)), self.rooms, self.policy)


def trace_named(name: str, seed: int) -> Trace:
    """A trace of a seed, or of a file, which has none."""
    return KINDS[name](seed) if name in KINDS else read_mooncake(name)


def tasks(
    traces: Sequence[str], seeds: Sequence[int], policies: Sequence[PolicyName] = POLICIES
) -> list[Task]:
    """All there are: of documents, where there is nothing to choose, one policy."""
    found = []
    for name in traces:
        for rooms in (*MEMORY, *DISK):
            for policy in policies if name != "documents" else policies[:1]:
                found += [Task(name, seed, rooms, policy) for seed in seeds if name in KINDS]
                found += [Task(name, 0, rooms, policy)] * (name not in KINDS)
    return found


def rows(done: Iterable[tuple[Task, Outcome]]) -> list[dict[str, Any]]:
    """A row per trace, room and policy: tokens of all seeds, and shares as the mean of seeds."""
    together: dict[tuple[str, Rooms, PolicyName], list[Outcome]] = {}
    for task, outcome in done:
        together.setdefault((task.trace, task.rooms, task.policy), []).append(outcome)
    return [_row(Path(key[0]).stem, *key[1:], outcomes) for key, outcomes in together.items()]


def _row(
    name: str, rooms: Rooms, policy: PolicyName, outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    all_of = Outcome(
        *(
            sum(getattr(outcome, field) for outcome in outcomes)
            for field in ("asked", "reusable", "found", "rederived", "by_windows")
        )
    )
    return {
        "trace": name, "policy": policy,
        "memory_gb": rooms.memory / GB, "memory_tokens": rooms.tokens,
        "below_gb": rooms.below / GB, "below_tokens": rooms.below_tokens,
        "runs": len(outcomes), "prompts": sum(len(o.per_ask) for o in outcomes),
        "prompt_tokens": all_of.asked, "reusable_tokens": all_of.reusable,
        "found_tokens": all_of.found, "rederived_tokens": all_of.rederived,
        "by_windows_tokens": all_of.by_windows,
        **_shares("of_reusable", [outcome.of_reusable for outcome in outcomes]),
        **_shares("of_asked", [outcome.of_asked for outcome in outcomes]),
    }  # fmt: skip


def _shares(name: str, of_seeds: Sequence[float]) -> dict[str, float]:
    """The mean of all seeds, the least and the most."""
    figures = {"": mean(of_seeds), "_least": min(of_seeds), "_most": max(of_seeds)}
    return {name + which: round(figure, 4) for which, figure in figures.items()}


def _done(task: Task) -> tuple[Task, Outcome]:
    return task, task.run()


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "traces", nargs="*", default=list(KINDS), help="kinds, or files of Mooncake"
    )
    parser.add_argument("--json", type=Path, help="where the report goes")
    parser.add_argument("--tuning", action="store_true", help="other seeds than the reported ones")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="only the first so many")
    parser.add_argument("--asks", type=int, help="only the first so many prompts of each")
    parser.add_argument("--policy", choices=POLICIES, action="append", help="all by default")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    seeds = TUNING_SEEDS if options.tuning else SEEDS
    seeds = seeds[: options.seeds]
    todo = [
        replace(task, asks=options.asks)
        for task in tasks(options.traces, seeds, options.policy or POLICIES)
    ]
    with ProcessPoolExecutor(options.processes) as pool:
        done = list(tqdm(pool.map(_done, todo), total=len(todo)))
    results = rows(done)
    for row in results:
        print(
            f"{row['trace']:10} {row['policy']:7} {row['memory_gb']:5g} + {row['below_gb']:3g} GB: "
            f"{row['of_reusable']:.3f} of what is reusable, {row['of_asked']:.3f} of all"
        )
    if options.json is not None:
        machine = describe_machine(None, [1], {})
        machine |= {"seeds": ", ".join(map(str, seeds)), "asks": options.asks}
        report = {"machine": machine, "results": results}
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
