"""All steps together: what is refused, in which order they go, and what each leaves alone."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
from PIL import Image

from pyhades import BulkRun
from pyhades.errors import ArgumentError, ArgumentTypeError, ImageError
from pyhades.segmentation import Cutout, Finish, ModelManifest, Refinement, Shadow
from pyhades.segmentation.compose import Background
from pyhades.segmentation.deep import Prediction
from pyhades.segmentation.finish import contour, regions
from pyhades.segmentation.finish.grey import grey
from pyhades.segmentation.image.loaded import LoadedImage
from tests.support.bulk_runs import brightness

Y, X = np.mgrid[:60, :90]
RGB = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
ALPHA = np.clip((18 - np.hypot(Y - 30, X - 40)) * 100 + 128, 0, 255).astype(np.uint8)
CUT = Cutout(LoadedImage(RGB, dpi=(72, 144), icc_profile=b"profile"), ALPHA)
WHITE = Background("white")

WRONG = [
    ({"refine": "yes"}, ArgumentTypeError, "refine='yes'"),
    ({"refine": Shadow()}, ArgumentTypeError, "a Refinement"),
    ({"threshold": 0}, ArgumentError, "threshold=0"),
    ({"threshold": 128}, ArgumentError, "of opacity"),
    ({"threshold": float("nan")}, ArgumentError, "nan"),
    ({"threshold": "half"}, ArgumentTypeError, "'half'"),
    ({"largest": 1}, ArgumentTypeError, "largest=1"),
    ({"specks": -1}, ArgumentError, "specks=-1"),
    ({"specks": 2.5}, ArgumentTypeError, "whole number"),
    ({"specks": "120%"}, ArgumentError, "at most 100%"),
    ({"fill_holes": 0}, ArgumentError, "fill_holes=0"),
    ({"fill_holes": "some"}, ArgumentError, "'some'"),
    ({"choke": 1.5}, ArgumentTypeError, "choke=1.5"),
    ({"choke": -1001}, ArgumentError, "choke"),
    ({"feather": -2}, ArgumentError, "feather=-2"),
    ({"feather": float("inf")}, ArgumentError, "feather=inf"),
    ({"crop": "yes"}, ArgumentTypeError, "crop='yes'"),
    ({"margin": 5}, ArgumentError, "crop=True"),
    ({"crop": True, "margin": "5 mm"}, ArgumentError, "'5 mm'"),
    ({"crop": True, "margin": "2.5"}, ArgumentError, "'2.5'"),
    ({"long_side": 0}, ArgumentError, "long_side=0"),
    ({"long_side": 70_000}, ArgumentError, "65500"),
    ({"canvas": 500}, ArgumentTypeError, "canvas=500"),
    ({"canvas": (500, 0)}, ArgumentError, "canvas=0"),
    ({"canvas": (60_000, 60_000)}, ArgumentError, "250000000"),
    ({"shadow": 3}, ArgumentTypeError, "shadow=3"),
    ({"only": "matte"}, ArgumentError, "only='matte'"),
    ({"only": "alpha", "shadow": True}, ArgumentError, "without a shadow"),
    ({"trimap_band": 3}, ArgumentError, "only='trimap'"),
    ({"only": "trimap", "trimap_band": 0}, ArgumentError, "trimap_band=0"),
]


@pytest.mark.parametrize(("wrong", "error", "message"), WRONG, ids=[str(w[0]) for w in WRONG])
def test_wrong_values_are_refused_before_any_work(wrong, error, message):
    with pytest.raises(error, match=message):
        Finish(**wrong)


def test_a_finish_is_a_value():
    finish = Finish(crop=True, margin="5 %", shadow=True, refine=True, canvas=[30, 20])
    assert finish == pickle.loads(pickle.dumps(finish)) and hash(finish) == hash(finish)
    assert (finish.shadow, finish.refine, finish.canvas) == (Shadow(), Refinement(), (30, 20))
    assert finish == eval(repr(finish)) and repr(Finish()) == "Finish()"
    with pytest.raises(dataclasses.FrozenInstanceError):
        finish.crop = False


def test_nothing_is_on_by_default():
    same = CUT.finish(Finish())
    assert same.alpha is ALPHA and np.array_equal(same.rgba(), CUT.rgba())
    assert np.array_equal(same.over(WHITE), CUT.over(WHITE))
    assert same.encode() == CUT.encode() and CUT.finish(None) is CUT


def test_each_step_leaves_the_caller_his_arrays():
    alpha, rgb = ALPHA.copy(), RGB.copy()
    everything = Finish(
        refine=True, threshold=0.5, largest=True, specks=3, fill_holes=True, choke=-2, feather=1,
        crop=True, margin=2, long_side=40, canvas=(50, 50), shadow=True,
    )  # fmt: skip
    assert CUT.finish(everything).rgba().shape == (50, 50, 4)
    assert np.array_equal(alpha, ALPHA) and np.array_equal(rgb, RGB)


def test_the_order_of_steps_on_the_matte():
    noisy = ALPHA.copy()
    noisy[3:6, 80:83] = 255
    noisy[28:32, 38:42] = 0
    said = Prediction(np.zeros((20, 30), np.float32), ModelManifest("m", (20, 30)), noisy)
    cut = dataclasses.replace(CUT, alpha=noisy, prediction=said)
    steps = Finish(
        feather=1.5, choke=2, fill_holes=True, specks=20, largest=True, threshold=0.4, refine=True
    )
    expected = Refinement().apply(RGB, noisy, made_at=30)
    expected = regions.keep_largest(contour.threshold(expected, 0.4))
    expected = regions.fill_holes(regions.remove_specks(expected, 20))
    expected = contour.feather(contour.choke(expected, 2), 1.5)
    assert np.array_equal(cut.finish(steps).alpha, expected)


def test_shares_are_of_the_picture():
    noisy = ALPHA.copy()
    noisy[3:6, 80:83] = 255
    noisy[28:32, 38:42] = 0

    def of(**steps):
        return Finish(**steps).matte(RGB, noisy)

    assert of(specks="0.2%")[4, 81] == 0 and of(specks="0.1%")[4, 81] == 255  # 9 of 5400
    assert of(fill_holes="1%")[30, 40] == 255 and of(fill_holes="0.1%")[30, 40] == 0


def test_a_crop_is_a_part_of_what_comes_without():
    box = (slice(11 - 3, 50 + 3), slice(21 - 3, 60 + 3))
    cropped = CUT.finish(Finish(crop=True, margin=3))
    assert np.array_equal(cropped.rgba(), CUT.rgba()[box])
    assert np.array_equal(cropped.over(WHITE), CUT.over(WHITE)[box])
    assert np.array_equal(cropped.pixels("mask"), ALPHA[box])


def test_pictures_keep_their_profile_and_resolution():
    shown = CUT.finish(Finish(canvas=(200, 100), shadow=True)).to_pil()
    assert (shown.size, shown.mode, shown.info["dpi"]) == ((200, 100), "RGBA", (72, 144))
    assert shown.info["icc_profile"] == b"profile"
    assert "icc_profile" not in CUT.finish(Finish(only="alpha")).to_pil().info


@pytest.mark.parametrize("background", ["blur", "teal", Image.new("RGB", (31, 17), "red")])
def test_backgrounds_fill_the_canvas(background):
    shown = CUT.finish(Finish(crop=True, long_side=40, canvas=(70, 50)))
    over = shown.over(Background(background))
    assert over.shape == (50, 70, 3)
    if background == "teal":
        assert (over[0, 0] == (0, 128, 128)).all()
    opaque = shown.rgba()[..., 3] == 255
    assert np.array_equal(over[opaque], shown.rgba()[opaque][:, :3])


def test_a_shadow_falls_on_the_background():
    shadow = Shadow((25, 0), blur=0, opacity=1, colour="red")
    over = CUT.finish(Finish(shadow=shadow)).over(WHITE)
    assert (over[30, 70] == (255, 0, 0)).all() and (over[30, 5] == 255).all()
    assert (over[30, 40] == RGB[30, 40]).all()


def test_the_matte_alone():
    for only in ("alpha", "mask", "trimap"):
        shown = CUT.finish(Finish(only=only, long_side=45))
        small = CUT.finish(Finish(only="alpha", long_side=45)).pixels()
        assert np.array_equal(shown.pixels(), grey(small, only))
        assert shown.to_pil().mode == "L"
        with pytest.raises(ArgumentError, match="has no colours"):
            shown.pixels("rgba", WHITE)
    assert set(np.unique(CUT.finish(Finish(only="mask", long_side=45)).pixels())) == {0, 255}
    hard = CUT.finish(Finish(only="mask", threshold=0.9)).pixels()
    assert np.array_equal(hard == 255, ALPHA >= 0.9 * 255)
    assert CUT.finish(Finish(only="alpha")).encode(suffix=".jpg")[:2] == b"\xff\xd8"


def test_a_trimap_is_unknown_around_the_contour():
    trimap = CUT.finish(Finish(only="trimap", trimap_band=4)).pixels()
    distance = np.hypot(Y - 30, X - 40)
    assert (trimap[np.abs(distance - 18.5) < 3] == 128).all()
    assert (trimap[distance < 13] == 255).all() and (trimap[distance > 25] == 0).all()
    assert set(np.unique(trimap)) == {0, 128, 255}


def test_nothing_to_crop_to_is_an_error_that_names_the_picture():
    nothing = Cutout(LoadedImage(RGB, name="empty.jpg"), np.zeros_like(ALPHA))
    with pytest.raises(ImageError, match=r"empty\.jpg: there is no subject to crop to"):
        nothing.finish(Finish(crop=True))


def test_results_that_are_too_large_are_refused():
    long = Cutout(LoadedImage(np.zeros((60, 60, 3), np.uint8)), np.full((60, 60), 255, np.uint8))
    with pytest.raises(ImageError, match="too large"):
        long.finish(Finish(long_side=60_000))


def test_finishing_twice_is_refused():
    with pytest.raises(ArgumentError, match="all steps at once"):
        CUT.finish(Finish()).finish(Finish())


def test_every_way_gives_the_same_picture(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    finish = Finish(refine=True, crop=True, canvas=(64, 64), shadow=Shadow((3, 3), blur=2))
    with brightness() as remover:
        expected = np.asarray(remover(RGB, finish=finish))
        assert expected.shape == (64, 64, 4)
        (mapped,) = remover.map([RGB], finish=finish)
        (frame,) = remover.frames([RGB], finish=finish)
        options = {"remover": remover, "sync": "none", "workers": 1, "finish": finish}
        assert BulkRun(tmp_path / "a.png", tmp_path / "out", **options).run().ok
        with pytest.raises(ArgumentError, match=r"other options .*finish"):
            other = options | {"finish": None, "resume": True}
            BulkRun(tmp_path / "a.png", tmp_path / "out", **other).run()
        with pytest.raises(ArgumentTypeError, match="finish is dict"):
            remover(RGB, finish={"crop": True})
        with pytest.raises(ArgumentTypeError, match="finish is dict"):
            BulkRun(tmp_path, tmp_path / "x", **options | {"finish": {}})
    for shown in (mapped, frame, Image.open(tmp_path / "out" / "a.png")):
        assert np.array_equal(np.asarray(shown), expected)


@pytest.mark.parametrize("background", [None, "teal", "blur"])
def test_sixteen_bits_are_finished_as_eight_are(background):
    behind = None if background is None else Background(background)
    steps = Finish(choke=1, crop=True, margin=4, canvas=(80, 60), shadow=Shadow((4, 6), blur=3))
    shown = CUT.finish(steps)
    deep = shown.deep_pixels("rgba", behind)
    assert deep.dtype == np.uint16
    eight = shown.pixels("rgba", behind)
    seen = eight[..., 3] > 0 if background is None else np.ones((60, 80), bool)
    assert np.abs(deep / 257 - eight)[seen].max() <= 1.5


@pytest.mark.parametrize("only", ["alpha", "mask", "trimap"])
def test_mattes_of_sixteen_bits(only):
    shown = CUT.finish(Finish(only=only, crop=True, margin=9))
    assert np.array_equal(shown.deep_pixels(), shown.pixels().astype(np.uint16) * 257)


def test_animations_are_finished_frame_by_frame(tmp_path):
    frames = [Image.fromarray(np.roll(RGB, shift, axis=1)) for shift in (0, 9)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], duration=80)
    with brightness() as remover:
        options = {"remover": remover, "sync": "none", "workers": 1}
        steps = Finish(canvas=(100, 100))
        assert BulkRun(tmp_path / "a.png", tmp_path / "out", finish=steps, **options).run().ok
        report = BulkRun(
            tmp_path / "a.png", tmp_path / "no", finish=Finish(crop=True), **options
        ).run()
    with Image.open(tmp_path / "out" / "a.png") as image:
        assert (image.size, image.n_frames) == ((100, 100), 2)
    assert "add a canvas" in report.failures[0].reason


def test_a_picture_that_is_too_large_for_the_format_may_be_made_smaller(tmp_path):
    Image.new("RGB", (16_400, 8), "white").save(tmp_path / "long.png")
    with brightness() as remover:
        options = {"remover": remover, "sync": "none", "workers": 1, "suffix": ".webp"}
        assert not BulkRun(tmp_path / "long.png", tmp_path / "a", **options).run().ok
        smaller = Finish(long_side=1000)
        assert BulkRun(tmp_path / "long.png", tmp_path / "b", finish=smaller, **options).run().ok
