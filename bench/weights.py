"""Packed weights of random values, and how much memory it takes to stream them from memory."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from pyhades import kernels
from pyhades.kernels.qgemm import aligned_empty
from pyhades.quant import TILE, PackedWeight, format_named, quantize

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


@cache
def more_than_cache_bytes() -> int:
    """Twice the last level of cache, so that what was read first is gone when it comes again."""
    sizes = [int(path.read_text().rstrip("K\n")) for path in CACHES.glob("index*/size")]
    return 2 * 1024 * max(sizes, default=32 * 1024)


def random_weight(format: str, *shape: int, row_order: str = "plain") -> PackedWeight:
    """One random tile over and over: quantising millions of weights would take longer than timing.

    Kernels read every tile where it lies, and take the same time for equal ones.
    """
    n, k = shape[-2:]
    rows = np.random.default_rng(0).standard_normal((TILE, k)).astype(np.float32)
    tile = kernels.pack_weight(quantize(rows, format)).data
    matrices = shape[0] if len(shape) == 3 else 1
    data = aligned_empty(matrices * format_named(format).packed_bytes(n, k))
    data.reshape(-1, tile.size)[:] = tile
    return PackedWeight(data, format, shape, row_order)


@lru_cache(maxsize=1)
def streamed_weights(format: str, n: int, k: int) -> list[PackedWeight]:
    """Equal matrices whose sum does not fit the caches."""
    count = -(-more_than_cache_bytes() // format_named(format).packed_bytes(n, k))
    return [random_weight(format, n, k) for _ in range(max(2, count))]
