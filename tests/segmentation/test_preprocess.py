"""Preprocessing against the authors' steps, restated here with Pillow and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pyhades.segmentation.catalogue import CATALOGUE
from pyhades.segmentation.manifest import ModelManifest
from pyhades.segmentation.preprocess import Placement, place, preprocess

RESAMPLE = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def resized(rgb, size, resample="bilinear"):
    """Float planes resized by Pillow without rounding to integers; [h, w, 3]."""
    planes = [
        Image.fromarray(rgb[..., c].astype(np.float32)).resize(size[::-1], RESAMPLE[resample])
        for c in range(3)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


def u2net_by_its_authors(rgb):
    """RescaleT(320) and ToTensorLab(flag=0): divide by the maximum, then ImageNet statistics."""
    image = resized(rgb, (320, 320))
    image = image / np.max(image)
    image = (image - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    return image.transpose(2, 0, 1)[None]


def inspyrenet_by_its_authors(rgb):
    """static_resize, tonumpy, normalize: 384 x 384, 1/255, ImageNet statistics."""
    image = resized(rgb, (384, 384)) / 255
    image = (image - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    return image.transpose(2, 0, 1)[None]


@pytest.fixture(params=[(480, 640), (1080, 1920), (200, 150), (33, 1001)], ids=str)
def rgb(request):
    height, width = request.param
    rng = np.random.default_rng(height)
    # Darker than white, so that 1/max differs from 1/255.
    return rng.integers(0, 200, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    "name, authors",
    [("u2net", u2net_by_its_authors), ("u2netp", u2net_by_its_authors),
     ("inspyrenet", inspyrenet_by_its_authors)],
)  # fmt: skip
def test_parity_with_the_authors(rgb, name, authors):
    manifest = CATALOGUE[name]
    placement = place(rgb.shape[:2], manifest)
    planes = preprocess(rgb, manifest, placement)
    assert planes.dtype == np.float32 and planes.flags.c_contiguous
    np.testing.assert_allclose(planes, authors(rgb), atol=2e-5)


def test_a_black_picture_does_not_divide_by_zero():
    manifest = CATALOGUE["u2net"]
    black = np.zeros((50, 60, 3), np.uint8)
    planes = preprocess(black, manifest, place((50, 60), manifest))
    expected = -np.array(manifest.mean) / np.array(manifest.std)
    np.testing.assert_allclose(planes[0, :, 0, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("resample", ["bicubic", "lanczos"])
def test_other_kernels_are_pillows(rgb, resample):
    manifest = ModelManifest("m", (40, 50), resample=resample)
    planes = preprocess(rgb, manifest, place(rgb.shape[:2], manifest))
    expected = np.clip(resized(rgb, (40, 50), resample), 0, 255) / 255
    # Pillow rounds 8-bit images between the two directions and at the end.
    np.testing.assert_allclose(planes[0].transpose(1, 2, 0), expected, atol=1.5 / 255)


@pytest.mark.parametrize("scale", ["1/255", "1/max"])
def test_bgr_swaps_planes_and_takes_statistics_in_that_order(rgb, scale):
    fields = {"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7), "scale": scale}
    bgr = ModelManifest("m", (32, 32), channel_order="bgr", **fields)
    plain = ModelManifest("m", (32, 32), **fields)
    placement = place(rgb.shape[:2], bgr)
    swapped = np.ascontiguousarray(rgb[..., ::-1])
    np.testing.assert_allclose(
        preprocess(rgb, bgr, placement), preprocess(swapped, plain, placement), atol=1e-6
    )


@pytest.mark.parametrize(
    "policy, size, expected",
    [
        ("stretch", (100, 300), Placement((64, 128), 0, 0, (64, 128))),
        ("letterbox-centre", (100, 100), Placement((64, 128), 0, 32, (64, 64))),
        ("letterbox-centre", (100, 400), Placement((64, 128), 16, 0, (32, 128))),
        ("letterbox-topleft", (100, 100), Placement((64, 128), 0, 0, (64, 64))),
        ("letterbox-centre", (1, 10000), Placement((64, 128), 31, 0, (1, 128))),
        ("short-side", (480, 640), Placement((64, 96), 0, 0, (64, 96))),
        ("short-side", (64, 10), Placement((416, 64), 0, 0, (416, 64))),
    ],
)
def test_placement(policy, size, expected):
    manifest = ModelManifest("m", (64, 128), policy=policy, multiple_of=32)
    assert place(size, manifest) == expected


def test_letterbox_pads_with_zeros_after_normalisation(rgb):
    manifest = ModelManifest("m", (64, 64), policy="letterbox-centre", mean=0.5)
    placement = place(rgb.shape[:2], manifest)
    planes = preprocess(rgb, manifest, placement)
    (height, width), top, left = placement.size, placement.top, placement.left
    inside = planes[:, :, top : top + height, left : left + width]
    np.testing.assert_allclose(
        inside[0].transpose(1, 2, 0), resized(rgb, placement.size) / 255 - 0.5, atol=2e-5
    )
    outside = planes.copy()
    outside[:, :, top : top + height, left : left + width] = 0
    assert not outside.any() and planes.shape == (1, 3, 64, 64)


@pytest.mark.parametrize("size", [(10, 20000), (20000, 10), (1, 1_000_000), (3, 250_000)])
@pytest.mark.parametrize("short, step", [(1024, 32), (512, 32), (64, 1)])
def test_strips_do_not_grow_without_bound(size, short, step):
    manifest = ModelManifest("m", (short, short), policy="short-side", multiple_of=step)
    height, width = place(size, manifest).size
    assert height * width <= 8 * short * short
    assert min(height, width) >= step and height % step == width % step == 0
    assert (height < width) == (size[0] < size[1])


@pytest.mark.parametrize("size", [(480, 640), (300, 2400), (33, 1001)])
def test_other_pictures_have_the_short_side_that_was_asked_for(size):
    manifest = ModelManifest("m", (512, 512), policy="short-side", multiple_of=32)
    height, width = place(size, manifest).size
    is_long = max(size) > 8 * min(size)
    assert (min(height, width) == 512) != is_long
