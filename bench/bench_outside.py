"""Everything outside the network, on one thread: a JPEG to a PNG with transparency, and by stage.

The network predicts a disc in no time. Limits that are kept: 45 ms at 1920 x 1080, 200 ms at 12
megapixels.
"""

from __future__ import annotations

import functools
import io

import numpy as np
import pytest
from PIL import Image

from bench.bench_image import IMAGE, InstantNetwork
from pyhades.segmentation.buffers import KeptBuffers
from pyhades.segmentation.bulk.chain import Cutting, Decoding, Encoding, Rendering, Whole, no_doubt
from pyhades.segmentation.catalogue import CATALOGUE
from pyhades.segmentation.clock import Clock
from pyhades.segmentation.image.png import png_parts
from pyhades.segmentation.session import Session

SIZES = {"1080p": (1080, 1920), "12MP": (3000, 4000)}
STAGES = ["decode", "preprocess", "matte", "cut_out", "png"]
MOST_PIXELS = 1 << 30


@functools.cache
def jpeg(size: str) -> bytes:
    """Smooth shapes with the noise of a sensor, as a camera writes them."""
    height, width = SIZES[size]
    smooth = Image.fromarray(IMAGE).resize((width, height), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(1).integers(-4, 5, (height, width, 3), dtype=np.int16)
    pixels = np.clip(np.asarray(smooth, np.int16) + noise, 0, 255).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=92)
    return data.getvalue()


class Chain:
    """What a worker does, with memory that is used again."""

    def __init__(self) -> None:
        self.buffers, rendering = KeptBuffers(), Rendering()
        clock = Clock()
        self.session = Session(
            InstantNetwork(), CATALOGUE["u2net"], {}, threads=1, buffers=self.buffers, clock=clock
        )
        encoding = Encoding(rendering, no_doubt, clock)
        self.decoding = Decoding(lambda item: item, MOST_PIXELS, rendering, clock, self.buffers)
        self.whole = Whole(self.decoding, Cutting(self.session, encoding), encoding)

    def stages(self, data: bytes):
        """Each stage as a call, after those before it."""
        image = self.decoding(data)
        cutout = self.session.cut(image)
        rgba = cutout.rgba()
        return {
            "decode": lambda: self.decoding(data),
            "preprocess": lambda: self.session.predict(image),
            "matte": lambda: self.session.cut(image),  # with what comes before
            "cut_out": cutout.rgba,
            "png": lambda: png_parts(rgba, buffers=self.buffers),
        }


@pytest.mark.parametrize("size", SIZES)
def bench_jpeg_to_png(benchmark, size):
    chain, data = Chain(), jpeg(size)
    chain.whole(data)  # memory is there from now on
    rendered = benchmark(lambda: chain.whole(data))
    benchmark.extra_info |= {"jpeg_bytes": len(data), "png_bytes": len(rendered.data)}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("size", SIZES)
def bench_stage(benchmark, size, stage):
    benchmark(Chain().stages(jpeg(size))[stage])
