"""What is made of a model's file for one call, and kept for the next."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, TypeVar

from pyhades.segmentation.modelfile import ModelFile

Made = TypeVar("Made")

MOST_KEPT = 2
"""Of the results that were asked for last."""


def keeping(make: Callable[..., Made]) -> Callable[..., Made]:
    """``make(model, **options)``, whose last results are kept while their files stay as they are.

    Examples
    --------
    >>> kept = keeping(lambda model, **options: object())
    >>> kept(None, mean=[0, 0, 0]) is kept(None, mean=[0, 0, 0])
    True
    """

    @functools.lru_cache(maxsize=MOST_KEPT)
    def made(model: str | None, as_it_is: ModelFile, **options: Any) -> Made:
        return make(model, **options)

    def kept(model: str | os.PathLike[str] | None, **options: Any) -> Made:
        path = None if model is None else os.fspath(model)
        hashable = {key: _hashable(value) for key, value in options.items()}
        return made(path, ModelFile.now(path), **hashable)

    return kept


def _hashable(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((key, _hashable(item)) for key, item in value.items())
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
