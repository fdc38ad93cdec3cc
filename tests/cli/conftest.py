"""A command line whose network is a stand-in: bright is foreground."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pyhades.cli import main, remove
from pyhades.segmentation import ModelManifest, Remover


class BrightnessNetwork:
    def __call__(self, planes):
        return planes.mean(axis=1, keepdims=True)

    def close(self):
        pass


@pytest.fixture
def run(monkeypatch):
    """Invoke the command line; the result has exit_code, stdout, stderr."""

    def make(model=None, **options):
        kept = {"estimate_foreground", "keep_hidden"} & options.keys()
        manifest = ModelManifest("brightness", (16, 16))
        chosen = {key: options[key] for key in kept}
        return Remover.from_network(BrightnessNetwork(), manifest, **chosen)

    monkeypatch.setattr(remove, "Remover", make)

    def invoke(*arguments, **options):
        return CliRunner().invoke(main, [str(argument) for argument in arguments], **options)

    return invoke


@pytest.fixture
def photo():
    """A white square on black, uint8 [40, 60, 3]."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[10:30, 20:40] = 255
    return pixels


@pytest.fixture
def folder(tmp_path, photo):
    """A tree of images with equal names in different places, and other files."""
    root = tmp_path / "in"
    for name in ("a.jpg", "sub/a.jpg", "sub/deep/b.png", "c.jpg", "c.png", ".hidden/d.png"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo).save(path)
    (root / "notes.txt").write_text("not an image")
    return root
