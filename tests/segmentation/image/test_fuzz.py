"""Ten thousand files with mistakes: each is read or refused, in bounded time and memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pyhades.segmentation.image.reading import load_image
from tests.support.image_fuzz import mutated, outcome, seeds

COUNT = 10_000
PROCESSES = 2


def test_the_files_are_the_same_each_time():
    originals = seeds()
    assert mutated(7, originals) == mutated(7, originals)
    assert mutated(7, originals) != mutated(8, originals)


def test_what_is_not_allowed_is_noticed(monkeypatch):
    def wrong(*args, **options):
        raise KeyError("palette")

    monkeypatch.setitem(outcome.__globals__, "load_image", wrong)
    with pytest.raises(KeyError):
        outcome("a.png", b"")
    monkeypatch.undo()
    assert outcome.__globals__["load_image"] is load_image


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PROCESSES))
def test_files_with_mistakes(part):
    share = COUNT // PROCESSES
    command = [sys.executable, "-m", "tests.support.image_fuzz", str(part * share), str(share)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    counts = json.loads(done.stdout)
    assert counts["read"] + counts["refused"] == share
    assert min(counts["read"], counts["refused"]) > share // 20  # both halves of the code are run
