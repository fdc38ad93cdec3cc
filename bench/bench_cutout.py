"""Cutting out a 1920 x 1080 photograph: foreground colours along the soft edge, and alpha."""

from __future__ import annotations

import pytest

from bench.bench_image import ALPHA, IMAGE
from bench.traffic import benchmark_traffic
from pyhades import kernels


@pytest.mark.parametrize("estimate_foreground", [False, True])
def bench_cut_out(benchmark, isa, estimate_foreground):
    nbytes = IMAGE.nbytes + 5 * ALPHA.nbytes  # reads colours and alpha, writes RGBA
    benchmark_traffic(
        benchmark,
        lambda tier: kernels.cut_out(
            IMAGE, ALPHA, estimate_foreground=estimate_foreground, threads=1, isa=tier
        ),
        isa,
        nbytes,
    )
