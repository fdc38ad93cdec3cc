"""Where workers sit: on how many cores, on which CPUs, and on which node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyhades.engines import Engine, Hybrid
from pyhades.topology import Plan, plan_workers

Seats = list[tuple[tuple[int, ...], int]]
"""CPUs and node of every worker."""


def plan_beside(engine: Engine | None, workers: int | None, threads_per_worker: int | None) -> Plan:
    """Workers on the cores that other engines leave, where nobody has said how many."""
    options: dict[str, Any] = {"threads_per_worker": threads_per_worker, "processes": "one"}
    plan = plan_workers(workers=workers, **options)
    if workers is not None or not isinstance(engine, Hybrid) or not engine.cores:
        return plan
    options["threads_per_worker"] = plan.threads_per_worker
    taken = -(-engine.cores // plan.threads_per_worker)
    return plan_workers(workers=max(1, len(plan.workers) - taken), **options)


def nodes_of(plan: Plan) -> list[int]:
    """Where workers sit, in order."""
    return sorted({worker.node for worker in plan.workers if worker.node is not None})


def seats_of(plan: Plan, nodes: Sequence[int]) -> Seats:
    """CPUs and node of every worker; no CPUs where it is not pinned."""
    pinned = plan.pinning != "none"
    return [
        (worker.cpus if pinned else (), nodes.index(worker.node) if worker.node in nodes else 0)
        for worker in plan.workers
    ]


def distances_of(plan: Plan, nodes: Sequence[int]) -> list[list[int]]:
    """Ranks in the order in which nodes are near to each other, as distances."""
    if not nodes:
        return [[0]]
    orders = {node: (node, *plan.steal_order.get(node, ())) for node in nodes}
    far = len(nodes)
    return [[orders[a].index(b) if b in orders[a] else far for b in nodes] for a in nodes]


def replica_of(node: int) -> str:
    """Whose weights a node uses: the first one those that are packed already."""
    return f"node {node}" if node else ""
