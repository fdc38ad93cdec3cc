"""``pyhades remove``: formats, and how they are written."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

MAKE = 0x010F


@pytest.fixture
def dance(folder, photo):
    """An animation in a folder of its own."""
    path = folder / "moving" / "dance.gif"
    path.parent.mkdir()
    first, *others = [Image.fromarray(np.roll(photo, 9 * index, axis=1)) for index in range(3)]
    first.save(path, save_all=True, append_images=others, duration=60, loop=0)
    return path


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", "avif", "gif", "apng", "tiff"])
def test_every_suffix_makes_its_format(suffix, run, folder, tmp_path):
    out = tmp_path / f"result.{suffix}"
    assert run("remove", folder / "a.jpg", "-o", out).exit_code == 0
    image = Image.open(out).convert("RGBA")
    assert image.getpixel((1, 1))[3] == 0 and image.getpixel((30, 20))[3] > 128


@pytest.mark.parametrize("suffix", ["jpg", "jfif", "bmp"])
def test_formats_without_transparency(suffix, run, folder, tmp_path):
    out = tmp_path / f"result.{suffix}"
    result = run("remove", folder / "a.jpg", "-o", out)
    assert result.exit_code == 2 and "has no transparency" in result.output
    assert run("remove", folder / "a.jpg", "-o", out, "--background", "white").exit_code == 0
    assert min(Image.open(out).convert("RGB").getpixel((1, 1))) > 250


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--quality", "80"], "PNG loses nothing"),
        (["--format", "webp", "--bits", "16"], "bits=16"),
        (["--format", "webp", "--quality", "80", "--lossless"], "lossless"),
        (["--format", "jpg", "--only-mask", "--lossless"], "always loses"),
        (["--format", "tif", "--png", "small"], "is for PNG"),
        (["--quality", "101"], "1<=x<=100"),
    ],
)
def test_wrong_combinations_are_usage_errors(arguments, words, run, folder, tmp_path):
    out = tmp_path / "out"
    result = run("remove", folder, "-o", out, *arguments)
    assert result.exit_code == 2 and words in result.output and not out.exists()


def test_quality_is_size(run, folder, tmp_path):
    sizes = []
    for quality in ("5", "95"):
        out = tmp_path / f"{quality}.webp"
        run("remove", folder / "a.jpg", "-o", out, "--quality", quality)
        sizes.append(out.stat().st_size)
    assert sizes[0] < sizes[1]


def test_16_bits(run, folder, tmp_path):
    out = tmp_path / "deep.png"
    assert run("remove", folder / "a.jpg", "-o", out, "--bits", "16").exit_code == 0
    assert out.read_bytes()[24] == 16  # of the header


def test_metadata_and_strip(run, folder, photo, tmp_path):
    exif = Image.Exif()
    exif[MAKE] = "Acme"
    Image.fromarray(photo).save(folder / "camera.jpg", exif=exif)
    for arguments, make in (([], "Acme"), (["--strip"], None)):
        out = tmp_path / "out.png"
        run("remove", folder / "camera.jpg", "-o", out, "--overwrite", *arguments)
        assert Image.open(out).getexif().get(MAKE) == make


def test_all_frames_of_one_file(run, dance, tmp_path):
    out = tmp_path / "dance.webp"
    assert run("remove", dance, "-o", out).exit_code == 0
    assert Image.open(out).n_frames == 3
    run("remove", dance, "-o", tmp_path / "still.png", "--first-frame")
    assert getattr(Image.open(tmp_path / "still.png"), "n_frames", 1) == 1


def test_and_in_runs(run, dance, tmp_path):
    assert run("remove", dance.parent, "-o", tmp_path / "out").exit_code == 0
    assert Image.open(tmp_path / "out" / "dance.png").n_frames == 3


def test_frames_that_do_not_fit_are_told(run, dance, tmp_path):
    out = tmp_path / "out.jpg"
    result = run("remove", dance, "-o", out, "--background", "white")
    assert result.exit_code == 1 and not out.exists()
    assert "3 frames, and JPEG holds one" in result.output and "--first-frame" in result.output
