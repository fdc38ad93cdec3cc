"""Parts of a run: every picture is of one, and always of the same."""

from __future__ import annotations

import itertools
import os

import pytest

from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.launch import _shares, _with, parts_of
from pyhades.segmentation.bulk.shards import Shard
from tests.support.bulk_runs import brightness, results, write_folder

KEYS = [f"folder/{number}.jpg" for number in range(300)]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_picture_is_of_one_part(count):
    parts = [Shard(number, count) for number in range(1, count + 1)]
    holding = [[key for key in KEYS if part.holds(key)] for part in parts]
    assert sorted(itertools.chain(*holding)) == sorted(KEYS)
    assert min(map(len, holding)) > len(KEYS) / count / 2


def test_parts_stay_what_they_are():
    """In every version and on every machine: else a run that goes on elsewhere does all again."""
    assert [key for key in KEYS[:12] if Shard(1, 3).holds(key)] == [KEYS[n] for n in (0, 5, 9, 11)]
    assert Shard(1, 2).holds("\udce4.jpg") != Shard(2, 2).holds("\udce4.jpg")


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "a/b", "-1/3", "1/3/5"])
def test_wrong_parts(text):
    with pytest.raises(ArgumentError, match="shard="):
        Shard.parse(text)


def test_parts_of_parts():
    """Processes divide what a machine has to do."""
    own = Shard(2, 3)
    parts = [part.shard for part in parts_of("4", own)]
    for key in KEYS:
        assert sum(part.holds(key) for part in parts) == own.holds(key)


def test_options_of_a_part_come_last():
    assert _with(["in", "-o", "out"], ["--x"]) == ["in", "-o", "out", "--x"]
    assert _with(["-o", "out", "--", "-in"], ["--x"]) == ["-o", "out", "--x", "--", "-in"]


@pytest.mark.parametrize(
    ("threads", "count", "shares"),
    [(None, 2, [None, None]), (5, 2, [3, 2]), (4, 4, [1] * 4), (1, 3, [1, 1, 1])],
)
def test_processes_share_the_threads_that_the_environment_asks_for(threads, count, shares):
    assert _shares(threads, count) == shares


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one CPU leaves nothing to bound")
def test_a_process_has_its_share_of_threads(monkeypatch):
    monkeypatch.setenv("PYHADES_NUM_THREADS", "1")
    assert [part.threads for part in parts_of("2", Shard())] == [1, 1]
    monkeypatch.delenv("PYHADES_NUM_THREADS")
    assert [part.threads for part in parts_of("2", Shard())] == [None, None]


def test_processes():
    assert len(parts_of("node", Shard())) >= 1
    (one,) = parts_of("1", Shard())
    assert one.cpus and one.workers is None
    many = parts_of("1000", Shard())
    assert {part.cpus for part in many} == {()} and {part.workers for part in many} == {1}
    for wrong in ("0", "two", "-1"):
        with pytest.raises(ArgumentError, match="processes="):
            parts_of(wrong, Shard())


def test_parts_of_a_run_are_the_run(tmp_path):
    from pyhades import BulkRun

    root = write_folder(tmp_path / "in", 20)
    with brightness() as remover:
        BulkRun(root, tmp_path / "whole", remover=remover, workers=1).run()
        done = [
            BulkRun(root, tmp_path / "parts", remover=remover, workers=1, shard=f"{n}/3")
            .run().done for n in (1, 2, 3)
        ]  # fmt: skip
    assert sum(done) == 20 and min(done) > 1
    assert results(tmp_path / "parts") == results(tmp_path / "whole")
