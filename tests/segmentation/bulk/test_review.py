"""Doubtful masks are found, and shown."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from pyhades import BulkRun
from pyhades.segmentation.bulk.review import FILE_NAME, doubt_about
from tests.support.bulk_runs import brightness, results

Y, X = np.mgrid[0:300, 0:400]
DISC = np.where(np.hypot(Y - 150, X - 200) < 90, 255, 0).astype(np.uint8)
SPOTS = np.where((Y % 40 < 20) & (X % 40 < 20), 255, 0).astype(np.uint8)


@pytest.mark.parametrize(
    ("alpha", "why"),
    [
        (DISC, ""),
        (np.zeros_like(DISC), "nearly empty: 0.00 %"),
        (np.full_like(DISC, 255), "nearly full: 100.00 %"),
        (np.where(DISC > 0, 140, 0).astype(np.uint8), "soft everywhere: 100 %"),
        (SPOTS, "many components: 80"),
        (np.full((1, 5000), 255, np.uint8), "nearly full"),
        (np.zeros((1, 1), np.uint8), "nearly empty"),
    ],
    ids=["disc", "empty", "full", "soft", "spots", "line", "pixel"],
)
def test_doubts(alpha, why):
    assert doubt_about(alpha).startswith(why) and bool(doubt_about(alpha)) == bool(why)


def test_soft_edges_are_no_doubt():
    distance = np.hypot(Y - 150, X - 200)
    soft = np.clip((100 - distance) * 12, 0, 255).astype(np.uint8)
    assert doubt_about(soft) == ""


def test_previews_are_collected(tmp_path):
    folder = tmp_path / "in" / "d"
    folder.mkdir(parents=True)
    Image.fromarray(np.pad(np.full((20, 20, 3), 255, np.uint8), 5)[..., 5:8]).save(folder / "a.png")
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(folder / "black.png")
    review = tmp_path / "in" / "review"  # not an input of a later run
    with brightness() as remover:
        options = {"remover": remover, "review": review, "sync": "none"}
        run = BulkRun(tmp_path / "in", tmp_path / "out", **options)
        assert run.run().doubtful == 1
        assert BulkRun(tmp_path / "in", tmp_path / "out", resume=True, **options).total == 2
    assert set(results(review)) == {"d/black.png.jpg", FILE_NAME}
    assert Image.open(review / "d" / "black.png.jpg").size == (3 * 40, 30)
    (line,) = map(json.loads, (review / FILE_NAME).read_text().splitlines())
    assert line["input"] == "d/black.png" and line["why"].startswith("nearly empty")


def test_previews_of_masks_and_backgrounds(tmp_path):
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "black.png")
    for number, how in enumerate(({"output": "mask"}, {"background": "red", "suffix": ".jpg"})):
        with brightness() as remover:
            review, out = tmp_path / f"review{number}", tmp_path / f"out{number}"
            options = {"remover": remover, "review": review, "workers": 1}
            BulkRun([tmp_path / "black.png"], out, **options, **how).run()
        assert Image.open(review / "black.png.jpg").size == (2 * 40, 30)


def test_a_preview_that_cannot_be_written_fails_nothing(tmp_path):
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "black.png")
    (tmp_path / "review").write_text("a file")
    with brightness() as remover:
        run = BulkRun(
            [tmp_path / "black.png"], tmp_path / "out", remover=remover, review=tmp_path / "review"
        )
        report = run.run()
    assert report.done == 1 and report.ok and any("preview" in note for note in report.notes)
