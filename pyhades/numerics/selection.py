"""Picking elements: how many there are depends on the data."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pyhades.numerics.array import Array


def non_zero(x: Array) -> Array:
    """Positions of the elements that are not zero, int64 [rank, count], in row-major order."""
    return np.stack(np.nonzero(x)).astype(np.int64) if x.ndim else _non_zero_scalar(x)


def _non_zero_scalar(x: Array) -> Array:
    """A scalar has no axes: whether it counts is the number of columns."""
    return np.zeros((0, int(bool(x))), np.int64)


def compress(x: Array, condition: Array, axis: int | None) -> Array:
    """Slices along ``axis``, or elements in row-major order, where ``condition`` holds.

    A condition that is shorter than the axis leaves the rest out.
    """
    flat = x.reshape(-1) if axis is None else x
    along = 0 if axis is None else axis
    return np.asarray(flat.take(np.flatnonzero(condition), axis=along))


class Unique(NamedTuple):
    """Slices without repetition, and where they come from."""

    values: Array
    first: Array
    """Position of the first occurrence of each."""
    inverse: Array
    """Which of them each slice is."""
    counts: Array


def unique(x: Array, axis: int | None, is_sorted: bool) -> Unique:
    """Slices along ``axis``, or elements, once each: sorted, or in order of first occurrence.

    NaNs are all different.
    """
    found = np.unique(x, True, True, True, axis, equal_nan=False)
    values, first, inverse, counts = found
    inverse = inverse.reshape(-1)
    if not is_sorted:
        order = first.argsort(kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        along = 0 if axis is None else axis
        values, first = values.take(order, axis=along), first[order]
        inverse, counts = rank[inverse], counts[order]
    whole = (array.astype(np.int64) for array in (first, inverse, counts))
    return Unique(np.asarray(values), *whole)


def corners(boxes: Array, centred: bool) -> Array:
    """Boxes [n, 4] as lowest and highest corner, whatever two corners or centre and size say."""
    if centred:
        centre, half = boxes[:, :2], boxes[:, 2:] / boxes.dtype.type(2)
        return np.concatenate((centre - half, centre + half), axis=1)
    first, second = boxes[:, :2], boxes[:, 2:]
    lowest, highest = np.minimum(first, second), np.maximum(first, second)
    return np.concatenate((lowest, highest), axis=1)


def areas(boxes: Array) -> Array:
    """Areas of boxes [n, 4], given by corners."""
    extents = boxes[..., 2:] - boxes[..., :2]
    return np.asarray(extents[..., 0] * extents[..., 1])


def overlap(box: Array, boxes: Array) -> Array:
    """Intersection over union of a box [4] with boxes [n, 4]; 0 where a box has no area."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    sides = high - low
    shared = np.where((sides > 0).all(1), sides[:, 0] * sides[:, 1], 0)
    own, others = areas(box), areas(boxes)
    union = own + others - shared
    sound = (shared > 0) & (own > 0) & (others > 0) & (union > 0)
    return np.asarray(np.divide(shared, union, out=np.zeros_like(union), where=sound))


def suppress(boxes: Array, order: Array, threshold: Any, most: int) -> list[int]:
    """Which of ``boxes`` [n, 4] (corners) are kept, trying them in ``order``.

    A box goes that overlaps a kept one by more than ``threshold``; at most ``most`` are kept.
    """
    kept: list[int] = []
    while len(order) and len(kept) < most:
        best = int(order[0])
        kept.append(best)
        order = order[1:]
        order = order[~(overlap(boxes[best], boxes[order]) > threshold)]
    return kept


def suppress_boxes(
    boxes: Array,
    scores: Array,
    most: int,
    overlap_threshold: Any,
    score_threshold: Any,
    centred: bool,
) -> tuple[Array, Array]:
    """Which boxes remain per batch entry and class, best first, and how many.

    Parameters
    ----------
    boxes
        [batch, n, 4]: two corners (y, x, y, x), or centre and size (x, y, width, height).
    scores
        [batch, classes, n]; NaN counts as minus infinity.
    most
        Boxes that are kept per class.
    overlap_threshold
        A box goes that overlaps a better one of its class by more.
    score_threshold
        A box goes whose score is not above; None: all compete.
    centred
        Whether boxes are centre and size.

    Returns
    -------
    chosen, counts
        int64 [batch, classes, min(most, n)], indices of boxes from the best score down, the lower
        index first among equals, and -1 behind the last; int64 [batch, classes].
    """
    room = max(min(most, scores.shape[2]), 0)
    chosen = np.full((*scores.shape[:2], room), -1, np.int64)
    counts = np.zeros(scores.shape[:2], np.int64)
    for entry, (own, classes) in enumerate(zip(boxes, scores, strict=True)):
        extents = corners(own, centred)
        for number, score in enumerate(classes):
            order = _from_the_best(score, score_threshold)
            kept = suppress(extents, order, overlap_threshold, room)
            chosen[entry, number, : len(kept)] = kept
            counts[entry, number] = len(kept)
    return chosen, counts


def _from_the_best(score: Array, least: Any) -> Array:
    candidates = np.arange(len(score)) if least is None else np.flatnonzero(score > least)
    taken = score[candidates]
    keys = np.where(np.isnan(taken), np.inf, -taken)
    return np.asarray(candidates[keys.argsort(kind="stable")])


def list_boxes(chosen: Array, counts: Array) -> Array:
    """The chosen boxes as rows (batch entry, class, box), int64 [count, 3]."""
    is_used = np.arange(chosen.shape[2]) < counts[..., None]
    return np.column_stack([*np.nonzero(is_used)[:2], chosen[is_used]]).astype(np.int64)
