"""Finishing from the command line."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pyhades.segmentation import Finish, Shadow


def shown(run, folder, tmp_path, *options):
    out = tmp_path / "out.png"
    result = run("remove", folder / "a.jpg", "-o", out, "--overwrite", *options)
    assert result.exit_code == 0, result.output
    return Image.open(out)


@pytest.mark.parametrize(
    ("options", "finish"),
    [
        (["--crop", "--margin", "3"], Finish(crop=True, margin=3)),
        (["--crop", "--margin", "5%", "--long-side", "30"],
         Finish(crop=True, margin="5%", long_side=30)),
        (["--canvas", "50x40", "--shadow", "soft"], Finish(canvas=(50, 40), shadow=True)),
        (["--shadow", "-3,4,2,0.5,navy"], Finish(shadow=Shadow((-3, 4), 2, 0.5, "navy"))),
        (["--shadow", "3,4"], Finish(shadow=Shadow((3, 4)))),
        (["--shadow", "3,4,0,1,rgb(1,2,3)"], Finish(shadow=Shadow((3, 4), 0, 1, (1, 2, 3)))),
        (["--refine", "--threshold", "0.5"], Finish(refine=True, threshold=0.5)),
        (["--largest", "--specks", "0.1%"], Finish(largest=True, specks="0.1%")),
        (["--fill-holes"], Finish(fill_holes=True)),
        (["--fill-holes", "--largest-hole", "9"], Finish(fill_holes=9)),
        (["--choke", "-2", "--feather", "1.5"], Finish(choke=-2, feather=1.5)),
        (["--only", "trimap", "--trimap-band", "3"], Finish(only="trimap", trimap_band=3)),
        (["--only", "mask"], Finish(only="mask")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_options_are_those_of_a_finish(run, folder, tmp_path, options, finish):
    from pyhades.segmentation import ModelManifest, Remover
    from tests.support.bulk_runs import BrightnessNetwork

    manifest = ModelManifest("brightness", (16, 16))
    with Remover.from_network(BrightnessNetwork(), manifest) as remover:
        expected = remover(folder / "a.jpg", finish=finish)
    image = shown(run, folder, tmp_path, *options)
    assert image.mode == expected.mode and np.array_equal(image, expected)


def test_a_folder_of_them(run, folder, tmp_path):
    out = tmp_path / "out"
    result = run("remove", folder, "-o", out, "--canvas", "30x20", "--background", "white")
    assert result.exit_code == 0, result.output
    pictures = [Image.open(path) for path in out.rglob("*.png")]
    assert len(pictures) == 5 and {(p.mode, p.size) for p in pictures} == {("RGB", (30, 20))}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--margin", "3"], "--margin 3 is one around a crop; add --crop"),
        (["--threshold", "0"], "--threshold 0.0 must be above 0"),
        (["--threshold", "128"], "at most 1"),
        (["--canvas", "500"], "such as 1000x1000"),
        (["--canvas", "0x5"], "--canvas 0"),
        (["--shadow", "soft,3"], "--shadow"),
        (["--shadow", "1"], "--shadow"),
        (["--shadow", "1,2,3,4"], "opacity"),
        (["--shadow", "1,2,3,0.4,blak"], "blak"),
        (["--largest-hole", "9"], "--fill-holes"),
        (["--only", "alpha", "--background", "red"], "--only"),
        (["--only", "alpha", "--shadow", "soft"], "without a shadow"),
        (["--only", "matte"], "'matte' is not one of"),
        (["--trimap-band", "4"], "--only"),
        (["--specks", "x"], "--specks"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage_errors_come_before_any_work(run, folder, tmp_path, options, message):
    out = tmp_path / "out"
    result = run("remove", folder, "-o", out, *options)
    assert result.exit_code == 2 and message in result.stderr.replace("\n", " "), result.output
    assert not out.exists()


def test_jpeg_takes_a_matte_alone(run, folder, tmp_path):
    result = run("remove", folder, "-o", tmp_path / "out", "--format", "jpg", "--only", "alpha")
    assert result.exit_code == 0, result.output
    assert Image.open(tmp_path / "out" / "a.jpg").mode == "L"
