"""Take products back to float until the budget holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyhades.ir.graph import Graph
from pyhades.segmentation.quantize.products import Product
from pyhades.segmentation.quantize.ranking import rank_products
from pyhades.segmentation.quantize.scores import Budget, Score

FOR_RANKS = 4
"""Pictures that products are ranked on: those that lose the most with all of them quantised."""
MOST_REVERTED = 0.5
"""Of the products; a network of which more stays in float is not worth being called quantised."""


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


def choose(
    products: Sequence[Product],
    quantised: Callable[[Sequence[Product]], Graph],
    scored: Callable[[Graph], tuple[Score, ...]],
    error_of: Callable[[Sequence[Product], Sequence[int]], float],
    budget: Budget,
    tell: Callable[[int, int], object],
) -> Choice:
    """All products, or all but the fewest of the worst ones with which the budget holds.

    ``error_of`` tells the error on some pictures, given by index, where nothing but some products
    is quantised. Where it does not hold with half of them, the best that was seen is returned.
    """

    def attempt(chosen: Sequence[Product], errors: dict[str, float]) -> Choice:
        graph = quantised(chosen)
        return Choice(graph, tuple(chosen), scored(graph), errors)

    first = attempt(products, {})
    if budget.holds(first.scores):
        return first
    spent = [budget.spent([score]) for score in first.scores]
    hard = sorted(range(len(spent)), key=lambda index: -spent[index])[:FOR_RANKS]
    ranked = rank_products(products, lambda some: error_of(some, hard), tell)
    errors = {product.name: error for product, error in ranked}
    worst = [product for product, _ in ranked]
    most = max(1, int(len(products) * MOST_REVERTED))

    def without(count: int) -> Choice:
        back = set(worst[:count])
        return attempt([p for p in products if p not in back], errors)

    best = Choice(first.graph, first.products, first.scores, errors)
    held, failed, count = None, 0, 1
    while held is None and failed < most:
        tried = without(min(count, most))
        best = min(best, tried, key=lambda choice: budget.spent(choice.scores))
        if budget.holds(tried.scores):
            held, best = min(count, most), tried
        else:
            failed = min(count, most)
            count *= 2
    while held is not None and held - failed > max(1, len(products) // 32):
        middle = (held + failed) // 2
        tried = without(middle)
        if budget.holds(tried.scores):
            held, best = middle, tried
        else:
            failed = middle
    return best
