"""Which input takes the picture, and what the others are fed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pyhades.engines.feeding import Extents, InputPlan, Layout, State
from pyhades.errors import ArgumentError, ModelError
from pyhades.ir.graph import Graph, Value


def plan_inputs(
    graph: Graph,
    *,
    picture: str | None = None,
    states: Mapping[str, str] | None = None,
    constants: Mapping[str, Any] | None = None,
) -> InputPlan:
    """Find the picture, recurrent states and numbers among the inputs of ``graph``.

    Parameters
    ----------
    graph
        The network.
    picture
        Name of the input that takes the picture, where a manifest says so.
    states
        Output per input that carries what was seen, where a manifest says so.
    constants
        Number or list per input that is always fed the same.

    Raises
    ------
    ModelError
        No input takes a picture, or there are inputs that nothing is known to feed.
    """
    where = graph.source or graph.name
    value = _picture(graph, picture, where)
    layout = _layout(value, where)
    assert value.type is not None
    rest = [v for v in graph.inputs if v is not value]
    pairs = _states(rest, graph.outputs, dict(states or {}), where)
    fixed = _constants(rest, dict(constants or {}), where)
    reasons = []
    if rest:
        reasons.append(f"input {value.name!r} takes the picture")
    if pairs:
        names = ", ".join(f"{v.name} <- {output}" for v, output in pairs)
        reasons.append(f"recurrent: what was seen in a frame goes into the next ({names})")
    known = {v.name for v, _ in pairs} | fixed.keys()
    for v in rest:
        if v.name not in known and _RATIO.search(v.name.lower()) and _is_number(v):
            fixed[v.name] = np.full(_extents_of(v, 1), 1, _dtype(v))
            reasons.append(f"{v.name!r} is 1: the network looks at the whole picture as it is fed")
    unknown = [v for v in rest if v.name not in known | fixed.keys()]
    if unknown:
        raise ModelError(_unknown_inputs(graph, unknown, where))
    if layout == "nhwc":
        reasons.append("the picture is fed with its channels last")
    return InputPlan(
        value.name,
        layout,
        value.type.dtype,
        _extents(value),
        tuple(State(v.name, output) for v, output in pairs),
        tuple(_extents_of(v, 1) for v, _ in pairs),
        tuple(fixed.items()),
        tuple(reasons),
    )


_RATIO = re.compile(r"downsample_ratio|scale_factor")
_PICTURE_NAMES = re.compile(r"^(src|image|images|img|input|inputs|pixel_values|x|rgb|frame)")


def _picture(graph: Graph, name: str | None, where: str) -> Value:
    if name is not None:
        found = [v for v in graph.inputs if v.name == name]
        if not found:
            names = [v.name for v in graph.inputs]
            raise ModelError(f"{where}: there is no input {name!r} for the picture, but {names}")
        return found[0]
    if not graph.inputs:
        raise ModelError(f"{where}: the graph has no inputs; a segmentation model has one input")
    if len(graph.inputs) == 1:
        return graph.inputs[0]
    coloured = [v for v in graph.inputs if _channel_axes(v)]
    named = [v for v in coloured if _PICTURE_NAMES.match(v.name.lower())]
    if not coloured:
        shown = ", ".join(f"{v.name} {_shape_text(v)}" for v in graph.inputs)
        raise ModelError(f"{where}: a segmentation model has one input for the picture, "
                         f"[batch, 3, height, width]; this has [{shown}]")  # fmt: skip
    return (named or coloured)[0]


def _layout(value: Value, where: str) -> Layout:
    axes = _channel_axes(value)
    if not axes:
        extents = _extents(value)
        channels = [e for e in (extents[1:2] + extents[3:4]) if e in (1, 4)]
        hint = ""
        if channels == [4]:
            hint = "; four channels are a picture with a trimap or an alpha, which Remover has not"
        elif channels == [1]:
            hint = "; it takes grey pictures"
        raise ModelError(
            f"{where}: input {value.name!r} has shape {_shape_text(value)}; expected an image "
            f"tensor [batch, 3, height, width] or [batch, height, width, 3]{hint}; run such a "
            "network with pyhades.compile"
        )
    return "nchw" if axes[0] == 1 else "nhwc"


def _channel_axes(value: Value) -> list[int]:
    """Axes on which three colours may lie; planar first."""
    extents = _extents(value)
    if len(extents) != 4:
        return []
    if extents[1] == 3 or extents[3] == 3:
        return [axis for axis in (1, 3) if extents[axis] == 3]
    return [1] if extents[1] is None else []


def _states(
    rest: Sequence[Value], outputs: Sequence[Value], told: dict[str, str], where: str
) -> list[tuple[Value, str]]:
    """Inputs with the outputs that feed them in the next frame."""
    names = [v.name for v in outputs]
    for name, output in told.items():
        if name not in [v.name for v in rest] or output not in names:
            raise ModelError(
                f"{where}: states={{{name!r}: {output!r}}} names an input or output that the "
                f"graph has not; inputs {[v.name for v in rest]}, outputs {names}"
            )
    if told:
        return [(v, told[v.name]) for v in rest if v.name in told]
    pairs: list[tuple[Value, str]] = []
    for v in rest:
        fitting = [o for o in outputs if _is_next(v.name, o.name) and _same_rank(v, o)]
        if len(fitting) == 1 and fitting[0].name not in [output for _, output in pairs]:
            pairs.append((v, fitting[0].name))
    return pairs


_BEFORE = re.compile(r"(^|_|\.)(in|input|prev|previous|past|old|last)(?=_|\.|\d|$)")
_AFTER = re.compile(r"(^|_|\.)(out|output|next|present|new|cur|current)(?=_|\.|\d|$)")


def _is_next(before: str, after: str) -> bool:
    """Whether two names are those of one state, before and after a frame: ``r1i`` and ``r1o``."""
    if before == after:
        return False
    if re.fullmatch(r"\w*\d*i", before) and after == f"{before[:-1]}o":
        return True
    plain = [_AFTER.sub("", _BEFORE.sub("", name)).strip("_.") for name in (before, after)]
    is_stated = _BEFORE.search(before) is not None or _AFTER.search(after) is not None
    return is_stated and bool(plain[0]) and plain[0] == plain[1]


def _same_rank(first: Value, second: Value) -> bool:
    shapes = [v.type.shape for v in (first, second) if v.type is not None]
    if len(shapes) != 2 or shapes[0] is None or shapes[1] is None:
        return True
    return len(shapes[0]) == len(shapes[1])


def _constants(rest: Sequence[Value], told: dict[str, Any], where: str) -> dict[str, Any]:
    fixed: dict[str, Any] = {}
    for name, given in told.items():
        value = next((v for v in rest if v.name == name), None)
        if value is None:
            names = [v.name for v in rest]
            raise ModelError(
                f"{where}: constants name {name!r}, which is none of the inputs {names}"
            )
        array = np.asarray(given, _dtype(value))
        extents = _extents(value)
        if array.ndim == 0 and value.type is not None and value.type.shape is not None:
            array = np.full(_extents_of(value, 1), array)
        fits = len(extents) == array.ndim and all(
            e in (None, have) for e, have in zip(extents, array.shape, strict=True)
        )
        if not fits:
            raise ArgumentError(
                f"constants[{name!r}] has shape {array.shape}, the input {_shape_text(value)}"
            )
        fixed[name] = array
    return fixed


def _unknown_inputs(graph: Graph, unknown: Sequence[Value], where: str) -> str:
    names = ", ".join(v.name for v in graph.inputs)
    shown = ", ".join(f"{v.name!r} {_shape_text(v)}{_looks_like(v)}" for v in unknown)
    return (
        f"{where}: a segmentation model has one input, this has [{names}], and nothing is known to "
        f"feed {shown}. A manifest may say constants={{name: number}} for what is always the same, "
        "or states={input: output} for what is carried from frame to frame; a network that wants "
        "more than a picture is run with pyhades.compile"
    )


def _looks_like(value: Value) -> str:
    name, extents = value.name.lower(), _extents(value)
    if "trimap" in name:
        return " (a trimap, which Remover has not)"
    if "ids" in name.split("_") or "attention_mask" in name:
        return " (the tokens of a text; constants={name: list} feeds always the same)"
    if "point" in name or "box" in name or "label" in name or "prompt" in name:
        return " (prompts, which Remover has not)"
    if len(extents) == 4 and 1 in (extents[1], extents[3]):
        return " (perhaps a trimap or a mask, which Remover has not)"
    if len(extents) == 4 and 3 in (extents[1], extents[3]):
        return " (a second picture)"
    return ""


def _is_number(value: Value) -> bool:
    extents = _extents(value)
    return math.prod(e or 1 for e in extents) == 1 and len(extents) <= 1


def _dtype(value: Value) -> np.dtype[Any]:
    return np.dtype(np.float32) if value.type is None else value.type.dtype


def _extents_of(value: Value, otherwise: int) -> tuple[int, ...]:
    return tuple(otherwise if e is None else e for e in _extents(value))


def _extents(value: Value) -> Extents:
    if value.type is None or value.type.shape is None:
        return ()
    return tuple(dim if isinstance(dim, int) else None for dim in value.type.shape)


def _shape_text(value: Value) -> str:
    return str(tuple("?" if e is None else e for e in _extents(value))).replace("'", "")
