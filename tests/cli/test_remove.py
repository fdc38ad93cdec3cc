from __future__ import annotations

import io
import os
import stat

import numpy as np
import pytest
from PIL import Image

from pyhades.cli import targets
from pyhades.segmentation.bulk import manifest
from pyhades.segmentation.bulk.sinks.files import FileSink


def files_in(folder):
    """Results, that is, without the manifest."""
    found = (p for p in folder.rglob("*") if p.is_file() and not p.name.endswith(manifest.NAME))
    return sorted(p.relative_to(folder).as_posix() for p in found)


def test_one_file_to_a_file(run, folder, tmp_path):
    out = tmp_path / "result.png"
    result = run("remove", folder / "a.jpg", "-o", out)
    assert result.exit_code == 0, result.output
    image = Image.open(out)
    assert image.mode == "RGBA" and image.getpixel((30, 20))[3] > 200
    assert image.getpixel((1, 1)) == (0, 0, 0, 0)


def test_a_folder_is_mirrored_without_collisions(run, folder, tmp_path):
    out = tmp_path / "out"
    result = run("remove", folder, "-o", out)
    assert result.exit_code == 0, result.output
    assert "5 of 5 images done" in result.stderr
    expected = ["a.png", "c.jpg.png", "c.png.png", "sub/a.png", "sub/deep/b.png"]
    assert files_in(out) == expected
    for name in expected:
        Image.open(out / name).load()


def test_not_recursive(run, folder, tmp_path):
    run("remove", folder, "-o", tmp_path / "out", "--no-recursive")
    assert files_in(tmp_path / "out") == ["a.png", "c.jpg.png", "c.png.png"]


def test_results_inside_the_input_folder_are_not_inputs(run, folder):
    out = folder / "cut"
    for _ in range(2):
        result = run("remove", folder, "-o", out, "--overwrite")
        assert result.exit_code == 0, result.output
    assert len(files_in(out)) == 5


def test_options_reach_the_result(run, folder, tmp_path):
    source = folder / "a.jpg"
    run("remove", source, "-o", tmp_path / "mask.png", "--only-mask")
    assert Image.open(tmp_path / "mask.png").mode == "L"
    run("remove", source, "-o", tmp_path / "blue.png", "--background", "#0000ff")
    blue = Image.open(tmp_path / "blue.png")
    assert blue.mode == "RGB" and blue.getpixel((1, 1)) == (0, 0, 255)
    run("remove", source, "-o", tmp_path / "blue.jpg", "--background", "blue")
    assert Image.open(tmp_path / "blue.jpg").format == "JPEG"
    run("remove", source, "-o", tmp_path / "small.png", "--png", "small")
    fast, small = tmp_path / "fast.png", tmp_path / "small.png"
    run("remove", source, "-o", fast)
    assert small.stat().st_size < fast.stat().st_size
    run("remove", folder, "-o", tmp_path / "web", "--format", "webp")
    assert "a.webp" in files_in(tmp_path / "web")


def test_standard_input_and_output(run, folder, tmp_path):
    data = (folder / "a.jpg").read_bytes()
    result = run("remove", "-", "-o", "-", input=data)
    assert result.exit_code == 0
    assert Image.open(io.BytesIO(result.stdout_bytes)).mode == "RGBA"
    assert run("remove", "-", "-o", tmp_path / "x.png", input=data).exit_code == 0
    assert Image.open(tmp_path / "x.png").size == (60, 40)
    result = run("remove", folder / "c.png", "-o", "-")
    assert Image.open(io.BytesIO(result.stdout_bytes)).format == "PNG"


def test_bad_standard_input(run):
    result = run("remove", "-", "-o", "-", input=b"junk")
    assert result.exit_code == 1
    assert "standard input: not an image" in result.stderr and result.stdout_bytes == b""


def test_a_bad_file_is_named_and_does_not_stop_the_others(run, folder, tmp_path):
    (folder / "b.jpg").write_bytes((folder / "a.jpg").read_bytes()[:200])
    (folder / "empty.png").write_bytes(b"")
    result = run("remove", folder, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "b.jpg" in result.stderr and "empty.png: the file is empty" in result.stderr
    assert "5 of 7 images done" in result.stderr
    assert len(files_in(tmp_path / "out")) == 5


def test_existing_results_are_kept_unless_told_otherwise(run, folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_text("mine")
    result = run("remove", folder / "a.jpg", folder / "sub" / "deep", "-o", out)
    assert result.exit_code == 1 and "a.png exists; pass --overwrite" in result.stderr
    assert (out / "a.png").read_text() == "mine" and (out / "b.png").exists()
    result = run("remove", folder / "a.jpg", "-o", out, "--overwrite")
    assert result.exit_code == 0 and Image.open(out / "a.png").mode == "RGBA"


@pytest.mark.parametrize("out", ["same", "folder"])
def test_an_input_is_never_replaced(run, folder, out):
    source = folder / "sub" / "deep" / "b.png"
    before = source.read_bytes()
    target = source if out == "same" else source.parent
    result = run("remove", source, "-o", target, "--overwrite")
    assert result.exit_code == 2 and "would replace the input" in result.stderr
    assert source.read_bytes() == before


def test_equal_names_from_two_folders_are_refused(run, folder, tmp_path):
    out = tmp_path / "out"
    result = run("remove", folder / "a.jpg", folder / "sub" / "a.jpg", "-o", out)
    assert result.exit_code == 2 and "would both become" in result.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["missing.jpg"], "no such file"),
        (["-", "a.jpg"], "take a single image"),
        (["a.jpg", "--only-mask", "--background", "red"], "--only-mask"),
        (["a.jpg", "--format", "jpg"], "no transparency"),
        (["a.jpg", "--background", "nonsense"], "neither"),
        (["a.jpg", "--threads", "0"], "threads"),
        (["a.jpg", "--manifest", "none.json"], "none.json"),
    ],
)
def test_wrong_usage_is_exit_code_two(run, folder, arguments, complaint, monkeypatch):
    monkeypatch.chdir(folder)
    result = run("remove", *arguments, "-o", "out")
    assert result.exit_code == 2 and complaint in result.stderr
    assert not (folder / "out").exists()


def test_a_folder_without_images(run, tmp_path):
    (tmp_path / "empty").mkdir()
    result = run("remove", tmp_path / "empty", "-o", tmp_path / "out")
    assert result.exit_code == 2 and "no images in this folder" in result.stderr


def test_interruption(run, folder, tmp_path, monkeypatch):
    def interrupted(sink, target, parts, **how):
        raise KeyboardInterrupt

    monkeypatch.setattr(FileSink, "write", interrupted)
    result = run("remove", folder, "-o", tmp_path / "out")
    assert result.exit_code == 130 and "interrupted" in result.stderr


def test_writes_are_all_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    targets.write_atomically(path, b"first")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask

    def failing(self, target):
        assert self.read_bytes() == b"second" and path.read_bytes() == b"first"
        raise OSError("disk gone")

    monkeypatch.setattr(type(path), "replace", failing)
    with pytest.raises(OSError, match="disk gone"):
        targets.write_atomically(path, b"second")
    assert path.read_bytes() == b"first"
    assert files_in(tmp_path) == ["x.png"]


def test_keep_hidden_and_foreground_options(run, folder, tmp_path):
    picture = np.full((20, 20, 3), 90, np.uint8)
    picture[:10] = 255
    Image.fromarray(picture).save(tmp_path / "p.png")
    run("remove", tmp_path / "p.png", "-o", tmp_path / "plain.png", "--no-foreground")
    run("remove", tmp_path / "p.png", "-o", tmp_path / "free.png")
    plain, free = (np.asarray(Image.open(tmp_path / f"{n}.png")) for n in ("plain", "free"))
    np.testing.assert_array_equal(plain[..., :3], picture)
    np.testing.assert_array_equal(plain[..., 3], free[..., 3])


def test_a_background_is_not_replaced(run, photo, tmp_path):
    for name in ("in.png", "wall.png"):
        Image.fromarray(photo).save(tmp_path / name)
    before = (tmp_path / "wall.png").read_bytes()
    wall = tmp_path / "wall.png"
    options = ["--background", wall, "--overwrite"]
    result = run("remove", tmp_path / "in.png", "-o", wall, *options)
    assert result.exit_code == 2 and "which is read" in result.stderr
    assert wall.read_bytes() == before
