"""Folders that are followed."""

from __future__ import annotations

import threading

import pytest

from pyhades import BulkRun
from pyhades.segmentation.bulk.sources.tree import Tree
from pyhades.segmentation.bulk.watch import Watched
from tests.support.bulk_runs import brightness, encoded, lines, results, write_folder


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "in", 3)


class Looks:
    """Does something between two looks, instead of waiting."""

    def __init__(self, *steps):
        self._steps = iter(steps)

    def wait(self, seconds):
        step = next(self._steps, None)
        if step is None:
            return True
        step()
        return False


def watched(folder, *steps):
    source = Watched(Tree(folder, ".png"), 1.0)
    source._stopped = Looks(*steps)
    return [picture.key for picture in source]


def nothing():
    pass


def test_a_file_is_taken_once_it_stays(folder):
    late = folder / "late.png"
    steps = [
        lambda: late.write_bytes(b"ha"),
        lambda: late.write_bytes(encoded(5)),
        nothing,
        nothing,
    ]
    assert watched(folder) == []
    assert watched(folder, *steps)[:3] == ["d0/p000.png", "d1/p001.png", "d2/p002.png"]
    late.unlink()
    assert watched(folder, *steps[:1]) == ["d0/p000.png", "d1/p001.png", "d2/p002.png"]
    late.unlink()
    assert watched(folder, *steps)[3:] == ["late.png"]


def test_what_changes_is_taken_again(folder):
    path = folder / "d0" / "p000.png"
    steps = [nothing, lambda: path.write_bytes(encoded(8) + b"\0"), nothing, nothing]
    assert watched(folder, *steps).count("d0/p000.png") == 2
    steps = [nothing, path.unlink, lambda: path.write_bytes(encoded(8)), nothing, nothing]
    assert watched(folder, *steps).count("d0/p000.png") == 2


def test_a_run_that_follows(folder, tmp_path):
    out = tmp_path / "out"
    with brightness() as remover:
        run = BulkRun(folder, out, remover=remover, watch=0.02, workers=1, sync="none")
        assert run.total is None
        seen = []
        for outcome in run.outcomes():
            seen.append(outcome.input)
            if len(seen) == 3:
                (folder / "late.png").write_bytes(encoded(5))
            if len(seen) == 4:
                (folder / "d0" / "p000.png").write_bytes(encoded(9) + b"\0")
            if len(seen) == 5:
                threading.Thread(target=run.stop).start()
        assert seen[3:] == ["late.png", "d0/p000.png"] and run.report.done == 5
        assert len(results(out)) == 4
        assert [line["input"] for line in lines(out)] == seen
        run = BulkRun(folder, out, remover=remover, watch=0.02, workers=1, sync="none")
        threading.Timer(0.3, run.stop).start()
        assert run.run().done == 0 and run.skipped == 4
