"""Movement as views: Reshape, Transpose, Slice and Expand."""

from __future__ import annotations

import numpy as np

from pyhades.ir.graph import Node
from pyhades.ir.inference import constant
from pyhades.ir.ops.selection import ReverseSequence
from pyhades.ir.ops.slicing import centred_pads
from pyhades.ir.registry import attribute, operator
from pyhades.ir.shapes import shape
from pyhades.passes.decompose.rule import Builder, rule, source


@rule("Squeeze", "Unsqueeze", "Flatten")
def _reshape(build: Builder, node: Node) -> None:
    build.become_reshape(source(node))


@rule("Gather")
def _gather(build: Builder, node: Node) -> None:
    """A gather at one constant position is a slice."""
    data, indices = source(node), source(node, 1)
    if indices.data is None or indices.data.size != 1:
        return
    extents = shape(data)
    axis = attribute(node, "axis") % len(extents)
    position = int(indices.data.reshape(-1)[0]) % extents[axis]
    build.become_reshape(build.slice(data, axis, position, position + 1))


@rule("Split")
def _split(build: Builder, node: Node) -> None:
    x = source(node)
    axis = attribute(node, "axis") % len(shape(x))
    start = 0
    for index, value in enumerate(node.outputs):
        stop = start + shape(value)[axis]
        build.rewrite.substitute(value, build.slice(x, axis, start, stop, f"part{index}"))
        start = stop


@rule("DepthToSpace")
def _depth_to_space(build: Builder, node: Node) -> None:
    x, s = source(node), attribute(node, "blocksize")
    n, c, h, w = shape(x)
    deep = c // (s * s)
    if attribute(node, "mode") == "DCR":
        blocks = build.transpose(build.reshape(x, (n, s, s, deep, h, w)), (0, 3, 4, 1, 5, 2))
    else:
        blocks = build.transpose(build.reshape(x, (n, deep, s, s, h, w)), (0, 1, 4, 2, 5, 3))
    build.become_reshape(blocks)


@rule("SpaceToDepth")
def _space_to_depth(build: Builder, node: Node) -> None:
    x, s = source(node), attribute(node, "blocksize")
    n, c, h, w = shape(x)
    perm = (0, 3, 5, 1, 2, 4) if attribute(node, "mode") == "DCR" else (0, 1, 3, 5, 2, 4)
    blocks = build.reshape(x, (n, c, h // s, s, w // s, s))
    build.become_reshape(build.transpose(blocks, perm))


@rule("Tile")
def _tile(build: Builder, node: Node) -> None:
    x, repeats = source(node), source(node, 1)
    if repeats.data is None:
        return
    counts = [int(count) for count in repeats.data]
    extents = shape(x)
    thin = [extent for pair in zip([1] * len(extents), extents, strict=True) for extent in pair]
    wide = [extent for pair in zip(counts, extents, strict=True) for extent in pair]
    target = build.integers("repeats", wide)
    expanded = build.apply("Expand", build.reshape(x, thin), target, suffix="expanded")
    build.become_reshape(expanded)


def _fill_varies(node: Node) -> bool:
    fill = node.input(2)
    return attribute(node, "mode") == "constant" and fill is not None and fill.data is None


@rule("Pad", when=_fill_varies)
def _pad(build: Builder, node: Node) -> None:
    """A fill that the network computes is chosen where padding marks do not reach."""
    x, pads, fill, axes = source(node), source(node, 1), source(node, 2), node.input(3)
    inside = constant(f"{build.name}.inside", np.ones(shape(x), np.bool_))
    mask = build.apply("Pad", inside, pads, None, axes, suffix="mask")
    padded = build.apply("Pad", x, pads, None, axes, suffix="padded")
    build.become("Where", mask, padded, build.reshape(fill, (), "fill"))


def _diagonal_is_constant(node: Node) -> bool:
    k = node.input(1)
    return k is None or k.data is not None


@rule("Trilu", when=_diagonal_is_constant)
def _trilu(build: Builder, node: Node) -> None:
    """A choice between the elements and zero."""
    x, k = source(node), node.input(1)
    diagonal = 0 if k is None or k.data is None else int(k.data.reshape(()))
    upper = bool(attribute(node, "upper"))
    rows, columns = shape(x)[-2:]
    below = np.tri(rows, columns, diagonal - 1 if upper else diagonal, dtype=np.bool_)
    mask = constant(f"{build.name}.mask", ~below if upper else below)
    build.become("Where", mask, x, build.number(0, x))


@rule("CenterCropPad")
def _center_crop_pad(build: Builder, node: Node) -> None:
    """Pads of either sign, half at each end."""
    x, wanted = source(node), shape(node.outputs[0])
    pads = centred_pads(shape(x), wanted)
    flat = [begin for begin, _ in pads] + [end for _, end in pads]
    build.become("Pad", x, build.integers("pads", flat))


@rule("ReverseSequence")
def _reverse_sequence(build: Builder, node: Node) -> None:
    """Elements by position: counted from the end of the sequence, as long as it lasts."""
    x, lengths = source(node), source(node, 1)
    operator_ = operator("ReverseSequence")
    assert isinstance(operator_, ReverseSequence)
    time, batch = operator_.axes(node)
    extents = shape(x)
    steps = [extent if axis == time else 1 for axis, extent in enumerate(extents)]
    entries = [extent if axis == batch else 1 for axis, extent in enumerate(extents)]
    positions = constant(f"{build.name}.positions", np.arange(extents[time]).reshape(steps))
    ends = build.reshape(lengths, entries, "ends")
    one = constant(f"{build.name}.one", np.array(1, np.int64))
    mirrored = build.apply("Sub", build.apply("Sub", ends, one, suffix="last"), positions)
    inside = build.apply("Less", positions, ends)
    where = build.apply("Where", inside, mirrored, positions)
    spread = build.apply("Expand", where, build.integers("extents", extents))
    build.become("GatherElements", x, spread, axis=time)


def _has_mask(node: Node) -> bool:
    return len(node.outputs) > 1


@rule("Dropout", when=_has_mask)
def _dropout(build: Builder, node: Node) -> None:
    """Inference keeps everything, which is what the mask says."""
    x = source(node)
    mask = constant(f"{build.name}.mask", np.ones(shape(x), np.bool_))
    for old, new in zip(node.outputs, (x, mask), strict=True):
        build.rewrite.substitute(old, new)
