"""A run allocates nothing: counted by a malloc that is preloaded into a fresh process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "support" / "count_allocations.c"

PROGRAM = """
import ctypes
import numpy as np
from pyhades import _native

builder = _native.ProgramBuilder()
x, y = builder.io("x", 4096 * 64 * 4), builder.io("y", 4096 * 64 * 4)
for slots in ((x, y), (y, x)) * 50:
    operands = [(slot, 0, "float32", (4096, 64), (64, 1)) for slot in slots]
    builder.emit("rms_norm", [operands[0], None, None], [operands[1]], {}, "norm")
context = _native.Context(builder.build(0), _native.Team(2))
buffers = [np.ones((4096, 64), np.float32) for _ in range(2)]
count = ctypes.CDLL(None).count_allocations
count.restype = ctypes.c_long

context.run({x: buffers[0], y: buffers[1]})
before = count()
context.run()
alone = count() - before
before = count()
bytearray(100_000)
print(alone, count() - before)
"""


NETWORK = """
import ctypes
import numpy as np
import pyhades
from tests.support.quantised_models import small_network
from tests.support.small_networks import transformer, unet

def integers():
    return pyhades.load_onnx(small_network().SerializeToString())

program = pyhades.compile({graph}(), threads=2)
feeds = {{n: np.ones(kind.shape, kind.dtype) for n, kind in program.inputs.items()}}
bindings, _ = program._bind(feeds)
count = ctypes.CDLL(None).count_allocations
count.restype = ctypes.c_long
with program._contexts.lend() as context:
    context.run(bindings)
    before = count()
    context.run()
    alone = count() - before
before = count()
bytearray(100_000)
print(alone, count() - before)
"""


PROGRAMS = {
    "rows": PROGRAM,
    **{graph: NETWORK.format(graph=graph) for graph in ("unet", "transformer", "integers")},
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.preload
def test_a_run_allocates_nothing(program, tmp_path):
    compiler = os.environ.get("CC") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build the counting malloc with")
    library = tmp_path / "count_allocations.so"
    subprocess.run(
        [*compiler.split(), "-O1", "-shared", "-fPIC", "-o", library, SOURCE], check=True
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    during_run, during_bytearray = map(int, done.stdout.split())
    assert during_bytearray >= 1, "the counting malloc is not in use"
    assert during_run == 0
