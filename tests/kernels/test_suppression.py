"""Suppression of overlapping boxes: equal to the specification to the last index."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import kernels
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.kernels import reference
from tests.support.guarded import guarded

SIZES = [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 100, 257]


def scene(n: int, seed: int = 0, batch: int = 2, classes: int = 3, digits: int = 2):
    """Rounded, so that scores tie and corners coincide; some boxes have no area."""
    random = np.random.default_rng(seed)
    boxes = random.random((batch, n, 4), np.float32).round(digits)
    return boxes, random.random((batch, classes, n), np.float32).round(digits)


def assert_equal(found, expected):
    for have, want in zip(found, expected, strict=True):
        np.testing.assert_array_equal(have, want)


@pytest.mark.covers("suppress_f32")
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("centred", [False, True])
def test_equals_the_specification(isa, n, centred):
    boxes, scores = scene(n, seed=n)
    for most, overlap, score in [(n, 0.0, None), (n, 0.3, 0.2), (5, 0.7, 0.5), (n + 9, 1.0, -1)]:
        expected = reference.suppress(boxes, scores, most, overlap, score, centred=centred)
        for threads in (1, 2):
            found = kernels.suppress(
                boxes, scores, most, overlap, score, centred=centred, isa=isa, threads=threads
            )
            assert_equal(found, expected)


def test_many_boxes_are_kept(isa):
    boxes, scores = scene(900, classes=1, digits=5)
    expected = reference.suppress(boxes * 50, scores, 900, 0.9)
    assert expected[1].min() > 300
    assert_equal(kernels.suppress(boxes * 50, scores, 900, 0.9, isa=isa), expected)


def test_ties_go_to_the_lower_index(isa):
    boxes = np.float32([[[i, 0, i + 1, 1] for i in range(40)]])
    chosen, counts = kernels.suppress(boxes, np.ones((1, 1, 40), np.float32), 40, isa=isa)
    assert chosen.reshape(-1).tolist() == list(range(40)) and counts.item() == 40


def test_odd_numbers(isa):
    boxes, scores = scene(50)
    scores[0, 0, ::3], scores[0, 1, ::4] = np.nan, np.inf
    scores[1, 2] = -np.inf
    boxes[0, 5], boxes[1, ::7] = np.nan, 0
    for score in (None, 0.5):
        expected = reference.suppress(boxes, scores, 50, 0.4, score)
        assert_equal(kernels.suppress(boxes, scores, 50, 0.4, score, isa=isa), expected)


def test_strides_and_bounds_of_memory(isa):
    boxes, scores = scene(33)
    expected = reference.suppress(boxes, scores, 20, 0.3, 0.1)
    wide, many = np.zeros((2, 33, 7), np.float32), np.zeros((2, 5, 40), np.float32)
    wide[..., 1:5], many[:, 1:4, 3:36] = boxes, scores
    found = kernels.suppress(wide[..., 1:5], many[:, 1:4, 3:36], 20, 0.3, 0.1, isa=isa)
    assert_equal(found, expected)
    for at in ("start", "end"):
        fenced = guarded(boxes, at=at), guarded(scores, at=at)
        assert_equal(kernels.suppress(*fenced, 20, 0.3, 0.1, isa=isa), expected)


@pytest.mark.parametrize(
    ("arguments", "error", "complaint"),
    [
        ({"overlap": 1.5}, ArgumentError, "overlap=1.5"),
        ({"most": -1}, ArgumentError, "most=-1"),
        ({"boxes": np.zeros((2, 6, 5), np.float32)}, ArgumentError, "boxes"),
        ({"scores": np.zeros((2, 1, 7), np.float32)}, ArgumentError, "scores"),
        ({"scores": np.zeros((2, 1, 6))}, ArgumentTypeError, "scores"),
    ],
)
def test_arguments_are_checked(arguments, error, complaint):
    boxes, scores = scene(6)
    with pytest.raises(error, match=complaint):
        kernels.suppress(**{"boxes": boxes, "scores": scores, "most": 3, **arguments})
