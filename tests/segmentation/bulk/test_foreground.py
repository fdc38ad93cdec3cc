"""The mean of a matte, whatever its shape."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades.segmentation.bulk.foreground import foreground_share


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (4096, 1), (1, 4097), (1100, 1030), (64, 64, 2)])
def test_it_is_the_mean(shape):
    alpha = np.random.default_rng(sum(shape)).integers(0, 256, shape, np.uint8)
    assert foreground_share(alpha) == int(alpha.sum(dtype=np.int64)) / (255 * alpha.size)


def test_sums_of_opaque_mattes_do_not_overflow():
    assert foreground_share(np.full((1030, 2060), 255, np.uint8)) == 1.0


def test_rows_may_lie_apart():
    alpha = np.arange(100, dtype=np.uint8).reshape(10, 10)[:, ::2]
    assert foreground_share(alpha) == pytest.approx(alpha.mean() / 255)
