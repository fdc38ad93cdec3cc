"""Which pictures are meant, and what their results are called."""

from __future__ import annotations

import itertools

import pytest

from pyhades import BulkRun
from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.sources.naming import results_of
from pyhades.segmentation.bulk.sources.opening import Finding, open_inputs
from pyhades.segmentation.bulk.sources.patterns import Selection, check_name_pattern
from tests.support.bulk_runs import brightness, encoded, write_archive, write_folder


@pytest.mark.parametrize(
    ("pattern", "fits", "differs"),
    [
        ("*.jpg", ["a.jpg", "x/y/a.jpg", ".jpg"], ["a.JPG", "a.jpg/b", "ajpg"]),
        ("cats/*.jpg", ["cats/a.jpg"], ["a.jpg", "x/cats/a.jpg", "cats/x/a.jpg"]),
        ("cats/**", ["cats/a.jpg", "cats/x/a.jpg"], ["a.jpg", "x/cats/a.jpg"]),
        ("**/cats/*", ["cats/a.jpg", "x/y/cats/a.jpg"], ["xcats/a.jpg"]),
        ("[ab]?.png", ["a1.png", "x/b2.png"], ["c1.png", "a.png"]),
        ("x/[!ab].png", ["x/c.png"], ["x/a.png", "c.png"]),
        ("/x/a+(1).png", ["x/a+(1).png"], ["x/aa(1).png"]),
        ("line*.png", ["line\nfeed.png"], []),
    ],
)
def test_patterns(pattern, fits, differs):
    only, without = Selection(include=(pattern,)), Selection(exclude=(pattern,))
    for path in fits:
        assert only.takes(path) and not without.takes(path), path
    for path in differs:
        assert not only.takes(path), path


def test_excluded_folders():
    selection = Selection(exclude=("old", "tmp/", "cats/raw"))
    for path in ("old/a.png", "x/old/y/a.png", "tmp/a.png", "x/tmp/a.png", "cats/raw/x/a.png"):
        assert not selection.takes(path), path
    for path in ("older/a.png", "x/cats/raw/a.png", "cats/a.png", "x/tmp"):
        assert selection.takes(path), path
    assert not selection.enters("old") and selection.enters("cats") and not selection.enters("tmp")
    with pytest.raises(ArgumentError, match="include has an empty pattern"):
        Selection.of([""], [])
    assert Selection.of("*.png", ()).include == ("*.png",)


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("{suffix}", "needs {stem} or {name}"),
        ("{stem}", "has to end in {suffix}"),
        ("cut/{stem}{suffix}", "not of paths"),
        ("{stem}-{size}{suffix}", "what stands in braces"),
        ("{stem!r}{suffix}", "what stands in braces"),
        ("{}{suffix}", "what stands in braces"),
        ("{stem", "expected '}'"),
    ],
)
def test_patterns_of_names_that_are_refused(pattern, complaint):
    with pytest.raises(ArgumentError) as caught:
        check_name_pattern(pattern)
    assert complaint in str(caught.value) and repr(pattern) in str(caught.value)


def test_names_by_a_pattern():
    names = ["a.jpg", "b.jpg", "b.png"]
    made = results_of(names, ".webp", "{stem}-cut{suffix}")
    assert list(made.values()) == ["a-cut.webp", "b.jpg-cut.webp", "b.png-cut.webp"]
    assert results_of(["a.jpg"], ".png", "{{{name}}}{suffix}") == {"a.jpg": "{a.jpg}.png"}


def test_a_folder_is_in_the_way_of_no_result(tmp_path):
    assert results_of(["a.jpg", "b.jpg"], ".png", folders={"a.png"}) == {
        "a.jpg": "a.jpg.png",
        "b.jpg": "b.png",
    }
    root = write_folder(tmp_path / "in", 3)
    (root / "a.png").mkdir()
    for name in ("a.jpg", "a.png/x.jpg"):
        (root / name).write_bytes(encoded(1))
    with brightness() as remover:
        assert BulkRun(root, tmp_path / "out", remover=remover).run().done == 5


@pytest.mark.parametrize("pattern", ["{stem}{suffix}", "x{stem}{suffix}", "{stem}.{name}{suffix}"])
def test_results_of_a_folder_never_share_a_name(pattern):
    """Whatever the names are that differ in suffixes, and suffixes of suffixes."""
    suffixes = [s for n in range(4) for s in itertools.product((".jpg", ".png"), repeat=n)]
    suffixes = [s for n in range(4) for s in itertools.product((".jpg", ".png"), repeat=n)]
    names = ["a" + "".join(some) for some in suffixes]
    for some in itertools.combinations(names, 4):
        made = results_of(some, ".png", pattern)
        assert len(set(made.values())) == 4, some


def test_what_is_named_twice_is_taken_once(tmp_path):
    root = write_folder(tmp_path / "in", 6)
    picture = root / "d0" / "p000.png"
    given = [root, root / "d0" / ".." / "d1", picture, tmp_path / "in" / "." / "d0" / "p000.png"]
    opened = open_inputs(given, Finding(".png"))
    assert sum(1 for source in opened.files for _ in source) == 6
    assert list(opened.notes()) == ["named more than once, and done once: 3"]
    opened = open_inputs([root, picture], Finding(".png", recursive=False))
    assert opened.repeated == 0  # it lies below, where the folder is not looked through


def test_selections_are_for_folders_and_files(tmp_path):
    root = write_folder(tmp_path / "in", 6)
    archive = write_archive(tmp_path / "a.tar", 2)
    how = Finding(".png", selection=Selection(exclude=("p000*", "d1")))
    opened = open_inputs([root, root / "d0" / "p000.png"], how)
    found = sorted(picture.key for source in opened.files for picture in source)
    assert found == ["d0/p003.png", "d2/p002.png", "d2/p005.png"]
    with pytest.raises(ArgumentError, match="archives and tables are taken as they are"):
        open_inputs([root, archive], how)
    with pytest.raises(ArgumentError, match="include and exclude leave none"):
        open_inputs([root / "d0" / "p000.png"], how)
