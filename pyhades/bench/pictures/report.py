"""What was measured and what follows from it, as one document: JSON, and Markdown for people."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyhades import _native
from pyhades.bench.machine import describe_machine
from pyhades.bench.pictures.costs import Cost, Price, cost, described, price_table
from pyhades.bench.pictures.measuring import OURS, Measured, Task
from pyhades.bench.pictures.outlook import (
    CLAIM_PER_THREAD,
    CLAIM_SOURCE,
    Inputs,
    Prediction,
    Target,
    predict,
)
from pyhades.bench.pictures.page_cache import filesystem_of
from pyhades.bench.pictures.rows import Row
from pyhades.bench.pictures.stretch import usable_cpus
from pyhades.topology import plan_workers

SCHEMA = "pyhades.bench.pictures/1"
BANDWIDTH_BYTES = 1 << 30
"""That are read to measure the bandwidth of memory: more than caches hold."""
CLAIM_THREADS = 384
CLAIM_MACHINE = "c4d-highcpu-384-metal"


@dataclass(frozen=True)
class Roofs:
    """What the machine does at most, measured before and after."""

    peak_gflops: dict[int, float] = field(default_factory=dict)
    bandwidth_gb_s: dict[int, float] = field(default_factory=dict)

    @classmethod
    def measure(cls, isa: str | None) -> Roofs:
        """On one thread and on all CPUs."""
        counts = sorted({1, usable_cpus()})
        return cls(
            {count: _native.measure_peak_gflops(isa, count) for count in counts},
            {
                count: _native.measure_bandwidth_gbs(isa, count, nbytes=BANDWIDTH_BYTES)
                for count in counts
            },
        )

    def better(self, other: Roofs) -> Roofs:
        """The better of both: clocks change while machines get warm."""
        return Roofs(
            {n: max(v, other.peak_gflops[n]) for n, v in self.peak_gflops.items()},
            {n: max(v, other.bandwidth_gb_s[n]) for n, v in self.bandwidth_gb_s.items()},
        )


@dataclass(frozen=True)
class Report:
    """Everything; see :func:`make_report`."""

    machine: dict[str, Any]
    task: Task
    measured: Measured
    predictions: list[Prediction]
    costs: list[Cost]
    prices: list[Price]

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it; ``schema`` changes when its form does."""
        return {
            "schema": SCHEMA,
            "machine": self.machine,
            "sets": [one.to_dict() for one in self.task.sets],
            "results": [row.to_dict() for row in self.measured.rows],
            "memory": [row.to_dict() for row in self.measured.memory],
            "refused": [dataclasses.asdict(one) for one in self.measured.refused],
            "failures": self.measured.failures,
            "predictions": [one.to_dict() for one in self.predictions],
            "claim": {
                "kind": "published",
                "images_s_per_thread": CLAIM_PER_THREAD,
                "source": CLAIM_SOURCE,
            },
            "costs": [one.to_dict() for one in self.costs],
            "prices": [dataclasses.asdict(price) for price in self.prices],
        }


def make_report(task: Task, measured: Measured, roofs: Roofs, price: float | None) -> Report:
    """Add the machine, the model of more cores and costs to what was measured.

    Parameters
    ----------
    price
        Of this machine in USD per hour.
    """
    machine = _machine(task, measured, roofs)
    prices = price_table()
    predictions = _predictions(task, measured, machine, prices)
    costs = _costs(measured.rows, predictions, prices, price)
    return Report(machine, task, measured, predictions, costs, prices)


def _machine(task: Task, measured: Measured, roofs: Roofs) -> dict[str, Any]:
    described_here = describe_machine(task.isa, [task.threads], roofs.peak_gflops)
    energy = {row.energy for row in measured.rows}
    versions = {
        cell.engine: facts["version"]
        for cell, facts in measured.facts.items() if "version" in facts
    }  # fmt: skip
    plans = {
        f"{cell.engine}, {cell.workers}": facts["plan"]
        for cell, facts in measured.facts.items() if "plan" in facts
    }  # fmt: skip
    return described_here | {
        "model": task.model or "the model in the package",
        "cpus": usable_cpus(),
        "load": [round(value, 2) for value in os.getloadavg()],
        "bandwidth_gb_s": {str(n): round(v, 1) for n, v in roofs.bandwidth_gb_s.items()},
        "energy": "measured" if energy == {"measured"} else "unavailable",
        "results_on": filesystem_of(task.out),
        "plan": plan_workers(threads_per_worker=task.threads, processes="one").line(),
        "plans": plans,
        "engines": versions,
    }


def _predictions(
    task: Task, measured: Measured, machine: dict[str, Any], prices: Sequence[Price]
) -> list[Prediction]:
    here = usable_cpus()
    cores = plan_workers(processes="one").cores
    targets = [
        Target(
            "this machine", cores, here, machine["bandwidth_gb_s"][str(here)],
            "measured", None, "not measured",
        ),
        *{one.name: Target.of(one) for one in prices}.values(),
    ]  # fmt: skip
    return [
        predict(inputs, target)
        for inputs in _inputs(task, measured, machine["cpu"])
        for target in targets
    ]


def _inputs(task: Task, measured: Measured, cpu: str) -> list[Inputs]:
    """Of each set: our fewest workers, with files in memory if that was measured."""
    found = []
    for one in task.sets:
        rows = [row for row in measured.rows if row.set == one.name and row.engine == OURS]
        rows = [row for row in rows if row.cache == task.caches[0]]
        if rows:
            row = min(rows, key=lambda row: row.workers)
            moved = float(measured.facts[row.cell]["network_bytes"])
            files = one.mean_bytes + row.result_bytes
            found.append(Inputs.of(row, moved, one.megapixels, files, cpu))
    return found


def _costs(
    rows: Sequence[Row],
    predictions: Sequence[Prediction],
    prices: Sequence[Price],
    price: float | None,
) -> list[Cost]:
    given = "not known: give --price" if price is None else "given by --price"
    costs = [
        cost(
            f"{row.set}, {row.engine}, {row.workers} workers, {row.cache}, here", "measured",
            row.images_s, price, given,
        )
        for row in rows
    ]  # fmt: skip
    for one in predictions:
        subject = f"{one.subject}, {one.machine}"
        priced = [entry for entry in prices if entry.name == one.machine]
        costs += [
            cost(subject, "predicted", one.images_s, entry.usd_per_hour, described(entry))
            for entry in priced
        ]
        if not priced:
            costs.append(cost(subject, "predicted", one.images_s, price, given))
    claimed = next(one for one in prices if one.name == CLAIM_MACHINE)
    costs.append(cost(
        f"the brief's claim, {CLAIM_MACHINE}", "published", CLAIM_THREADS * CLAIM_PER_THREAD,
        claimed.usd_per_hour, described(claimed),
    ))  # fmt: skip
    return costs
