"""A warm worker asks for no large memory, picture after picture: a preloaded malloc counts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "support" / "count_allocations.c"

PROGRAM = """
import ctypes, sys
import numpy as np
from PIL import Image
import pyhades
from pyhades.segmentation.bulk import SessionPool

folder = sys.argv[1]
rng = np.random.default_rng(0)
paths = []
for number in range(3):
    noise = rng.integers(0, 256, (90, 160, 3), np.uint8)
    paths.append(f"{folder}/{number}.jpg")
    Image.fromarray(noise).resize((1600, 900), Image.Resampling.BICUBIC).save(paths[-1], quality=95)
count = ctypes.CDLL(None).count_large_allocations
count.restype = ctypes.c_long

with pyhades.Remover(threads=1) as remover, SessionPool(remover, workers=1) as pool:
    written, counts = 0, []
    for _, rendered in pool.run(paths * 8):
        for part in rendered.parts:
            written += len(part)
        counts.append(count())
before = count()
bytearray(1 << 20)
print(counts[-1] - counts[8], count() - before, written)
"""


@pytest.mark.slow
@pytest.mark.preload
def test_memory_is_used_again(tmp_path):
    compiler = os.environ.get("CC") or shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler is missing")
    library = tmp_path / "count.so"
    command = [*compiler.split(), "-O1", "-shared", "-fPIC", SOURCE, "-o", library]
    subprocess.run(command, check=True)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    of_pictures, of_a_bytearray, written = map(int, done.stdout.split())
    assert of_a_bytearray == 1 and written > 1_000_000
    assert of_pictures == 0
