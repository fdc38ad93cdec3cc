"""Architectures that are recognised by their graphs, whoever exported or converted the file."""

from __future__ import annotations

from collections import Counter

from pyhades.ir.graph import Graph
from pyhades.segmentation.meaning import InputPlan, Meaning

RSU_POOLS, RSU_ACTIVATIONS = 33, 112
"""Of U²-Net, of its small version and of IS-Net: nested U-blocks of equal shape."""
SMALL = 10_000_000
"""Weights: U²-Net has 44 M, its small version 1.1 M."""


def recognise(graph: Graph, plan: InputPlan, meaning: Meaning) -> str | None:
    """Name of the entry whose architecture this is, or None.

    Weights of one architecture are published under different licences; that of the entry is not
    claimed for a file that is known by its architecture alone.
    """
    operators = Counter(node.op for node in graph.nodes)
    chosen = meaning.chosen
    if chosen is None or chosen.channels != 1:
        return None
    is_nested = (operators["MaxPool"], operators["Relu"]) == (RSU_POOLS, RSU_ACTIVATIONS)
    if is_nested and chosen.fact.origin.startswith("Sigmoid"):
        if plan.side in ((320, 320), (None, None)):
            weights = sum(v.data.size for v in graph.values() if v.data is not None)
            return "u2net" if weights > SMALL else "u2netp"
        return "isnet-general-use" if plan.side == (1024, 1024) else None
    if plan.side == (384, 384) and {"LayerNormalization", "Softmax"} <= operators.keys():
        # Swin blocks, and a min-max at the end that lies inside the graph.
        return "inspyrenet" if "min-max" in chosen.fact.origin else None
    return None
