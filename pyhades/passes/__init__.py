"""Passes: pure functions from graph to graph, one per file; :func:`optimise` is their sequence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pyhades.ir.graph import Graph
from pyhades.passes.bfloat import compute_in_bfloat16
from pyhades.passes.channels import compose_products, multiply_before_resize
from pyhades.passes.decompose import decompose, is_decomposed
from pyhades.passes.eliminate import eliminate
from pyhades.passes.fold_batch_norm import fold_batch_norm
from pyhades.passes.fold_constants import fold_constants
from pyhades.passes.fuse_attention import fuse_attention
from pyhades.passes.fuse_epilogue import fuse_epilogue
from pyhades.passes.fuse_pad import fuse_pad
from pyhades.passes.fuse_pointwise import fuse_pointwise
from pyhades.passes.fuse_roll import fuse_roll
from pyhades.passes.integers import compute_in_integers, store_integers
from pyhades.passes.merge_products import merge_products
from pyhades.passes.quantization import emulate_quantization, is_quantised, merge_quantization
from pyhades.passes.recognise import recognise
from pyhades.passes.recompute import recompute
from pyhades.passes.regroup_matmul import regroup_matmul
from pyhades.passes.separate_suppression import separate_suppression
from pyhades.passes.specialise import specialise
from pyhades.passes.widen_float16 import widen_float16

Pass = Callable[[Graph], Graph]

PASSES: tuple[Pass, ...] = (
    fold_constants,
    eliminate,
    merge_quantization,
    decompose,
    fold_constants,
    eliminate,
    widen_float16,
    fold_batch_norm,
    fuse_pad,
    recognise,
    fuse_roll,
    fuse_attention,
    regroup_matmul,
    eliminate,
    multiply_before_resize,
    compose_products,
    compute_in_integers,
    emulate_quantization,
    merge_products,
    fuse_epilogue,
    store_integers,
    fuse_pointwise,
    eliminate,
    recompute,
)
"""In order. Patterns are recognised before their parts are fused into something else."""


def optimise(graph: Graph, input_shapes: Mapping[str, Sequence[int]] | None = None) -> Graph:
    """Fix the input shapes, then apply every pass.

    Raises
    ------
    ShapeError
        The shapes do not fit the graph, or leave a shape unknown.

    Examples
    --------
    >>> from pyhades.networks import u2net
    >>> graph = u2net(64, small=True)
    >>> len(optimise(graph).nodes) < len(graph.nodes) / 2
    True
    """
    return optimise_folded(fold_constants(specialise(graph, input_shapes)))


def optimise_folded(graph: Graph, *, bfloat16: bool = False) -> Graph:
    """Apply every pass but the first to a graph whose constants are folded.

    With ``bfloat16``, products that gain by it are then computed in that.
    """
    for transform in PASSES[1:]:
        graph = transform(graph)
    return compute_in_bfloat16(graph) if bfloat16 else graph


__all__ = [
    "PASSES",
    "Pass",
    "compose_products",
    "compute_in_bfloat16",
    "compute_in_integers",
    "decompose",
    "eliminate",
    "emulate_quantization",
    "fold_batch_norm",
    "fold_constants",
    "fuse_attention",
    "fuse_epilogue",
    "fuse_pad",
    "fuse_pointwise",
    "fuse_roll",
    "is_decomposed",
    "is_quantised",
    "merge_products",
    "merge_quantization",
    "multiply_before_resize",
    "optimise",
    "optimise_folded",
    "recognise",
    "recompute",
    "regroup_matmul",
    "separate_suppression",
    "specialise",
    "store_integers",
    "widen_float16",
]
