"""Machines that plans are committed for, and the wishes that they are made with."""

from __future__ import annotations

from typing import Any

from tests.support.machines import GIB, FakeMachine

MACHINES: dict[str, FakeMachine] = {
    "two_cpus": FakeMachine(node_bytes=24 * GIB),
    "nps1_two_sockets": FakeMachine(
        packages=2, groups=12, cores=8, threads=2, node_bytes=384 * GIB
    ),
    "nps4_384_threads": FakeMachine(
        packages=2, nodes=4, groups=3, cores=8, threads=2, node_bytes=96 * GIB
    ),
    # Sub-NUMA clusters: the cache is said to be shared by the whole package.
    "snc_four_nodes": FakeMachine(
        packages=2, nodes=2, cores=28, threads=2, node_bytes=128 * GIB, l3="package", far=(12, 21)
    ),
    "cxl_node": FakeMachine(
        groups=4, cores=8, node_bytes=128 * GIB, memory_nodes=(256 * GIB,), far=(12, 24)
    ),
    "cpuset_with_holes": FakeMachine(
        packages=2,
        groups=2,
        cores=4,
        membership="0::/machine/batch\n",
        limits={
            "cpuset.cpus.effective": "0-15",
            "machine/cpuset.cpus.effective": "0-15",
            "machine/batch/cpuset.cpus.effective": "1-3,5,8-11,14",
        },
    ),
    "quota_of_1.5": FakeMachine(
        cores=8,
        groups=2,
        membership="0::/pod/container\n",
        limits={
            "pod/cpu.max": "150000 100000",
            "pod/container/cpu.max": "max 100000",
            "pod/memory.max": str(4 * GIB),
        },
    ),
    "two_sockets_eight_cores": FakeMachine(packages=2, cores=4, node_bytes=16 * GIB),
    "six_threads_asked_for": FakeMachine(
        packages=2, cores=8, node_bytes=16 * GIB, environment={"PYHADES_NUM_THREADS": "6"}
    ),
    "offline_cpus": FakeMachine(
        groups=2, cores=8, threads=2, offline=(3, 6, 7, 19, 24, 25, 26, 27, 28)
    ),
    "l3_as_numa": FakeMachine(
        packages=2, nodes=4, cores=8, threads=2, node_bytes=48 * GIB, far=(11, 32)
    ),
    "no_caches": FakeMachine(cores=4, l3="", tells_nodes=False),
    "socket_per_cpu": FakeMachine(packages=4, cores=1, node_bytes=4 * GIB, tells_nodes=False),
}
"""CPU numbers that are not linear per node are those of every machine with two threads a core."""

WISHES: dict[str, list[dict[str, Any]]] = {
    "two_cpus": [{}, {"threads_per_worker": 2}, {"workers": 1}, {"workers": 5}],
    "nps1_two_sockets": [
        {"threads_per_worker": 8},
        {"workers": 3, "threads_per_worker": 2},
        {"workers": 1, "threads_per_worker": 1},
    ],
    "nps4_384_threads": [
        {"threads_per_worker": 4},
        {"threads_per_worker": 8, "processes": "l3"},
        {"bytes_per_worker": 30 * GIB},
        {"threads_per_worker": 8, "use_smt": True},
    ],
    "snc_four_nodes": [{"threads_per_worker": 7}, {"threads_per_worker": 28, "processes": "one"}],
    "cxl_node": [{"threads_per_worker": 8}, {"workers": 2}],
    "cpuset_with_holes": [{}, {"threads_per_worker": 2}, {"threads_per_worker": 3}],
    "quota_of_1.5": [{}, {"workers": 4}, {"threads_per_worker": 2}],
    "two_sockets_eight_cores": [
        {},
        {"processes": "one"},
        {"threads_per_worker": 4},
        {"workers": 2, "threads_per_worker": 1},
        {"workers": 1, "threads_per_worker": 1},
        {"bytes_per_worker": 6 * GIB},
    ],
    "six_threads_asked_for": [
        {},
        {"threads_per_worker": 2},
        {"threads_per_worker": 4},
        {"workers": 2},
        {"workers": 8},
        {"bytes_per_worker": 15 * GIB},
    ],
    "offline_cpus": [{}, {"threads_per_worker": 4}, {"use_smt": True, "threads_per_worker": 4}],
    "l3_as_numa": [{"threads_per_worker": 8}, {"workers": 8, "threads_per_worker": 4}],
    "no_caches": [{}, {"threads_per_worker": 2}],
    "socket_per_cpu": [{}, {"workers": 2}],
}
