"""Iteration spaces: how element-wise kernels are told the least about their operands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyhades.compiler.view import View


def coalesced(inputs: Sequence[View], outputs: Sequence[View]) -> tuple[list[View], list[View]]:
    """The same elements over as few axes as possible, the fastest of the first output last.

    All views have one shape. Axes of extent 1 are dropped, axes are sorted by the strides of the
    first output, and neighbours merge where every operand allows it.
    """
    views = [*inputs, *outputs]
    lead = outputs[0]
    axes = [axis for axis in range(lead.rank) if lead.shape[axis] != 1]
    axes.sort(key=lambda axis: -abs(lead.strides[axis]))
    groups: list[tuple[int, list[int]]] = []
    for axis in axes:
        extent = lead.shape[axis]
        strides = [view.strides[axis] for view in views]
        if groups:
            outer_extent, outer_strides = groups[-1]
            if all(o == s * extent for o, s in zip(outer_strides, strides, strict=True)):
                groups[-1] = (outer_extent * extent, strides)
                continue
        groups.append((extent, strides))
    if not groups:
        groups = [(1, [1] * len(views))]
    shape = tuple(extent for extent, _ in groups)
    result = [
        replace(view, shape=shape, strides=tuple(strides[index] for _, strides in groups))
        for index, view in enumerate(views)
    ]
    return result[: len(inputs)], result[len(inputs) :]
