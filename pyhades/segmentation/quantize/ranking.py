"""Which products cost the most of the mask when they are quantised.

Every measurement compiles a network, so that not every product is measured for itself: groups of
neighbours are, and the worst groups product by product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pyhades.segmentation.quantize.products import Product

GROUPS = 16
"""Groups that all products are cut into."""
SPLIT = 6
"""Groups, the worst ones, whose products are measured for themselves."""
MOST_OF_IT = 0.9
"""Of the squared error, that groups which are taken apart cause: what is left is little."""
ALONE = 24
"""Up to so many products, each is measured for itself at once."""

Measure = Callable[[Sequence[Product]], float]
"""The error of a network in which nothing but some products is quantised."""


def rank_products(
    products: Sequence[Product], error_of: Measure, tell: Callable[[int, int], object]
) -> list[tuple[Product, float]]:
    """Products and the errors they cause, the worst first.

    A product of a group that was not taken apart gets its share of the group's error: squares of
    errors add up.
    """
    if len(products) <= ALONE:
        groups = [[product] for product in products]
    else:
        size = -(-len(products) // GROUPS)
        groups = [list(products[i : i + size]) for i in range(0, len(products), size)]
    total = len(groups)
    if len(groups) < len(products):
        total += SPLIT * max(map(len, groups))
    measured = []
    for index, group in enumerate(groups):
        measured.append((error_of(group), group))
        tell(index + 1, total)
    apart = _worth_splitting(measured)
    found: list[tuple[Product, float]] = []
    done = len(groups)
    for position, (error, group) in enumerate(measured):
        if position not in apart:
            found += [(product, error / len(group) ** 0.5) for product in group]
            continue
        for product in group:
            found.append((product, error_of([product])))
            done += 1
            tell(done, total)
    tell(total, total)
    return sorted(found, key=lambda pair: -pair[1])


def _worth_splitting(measured: Sequence[tuple[float, Sequence[Product]]]) -> set[int]:
    """Positions of the worst groups, as far as they cause most of the error."""
    order = sorted(range(len(measured)), key=lambda i: -measured[i][0])
    squares = np.array([measured[i][0] ** 2 for i in order])
    before = np.cumsum(squares) - squares
    return {
        i
        for i, seen in zip(order[:SPLIT], before, strict=False)
        if len(measured[i][1]) > 1 and seen < MOST_OF_IT * squares.sum()
    }
