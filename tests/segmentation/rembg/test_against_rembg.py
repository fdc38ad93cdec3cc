"""The same as rembg, from the same file: where it is installed."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
from PIL import Image

import pyhades.rembg as ours
from pyhades.segmentation.plausibility import SAMPLES
from pyhades.segmentation.rembg.cutting import Matting
from pyhades.segmentation.rembg.masks import eroded, smoothed

rembg = pytest.importorskip("rembg")

REAL = os.environ.get("PYHADES_REMBG_MODEL")
"""A u2netp to compare with, too."""


def levels(picture):
    data = Image.open(io.BytesIO(picture)) if isinstance(picture, bytes) else picture
    return np.asarray(data).astype(int)


def assert_alike(got, want, most=2, share=0.02):
    """The last bit of a float may decide about a level; Lanczos' lobes add another."""
    assert type(got) is type(want) or isinstance(want, Image.Image)
    got, want = levels(got), levels(want)
    assert got.shape == want.shape
    difference = np.abs(got - want)
    assert difference.max() <= most and (difference > 0).mean() <= share


@pytest.mark.parametrize(
    "name",
    ["u2net", "u2netp", "u2net_human_seg", "silueta", "isnet-general-use", "isnet-anime",
     "birefnet-general", "birefnet-portrait", "bria-rmbg"],
)  # fmt: skip
def test_masks_of_a_model_by_name(stored, picture, name):
    stored(name)
    with ours.new_session(name) as session:
        (got,) = session.predict(picture)
        (want,) = rembg.new_session(name).predict(picture)
        assert session.model_name == name and got.mode == want.mode == "L"
        assert_alike(got, want)


@pytest.mark.parametrize(
    ("name", "like"),
    [("u2net_custom", "u2net"), ("dis_custom", "isnet-general-use"), ("ben_custom", "ben2")],
)
def test_masks_of_a_file(stored, picture, name, like):
    path = stored(like, "mine.onnx")
    with ours.new_session(name, model_path=path) as session:
        want = rembg.new_session(name, model_path=str(path)).predict(picture)
        assert_alike(session.predict(picture)[0], want[0])


KEYWORDS = {
    "plain": {},
    "mask": {"only_mask": True},
    "hard mask": {"only_mask": True, "post_process_mask": True},
    "hard": {"post_process_mask": True},
    "colour": {"bgcolor": (10, 200, 30, 255)},
    "faint colour": {"bgcolor": (10, 200, 30, 100)},
    "opacity alone": {"putalpha": True},
}


@pytest.fixture
def sessions(stored):
    stored("u2netp")
    with ours.new_session("u2netp") as session:
        yield session, rembg.new_session("u2netp")


@pytest.mark.parametrize("keywords", KEYWORDS.values(), ids=KEYWORDS)
@pytest.mark.parametrize("kind", ["RGB", "L", "P", "RGBA"])
def test_results_of_every_keyword(sessions, picture, veiled, kind, keywords):
    if kind == "RGBA" and "putalpha" in keywords:
        pytest.skip("rembg forgets what was transparent, we do not")
    image = veiled if kind == "RGBA" else picture.convert(kind)
    # One level more or less at a threshold is one pixel more or less.
    allowed = {"most": 255, "share": 0.005} if "post_process_mask" in keywords else {"share": 0.05}
    got, want = (
        tool.remove(image, session=session, **keywords)
        for tool, session in zip((ours, rembg), sessions, strict=True)
    )
    if "putalpha" in keywords:
        want = want.convert("RGBA")  # of a grey picture rembg makes a grey one
    assert got.mode == want.mode
    assert_alike(got, want, **allowed)


@pytest.mark.parametrize("colours", [(160, 240, 3), (160, 240)])
def test_arrays_and_bytes(sessions, picture, colours):
    array = np.asarray(picture if len(colours) == 3 else picture.convert("L"))
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    for data in (array, file.getvalue()):
        got = ours.remove(data, session=sessions[0])
        assert_alike(got, rembg.remove(data, session=sessions[1]))


def test_a_turned_photograph(sessions, picture):
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(file, "JPEG", exif=exif, quality=95)
    got = ours.remove(file.getvalue(), session=sessions[0], only_mask=True)
    want = rembg.remove(file.getvalue(), session=sessions[1], only_mask=True)
    assert Image.open(io.BytesIO(got)).size == (160, 240)
    # Two decoders of JPEG differ by a level of colour here and there.
    assert_alike(got, want, most=4, share=0.05)


def test_a_picture_that_is_almost_flat(sessions):
    """rembg stretches what noise there is; so does its twin."""
    noise = np.random.default_rng(0).integers(120, 124, (64, 64, 3), dtype=np.uint8)
    got = ours.remove(noise, session=sessions[0], only_mask=True)
    assert_alike(got, rembg.remove(noise, session=sessions[1], only_mask=True), most=3, share=0.1)


def test_a_session_of_rembgs_own(sessions, picture):
    got = ours.remove(picture, session=sessions[1])
    np.testing.assert_array_equal(levels(got), levels(rembg.remove(picture, session=sessions[1])))


def test_colours_of_soft_edges(sessions, picture):
    """Another estimate than rembg's: the same opacity, colours that are near."""
    got = levels(ours.remove(picture, session=sessions[0], decontaminate=True))
    want = levels(rembg.remove(picture, session=sessions[1], decontaminate=True))
    assert np.abs(got[..., 3] - want[..., 3]).max() <= 2
    mostly = got[..., 3] > 128
    assert np.abs(got - want)[mostly][:, :3].mean() < 12


def test_smoothing_is_that_of_rembg():
    mask = np.random.default_rng(1).integers(0, 256, (90, 301), dtype=np.uint8)
    mask[20:60, 50:200] = 255
    mask[30, 70] = 0
    assert (smoothed(mask) != rembg.bg.post_process(mask)).mean() < 1e-3


@pytest.mark.parametrize("size", [1, 2, 3, 10, 15])
@pytest.mark.parametrize("beyond", [False, True])
def test_eroding_is_that_of_scipy(size, beyond):
    from scipy.ndimage import binary_erosion

    inside = np.random.default_rng(2).random((40, 50)) > 0.02
    inside[5:30, 5:40] = True
    want = binary_erosion(inside, np.ones((size, size)), border_value=beyond)
    np.testing.assert_array_equal(eroded(inside, size, beyond=beyond), want)


@pytest.mark.slow
def test_matting_keeps_near_the_closed_form():
    """A disc with a soft edge whose mask is coarse: both find it again, each in its own way."""
    y, x = np.mgrid[0:180, 0:240]
    alpha = np.clip((60 - np.hypot(y - 90, x - 120)) / 6 + 0.5, 0, 1)
    texture = np.random.default_rng(3).normal(0, 6, (180, 240, 1))
    ground = np.stack([30 + y // 4, 40 + x // 8, 90 + 0 * y], -1)
    colours = alpha[..., None] * np.array([220, 180, 60]) + (1 - alpha[..., None]) * ground
    rgb = np.clip(colours + texture, 0, 255).astype(np.uint8)
    exact = Image.fromarray((alpha * 255).astype(np.uint8))
    coarse = np.asarray(exact.resize((24, 18)).resize((240, 180), Image.Resampling.BILINEAR))
    ours_is = Matting(240, 10, 5, made_at=24).refined(rgb, coarse)
    theirs = rembg.bg.alpha_matting_cutout(
        Image.fromarray(rgb), Image.fromarray(coarse), 240, 10, 5
    )
    errors = [
        np.abs(np.asarray(matte).astype(int) - np.asarray(exact)).mean()
        for matte in (coarse, ours_is, np.asarray(theirs)[..., 3])
    ]
    assert errors[1] < errors[0] and errors[2] < errors[0], errors


@pytest.mark.skipif(REAL is None, reason="PYHADES_REMBG_MODEL names no u2netp.onnx")
@pytest.mark.parametrize("keywords", KEYWORDS.values(), ids=KEYWORDS)
def test_a_real_model(home, keywords):
    path = home / "models" / "u2netp" / "u2netp.onnx"
    path.parent.mkdir(parents=True)
    path.symlink_to(REAL)
    allowed = {"most": 255, "share": 0.005} if "post_process_mask" in keywords else {}
    with ours.new_session("u2netp") as session:
        theirs = rembg.new_session("u2netp")
        for sample in SAMPLES:
            image = Image.open(sample).convert("RGB")
            got = ours.remove(image, session=session, **keywords)
            assert_alike(got, rembg.remove(image, session=theirs, **keywords), **allowed)
