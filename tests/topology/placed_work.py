"""A plan put to use: prints what came of it. Tests run it, and name calls that are denied to it."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading

import numpy as np

from pyhades import kernels
from pyhades.topology import bind_memory, page_nodes, pin_current_thread, plan_workers, prefer_node
from pyhades.topology.calls import NUMBERS
from tests.support.denied_calls import deny


def work(worker, threads, found):
    """What a worker does: pins itself, places its memory, computes."""
    pinned = pin_current_thread(worker.cpus)
    preferred = prefer_node(worker.node)
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((256, 256), np.float32) for _ in range(2))
    bound = bind_memory(a, 0)
    pages = page_nodes(a)
    product = kernels.gemm(a, b, threads=threads)
    found.append(
        {
            "pinned": pinned.status,
            "mask": sorted(os.sched_getaffinity(0)) == sorted(worker.cpus),
            "preferred": preferred.status,
            "policy": str(bound),
            "pages": sum(pages.counts.values()),
            "problem": pages.problem,
            "output": hashlib.sha256(product.tobytes()).hexdigest(),
        }
    )


def main(denied):
    """Use the plan of this machine."""
    before = os.sched_getaffinity(0)
    deny(NUMBERS[name] if name in NUMBERS else int(name) for name in denied)
    plan = plan_workers(threads_per_worker=1)
    found: list[dict[str, object]] = []
    workers = [threading.Thread(target=work, args=(w, 1, found)) for w in plan.workers]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    after = os.sched_getaffinity(0)
    print(json.dumps({"same_mask": before == after, "workers": found}))


if __name__ == "__main__":
    main(sys.argv[1:])
