"""What ``--out`` names, and what is made of names."""

from __future__ import annotations

import os
import re

import pytest
from PIL import Image

from pyhades.cli.remove_out import names_picture
from pyhades.cli.remove_progress import printable
from pyhades.segmentation.bulk.manifest import NAME


def files_in(folder):
    found = (p for p in folder.rglob("*") if p.is_file() and not p.name.endswith(NAME))
    return sorted(p.relative_to(folder).as_posix() for p in found)


@pytest.fixture
def here(folder, monkeypatch):
    """The current folder, with pictures."""
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("name", ["a.png", "A.WEBP", "x/a.psd", "a.heic", "a.svg", "a.jfif"])
def test_names_of_pictures(name):
    assert names_picture(name) and not names_picture(f"{name}/")


@pytest.mark.parametrize("name", ["out", "v1.2", "out.d", "notes.txt", ".hidden", "photos.old/x"])
def test_names_of_folders(name):
    assert not names_picture(name)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["a.jpg", "-o", "result.psd"], "result.psd: .psd files cannot be written"),
        (["a.jpg", "-o", "result.pgn"], ".pgn files cannot be written"),
        (["a.jpg", "c.jpg", "-o", "two.png"], "two.png names a file, but there are several"),
        ([".", "-o", "three.png"], "there may be many pictures in ."),
        (["a.jpg", "-o", "one.png", "--resume"], "--resume is of runs that write to a folder"),
        (["a.jpg", "-o", "x.webp", "--format", "png"], "--format says png"),
        (["a.jpg", "-o", "x.jpg"], "no transparency"),
        (["a.jpg", "-o", ".png"], ".png is a suffix without a name"),
        (["a.jpg", "-o", "sub/.JPG"], "is a suffix without a name"),
        (["sub", "-o", "all.zip"], "all.zip names a file"),
        (["sub", "-o", "all.tar.gz"], "all.tar.gz names a file"),
        (["a.jpg", "-o", "memory://x/a.png"], "at a URL, name a folder"),
        (["a.jpg", "-o", "notes.txt"], "notes.txt is a file, and its name is not that of a"),
        (["a.jpg", "-o", "~/x.png"], "no shell has replaced"),
        (["a.jpg", "-o", ""], "--out is empty"),
        (["", "-o", "out"], "an INPUT is empty"),
        (["a.jpg", "", "-o", "out"], "an INPUT is empty"),
        (["a.jpg", "-o", "out", "--background", ""], "--background is empty"),
        (["--list", "", "-o", "out"], "--list is empty"),
        (["*.gif", "-o", "out"], "shells leave a pattern as it is"),
        (["~/a.jpg", "-o", "out"], "a shell has not replaced ~"),
        (["-", "-o", "sub"], "sub is a folder"),
        (["-", "-o", "new/"], "new/ is a folder"),
        ([".", "-o", "-"], "and not a folder"),
        (["a" * 300 + ".png", "-o", "out"], ".png: File name too long"),
        (["a.jpg", "-o", "a" * 300 + ".png"], ".png: File name too long"),
        (["a.jpg/x.png", "-o", "out"], "a.jpg/x.png: there is no such file"),
        (["missing.png", "-o", "-"], "missing.png: there is no such file"),
        (["a.jpg", "-o", "out", "--overwrite", "--skip-existing"], "--skip-existing leaves it"),
        (["a.jpg", "-o", "out", "--name-pattern", "x{suffix}"], "needs {stem} or {name}"),
        (["a.jpg", "c.jpg", "-o", "/dev/null"], "/dev/null takes a single picture"),
        ([".", "-o", ".", "--watch"], "folder that is followed"),
    ],
)
def test_wrong_usage_changes_nothing(run, here, arguments, complaint):
    before = files_in(here)
    result = run("remove", *arguments, input=b"")
    assert result.exit_code == 2, result.output
    assert complaint in result.stderr and files_in(here) == before
    assert not [p.name for p in here.iterdir() if p.name in ("out", "new", "~", "two.png")]


def test_a_slash_makes_a_folder(run, here):
    assert run("remove", "a.jpg", "-o", "x.png/").exit_code == 0
    assert run("remove", "sub/", "-o", "y.png/").exit_code == 0
    assert files_in(here / "x.png") == ["a.png"]
    assert files_in(here / "y.png") == ["a.png", "deep/b.png"]


def test_names_of_every_kind(run, here, tmp_path):
    names = ["-x.jpg", "new\nline.jpg", "bad\udcff.jpg", "%s{0}.jpg", " .jpg", "a" * 251 + ".jpg"]
    (here / "odd").mkdir()
    for name in names:
        os.link(here / "a.jpg", here / "odd" / name)
    out = tmp_path / "out"
    assert run("remove", "odd", "-o", out).exit_code == 0
    assert {p.stem for p in out.iterdir()} == {name[:-4] for name in names}
    os.chdir(here / "odd")
    assert run("remove", "-o", out / "one", "--", "-x.jpg").exit_code == 0
    assert run("remove", "-o", out / "two", "--", *names).exit_code == 0
    assert len(files_in(out / "one")) == 1 and len(files_in(out / "two")) == len(names)
    (here / "odd" / "bad\udcff\x1b[2J\n.png").write_bytes(b"junk")
    result = run("remove", here / "odd", "-o", out / "three")
    assert result.exit_code == 1 and r"bad\xff\x1b[2J\n.png: not an image" in result.stderr


def test_what_is_printed_moves_no_cursor():
    assert printable("ä\x9b写\u2028") == r"ä\x9b写\u2028"


def test_results_among_the_pictures_are_no_pictures(run, here):
    """Out of a folder into itself, or one above: a second run does not eat what the first made."""
    first = run("remove", "sub", "-o", ".")
    assert first.exit_code == 0 and (here / "a.png").exists()
    again = run("remove", "sub", "-o", ".")
    assert again.exit_code == 0 and "2 were done before" in again.stderr
    for _ in range(2):
        result = run("remove", "sub/deep", "-o", "sub/deep", "--name-pattern", "{stem}-cut{suffix}")
        assert result.exit_code == 0, result.output
    assert files_in(here / "sub" / "deep") == ["b-cut.png", "b.png"]
    assert "left out, as results of earlier runs: 1" in result.stderr
    # Somebody puts a picture in place of a result: it is one.
    Image.new("RGB", (50, 50), "white").save(here / "sub" / "deep" / "b-cut.png")
    result = run("remove", "sub/deep", "-o", "sub/deep", "--name-pattern", "{stem}-cut{suffix}")
    assert result.exit_code == 2 and "would replace the input" in result.stderr


def test_results_of_this_run_are_no_pictures_either(run, here):
    """Where a folder is looked into only after results have come to lie there."""
    for name in ("sub", "sub/sub", "sub/sub/z", "sub/z"):
        (here / name).mkdir(exist_ok=True)
        Image.new("RGB", (30, 20), "white").save(here / name / "p.jpg")
    for _ in range(2):
        result = run("remove", "sub", "-o", ".", "--jobs", "1", "--overwrite")
        assert result.exit_code == 0 and "6 of 6 images done" in result.stderr
    result = run("remove", "sub", "-o", ".", "--shard", "1/2")
    assert result.exit_code == 2 and "shared with other processes" in result.stderr


def test_inputs_that_are_named_twice_are_done_once(run, here, tmp_path):
    (here / "link.jpg").symlink_to("a.jpg")
    given = ["a.jpg", "./a.jpg", here / "a.jpg", "link.jpg", "sub", "sub/deep/b.png"]
    result = run("remove", *given, "-o", tmp_path / "out")
    assert result.exit_code == 2 and "would both become a.png" in result.stderr
    result = run("remove", *given[:4], "sub/deep", "sub/deep/b.png", "-o", tmp_path / "out")
    assert result.exit_code == 0 and "done once: 3" in result.stderr
    assert files_in(tmp_path / "out") == ["a.png", "b.png", "link.png"]
    names = "a.jpg\nc.png\n./a.jpg\na.jpg\n"
    result = run("remove", "--list", "-", "-o", tmp_path / "list", input=names.encode())
    assert result.exit_code == 0 and "done once: 2" in result.stderr


def test_lists_never_replace_their_pictures(run, here, tmp_path):
    before = {name: (here / name).read_bytes() for name in ("a.jpg", "c.jpg", "c.png")}
    run("remove", "--list", "-", "-o", ".", input=b"a.jpg\n")
    result = run("remove", "--list", "-", "-o", ".", "--overwrite", input=b"a.jpg\nc.jpg\nc.png\n")
    assert result.exit_code == 1 and "1 of 3 images done" in result.stderr
    assert result.stderr.count("would replace the input c.png") == 1
    assert "another input has become c.png" in result.stderr
    assert {name: (here / name).read_bytes() for name in before} == before
    line = b'{"path": "c.jpg", "output": "c.png"}\n{"path": "c.png", "output": "sub/c.png"}'
    result = run("remove", "--jsonl", "-", "-o", ".", "--overwrite", input=line)
    assert result.exit_code == 1 and (here / "c.png").read_bytes() == before["c.png"]
    assert (here / "sub" / "c.png").exists()


def test_a_background_is_never_replaced(run, here):
    (here / "out").mkdir()
    Image.new("RGB", (9, 9), "red").save(here / "out" / "a.png")
    before = (here / "out" / "a.png").read_bytes()
    options = ["--background", "out/a.png", "--overwrite"]
    result = run("remove", "a.jpg", "sub/deep", "-o", "out", *options)
    assert result.exit_code == 2 and "would replace the input" in result.stderr
    assert (here / "out" / "a.png").read_bytes() == before


def test_lists_that_end_in_zeros(run, here, tmp_path):
    os.link("a.jpg", "new\nline.jpg")
    result = run("remove", "--list", "-", "-0", "-o", tmp_path, input=b"new\nline.jpg\0c.png\0")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "new\nline.png").exists() and (tmp_path / "c.png").exists()
    assert run("remove", "a.jpg", "-0", "-o", tmp_path).exit_code == 2


def test_what_exists_is_skipped(run, here, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_text("mine")
    for arguments in (["a.jpg", "-o", out / "a.png"], ["a.jpg", "-o", out], [".", "-o", out]):
        result = run("remove", *arguments, "--skip-existing")
        assert result.exit_code == 0 and re.search("as (it|they) w", result.stderr)
        assert (out / "a.png").read_text() == "mine"
    assert len(files_in(out)) == 5
    (out / "folder.png").mkdir()
    result = run("remove", "a.jpg", "-o", out / "folder.png", "--skip-existing")
    assert result.exit_code == 0 and (out / "folder.png" / "a.png").exists()


def test_include_exclude_and_patterns_of_names(run, here, tmp_path):
    options = ["--include", "*.jpg", "--exclude", "deep", "--exclude", "c.*"]
    options += ["--name-pattern", "cut-{name}{suffix}"]
    result = run("remove", ".", "-o", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    assert files_in(tmp_path / "out") == ["cut-a.jpg.png", "sub/cut-a.jpg.png"]
    result = run("remove", "a.jpg", "-o", tmp_path / "one", "--name-pattern", "{stem}-1{suffix}")
    assert result.exit_code == 0 and files_in(tmp_path / "one") == ["a-1.png"]
    result = run("remove", ".", "-o", tmp_path / "none", "--include", "*.gif")
    assert result.exit_code == 2 and "that include and exclude leave" in result.stderr


def test_what_is_left_out_is_told(run, here, tmp_path):
    os.link("a.jpg", "nosuffix")
    os.link("a.jpg", "b.jfif")
    result = run("remove", ".", "-o", tmp_path / "out")
    assert result.exit_code == 0 and "6 of 6 images done" in result.stderr
    assert "1 without suffix (nosuffix), 1 .txt (notes.txt)" in result.stderr
