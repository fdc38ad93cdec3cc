"""Runs from one end to the other: what is done, what is told, and what goes on."""

from __future__ import annotations

import errno
import io
import json
import shutil
import tarfile
import threading

import numpy as np
import pytest
from PIL import Image

from pyhades import BulkRun
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.segmentation.bulk.manifest import Manifest, beside
from pyhades.segmentation.bulk.memory import MemoryLimit, parse_size
from pyhades.segmentation.bulk.passage import Passage
from pyhades.segmentation.bulk.sinks import files, whole
from pyhades.segmentation.bulk.sources.lists import Listed
from tests.support.bulk_runs import (
    brightness,
    encoded,
    lines,
    results,
    write_archive,
    write_folder,
)


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "in", 9)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def remover():
    with brightness() as made:
        yield made


@pytest.fixture
def go(remover, out):
    """Make a run to ``out`` and do it."""

    def run(inputs, **options):
        given = {"workers": 2, "remover": remover, "sync": "none", **options}
        return BulkRun(inputs, given.pop("destination", out), **given).run()

    return run


def reasons(report):
    return {outcome.input: outcome.reason for outcome in report.failures}


def test_a_folder(go, folder, out):
    report = go(folder)
    assert (report.done, report.failed, report.ok) == (9, 0, True)
    assert set(results(out)) == {f"d{n % 3}/p{n:03d}.png" for n in range(9)}
    assert Image.open(out / "d0" / "p000.png").mode == "RGBA"
    found = {line["input"]: line for line in lines(out)}
    line = found["d0/p000.png"]
    path = folder / "d0" / "p000.png"
    assert line["size"] == path.stat().st_size and line["mtime_ns"] == path.stat().st_mtime_ns
    assert line["output_bytes"] == (out / line["output"]).stat().st_size
    assert 0.2 < line["foreground"] < 0.6 and line["seconds"] > 0 and line["pid"]
    assert list(line["stages"]) == [
        "read", "decode", "preprocess", "network", "matte", "encode", "look", "write",
    ]  # fmt: skip
    assert 0 < sum(line["stages"].values()) <= line["seconds"] + 0.001
    began, *_, ended = map(json.loads, beside(out).read_text().splitlines())
    assert began["options"]["png"] == "fast" and began["made_with"] == line["made_with"]
    assert ended["done"] == 9 and "network" in ended["stages"]
    assert "9 of 9 images done" in str(report) and "<table>" in report._repr_html_()


def test_it_goes_on(go, folder, out):
    go(folder)
    write_folder(folder, 12)
    (out / "d0" / "p000.png").unlink()
    (out / "d1" / "p001.png").write_bytes(b"cut off")
    changed = folder / "d2" / "p002.png"
    changed.write_bytes(encoded(77))
    before = len(lines(out))
    report = go(folder, resume=True)
    again = {line["input"] for line in lines(out)[before:]}
    assert again >= {"d0/p000.png", "d1/p001.png", "d2/p002.png", "d0/p009.png"}
    assert report.ok and report.done + report.skipped == 12
    assert go(folder, resume=True).skipped == 12
    assert len(results(out)) == 12


def test_a_changed_picture_is_told_by_its_content(go, folder, out):
    path = folder / "d0" / "p000.png"
    go(folder, checksum=True)
    assert len(lines(out)[0]["sha256"]) == 64
    path.touch()
    assert go(folder, resume=True, checksum=True).skipped == 9
    assert go(folder, resume=True).skipped == 8


def test_results_that_exist_stay(go, folder, out):
    go(folder)
    before = results(out)
    (out / "d0" / "p000.png").write_text("mine")
    report = go(folder)
    assert report.failed == 1 and "exists; pass --overwrite" in str(report)
    assert report.skipped == 8  # the same pictures, in the same way: done before
    assert go(folder, png="small").failed == 9
    report = go(folder, png="small", skip_existing=True)
    assert report.ok and report.existing == 9 and "are as they were: 9" in str(report)
    assert (out / "d0" / "p000.png").read_text() == "mine"
    # A refusal changes nothing about what is known to be done.
    (out / "d0" / "p000.png").write_bytes(before["d0/p000.png"])
    assert go(folder, resume=True).skipped == 9
    assert go(folder, overwrite=True).done == 9 and results(out) == before


def test_other_options_are_refused(go, folder, out):
    go(folder)
    with pytest.raises(ArgumentError, match="png was 'fast' and is 'small'"):
        go(folder, resume=True, png="small")
    assert go(folder, resume=True, png="small", resume_anyway=True).skipped == 9
    with brightness(keep_hidden=True) as other, pytest.raises(ArgumentError, match="keep_hidden"):
        go(folder, resume=True, remover=other)


def test_failures_are_told_and_tried_again(go, folder, out):
    bad = folder / "bad.png"
    bad.write_bytes(b"junk")
    report = go(folder)
    assert report.done == 9 and "not an image" in reasons(report)["bad.png"]
    report = go(folder, resume=True)
    assert (report.skipped, report.failed_before, report.failed, report.ok) == (9, 1, 0, False)
    assert go(folder, retry_failed=True).failed == 1
    bad.write_bytes(encoded(1))
    assert go(folder, resume=True).ok  # it has changed


def test_a_picture_that_vanishes(remover, folder, out):
    run = BulkRun(folder, out, remover=remover, workers=1, sync="none")
    victim = folder / "d2" / "p008.png"
    outcomes = run.outcomes()
    victim.unlink()
    next(outcomes)
    rest = [outcome for outcome in outcomes if outcome.status != "done"]
    assert len(rest) <= 1 and run.report.done == 8


def test_a_picture_that_vanishes_once_it_was_found(go, folder, monkeypatch):
    plain = Passage._read

    def vanishing(run, picture):
        if picture.key == "d0/p000.png":
            (folder / picture.key).unlink()
        return plain(run, picture)

    monkeypatch.setattr(Passage, "_read", vanishing)
    report = go(folder)
    assert reasons(report) == {"d0/p000.png": "No such file or directory"} and report.done == 8


def test_a_full_disk(go, folder, out, monkeypatch):
    def full(path, pieces, **how):
        if path.parent.name == "d1":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        whole.write_whole(path, pieces, **how)

    monkeypatch.setattr(files, "write_whole", full)
    report = go(folder)
    assert report.done == 6 and all("No space" in why for why in reasons(report).values())
    monkeypatch.setattr(files, "write_whole", whole.write_whole)
    report = go(folder, resume=True)  # it was not their fault
    assert report.ok and report.done == 3 and report.skipped == 6


def test_a_full_disk_under_the_manifest(go, folder, out, monkeypatch):
    plain = Manifest.append

    def full(manifest, line):
        if line.get("input", "").startswith("d1"):
            raise OSError(errno.ENOSPC, "No space left on device")
        plain(manifest, line)

    monkeypatch.setattr(Manifest, "append", full)
    report = go(folder)
    assert report.done == 6 and "the manifest cannot be written" in str(report)
    monkeypatch.setattr(Manifest, "append", plain)
    assert go(folder, resume=True).ok and len(results(out)) == 9


def test_a_folder_where_a_file_should_go(go, folder, out):
    (out / "d0" / "p000.png").mkdir(parents=True)
    for how in ({}, {"overwrite": True}, {"resume": True}):
        report = go(folder, **how)
        assert "is a folder, where a file is to go" in reasons(report)["d0/p000.png"], how
    assert (out / "d0" / "p000.png").is_dir()


def test_stopping(folder, out):
    write_folder(folder, 60)
    with brightness(0.01) as remover:
        run = BulkRun(folder, out, remover=remover, workers=2, sync="none")
        for number, _ in enumerate(run.outcomes()):
            if number == 5:
                threading.Thread(target=run.stop).start()
        report = run.report
        assert report.interrupted and not report.ok and 5 < report.done < 20
        assert len(results(out)) == report.done == len(lines(out))
        report = BulkRun(folder, out, remover=remover, resume=True, sync="none").run()
        assert report.ok and report.done + report.skipped == 60


def test_leaving_the_loop(folder, out, remover):
    run = BulkRun(folder, out, remover=remover, workers=2, sync="none")
    for _ in run.outcomes():
        break
    report = BulkRun(folder, out, remover=remover, resume=True, sync="none").run()
    assert report.ok and len(results(out)) == 9


def test_lists(go, folder, out):
    names = [str(folder / "d0" / "p000.png"), str(folder / "missing.png")]
    objects = [
        json.dumps({"path": names[0], "id": "cat"}),
        json.dumps({"path": str(folder / "d1" / "p001.png"), "output": "cat.png"}),
        "{",
    ]
    report = go([Listed(names, ".png"), Listed(objects, ".png", "json")])
    assert report.done == 2 and set(results(out)) == {f"{str(folder)[1:]}/d0/p000.png", "cat.png"}
    told = str(report)
    assert "No such file" in told and "line 3" in told and "another input has become" in told


# Archives.


@pytest.fixture
def archives(tmp_path):
    return [write_archive(tmp_path / "in" / f"{n}.tar", 5, 5 * n) for n in range(2)]


def members(path):
    with tarfile.open(path) as archive:
        return {info.name: archive.extractfile(info).read() for info in archive}


def test_archives(go, archives, out):
    report = go(archives)
    assert report.done == 10 and set(results(out)) == {"0.tar", "1.tar"}
    found = members(out / "1.tar")
    assert list(found)[:4] == ["s005.png", "s005.json", "s006.png", "s006.json"]
    assert json.loads(found["s005.json"]) == {"label": 5}
    assert Image.open(io.BytesIO(found["s005.png"])).mode == "RGBA"
    report = go(archives, resume=True)
    assert report.done == 0 and report.ok and report.skipped == 10
    before = results(out)
    report = go(archives)
    assert report.ok and report.skipped == 10  # the same command once more
    report = go(archives, png="small")
    assert report.failed == 2 and "exists" in str(report) and results(out) == before
    assert go(archives, png="small", skip_existing=True).existing == 2
    assert go(archives, overwrite=True).done == 10 and results(out) == before


def test_archives_to_files(go, archives, out):
    assert go(archives, unpack=True).done == 10
    assert set(results(out)) == {f"{n // 5}/s{n:03d}.png" for n in range(10)}
    assert go(archives, unpack=True, resume=True).skipped == 10


def test_pictures_of_one_key_in_an_archive(go, tmp_path, out):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (("a.jpg", "JPEG"), ("a.png", "PNG"), ("a.left.jpg", "JPEG")):
            data = encoded(1, kind)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert go([path, tmp_path / "x.tar"][:1]).done == 3
    assert list(members(out / "x.tar")) == ["a.png", "a.png.png", "a.left.png"]


def test_a_damaged_archive(go, archives, out):
    data = archives[0].read_bytes()
    archives[0].write_bytes(data[: data.rfind(b"s003.jpg") + 700])
    report = go(archives)
    assert report.done == 3 + 5 and not report.ok
    assert "the archive is damaged" in reasons(report)["0.tar"]
    assert len(members(out / "0.tar")) == 6 and len(members(out / "1.tar")) == 10
    report = go(archives, resume=True)
    assert report.failed_before == 1 and report.done == 0
    archives[0].write_bytes(data)
    report = go(archives, resume=True)
    assert report.ok and len(members(out / "0.tar")) == 10


def test_a_bad_picture_in_an_archive(go, tmp_path, archives, out):
    data = bytearray(archives[0].read_bytes())
    at = data.find(b"s002.jpg") + 512
    data[at : at + 20] = b"x" * 20
    archives[0].write_bytes(data)
    report = go(archives)
    assert report.done == 9 and list(reasons(report)) == ["0.tar/s002.jpg"]
    assert "s002.json" in members(out / "0.tar") and "s002.png" not in members(out / "0.tar")
    report = go(archives, resume=True)
    assert (report.failed_before, report.done) == (1, 0) and not report.ok
    assert go(archives, retry_failed=True).failed == 1


def test_a_stopped_archive_goes_on(tmp_path, out):
    path = write_archive(tmp_path / "x.tar", 60)
    with brightness(0.005) as remover:
        expected = BulkRun(path, tmp_path / "whole", remover=remover, sync="none").run()
        run = BulkRun(path, out, remover=remover, workers=2, sync="none")
        for number, _ in enumerate(run.outcomes()):
            if number == 20:
                threading.Thread(target=run.stop).start()
        assert run.report.interrupted and not (out / "x.tar").exists()
        report = BulkRun(path, out, remover=remover, resume=True, sync="none").run()
        assert report.ok and report.skipped >= 20 and report.skipped + report.done == 60
    assert expected.done == 60 and results(out) == results(tmp_path / "whole")


def test_a_full_disk_under_an_archive(go, archives, out, monkeypatch):
    plain = tarfile.TarFile.addfile
    calls = []

    def full(archive, info, file=None):
        calls.append(info.name)
        if info.name == "s003.png":
            raise OSError(errno.ENOSPC, "No space left on device")
        plain(archive, info, file)

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    report = go(archives)
    assert "No space" in reasons(report)["0.tar"] and (out / "1.tar").exists()
    assert set(results(out)) == {"1.tar"}
    monkeypatch.setattr(tarfile.TarFile, "addfile", plain)
    assert go(archives, resume=True).ok and set(results(out)) == {"0.tar", "1.tar"}


# Tables and URLs.


def test_tables(go, tmp_path, out):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = arrow.table(
        {"image": [encoded(n) for n in range(40)], "key": list(map(str, range(40)))}
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    report = go(tmp_path / "t.parquet", unpack=True)
    assert report.done == 40 and "t/39.png" in results(out)
    assert go(tmp_path / "t.parquet", unpack=True, resume=True).skipped == 40


def test_urls(go, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    for number in range(4):
        files.pipe_file(f"/run/in/d/{number}.png", encoded(number))
    options = {"destination": "memory://run/out", "manifest": tmp_path / "manifest.jsonl"}
    assert go("memory://run/in", **options).done == 4
    assert sorted(files.find("/run/out")) == [f"/run/out/d/{n}.png" for n in range(4)]
    assert go("memory://run/in", resume=True, **options).skipped == 4
    files.rm_file("/run/out/d/2.png")
    report = go("memory://run/in", resume=True, **options)
    assert (report.done, report.skipped) == (1, 3)
    with pytest.raises(ArgumentError, match="manifest is missing"):
        go("memory://run/in", destination="memory://run/out")


def test_archives_behind_urls(go, tmp_path, archives, out):
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    files.pipe_file("/shards/0.tar", archives[0].read_bytes())
    assert go("memory://shards/0.tar").done == 5
    assert go("memory://shards/0.tar", resume=True).skipped == 5
    there = members(out / "0.tar")
    assert go(archives[:1], destination=tmp_path / "here").done == 5
    assert there == members(tmp_path / "here" / "0.tar")
    with pytest.raises(ArgumentError, match="no such file"):
        go("memory://shards/1.tar")


# Memory.


def test_sizes():
    assert [parse_size(text) for text in ("10", "2G", "1.5 MiB")] == [10, 2 << 30, 3 << 19]
    for wrong in ("", "G", "2X", "-1"):
        with pytest.raises(ArgumentError, match="max_memory"):
            parse_size(wrong)


def test_memory_is_divided():
    limit = MemoryLimit.of(1 << 30, 2, used=1 << 28)
    assert limit.most_items == 4 and 2 * limit.bytes_per_picture <= 3 << 28
    with pytest.raises(ArgumentError, match="2 workers need"):
        MemoryLimit.of(1 << 28, 2, used=1 << 28)


def test_a_picture_that_needs_too_much(go, folder, monkeypatch):
    Image.fromarray(np.zeros((1200, 1200, 3), np.uint8)).save(folder / "large.png")
    monkeypatch.setattr("pyhades.segmentation.bulk.workforce.resident", lambda: 0)
    report = go(folder, max_memory=100_000_000)
    assert list(reasons(report)) == ["large.png"] and "--max-memory" in str(report)
    assert report.done == 9
    with pytest.raises(ArgumentError, match="allow more"):
        go(folder, max_memory="10M")


# Arguments.


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"remover": None}, ArgumentTypeError, "not a Remover"),
        ({"output": "mask", "background": "red"}, ArgumentError, "no colours"),
        ({"suffix": ".jpg"}, ArgumentError, "no transparency"),
        ({"suffix": "png"}, ArgumentError, "suffix="),
        ({"shard": "3/2"}, ArgumentError, "shard="),
        ({"workers": 0}, ArgumentError, "workers=0"),
        ({"resume": 1}, ArgumentTypeError, "resume=1"),
        ({"destination": __file__}, ArgumentError, "is a file"),
    ],
)
def test_wrong_arguments(go, folder, out, options, error, words):
    with pytest.raises(error, match=words):
        go(folder, **options)
    assert not out.exists()


def test_what_is_told(remover, folder, out):
    run = BulkRun([folder], out, remover=remover, workers=1)
    assert "9 pictures" in repr(run) and "1 worker" in run.plan and run.total == 9
    told = []
    run.run(told.append)
    assert sorted(outcome.input for outcome in told) == sorted(line["input"] for line in lines(out))
    assert str(told[0]).endswith(": done")


def test_the_reports_list_is_short(go, tmp_path):
    for number in range(30):
        (tmp_path / f"{number}.png").write_bytes(b"junk")
    report = go([tmp_path / f"{number}.png" for number in range(30)])
    assert report.failed == 30 and len(report.failures) == 20
    assert "and 10 more, see the manifest" in str(report)
    assert report.reasons()[0][1] == 20


def test_the_disk_is_really_full(go, folder, tmp_path):
    """Where a small file system can be had."""
    import subprocess

    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(small)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file systems can be mounted here")
    try:
        report = go(folder, destination=small)
        assert not report.ok and "No space left" in str(report)
        assert not list(small.rglob("*.part"))
        whole = results(small)
        assert all(Image.open(io.BytesIO(data)).load() for data in whole.values())
    finally:
        subprocess.run(["umount", str(small)], check=True)
