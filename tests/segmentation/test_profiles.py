"""The profile ``rembg`` gives what that tool gives, from the same file."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from pyhades import Remover
from pyhades.networks import write_u2net
from pyhades.segmentation.catalogue import ENTRIES
from pyhades.segmentation.plausibility import SAMPLES


def as_rembg(path, image, manifest):
    """What rembg's sessions compute, written from their description."""
    height, width = manifest.input_size
    small = np.array(image.resize((width, height), Image.Resampling.LANCZOS))
    scaled = small / max(small.max(), 1e-6)
    x = (scaled - manifest.mean) / manifest.std
    session = onnxruntime.InferenceSession(path)
    feed = {session.get_inputs()[0].name: x.transpose(2, 0, 1)[None].astype(np.float32)}
    mask = session.run(None, feed)[0][0, 0]
    mask = (mask - mask.min()) / (mask.max() - mask.min())
    levels = Image.fromarray((mask.clip(0, 1) * 255).astype(np.uint8))
    return np.asarray(levels.resize(image.size, Image.Resampling.LANCZOS))


def test_masks_are_those_of_rembg(tmp_path):
    path = tmp_path / "u2netp.onnx"
    write_u2net(path, 320, small=True)
    image = Image.open(SAMPLES[1]).convert("RGB")
    want = as_rembg(path, image, ENTRIES["u2netp"].profiles["rembg"])
    with Remover(path, profile="rembg", threads=1) as remover:
        matte = remover.matte(image)
        fine = remover.matte(image, dtype=np.float32)
        assert remover.manifest.upsample == "lanczos-8bit"
    # Levels are rounded down: the last bit of a float decides about one level, Lanczos' lobes add.
    difference = np.abs(matte.astype(int) - want)
    assert difference.max() <= 2 and (difference > 0).mean() < 0.01
    np.testing.assert_allclose(fine * 255, matte, atol=1e-4)


@pytest.mark.parametrize("name", ["isnet-anime", "u2net_cloth_seg", "ben2"])
def test_profiles_differ_where_rembg_does_otherwise(name):
    entry = ENTRIES[name]
    reference, rembg = entry.profile("reference"), entry.profile("rembg")
    assert (reference.mean, reference.policy) != (rembg.mean, rembg.policy)
    assert reference.source == rembg.source
