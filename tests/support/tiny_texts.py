"""Texts for models of some hundred tokens, and requests that ask for more of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyhades.llm.engine.request import Request
from pyhades.llm.engine.sampling import SamplingParams


def ids(seed: int, length: int) -> list[int]:
    return np.random.default_rng(seed).integers(0, 300, length).tolist()


def request(
    number: int, tokens: Any, most: int = 8, n: int = 1, client: str = "", **more: Any
) -> Request:
    params = SamplingParams(seed=number, max_tokens=most, n=n)
    return Request(number, tuple(tokens), params, most, frozenset(), client, **more)
