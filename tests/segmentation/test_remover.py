from __future__ import annotations

import io
import pickle
import threading

import numpy as np
import pytest
from PIL import Image, ImageCms

from pyhades.errors import ArgumentError, ArgumentTypeError, ClosedError, ImageError, ModelError
from pyhades.segmentation import ModelManifest, Remover


def half_plane():
    """Left half background, right half foreground."""
    plane = np.zeros((8, 8), np.float32)
    plane[:, 4:] = 1
    return plane


def test_straight_alpha_keeps_the_colour(remover_with):
    """(200, 100, 50) at half opacity stays (200, 100, 50); it is not multiplied by its alpha."""
    remover = remover_with(np.full((8, 8), 128 / 255))
    picture = np.broadcast_to(np.array([200, 100, 50], np.uint8), (20, 20, 3)).copy()
    result = remover(picture)
    assert result.mode == "RGBA"
    assert set(result.get_flattened_data()) == {(200, 100, 50, 128)}
    over_white = np.asarray(remover(picture, background="white"))
    assert (over_white == [227, 177, 152]).all()


def test_the_matte_follows_the_network(remover, network, photo):
    matte = remover.matte(photo)
    assert matte.shape == (90, 120) and matte.dtype == np.uint8
    assert matte[45, 60] > 240 and matte[2, 2] < 20
    assert network.inputs[0].shape == (1, 3, 32, 32)
    fine = remover.matte(photo, dtype=np.float32)
    assert fine.dtype == np.float32 and np.abs(fine * 255 - matte).max() <= 0.51


def test_hidden_colours(remover_with, photo):
    assert not np.asarray(remover_with(np.zeros((4, 4)))(photo)).any()
    kept = remover_with(np.zeros((4, 4)))
    kept._sessions.cutout_options["keep_hidden"] = True
    np.testing.assert_array_equal(np.asarray(kept(photo))[..., :3], photo)


def test_where_it_comes_from_and_what_it_makes(remover):
    assert remover.source is None
    assert remover.cutout_options == {"estimate_foreground": True, "keep_hidden": False}
    remover.cutout_options["keep_hidden"] = True  # a copy
    assert not remover.cutout_options["keep_hidden"]
    with Remover(keep_hidden=True, check=False) as embedded:
        assert embedded.source.name == "default.onnx" and embedded.cutout_options["keep_hidden"]


def test_mask_output(remover, photo):
    mask = remover(photo, output="mask")
    assert mask.mode == "L"
    np.testing.assert_array_equal(np.asarray(mask), remover.matte(photo))


@pytest.mark.parametrize(
    "background, expected",
    [("#0000ff", (0, 0, 255)), ("red", (255, 0, 0)), ((1, 2, 3), (1, 2, 3)),
     (Image.new("RGB", (5, 9), (9, 8, 7)), (9, 8, 7)), (np.full((3, 3), 4, np.uint8), (4, 4, 4))],
)  # fmt: skip
def test_backgrounds(remover_with, photo, background, expected):
    result = np.asarray(remover_with(half_plane())(photo, background=background))
    assert result.shape == photo.shape
    assert (result[:, :50] == expected).all()
    np.testing.assert_array_equal(result[:, 70:], photo[:, 70:])


def test_background_from_a_file(remover_with, photo, photo_file):
    result = remover_with(np.zeros((4, 4)))(np.zeros_like(photo), background=photo_file)
    np.testing.assert_array_equal(np.asarray(result), photo)


def test_blurred_background_does_not_glow(remover_with):
    """A white foreground on grey: behind it everything stays grey, up to the edge."""
    picture = np.full((60, 80, 3), 100, np.uint8)
    picture[:, 40:] = 255
    result = np.asarray(remover_with(half_plane())(picture, background="blur"))
    assert np.abs(result[:, :30].astype(int) - 100).max() <= 1
    assert (result[:, 50:] == 255).all()
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    blurred = np.asarray(remover_with(np.zeros((4, 4)))(noise, background="blur"))
    assert blurred.std() < noise.std() / 4


@pytest.mark.parametrize("background", ["nosuchcolour", "#ff000080", (1, 2), (1, 2, 300)])
def test_bad_backgrounds(remover, photo, background):
    with pytest.raises(ArgumentError, match="background"):
        remover(photo, background=background)
    with pytest.raises(ArgumentTypeError, match="background"):
        remover(photo, background=3.5)


def test_bad_outputs(remover, photo):
    with pytest.raises(ArgumentError, match="none of 'rgba', 'mask'"):
        remover(photo, output="png")
    with pytest.raises(ArgumentError, match="no colours"):
        remover(photo, output="mask", background="red")
    with pytest.raises(ArgumentError, match="dtype"):
        remover.matte(photo, dtype=np.float64)


def test_existing_transparency_is_multiplied(remover_with, network, photo):
    alpha = np.tile(np.arange(120, dtype=np.uint8), (90, 1))
    picture = np.dstack([photo, alpha])
    np.testing.assert_array_equal(remover_with(np.ones((4, 4))).matte(picture), alpha)
    np.testing.assert_array_equal(
        remover_with(np.full((4, 4), 0.5)).matte(picture), (alpha.astype(int) * 128 + 127) // 255
    )
    # The network sees what a viewer sees on white, not what transparent pixels hide.
    hidden = Remover.from_network(network, ModelManifest("m", (16, 16)))
    hidden.matte(np.dstack([photo, np.zeros_like(alpha)]))
    np.testing.assert_allclose(network.inputs[-1], 1, atol=1e-6)


def test_bgr_arrays(remover, photo):
    straight, swapped = remover(photo), remover(photo[..., ::-1], channel_order="bgr")
    np.testing.assert_array_equal(np.asarray(straight), np.asarray(swapped))


def test_profile_and_resolution_reach_the_file(remover, photo):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", icc_profile=profile, dpi=(240, 240))
    cutout = remover.cut(buffer.getvalue())
    for suffix in (".png", ".webp", ".tif"):
        result = Image.open(io.BytesIO(cutout.encode(suffix=suffix)))
        result.load()
        assert result.mode == "RGBA" and result.info["icc_profile"] == profile, suffix
        if suffix != ".webp":
            assert result.info["dpi"] == pytest.approx((240, 240), abs=0.1), suffix
        np.testing.assert_array_equal(np.asarray(result), cutout.rgba())
    mask = Image.open(io.BytesIO(cutout.encode("mask")))
    assert "icc_profile" not in mask.info and mask.info["dpi"] == pytest.approx((240, 240), abs=0.1)
    assert remover(buffer.getvalue()).info["icc_profile"] == profile


def test_jpeg_needs_a_background(remover, photo):
    cutout = remover.cut(photo)
    with pytest.raises(ArgumentError, match="JPEG has no transparency"):
        cutout.encode(suffix=".jpg")
    with pytest.raises(ArgumentError, match=r"suffix='\.xyz': cannot write such files"):
        cutout.encode(suffix=".xyz")
    assert Image.open(io.BytesIO(cutout.encode("mask", suffix=".jpg"))).mode == "L"


def test_map_keeps_order_and_is_lazy(remover, photo):
    taken = []

    def images():
        for value in range(20):
            taken.append(value)
            yield np.full((10 + value, 12, 3), 255, np.uint8)

    results = remover.map(images(), ahead=2)
    assert taken == []
    assert next(results).size == (12, 10)
    assert len(taken) <= 6
    assert [image.size[1] for image in results] == list(range(11, 30))


def test_map_runs_the_network_on_the_calling_thread(photo):
    threads = set()

    class Network:
        def __call__(self, planes):
            threads.add(threading.get_ident())
            return planes[:, :1]

        def close(self):
            pass

    remover = Remover.from_network(Network(), ModelManifest("m", (8, 8)))
    assert len(list(remover.map([photo] * 5))) == 5
    assert threads == {threading.get_ident()}


def test_map_and_bad_images(remover, photo):
    kinds = [type(r) for r in remover.map([photo, b"bad", photo], on_error="return")]
    assert kinds == [Image.Image, ImageError, Image.Image]
    results = remover.map([photo, b"bad", photo])
    next(results)
    with pytest.raises(ImageError):
        next(results)
    with pytest.raises(ArgumentError, match="on_error"):
        remover.map([], on_error="ignore")


@pytest.mark.parametrize("ahead", [0, -1, 1.5, True, None, "2"])
def test_map_refuses_to_read_nothing_ahead(remover, photo, ahead):
    """At the call: with 0 the loop ended before the first image, without a word."""
    with pytest.raises((ArgumentError, ArgumentTypeError), match=f"ahead={ahead!r}"):
        remover.map([photo], ahead=ahead)


@pytest.mark.parametrize("ahead", [1, np.int64(3)])
def test_map_gives_every_image_however_few_it_reads_ahead(remover, photo, ahead):
    assert len(list(remover.map([photo] * 4, ahead=ahead))) == 4


@pytest.mark.parametrize("max_pixels", [0, -1, 1e6, None])
def test_a_remover_that_takes_no_image_is_refused(network, max_pixels):
    with pytest.raises((ArgumentError, ArgumentTypeError), match="max_pixels"):
        Remover.from_network(network, ModelManifest("m", (8, 8)), max_pixels=max_pixels)


def test_closing(remover, network, photo):
    with remover:
        remover(photo)
    assert network.closed and "closed" in repr(remover)
    remover.close()
    with pytest.raises(ClosedError):
        remover(photo)


def test_representations_state_what_will_happen(remover):
    assert "32 x 32, stretch" in repr(remover)
    assert "licence unknown" in repr(remover)
    assert "<table>" in remover._repr_html_()


def test_a_network_of_the_callers_cannot_be_pickled(remover):
    with pytest.raises(ArgumentTypeError, match="cannot be pickled"):
        pickle.dumps(remover)


@pytest.mark.parametrize("name", ["tune", "check"])
def test_switches_are_on_or_off(name):
    with pytest.raises(ArgumentTypeError, match=f"{name}='x' is neither True nor False"):
        Remover(**{name: "x"})


@pytest.mark.parametrize("folder", ["", "."])
def test_a_folder_without_a_model_is_named(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"folder without \.onnx files"):
        Remover(folder)


def test_missing_models_are_named(tmp_path):
    with pytest.raises(ArgumentError, match=r"none\.onnx.*no such file"):
        Remover(tmp_path / "none.onnx")
