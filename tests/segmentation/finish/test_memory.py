"""What finishing takes is foreseen."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from pyhades.errors import ImageError
from pyhades.segmentation import Cutout, Finish
from pyhades.segmentation.bulk.memory import MemoryLimit
from pyhades.segmentation.finish.memory import bytes_of
from pyhades.segmentation.image.loaded import LoadedImage
from tests.support.bulk_runs import encoded

HEIGHT, WIDTH = 1200, 1600
Y, X = np.mgrid[:HEIGHT, :WIDTH]
ALPHA = np.clip((400 - np.hypot(Y - 600, X - 800)) * 20, 0, 255).astype(np.uint8)
ALPHA[::100, ::100] = 255  # specks
ALPHA[600:610, 800:810] = 0  # and a hole
STEPS = {
    "refine": Finish(refine=True),
    "threshold": Finish(threshold=0.5),
    "largest": Finish(largest=True),
    "specks": Finish(specks=50),
    "holes": Finish(fill_holes=True),
    "choke": Finish(choke=3),
    "feather": Finish(feather=3),
    "crop": Finish(crop=True),
    "long side": Finish(long_side=1000),
    "canvas": Finish(canvas=(2000, 2000)),
    "shadow": Finish(shadow=True),
    "trimap": Finish(only="trimap"),
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_take_no_more_than_is_foreseen(name):
    finish = STEPS[name]
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    cutout = Cutout(LoadedImage(rgb), ALPHA)
    rgba = cutout.rgba()
    tracemalloc.start()
    try:
        finished = cutout.finish(finish)
        assert finished.finished is not None
        if finish.only is None:
            finished.finished.rgba(rgba)
        else:
            finished.pixels()
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most <= bytes_of(finish, ALPHA.size) + 300_000


def test_a_run_counts_it():
    data = encoded(0)
    needed = 24 * 32 * 40
    MemoryLimit(2, 0, needed).check(data, "picture")
    with pytest.raises(ImageError, match="picture: 32 x 24 pixels"):
        MemoryLimit(2, 0, needed, finish=Finish(refine=True)).check(data, "picture")
