"""Memory is used again, comes to rest, and stays below what a run may take."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pyhades
from pyhades.errors import ImageError
from pyhades.segmentation.bulk import workforce
from pyhades.segmentation.bulk.memory import ENCODER, OTHERS, PLAIN_JPEG, WAITING, WEBP, MemoryLimit
from tests.support.bulk_runs import encoded

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


def test_arenas_of_workers_are_counted(monkeypatch):
    monkeypatch.setattr(workforce, "resident", lambda: 1 << 28)
    with pyhades.Remover(threads=1) as remover:
        assert remover.arena_bytes > 100_000
        hired = workforce.Workforce(remover, 1 << 30, {}, workers=2)
        taken = (1 << 28) + 2 * remover.arena_bytes
    assert hired.memory == MemoryLimit.of(1 << 30, 2, taken)


BOUNDED = """
import sys
import pyhades
from pyhades.bench.memory import high_water_mark

folder, most, suffix = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with pyhades.Remover(threads=1) as remover:
    run = pyhades.BulkRun(
        folder, f"{folder}/out", remover=remover, workers=2, sync="none", max_memory=most,
        suffix=suffix,
    )
    report = run.run()
print(report.done, report.failed, high_water_mark())
"""
MEGABYTE = 10**6


def save_noise(path, **options):
    """Four megapixels that no format makes small."""
    rng = np.random.default_rng(1)
    channels = 3 if path.suffix == ".jpg" else 4
    Image.fromarray(rng.integers(0, 256, (2000, 2000, channels), np.uint8)).save(path, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "suffix", "per_pixel", "options"),
    [
        ("a.jpg", ".png", PLAIN_JPEG, {"quality": 90}),
        ("a.png", ".png", OTHERS, {"compress_level": 1}),
        ("a.webp", ".png", WEBP, {"quality": 90, "method": 0}),
        ("a.jpg", ".webp", PLAIN_JPEG + ENCODER, {"quality": 90}),
    ],
    ids=["jpeg", "png", "webp", "jpeg-webp"],
)
def test_a_run_stays_below_its_limit(tmp_path, name, suffix, per_pixel, options):
    """With the least memory that its pictures are taken in, or else they are refused."""
    save_noise(tmp_path / name, **options)
    for number in range(5):
        shutil.copy(tmp_path / name, tmp_path / f"{number}{name}")
    room = 2 * 4 * (per_pixel + WAITING) * MEGABYTE
    used = int(printed(USED, tmp_path)[0])
    done, failed, peak = map(int, printed(BOUNDED, tmp_path, used + room + 24 * MEGABYTE, suffix))
    assert (done, failed) == (6, 0)
    assert peak <= used + room + 24 * MEGABYTE


USED = """
import pyhades
from pyhades.segmentation.bulk.memory import resident

with pyhades.Remover(threads=1) as remover:
    print(resident())
"""


def printed(program, *arguments):
    """What a program has to say, word by word."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("mode", "suffix", "options", "per_pixel"),
    [
        ("RGB", "jpeg", {}, PLAIN_JPEG),
        ("L", "jpeg", {}, PLAIN_JPEG),
        ("RGB", "jpeg", {"progressive": True}, OTHERS),
        ("CMYK", "jpeg", {}, OTHERS),
        ("RGB", "png", {}, OTHERS),
        ("RGB", "webp", {}, WEBP),
    ],
)
def test_what_a_picture_takes(mode, suffix, options, per_pixel):
    file = io.BytesIO()
    Image.new(mode, (40, 30)).save(file, suffix, **options)
    needed = 40 * 30 * (per_pixel + WAITING)
    MemoryLimit(2, 0, needed).check(file.getvalue(), "picture")
    with pytest.raises(ImageError, match="40 x 30 pixels"):
        MemoryLimit(2, 0, needed - 1).check(file.getvalue(), "picture")
    with pytest.raises(ImageError, match="40 x 30 pixels"):
        MemoryLimit(2, 0, needed, encoder=ENCODER).check(file.getvalue(), "picture")


STEADY = """
import gc, sys, tracemalloc
import pyhades
from tests.support.bulk_runs import brightness

folder, out = sys.argv[1:]
tracemalloc.start()
marks = []
with brightness() as remover:
    run = pyhades.BulkRun(folder, out, remover=remover, workers=2, sync="none")
    for number, _ in enumerate(run.outcomes()):
        if number in (800, 2000):
            gc.collect()
            marks.append(tracemalloc.get_traced_memory()[0])
print(marks[1] - marks[0])
"""


@pytest.mark.slow
def test_memory_comes_to_rest(tmp_path):
    """Of a picture, some bytes are kept: the times of its stages."""
    for number in range(2100):
        source = tmp_path / f"{number % 3}.png"
        if number < 3:
            source.write_bytes(encoded(number))
        folder = tmp_path / "in" / f"{number // 100}"
        folder.mkdir(parents=True, exist_ok=True)
        os.link(source, folder / f"{number}.png")
    (grown,) = map(int, printed(STEADY, tmp_path / "in", tmp_path / "out"))
    assert grown < 1200 * 100  # 240 with lists of floats
