"""A model whose meaning was guessed wrongly says so when it is loaded."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from pyhades import Remover
from pyhades.segmentation.plausibility import SAMPLES, MaskStatistics, complaint, look_at_samples
from tests.support.segmentation_models import SIDE, constant, model, node, scores

MAP = [1, 1, SIDE, SIDE]


def network(factor, offset):
    return model([*scores([[factor, offset]]), node("Sigmoid", "l", "y")], MAP)


@pytest.mark.parametrize(
    ("factor", "offset", "words"),
    [(0, -9, "blank"), (0, 9, "full"), (0.05, 0, "foreground"), (9, -90, "blank")],
)
def test_masks_that_are_none_are_said_with_numbers(caplog, factor, offset, words):
    with caplog.at_level(logging.WARNING, "pyhades"), Remover(network(factor, offset)):
        pass
    said = [r.getMessage() for r in caplog.records if "photographs" in r.getMessage()]
    assert len(said) == 1 and words in said[0] and "portrait: " in said[0]
    assert "check=False" in said[0] and "pyhades inspect" in said[0]


@pytest.mark.parametrize("how", [{"check": False}, {"mean": 0.5}])
def test_silence(caplog, how):
    """Where it is asked for, and where the masks are fine."""
    data = network(0, -9) if "check" in how else network(9, 0)
    with caplog.at_level(logging.WARNING, "pyhades"), Remover(data, **how):
        pass
    assert "photographs" not in caplog.text


def test_models_that_are_described_are_not_tried_unless_asked(caplog):
    manifest = '{"name": "m", "input_size": [64, 64]}'
    nodes = [*scores([[0, -9]]), node("Sigmoid", "l", "y")]
    data = model(nodes, MAP, metadata={"pyhades.manifest": manifest})
    with caplog.at_level(logging.WARNING, "pyhades"), Remover(data):
        assert "photographs" not in caplog.text
    with caplog.at_level(logging.WARNING, "pyhades"), Remover(data, check=True):
        assert "photographs" in caplog.text


def test_the_first_mask_that_is_fine_is_enough():
    seen = []

    def predict(path):
        seen.append(path)
        return np.eye(8, dtype=np.float32) * (len(seen) > 1)

    assert complaint(look_at_samples(predict)) == "" and seen == list(SAMPLES[:2])
    assert len(look_at_samples(predict, all_of_them=True)) == len(SAMPLES)


def test_statistics_of_masks():
    mask = np.zeros((10, 10), np.float32)
    assert MaskStatistics.of(mask, "a").problem == "blank"
    assert MaskStatistics.of(mask + 1, "a").problem == "full"
    mask[:, 5:] = 0.6
    assert MaskStatistics.of(mask, "a").problem == ""
    assert MaskStatistics.of(mask / 2 + 0.3, "a").problem == ""
    assert MaskStatistics.of(mask / 6 + 0.45, "a").problem == "without contrast"
    assert "50.0% foreground" in str(MaskStatistics.of(mask, "a"))


def test_a_softmax_over_the_wrong_axis_is_noticed(caplog):
    """One plane, normalised over its rows: a number of the graph, but no mask."""
    nodes = [*scores([[0.01, 0]]), node("Softmax", "l", "s", axis=2), constant("k", 1, np.float32),
             node("Mul", "s k", "y")]  # fmt: skip
    with caplog.at_level(logging.WARNING, "pyhades"), Remover(model(nodes, MAP)):
        assert "blank" in caplog.text
