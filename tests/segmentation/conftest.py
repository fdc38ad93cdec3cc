"""Networks and pictures for the pipeline's tests."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pyhades.segmentation import ModelManifest, Remover


class BrightnessNetwork:
    """Stands in for an engine: bright is foreground. Remembers what it was fed."""

    def __init__(self):
        self.inputs = []
        self.closed = False

    def __call__(self, planes):
        self.inputs.append(planes)
        return planes.mean(axis=1, keepdims=True)

    def close(self):
        self.closed = True


class ConstantNetwork:
    """Predicts the same plane for every image."""

    def __init__(self, plane):
        self.plane = np.asarray(plane, np.float32)

    def __call__(self, planes):
        return self.plane[None, None]

    def close(self):
        pass


@pytest.fixture
def network():
    return BrightnessNetwork()


@pytest.fixture
def remover(network):
    return Remover.from_network(network, ModelManifest("brightness", (32, 32)))


@pytest.fixture
def remover_with():
    """Build a remover whose network always predicts the given plane."""

    def make(plane, **fields):
        plane = np.asarray(plane, np.float32)
        manifest = ModelManifest("constant", plane.shape, **fields)
        return Remover.from_network(ConstantNetwork(plane), manifest)

    return make


@pytest.fixture
def photo():
    """A white disc on a dark gradient, uint8 [90, 120, 3]."""
    y, x = np.mgrid[0:90, 0:120]
    background = np.stack([x // 2, y // 2, x // 4 + 10], axis=-1)
    disc = np.hypot(y - 45, x - 60) < 30
    return np.where(disc[..., None], 250, background).astype(np.uint8)


@pytest.fixture
def photo_file(photo, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    return path
