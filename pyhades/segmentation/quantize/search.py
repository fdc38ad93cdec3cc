"""Take products back to float until the budget holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pyhades.ir.graph import Graph
from pyhades.segmentation.quantize.products import Product
from pyhades.segmentation.quantize.ranking import rank_products
from pyhades.segmentation.quantize.scores import Budget, Score

FOR_RANKS = 8
"""Pictures that products are ranked on: those that lose the most with all of them quantised."""
MOST_REVERTED = 0.9
"""Of the work or of the products, whichever lets more of them go back; a network of which more
stays in float is not worth being called quantised."""
CALL = 0.002
"""Of the work of all products, what a product costs beside its own: it is between two grids."""


@dataclass(frozen=True)
class Choice:
    """A network, what is quantised in it, and how good it is.

    Attributes
    ----------
    graph
        The network.
    products
        Those that are quantised.
    scores
        Of the pictures that are held out.
    errors
        By the name of a product, what it costs alone; empty where nothing had to be ranked.
    """

    graph: Graph
    products: tuple[Product, ...]
    scores: tuple[Score, ...]
    errors: dict[str, float]


class Judging(Protocol):
    """What is asked of a :class:`~pyhades.segmentation.quantize.judging.Judge`."""

    budget: Budget

    def scores(self, graph: Graph) -> tuple[Score, ...]:
        """Of all pictures."""

    def attempt(self, graph: Graph) -> tuple[Score, ...] | None:
        """Of all pictures; None where the budget is spent before the last of them."""

    def hardest(self, count: int) -> list[int]:
        """Indices of pictures that lose the most."""


def choose(
    products: Sequence[Product],
    work: Mapping[str, float],
    quantised: Callable[[Sequence[Product]], Graph],
    judge: Judging,
    error_of: Callable[[Sequence[Product], Sequence[int]], float],
    tell: Callable[[int, int], object],
) -> Choice:
    """All products, or all but the least work with which the budget holds.

    ``error_of`` tells the error on some pictures, given by index, where nothing but some products
    is quantised; ``work`` how much each product has to do. Where the budget does not hold with
    :data:`MOST_REVERTED` of it in float, that is returned, or everything where it is no worse.
    """
    graph = quantised(products)
    first = Choice(graph, tuple(products), judge.scores(graph), {})
    if judge.budget.holds(first.scores):
        return first
    hard = judge.hardest(FOR_RANKS)
    ranked = rank_products(products, lambda some: error_of(some, hard), tell)
    errors = {product.name: error for product, error in ranked}
    costly = by_gain(errors, work)
    order = sorted(products, key=lambda product: -costly[product.name])
    most = _most(order, work)

    def without(count: int) -> tuple[Graph, tuple[Product, ...]]:
        back = set(order[:count])
        chosen = tuple(p for p in products if p not in back)
        return quantised(chosen), chosen

    best, held, failed, count = None, most, 0, max(1, most // 8)
    while held - failed > max(1, len(products) // 32) or best is None:
        count = min(count, most)
        graph, chosen = without(count)
        scores = judge.attempt(graph)
        if scores is not None and judge.budget.holds(scores):
            held, best = count, Choice(graph, chosen, scores, errors)
        elif count == most:
            scores = judge.scores(graph) if scores is None else scores
            last = Choice(graph, chosen, scores, errors)
            first = Choice(first.graph, first.products, first.scores, errors)
            return min(last, first, key=lambda choice: judge.budget.spent(choice.scores))
        else:
            failed = count
        count = 2 * failed if best is None else (held + failed) // 2
    return best


def by_gain(errors: Mapping[str, float], work: Mapping[str, float]) -> dict[str, float]:
    """How much of the error goes away for the work that goes back to float, by product.

    Errors of products have nothing to do with one another, so that their squares add up.
    """
    call = CALL * sum(work[name] for name in errors)
    return {name: error**2 / (work[name] + call) for name, error in errors.items()}


def _most(order: Sequence[Product], work: Mapping[str, float]) -> int:
    """How many of the first products may go back, but not all: so much of the work, or of them."""
    done = np.cumsum([work[product.name] for product in order])
    by_work = int(np.searchsorted(done, MOST_REVERTED * done[-1], "right"))
    return min(max(by_work, math.ceil(MOST_REVERTED * len(order))), len(order) - 1)
