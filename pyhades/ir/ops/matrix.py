"""Matrix products: MatMul, Gemm, Einsum."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyhades.ir.graph import Dim, Node
from pyhades.ir.ops.elementwise import widened
from pyhades.ir.registry import Array, Operator, attribute, elements, ir_op
from pyhades.ir.shapes import Shape, agree, broadcast, concrete, fail, rank_of, shape_of
from pyhades.numerics.matrix import general_product, product


@ir_op("MatMul", "N, N -> N")
class MatMul(Operator):
    """Stacked matrix product by NumPy's rules (vectors are promoted, stacks broadcast)."""

    def shapes(self, node: Node) -> list[Shape]:
        a, b = shape_of(node, 0), shape_of(node, 1)
        if not a or not b:
            fail(node, "scalars have no matrix product")
        rows, columns = a[-2:-1], b[-1:] if len(b) > 1 else ()
        agree(node, a[-1], b[-2] if len(b) > 1 else b[0], "inner extents")
        return [(*broadcast(node, a[:-2], b[:-2]), *rows, *columns)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        a, b = inputs
        return [product(widened(a), widened(b)).astype(a.dtype, copy=False)]

    def flops(self, node: Node) -> int:
        inner = concrete(shape_of(node, 0))[-1]
        return 2 * inner * elements(node.outputs[0].type)


@ir_op("Gemm", "N, N, N? -> N", alpha=1.0, beta=1.0, transA=0, transB=0)
class Gemm(Operator):
    """alpha * a @ b + beta * c for matrices, each of a and b optionally transposed."""

    def shapes(self, node: Node) -> list[Shape]:
        if rank_of(node, 0) != 2 or rank_of(node, 1) != 2:
            fail(node, "a and b must be matrices")
        a, b = shape_of(node, 0), shape_of(node, 1)
        m, k = (a[1], a[0]) if attribute(node, "transA") else a
        k2, n = (b[1], b[0]) if attribute(node, "transB") else b
        agree(node, k, k2, "inner extents")
        if node.input(2) is not None:
            both = broadcast(node, (m, n), shape_of(node, 2))
            if len(both) != 2:
                fail(node, "c does not broadcast to the product")
            for have, want in zip(both, (m, n), strict=True):
                agree(node, have, want, "extents of c and of the product")
        return [(m, n)]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        a, b, c = (*inputs, None)[:3]
        left, right = widened(a), widened(b)
        left = left.T if attribute(node, "transA") else left
        right = right.T if attribute(node, "transB") else right
        added = None if c is None else widened(c)
        y = general_product(left, right, added, attribute(node, "alpha"), attribute(node, "beta"))
        return [y.astype(a.dtype, copy=False)]

    def flops(self, node: Node) -> int:
        inner = concrete(shape_of(node, 0))[0 if attribute(node, "transA") else 1]
        return 2 * inner * elements(node.outputs[0].type)


def _expand_ellipsis(node: Node, term: str, rank: int, covered: int) -> list[str]:
    """Labels of one term; the axes of an ellipsis are called 0, 1, ... aligned to the right."""
    before, dots, after = term.partition("...")
    if not dots:
        if len(term) != rank:
            fail(node, f"term {term!r} does not fit an input of rank {rank}")
        return list(term)
    named = len(before) + len(after)
    if named > rank:
        fail(node, f"term {term!r} does not fit an input of rank {rank}")
    here = rank - named
    return [*before, *(str(covered - here + i) for i in range(here)), *after]


@ir_op("Einsum", "N... -> N", equation=None)
class Einsum(Operator):
    """Einstein summation, explicit or implicit, with ellipsis."""

    def shapes(self, node: Node) -> list[Shape]:
        _, output, extents = self.labels(node)
        return [tuple(extents[label] for label in output)]

    def labels(self, node: Node) -> tuple[list[list[str]], list[str], dict[str, Dim]]:
        """The labels of each input and of the output, and the extent of each label."""
        equation = (attribute(node, "equation") or "").replace(" ", "")
        left, arrow, right = equation.partition("->")
        terms = left.split(",")
        if len(terms) != len(node.inputs):
            fail(node, f"equation {equation!r} does not fit {len(node.inputs)} inputs")
        shapes = [shape_of(node, index) for index in range(len(terms))]
        covered = max(
            (len(s) - len(t) + 3 for t, s in zip(terms, shapes, strict=True) if "..." in t),
            default=0,
        )
        if not arrow:
            once = sorted(c for c in set(left) if c.isalpha() and left.count(c) == 1)
            right = ("..." if "..." in left else "") + "".join(once)
        spelled = [
            _expand_ellipsis(node, term, len(shape), covered)
            for term, shape in zip(terms, shapes, strict=True)
        ]
        extents: dict[str, Dim] = {}
        for labels, shape in zip(spelled, shapes, strict=True):
            for label, dim in zip(labels, shape, strict=True):
                extents[label] = broadcast(node, (extents.get(label, 1),), (dim,))[0]
        hidden = covered if "..." in right else 0
        output = _expand_ellipsis(node, right, len(right.replace("...", "")) + hidden, covered)
        if any(label not in extents for label in output):
            fail(node, f"equation {equation!r} has an output label that no input has")
        return spelled, output, extents

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        equation = attribute(node, "equation").replace(" ", "")
        y = np.einsum(equation, *(widened(x) for x in inputs), optimize=len(inputs) > 2)
        return [np.asarray(y).astype(inputs[0].dtype, copy=False)]

    def flops(self, node: Node) -> int:
        _, _, extents = self.labels(node)
        return 2 * math.prod(concrete(list(extents.values())))


@ir_op("Det", "F -> F")
class Det(Operator):
    """Determinants of the matrices in the last two axes."""

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        if len(x) < 2:
            fail(node, f"x must have rank 2 or more, has {len(x)}")
        agree(node, x[-1], x[-2], "rows and columns")
        return [x[:-2]]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        (x,) = inputs
        return [np.asarray(np.linalg.det(widened(x))).astype(x.dtype, copy=False)]

    def flops(self, node: Node) -> int:
        n = concrete(shape_of(node, 0))[-1]
        return elements(node.outputs[0].type) * 2 * n**3 // 3


@ir_op("Inverse", "F -> F")
class Inverse(Operator):
    """Inverses of the matrices in the last two axes; of singular ones nothing is promised."""

    def shapes(self, node: Node) -> list[Shape]:
        x = shape_of(node, 0)
        if len(x) < 2:
            fail(node, f"x must have rank 2 or more, has {len(x)}")
        agree(node, x[-1], x[-2], "rows and columns")
        return [x]

    def reference(self, node: Node, *inputs: Any) -> list[Array]:
        (x,) = inputs
        try:
            return [np.linalg.inv(widened(x)).astype(x.dtype, copy=False)]
        except np.linalg.LinAlgError:
            fail(node, "a matrix is singular")

    def flops(self, node: Node) -> int:
        return elements(node.outputs[0].type) * 2 * concrete(shape_of(node, 0))[-1]
