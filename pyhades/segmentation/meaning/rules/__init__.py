"""How each operator changes what is known of its inputs; one file per group of operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhades.ir.graph import Node
from pyhades.segmentation.meaning.facts import Fact
from pyhades.segmentation.meaning.rules import arithmetic, bounding, moving, patterns
from pyhades.segmentation.meaning.rules.table import RULES

if TYPE_CHECKING:
    from pyhades.segmentation.meaning.facts import Facts

__all__ = ["apply_rule"]

_FILES = (arithmetic, bounding, moving, patterns)  # importing them fills RULES


def apply_rule(node: Node, facts: Facts) -> list[Fact]:
    """The facts of the outputs of ``node``; none where no rule knows its operator."""
    for rule in RULES.get(node.op, ()):
        found = rule(node, facts)
        if found is not None:
            return [found] * len(node.outputs) if isinstance(found, Fact) else found
    return []
