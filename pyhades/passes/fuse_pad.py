"""A constant Pad by zeros becomes the pads of the convolution that follows."""

from __future__ import annotations

from pyhades.ir.graph import Graph, Node
from pyhades.ir.registry import attribute
from pyhades.ir.shapes import shape
from pyhades.passes.rewriting import Rewrite, scalar


def fuse_pad(graph: Graph) -> Graph:
    """Fold Pad into Conv where it pads spatial axes with zeros."""
    rewrite = Rewrite(graph)
    for node in rewrite.nodes:
        if node.op != "Conv" or attribute(node, "auto_pad") not in ("NOTSET", "VALID"):
            continue
        node.inputs = rewrite.inputs(node)
        pad = rewrite.private(node.inputs[0], "Pad")
        amounts = None if pad is None else _spatial_zeros(pad)
        if pad is None or amounts is None:
            continue
        own = attribute(node, "pads") if attribute(node, "auto_pad") == "NOTSET" else None
        own = own or [0] * len(amounts)
        pads = [a + b for a, b in zip(own, amounts, strict=True)]
        attributes = {**node.attributes, "pads": pads, "auto_pad": "NOTSET"}
        rewrite.replace(node, "Conv", [*rewrite.inputs(pad)[:1], *node.inputs[1:]], **attributes)
    return rewrite.finish()


def _spatial_zeros(pad: Node) -> list[int] | None:
    """Begins, then ends, over the spatial axes; None where the pad is of another kind."""
    amounts, fill, axes = pad.inputs[1], pad.input(2), pad.input(3)
    if attribute(pad, "mode") != "constant" or amounts is None or amounts.data is None:
        return None
    if axes is not None or (fill is not None and scalar(fill) != 0):
        return None
    rank = len(shape(pad.outputs[0]))
    begins, ends = amounts.data[:rank].tolist(), amounts.data[rank:].tolist()
    outer = [*begins[:2], *ends[:2]]
    spatial = [*begins[2:], *ends[2:]]
    return None if any(outer) or min(spatial) < 0 else spatial
