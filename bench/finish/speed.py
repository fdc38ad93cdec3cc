"""How long finishing takes, and how much memory, each step in a process of its own.

``python -m bench.finish.speed`` prints a table. Memory is the peak of the process above what it had
with the decoded picture and its matte.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

import numpy as np

from pyhades import kernels
from pyhades.bench.memory import high_water_mark
from pyhades.segmentation import Cutout, Finish, ModelManifest, Shadow
from pyhades.segmentation.deep import Prediction
from pyhades.segmentation.image.loaded import LoadedImage

SIZES = {"12": (3000, 4000), "50": (5776, 8664)}
STEPS: dict[str, tuple[str, Finish]] = {
    "refine, grid of 320": ("12", Finish(refine=True)),
    "refine, grid of 1024": ("12", Finish(refine=True)),
    "threshold": ("12", Finish(threshold=0.5)),
    "largest": ("12", Finish(largest=True)),
    "specks": ("12", Finish(specks=100)),
    "fill holes": ("12", Finish(fill_holes=True)),
    "choke 2": ("12", Finish(choke=2)),
    "choke 20": ("12", Finish(choke=20)),
    "feather 3": ("12", Finish(feather=3)),
    "crop": ("12", Finish(crop=True)),
    "long side 1600": ("12", Finish(long_side=1600)),
    "canvas 4500 x 4500": ("12", Finish(canvas=(4500, 4500))),
    "shadow": ("12", Finish(shadow=Shadow((0, 40), blur=40))),
    "only trimap": ("12", Finish(only="trimap")),
    "refine at 50 megapixels, grid of 1024": ("50", Finish(refine=True)),
}
RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", choices=STEPS, help="measure it alone, in this process")
    chosen = parser.parse_args().step
    if chosen is not None:
        print(json.dumps(measured(chosen)))
        return
    print("| step | ms | MB |\n|---|---|---|")
    for name in STEPS:
        command = [sys.executable, "-m", "bench.finish.speed", "--step", name]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        print(
            f"| {name} | {1000 * found['seconds']:.0f} | {found['bytes'] / 1e6:.0f} |", flush=True
        )


def measured(name: str) -> dict[str, float]:
    """The best of some runs, and the memory that they took beside picture and matte."""
    megapixels, finish = STEPS[name]
    cutout = subject(SIZES[megapixels], 320 if name.endswith("320") else 1024)
    rgba = cutout.rgba() if geometric(finish) else None
    before = high_water_mark()
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        done = cutout.finish(finish)
        if finish.only is not None:
            done.pixels("mask")
        elif rgba is not None and done.finished is not None:
            done.finished.rgba(rgba)
        times.append(time.perf_counter() - began)
    return {"seconds": min(times), "bytes": high_water_mark() - before}


def geometric(finish: Finish) -> bool:
    """Whether it changes more than the matte."""
    return bool(finish.crop or finish.long_side or finish.canvas or finish.shadow)


def subject(size: tuple[int, int], side: int) -> Cutout:
    """A person's shape with a wavy contour, made at ``side``, on a picture with noise."""
    height, width = size
    small = (round(side * height / width), side)
    y, x = np.mgrid[: small[0], : small[1]].astype(np.float32) / small[0]
    turn = np.arctan2(y - 0.55, x - 0.65)
    radius = 0.33 + 0.03 * np.sin(9 * turn) + 0.01 * np.sin(31 * turn)
    plane = np.clip((radius - np.hypot(y - 0.55, x - 0.65)) * 60 + 0.5, 0, 1)
    rgb = np.empty((*size, 3), np.uint8)
    grain = np.random.default_rng(0).integers(0, 90, (256, width, 3)).astype(np.uint8)
    for top in range(0, height, 256):
        rgb[top : top + 256] = grain[: height - top] + np.uint8(80)
    alpha = kernels.upscale_mask(plane, size)
    said = Prediction(plane, ModelManifest("shape", small), alpha)
    return Cutout(LoadedImage(rgb), alpha, prediction=said)


if __name__ == "__main__":
    main()
