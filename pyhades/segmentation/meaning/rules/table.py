"""The table that the files of rules fill."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyhades.ir.graph import Node
from pyhades.segmentation.meaning.facts import Fact

if TYPE_CHECKING:
    from pyhades.segmentation.meaning.facts import Facts

Rule = Callable[[Node, "Facts"], "Fact | list[Fact] | None"]
"""What a node makes of the facts; None where this rule does not fit."""

RULES: dict[str, list[Rule]] = {}
"""By operator; the first that fits decides."""


def rule(*operators: str, first: bool = False) -> Callable[[Rule], Rule]:
    """Register a function for ``operators``; with ``first``, it is asked before the others."""

    def decorate(function: Rule) -> Rule:
        for name in operators:
            rules = RULES.setdefault(name, [])
            rules.insert(0 if first else len(rules), function)
        return function

    return decorate
