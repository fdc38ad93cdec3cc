"""Connected parts, against a flood fill."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pyhades.segmentation.finish.components import Components

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))
SIDES = [(0, 1), (0, -1), (1, 0), (-1, 0)]
CORNERS = [(1, 1), (1, -1), (-1, 1), (-1, -1)]


def flooded(mask, corners):
    """Sets of pixels."""
    left = set(zip(*map(np.ndarray.tolist, np.nonzero(mask)), strict=True))
    parts = []
    while left:
        part, edge = set(), [min(left)]
        while edge:
            y, x = edge.pop()
            if (y, x) in left:
                left.remove((y, x))
                part.add((y, x))
                edge += [(y + dy, x + dx) for dy, dx in SIDES + CORNERS * corners]
        parts.append(part)
    return parts


@settings(deadline=None)
@given(MASKS, st.booleans())
def test_parts_are_those_of_a_flood_fill(mask, corners):
    parts = Components.of(mask, corners=corners)
    expected = flooded(mask, corners)
    assert parts.areas.tolist() == [len(part) for part in expected]
    for number, part in enumerate(expected):
        shown = parts.where(np.arange(len(parts)) == number)
        assert set(zip(*map(np.ndarray.tolist, np.nonzero(shown)), strict=True)) == part


@settings(deadline=None)
@given(MASKS, st.data())
def test_sums_and_edges(mask, data):
    values = data.draw(arrays(np.uint8, mask.shape))
    parts, expected = Components.of(mask), flooded(mask, False)
    assert parts.sums(values).tolist() == [sum(int(values[p]) for p in part) for part in expected]
    height, width = mask.shape
    assert parts.at_edge.tolist() == [
        any(y in (0, height - 1) or x in (0, width - 1) for y, x in part) for part in expected
    ]


@settings(deadline=None)
@given(MASKS)
def test_the_whole_is_all_of_its_parts(mask):
    parts = Components.of(mask)
    assert np.array_equal(parts.where(np.ones(len(parts), bool)), mask)
    assert parts.hit(mask).all()


@pytest.mark.parametrize("turned", [False, True], ids=["rows", "columns"])
def test_long_ways_are_one_part(turned):
    snake = np.ones((101, 300), bool)
    snake[1::4, :-1] = snake[3::4, 1:] = False
    snake = snake.T if turned else snake
    assert len(Components.of(snake)) == 1
    spiral = np.array([[1, 1, 1, 1], [0, 0, 0, 1], [1, 1, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]], bool)
    assert len(Components.of(spiral)) == 1 == len(Components.of(~spiral))


def test_corners_touch_where_they_are_told_to():
    diagonal = np.eye(5, dtype=bool)
    assert len(Components.of(diagonal)) == 5 and len(Components.of(diagonal, corners=True)) == 1
    beyond = np.array([[0, 0, 1], [1, 0, 0]], bool)  # an end and the next beginning do not touch
    assert len(Components.of(beyond, corners=True)) == 2
