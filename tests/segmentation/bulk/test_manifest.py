"""The manifest: whole lines, whoever writes and whoever dies."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk import manifest as module
from pyhades.segmentation.bulk.history import History
from pyhades.segmentation.bulk.identity import Identity
from pyhades.segmentation.bulk.manifest import NAME, Manifest, beside

THIS = Identity("u2net.onnx", "aa", {"png": "fast"})
OTHER = Identity("u2net.onnx", "aa", {"png": "small"})
ANOTHER_MODEL = Identity("isnet.onnx", "bb", {"png": "fast"})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "manifest.jsonl"


def test_lines_come_back(path):
    with Manifest(path) as manifest:
        manifest.append({"input": "a", "status": "done"})
        manifest.append({"input": "\udce4\n", "status": "failed"})  # a name that is no UTF-8
        assert [line["input"] for line in manifest.lines()] == ["a", "\udce4\n"]


@pytest.mark.parametrize("torn", [b'{"input": "b"', b"x" * 200_000, b"\0" * 10])
def test_half_a_line_is_cut_off(path, torn):
    with Manifest(path) as manifest:
        manifest.append({"input": "a"})
    with path.open("ab") as file:
        file.write(torn)
    with Manifest(path) as manifest:
        assert manifest.torn == len(torn)
        manifest.append({"input": "c"})
        assert [line["input"] for line in manifest.lines()] == ["a", "c"]


def test_half_a_line_of_another_process_is_cut_off_in_passing(path):
    with Manifest(path) as manifest:
        manifest.append({"input": "a"})
        with path.open("ab") as file:
            file.write(b'{"inp')
        assert [line["input"] for line in manifest.lines()] == ["a"]
        manifest.append({"input": "b"})
        assert path.read_bytes() == b'{"input":"a"}\n{"input":"b"}\n'


def test_what_is_no_line_is_left_out(path):
    with Manifest(path) as manifest:
        manifest.append({"input": "a"})
        with path.open("ab") as file:
            file.write(b"\0\0\0\n[1]\n")
        manifest.append({"input": "b"})
        assert [line["input"] for line in manifest.lines()] == ["a", "b"]


def test_many_write_at_a_time(path):
    def write(name):
        with Manifest(path) as own:
            for number in range(100):
                own.append({"input": f"{name}{number}", "more": "x" * 300})

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [json.loads(line)["input"] for line in path.read_text().splitlines()]
    assert len(found) == 400 and len(set(found)) == 400


def test_a_full_disk_leaves_no_half_line(path, monkeypatch):
    plain = os.write

    def short(descriptor, data):
        monkeypatch.setattr(module.os, "write", full)
        return plain(descriptor, data[:5])

    def full(descriptor, data):
        raise OSError(28, "No space left on device")

    with Manifest(path) as manifest:
        manifest.append({"input": "a"})
        monkeypatch.setattr(module.os, "write", short)
        with pytest.raises(OSError, match="No space"):
            manifest.append({"input": "b"})
        monkeypatch.setattr(module.os, "write", plain)
        manifest.append({"input": "c"})
    assert path.read_bytes() == b'{"input":"a"}\n{"input":"c"}\n'


def line(name, identity=THIS, status="done", **more):
    return {"input": name, "status": status, "made_with": identity.hash, **more}


def run_line(identity):
    fields = {"model": identity.model, "model_sha256": identity.model_sha256}
    return {"run": "1", "made_with": identity.hash, "options": identity.options, **fields}


def read(lines, **how):
    return History.read(lines, THIS, ours=lambda key: True, **how)


def test_the_last_line_counts():
    history = read([line("a", status="failed"), line("a"), line("a", status="refused"), {"x": 1}])
    assert history.records["a"].status == "done"


def test_only_the_shards_own_are_remembered():
    lines = [line("a"), line("b"), line("x/c", archive="x"), line("y/d", archive="y")]
    history = History.read(lines, THIS, ours=lambda key: key in ("a", "x"))
    assert set(history.records) == {"a", "x/c"}


@pytest.mark.parametrize(
    ("other", "words"),
    [(OTHER, ["png was 'small' and is 'fast'"]), (ANOTHER_MODEL, ["the model was isnet.onnx"])],
)
def test_others_are_refused_by_name(other, words):
    lines = [run_line(other), line("a", other), line("b", other, "failed")]
    history = read(lines)
    assert not history.records
    with pytest.raises(ArgumentError) as caught:
        history.refuse_others(THIS)
    assert all(word in str(caught.value) for word in [*words, "1 results", "--resume-anyway"])
    assert set(read(lines, any_identity=True).records) == {"a", "b"}


def test_it_lies_beside_the_results(tmp_path):
    results = tmp_path / "new" / "cutouts"
    outside = tmp_path / "new" / f".cutouts{NAME}"
    assert beside(results) == outside
    inside = results / NAME
    results.mkdir(parents=True)
    inside.touch()  # of an earlier run
    assert beside(results) == inside
    outside.touch()
    assert beside(results) == outside
    long_name = tmp_path / ("x" * 250)
    assert beside(long_name) == long_name / NAME
    assert beside(Path("/")) == Path("/") / NAME


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_it_lies_in_the_results_where_the_folder_above_takes_no_files(tmp_path):
    results = tmp_path / "cutouts"
    results.mkdir()
    tmp_path.chmod(0o555)
    try:
        assert beside(results) == results / NAME
    finally:
        tmp_path.chmod(0o755)
