"""A process that ends while an engine hangs, or runs: ``python -m tests.support.hanging``."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np

from pyhades import BulkRun, Remover
from pyhades.engines import Hybrid, OnnxRuntime, Pyhades
from pyhades.segmentation.bulk import SessionPool
from tests.support.engines import Gate, Scripted, brightness, slow
from tests.support.segmentation_models import SIDE, model, node, scores

DATA = model(
    [*scores([[20, -10]]), node("Sigmoid", "l", "y")], ["n", 1, SIDE, SIDE],
    inputs={"x": ["n", 3, SIDE, SIDE]},
)  # fmt: skip
PICTURE = np.zeros((40, 50, 3), np.uint8)


class Telling(Gate):
    """Says when a run hangs, which it does for an hour."""

    def __call__(self, call: int, planes: object) -> object:
        print("hangs", flush=True)
        self._opened.wait(3600)
        return brightness(call, planes)


def main(way: str, folder: str) -> None:
    """``pool``, ``run``, ``single``: until somebody sends a signal; ``leaving``: to the end."""
    engines = [Scripted("hanging", Telling())]
    if way == "leaving":
        engines = [OnnxRuntime(threads=1), Pyhades()]
    elif way != "single":
        engines.append(Scripted("other", slow(0.05)))
    remover = Remover(
        DATA, engine=Hybrid(engines), threads=1, check=False, mean=0, std=1, activation="none",
        range="none",
    )  # fmt: skip
    if way == "single":
        remover.cut(PICTURE)
    elif way == "run":
        BulkRun(Path(folder, "in"), Path(folder, "out"), remover=remover, workers=1).run()
    else:
        pool = SessionPool(remover, workers=1)
        for done, _ in enumerate(pool.run(itertools.repeat(PICTURE), in_order=False)):
            if way == "leaving" and done > 20:
                sys.pool = pool  # so that nothing is collected before the end
                return


if __name__ == "__main__":
    main(*sys.argv[1:])
