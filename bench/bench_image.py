"""The image kernels on a 1920 x 1080 photograph."""

from __future__ import annotations

import numpy as np
import pytest

from bench.traffic import benchmark_traffic
from pyhades import _native, kernels

HEIGHT, WIDTH = 1080, 1920
PIXELS = HEIGHT * WIDTH
MASK = (320, 320)


def photo():
    """Smooth shapes with a little sensor noise."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    shapes = np.stack([np.sin(x / 90 + c) * np.cos(y / (60 + 20 * c)) for c in range(3)], axis=-1)
    noise = np.random.default_rng(0).normal(0, 3, (HEIGHT, WIDTH, 3))
    return np.clip(128 + 100 * shapes + noise, 0, 255).astype(np.uint8)


def disc():
    """A prediction with a soft edge, float32 at network size."""
    y, x = np.mgrid[0 : MASK[0], 0 : MASK[1]]
    distance = np.hypot((y - 160) / 133, (x - 160) / 83)
    return np.clip((1 - distance) * 10 + 0.5, 0, 1).astype(np.float32)


IMAGE = photo()
PREDICTION = disc()
ALPHA = kernels.upscale_mask(PREDICTION, (HEIGHT, WIDTH))
ROWS = IMAGE.reshape(HEIGHT, -1)
# name: (call, bytes read and written)
CASES = {
    "normalize_image": (lambda isa: kernels.normalize_image(IMAGE, MASK, isa=isa, threads=1), 3),
    "upscale_mask": (
        lambda isa: kernels.upscale_mask(PREDICTION, (HEIGHT, WIDTH), isa=isa, threads=1),
        1,
    ),
    "composite": (lambda isa: kernels.composite(IMAGE, ALPHA, IMAGE, isa=isa, threads=1), 10),
    "png_filter": (lambda isa: kernels.png_filter(ROWS, 3, isa=isa, threads=1), 6),
}


@pytest.mark.parametrize("isa", ["scalar", "avx2", "avx512"])
@pytest.mark.parametrize("name", CASES)
def bench_image_kernel(benchmark, name, isa):
    if isa not in _native.supported_tiers():
        pytest.skip(f"this CPU has no {isa}")
    call, bytes_per_pixel = CASES[name]
    benchmark_traffic(benchmark, call, isa, bytes_per_pixel * PIXELS)


class InstantNetwork:
    """Predicts the disc in no time."""

    def __call__(self, planes):
        return PREDICTION[None, None]

    def close(self):
        pass
