"""Killed at any moment, a run loses nothing, and repeats only what was in flight."""

from __future__ import annotations

import os
import random
import subprocess
from collections import Counter

import pytest

from pyhades.segmentation.bulk.manifest import beside
from pyhades.segmentation.bulk.sinks.parts import part_name, release
from tests.support.bulk_runs import (
    begin,
    lines,
    results,
    write_archive,
    write_folder,
    write_table,
)

IN_FLIGHT = 5
"""Pictures on their way in a pool of two workers, two for each, and the one that is written."""
SCATTER = 0.25
"""Seconds within which a run is killed, at first."""


@pytest.fixture
def folder(tmp_path):
    return [write_folder(tmp_path / "in", 60)]


@pytest.fixture
def archives(tmp_path):
    return [write_archive(tmp_path / "in" / f"{n}.tar", 20, 20 * n) for n in range(3)]


@pytest.fixture
def tables(tmp_path):
    pytest.importorskip("pyarrow")
    return [write_table(tmp_path / "in" / f"{n}.parquet", 20, 20 * n) for n in range(3)]


def whole(inputs, tmp_path):
    """What a run gives that nobody kills."""
    process = begin(inputs, tmp_path / "whole", tmp_path / "whole.log", seconds=0)
    process.join()
    assert process.exitcode == 0
    return results(tmp_path / "whole")


def kill_and_resume(inputs, out, log, chance, **options):
    """Kill a run now and then until one reaches its end; how often."""
    scatter, done = SCATTER, 0
    for kills in range(1000):
        process = begin(inputs, out, log, resume=True, **options)
        process.join(chance.uniform(0, scatter))
        if process.exitcode is None:
            process.kill()
        process.join()
        if process.exitcode == 0:
            return kills
        assert process.exitcode == -9
        before, done = done, len(lines(out))
        if done == before:  # a slow machine would never come to an end
            scatter *= 1.1
    raise AssertionError("it does not come to an end")


def check_names(out, expected):
    """Nothing is there that is not whole, under whatever name."""
    found = results(out)
    assert not [name for name in found if found[name] != expected[name]]


def torture(inputs, tmp_path, at_least, seed, **options):
    expected, chance = whole(inputs, tmp_path), random.Random(seed)
    kills = 0
    for number in range(1000):
        out, log = tmp_path / f"out{number}", tmp_path / f"{number}.log"
        killed = kill_and_resume(inputs, out, log, chance, **options)
        assert results(out) == expected  # bytes, names, and no leftovers
        done = Counter(line["input"] for line in lines(out) if line["status"] == "done")
        assert set(done.values()) == {1}
        # A kill may have come before the first line of the manifest, too.
        read = Counter(log.read_text().split())
        repeated = sum(read.values()) - len(read)
        assert repeated <= killed * IN_FLIGHT, f"{repeated} repeated after {killed} kills"
        kills += killed
        if kills >= at_least:
            return
    raise AssertionError("nothing was killed")


def test_ten_kills_of_a_folder(folder, tmp_path):
    torture(folder, tmp_path, 10, seed=1)


def test_ten_kills_where_files_have_names_from_the_beginning(folder, tmp_path):
    torture(folder, tmp_path, 10, seed=6, needs_parts=True)


def test_ten_kills_of_archives(archives, tmp_path):
    torture(archives, tmp_path, 10, seed=2)


@pytest.mark.slow
def test_a_hundred_kills_of_a_folder(folder, tmp_path):
    torture(folder, tmp_path, 100, seed=3)


@pytest.mark.slow
def test_a_hundred_kills_of_archives(archives, tmp_path):
    torture(archives, tmp_path, 100, seed=4)


def test_ten_kills_of_tables(tables, tmp_path):
    torture(tables, tmp_path, 10, seed=6)


@pytest.mark.slow
def test_a_hundred_kills_of_tables(tables, tmp_path):
    torture(tables, tmp_path, 100, seed=7)


def test_names_are_whole_after_every_kill(folder, tmp_path):
    expected, chance = whole(folder, tmp_path), random.Random(5)
    out = tmp_path / "out"
    for _ in range(6):
        process = begin(folder, out, tmp_path / "log", resume=True)
        process.join(chance.uniform(0, SCATTER / 2))
        process.kill()
        process.join()
        if out.exists():
            check_names(out, expected)


def test_a_result_without_its_line_is_taken_for_what_it_is(folder, tmp_path):
    """Killed between both: the picture is cut out again, and the line added."""
    expected, out = whole(folder, tmp_path), tmp_path / "whole"
    manifest = beside(out)
    kept = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(kept[:30]) + kept[30][:40])
    process = begin(folder, out, tmp_path / "log", resume=True)
    process.join()
    assert process.exitcode == 0 and results(out) == expected
    assert len({line["input"] for line in lines(out)}) == 60


def test_a_result_of_somebody_else_is_not_touched(folder, tmp_path):
    out = tmp_path / "out"
    (out / "d0").mkdir(parents=True)
    (out / "d0" / "p000.png").write_text("mine")
    process = begin(folder, out, tmp_path / "log", resume=True)
    process.join()
    assert process.exitcode == 1 and (out / "d0" / "p000.png").read_text() == "mine"
    assert [line["status"] for line in lines(out) if line["input"] == "d0/p000.png"] == ["refused"]


def test_a_second_name_of_a_finished_archive_goes(archives, tmp_path):
    """Killed between the archive's name and the end of the part's: both are the same file."""
    expected, out = whole(archives, tmp_path), tmp_path / "whole"
    archive = min(out.rglob("*.tar"))
    name = part_name(archive.name)
    release(name)
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = archive.with_name(name.replace(f"-{os.getpid()}-", f"-{dead.pid}-"))
    os.link(archive, left)
    process = begin(archives, out, tmp_path / "again.log", resume=True, seconds=0)
    process.join()
    assert process.exitcode == 0 and results(out) == expected
