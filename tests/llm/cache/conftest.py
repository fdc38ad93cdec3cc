"""What tests of the cache share."""

from __future__ import annotations

import pytest

from pyhades.llm.cache.levels import Levels
from tests.support.shelf import Shelf


@pytest.fixture
def opened():
    """Levels that are closed at the end of the test."""
    all_of_them = []

    def open_levels(*shelves, **options):
        levels = Levels(shelves, **options)
        all_of_them.append((levels, shelves))
        return levels

    yield open_levels
    for levels, shelves in all_of_them:
        for shelf in shelves:
            if isinstance(shelf, Shelf):
                shelf.open.set()
        levels.close()
