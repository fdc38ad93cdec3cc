"""Pictures that are made, multiplied and forgotten."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pyhades.bench.pictures.page_cache import bytes_from_disk, filesystem_of, forget, remember
from pyhades.bench.pictures.scenes import make_pictures, scene
from pyhades.bench.pictures.sets import PictureSet, pictures_in
from pyhades.errors import ArgumentError, ArgumentTypeError

SCRIPTS = Path(__file__).parents[2] / "scripts"


def script(name):
    spec = importlib.util.spec_from_file_location(f"scripts_{name}", SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_scenes_are_different_and_the_same_again():
    pictures = [scene(number, (61, 40), seed=3) for number in range(4)]
    assert {picture.shape for picture in pictures} == {(40, 61, 3)}
    assert len({picture.tobytes() for picture in pictures}) == 4
    assert (scene(2, (61, 40), seed=3) == pictures[2]).all()
    assert (scene(2, (61, 40), seed=4) != pictures[2]).any()


def test_scenes_are_like_photographs_to_a_codec(tmp_path):
    """A flat picture would take a fiftieth of this, noise five times as much."""
    picture = scene(0, (400, 300))
    Image.fromarray(picture).save(tmp_path / "a.jpg", quality=90)
    per_pixel = (tmp_path / "a.jpg").stat().st_size / (400 * 300)
    assert 0.1 < per_pixel < 0.8
    assert picture.std() > 15


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (17, 5)])
def test_odd_sizes(size):
    assert scene(0, size).shape == (size[1], size[0], 3)


def test_made_by_a_script(tmp_path):
    arguments = [str(tmp_path / "out"), "--count", "5", "--size", "32x20", "--suffix", ".png"]
    result = CliRunner().invoke(script("make_images").main, [*arguments, "--processes", "1"])
    assert result.exit_code == 0, result.output
    found = pictures_in(tmp_path / "out")
    assert [path.name for path in found] == [f"000{n}.png" for n in range(5)]
    assert (np.asarray(Image.open(found[3])) == scene(3, (32, 20))).all()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"count": 0, "size": (4, 4)}, ArgumentError),
        ({"count": 1, "size": (4, 0)}, ArgumentError),
        ({"count": 1, "size": (4.5, 4)}, ArgumentTypeError),
        ({"count": 1, "size": (4, 4), "suffix": ".gif"}, ArgumentError),
    ],
)
def test_what_cannot_be_made(tmp_path, arguments, error):
    with pytest.raises(error):
        make_pictures(tmp_path, **arguments)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, suffix in enumerate((".jpg", ".png")):
        Image.fromarray(scene(number, (20, 10))).save(folder / f"p{number}{suffix}")
    return folder


@pytest.mark.parametrize(("options", "contents"), [([], 2), (["--distinct"], 7), (["--link"], 2)])
def test_multiplied(photos, tmp_path, options, contents):
    out = tmp_path / "many"
    arguments = [str(photos), str(out), "--count", "7", *options]
    result = CliRunner().invoke(script("duplicate_images").main, arguments)
    assert result.exit_code == 0, result.output
    found = pictures_in(out)
    assert len(found) == 7 and len({path.read_bytes() for path in found}) == contents
    originals = {np.asarray(Image.open(path)).tobytes() for path in photos.iterdir()}
    assert {np.asarray(Image.open(path)).tobytes() for path in found} == originals


def test_what_cannot_be_marked(photos, tmp_path):
    Image.new("RGB", (3, 3)).save(photos / "p2.bmp")
    arguments = [str(photos), str(tmp_path / "many"), "--count", "3", "--distinct"]
    result = CliRunner().invoke(script("duplicate_images").main, arguments)
    assert result.exit_code == 2 and "p2.bmp" in result.stderr


def test_a_set(photos):
    (photos / "broken.jpg").write_bytes(b"nothing")
    found = PictureSet.of(photos)
    assert found.to_dict()["count"] == 3 and found.megapixels == 20 * 10 / 1e6
    assert found.filesystem == filesystem_of(photos) != "unknown"


def test_no_set(tmp_path):
    with pytest.raises(ArgumentError, match="no pictures"):
        PictureSet.of(tmp_path)
    with pytest.raises(ArgumentError, match="no such folder"):
        PictureSet.of(tmp_path / "nothing")


def test_forgetting(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content" * 10000)
    for each in (path, tmp_path / "nothing"):
        forget(each)
        remember(each)
    assert path.read_bytes() == b"content" * 10000
    assert bytes_from_disk() is None or bytes_from_disk() >= 0
    assert filesystem_of(Path("/proc")) == "proc"
