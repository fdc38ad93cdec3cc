"""What one output of a network is, by its shape and by what is known of its elements."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from pyhades.engines.feeding import Layout
from pyhades.ir.graph import Value
from pyhades.segmentation.meaning.facts import Fact, shape_of

SMALLEST_SHARE = 32
"""A map may be this many times smaller than the input; a mask of a few pixels is none."""
FEATURE_CHANNELS = 192
"""From so many channels on, at an eighth of the size or less, they are features, not classes."""
ALPHA_CHANNELS = 4
"""Colours and alpha."""

Size = tuple[int, int]


@dataclass(frozen=True)
class OutputMeaning:
    """One output: the fields of a manifest that follow from it, and why.

    ``problem`` says why it holds no mask; then there are no fields.
    """

    name: str
    shape: tuple[int | str, ...] | None
    dtype: str
    is_map: bool = False
    size: Size = (0, 0)
    channels: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    problem: str = ""
    fact: Fact = field(default_factory=Fact)


def read_output(value: Value, fact: Fact, input_size: Size) -> OutputMeaning:
    """Say what ``value`` is for a picture of ``input_size`` (height, width)."""
    kind = value.type
    declared = None if kind is None else kind.shape
    common: dict[str, Any] = {
        "name": value.name,
        "shape": declared,
        "dtype": "unknown" if kind is None else kind.dtype.name,
        "fact": fact,
    }
    shape = shape_of(value)
    if shape is None:
        if declared is not None and len(declared) < 2:
            return OutputMeaning(**common, problem=_no_map(declared))
        known = declared[1] if declared is not None and len(declared) == 4 else None
        channels = known if isinstance(known, int) else 1
        fields, reasons = _by_bounds(_on_axis(fact, 1), channels)
        unknown = f"its size depends on the picture; it is taken for {channels} planes"
        return OutputMeaning(**common, is_map=True, channels=channels, fields=fields,
                             reasons=(unknown, *reasons))  # fmt: skip
    place = locate(shape, input_size)
    if place is None:
        return OutputMeaning(**common, problem=_no_map(shape))
    layout, axis, size = place
    channels = 1 if axis is None else shape[axis]
    found: dict[str, Any] = {**common, "is_map": True, "size": size, "channels": channels}
    if channels >= FEATURE_CHANNELS and size[0] * 8 <= input_size[0]:
        return OutputMeaning(**found, problem=(
            f"shape {_text(shape)}: {channels} channels at 1/{input_size[0] // size[0]} of the "
            "size are features for another network (such as a mask decoder), not classes"
        ))  # fmt: skip
    fields, reasons = _by_bounds(_on_axis(fact, axis), channels)
    if layout == "nhwc":
        fields["output_layout"] = layout
        reasons = (*reasons, f"shape {_text(shape)} has its channels last")
    if size != input_size:
        times = f"{size[0]} x {size[1]} for an input of {input_size[0]} x {input_size[1]}"
        reasons = (*reasons, f"the mask has {times}, and is enlarged from there")
    return OutputMeaning(**found, fields=fields, reasons=reasons)


def locate(shape: tuple[int, ...], input_size: Size) -> tuple[Layout, int | None, Size] | None:
    """Find ``(layout, axis of the channels, (height, width))`` in a shape; None if it is no map.

    Axes of extent 1 stand for nothing where there are more than four.
    """
    axes = list(range(len(shape)))
    while len(axes) > 4 and any(shape[a] == 1 for a in axes[1:]):
        axes.remove(next(a for a in axes[1:] if shape[a] == 1))
    if len(axes) == 4:
        axes = axes[1:]  # the batch
    if len(axes) == 2:
        size = (shape[axes[0]], shape[axes[1]])
        return ("nchw", None, size) if _fits(*size, input_size) else None
    if len(axes) != 3:
        return None
    first, middle, last = axes
    planar = _fits(shape[middle], shape[last], input_size)
    channels_last = _fits(shape[first], shape[middle], input_size)
    if channels_last and (not planar or shape[last] < min(8, shape[first])):
        return "nhwc", last, (shape[first], shape[middle])
    return ("nchw", first, (shape[middle], shape[last])) if planar else None


def _fits(height: int, width: int, input_size: Size) -> bool:
    """Whether this is a picture of the input's proportions and not of a few pixels."""
    if height * SMALLEST_SHARE < input_size[0] or width * SMALLEST_SHARE < input_size[1]:
        return False
    if height == 1 or width == 1:
        return (height, width) == input_size
    # Strides round odd sizes up or down, by one pixel each.
    return abs(height * input_size[1] - width * input_size[0]) <= 2 * max(input_size)


def _on_axis(fact: Fact, axis: int | None) -> Fact:
    """Classes that lie on another axis than the channels say nothing about channels."""
    if fact.kind == "classes" and fact.axis is not None and fact.axis != axis:
        return fact.changed(kind="probabilities", classes=(), axis=None)
    return fact


def _by_bounds(fact: Fact, channels: int) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Fields and reasons of a map of so many channels."""
    why = fact.why()
    if fact.kind == "labels" and channels == 1:
        return (
            {"activation": "labels", "background": 0, "range": "none"},
            (f"it holds class numbers: {why}", _BACKGROUND),
        )
    if fact.kind == "decisions" and channels == 1:
        return _of_class(fact), (f"it holds decisions, yes or no: {why}",)
    if fact.kind == "classes" and channels > 1:
        fields, reason = _among(channels)
        return (
            {"activation": "none", **fields, **_scale(fact)},
            (f"it holds probabilities that sum to 1 over {channels} classes: {why}", reason),
        )
    if fact.is_bounded:
        return _bounded(fact, channels, why)
    if math.isfinite(fact.low) and channels == 1:
        return (
            {"activation": "none", "range": "minmax"},
            (f"it has a least value but no largest ({why}), so it is stretched to 0..1",),
        )
    if channels == 1:
        return (
            {"activation": "sigmoid"},
            ("no operator bounds its single channel, so these are logits: a sigmoid is added",),
        )
    fields, reason = _among(channels)
    text = f"no operator bounds its {channels} channels, so these are logits of classes: a softmax"
    return {"activation": "softmax", **fields}, (f"{text} is added", reason)


def _bounded(fact: Fact, channels: int, why: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    fields: dict[str, Any] = {"activation": "none", **_scale(fact)}
    text = f"it lies in {fact.low:g}..{fact.high:g}: {why}; nothing is added"
    if channels == 1:
        return {**fields, **_of_class(fact)}, (text,)
    if channels == ALPHA_CHANNELS:
        return {**fields, "foreground": 3}, (text, "of 4 bounded channels the last is alpha")
    chosen, reason = _among(channels)
    return {**fields, **chosen}, (text, reason)


def _of_class(fact: Fact) -> dict[str, Any]:
    """Fields of a single channel, which may stand for the background alone."""
    fields: dict[str, Any] = {"activation": "none", **_scale(fact)}
    if fact.classes and (fact.classes == (0,)) is not fact.is_inverted:
        fields["background"] = 0
    return fields


def _scale(fact: Fact) -> dict[str, Any]:
    return {} if (fact.low, fact.high) == (0, 1) else {"output_bounds": (fact.low, fact.high)}


def _among(channels: int) -> tuple[dict[str, Any], str]:
    """Which of several classes are foreground."""
    if channels == 2:
        return {"foreground": 1}, "of two classes the second is the foreground"
    return {"background": 0}, _BACKGROUND


_BACKGROUND = (
    "class 0 is taken for the background and all others for the foreground; "
    "foreground=[...] chooses other classes"
)


def _no_map(shape: tuple[int | str, ...]) -> str:
    """Why a shape is no picture, and what has such shapes."""
    long = [extent for extent in shape if extent != 1]
    if not long:
        what = "a single number"
    elif len(long) == 1:
        what = f"one row of {long[0]} numbers for a picture, as a classifier gives"
    elif len(shape) == 3 or len(long) == 2:
        what = "rows of numbers, as detectors (boxes) and transformers (tokens) give"
    else:
        what = "not of the proportions of the picture"
    return f"shape {_text(shape)}: {what}, and no mask"


def _text(shape: tuple[int | str, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"
