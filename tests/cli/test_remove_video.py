"""``pyhades remove clip.mp4 -o out.webm``."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from pyhades.cli import main
from tests.segmentation.video.conftest import make_clip as make_clip


def remove(*arguments):
    return CliRunner().invoke(main, ["remove", *map(str, arguments)])


def test_a_clip(make_clip, tmp_path):
    clip, out = make_clip(), tmp_path / "deep" / "out.webm"
    done = remove(clip, "-o", out)
    assert done.exit_code == 0 and out.stat().st_size > 1000
    again = remove(clip, "-o", out)
    assert again.exit_code == 2 and "exists" in again.output
    skipped = remove(clip, "-o", out, "--skip-existing")
    assert skipped.exit_code == 0 and "is as it was" in skipped.output
    assert remove(clip, "-o", out, "--overwrite", "-q").exit_code == 0


def test_a_broken_clip(make_clip, tmp_path):
    clip = make_clip()
    clip.write_bytes(clip.read_bytes()[:500])
    result = remove(clip, "-o", tmp_path / "out")
    assert result.exit_code == 1 and f"error: {clip}: not a clip" in result.output


@pytest.mark.parametrize(
    ("out", "more", "message"),
    [
        ("out.mp4", [], "clips are written as .webm or .mov"),
        ("-", [], "does not go to standard output"),
        ("out", ["--resume"], "a clip is done alone"),
        ("out", ["--name-pattern", "{name}{suffix}"], "frames have numbers"),
        ("out", ["--format", "webp"], "a folder of PNG files"),
        ("out", ["--quality", "80", "--format", "webp"], "a folder of PNG files"),
    ],
)
def test_what_is_refused(make_clip, tmp_path, monkeypatch, out, more, message):
    monkeypatch.chdir(tmp_path)
    result = remove(make_clip(), "-o", out, *more)
    assert result.exit_code == 2 and message in " ".join(result.output.split())
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_several_clips(make_clip, tmp_path):
    result = remove(make_clip(), make_clip("b.mkv"), "-o", tmp_path / "out")
    assert result.exit_code == 2 and "a clip is done alone" in result.output


def test_without_pyav(make_clip, tmp_path, monkeypatch):
    clip = make_clip()
    monkeypatch.setitem(sys.modules, "av", None)
    result = remove(clip, "-o", tmp_path / "out.webm")
    assert result.exit_code != 0 and "pip install 'pyhades[video]'" in result.output
