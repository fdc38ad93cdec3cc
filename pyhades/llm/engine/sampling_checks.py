"""What the parameters of sampling may be, and what to write instead."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any, cast

import numpy as np

from pyhades.errors import ArgumentError, ArgumentTypeError

RANGES = {
    "temperature": (0.0, math.inf),
    "top_k": (-1, math.inf),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "repetition_penalty": (0.0, math.inf),
    "presence_penalty": (-math.inf, math.inf),
    "frequency_penalty": (-math.inf, math.inf),
    "seed": (0, 2**64 - 1),
    "max_tokens": (1, math.inf),
    "logprobs": (0, math.inf),
    "n": (1, math.inf),
}
_REMEDIES = {
    "temperature": "; 0 takes the likeliest token",
    "top_k": "; 0 is all tokens",
    "top_p": "; 1 is all tokens, and temperature=0 the likeliest",
    "min_p": "; 0 is all tokens",
    "repetition_penalty": "; 1 is none",
    "seed": "; None is another one each time",
    "max_tokens": "; None is as many as the context leaves",
    "logprobs": "; None is none",
}
"""What to write instead of what other libraries understand."""
_INTEGERS = {"top_k", "seed", "max_tokens", "logprobs", "n"}
_POSITIVE = {"top_p", "repetition_penalty"}


def check_range(name: str, value: Any) -> None:
    """Raise where a parameter is no number, or outside of its range."""
    if value is None:
        return
    kind, words = (Integral, "an integer") if name in _INTEGERS else (Real, "a number")
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ArgumentTypeError(f"{name}={value!r} is not {words}")
    if isinstance(value, (float, np.floating)) and not math.isfinite(value):
        raise ArgumentError(f"{name}={value} must be finite")
    low, high = RANGES[name]
    value = cast("float", value)
    if not low <= value <= high or (name in _POSITIVE and value == 0):
        bound = f"above {low}" if name in _POSITIVE else f"at least {low}"
        limits = bound if math.isinf(high) else f"{bound} and at most {high}"
        raise ArgumentError(f"{name}={value} must be {limits}{_REMEDIES.get(name, '')}")


def stop_strings(stop: Any) -> tuple[str, ...]:
    """The strings that end an answer, of one or several."""
    if isinstance(stop, str):
        strings: tuple[Any, ...] = (stop,)
    elif isinstance(stop, Iterable) and not isinstance(stop, (bytes, bytearray, Mapping)):
        strings = tuple(stop)
    else:
        raise ArgumentTypeError(f"stop={stop!r} is neither text nor a list of texts")
    for string in strings:
        if not isinstance(string, str):
            raise ArgumentTypeError(f"stop holds {string!r}, which is not text")
        if not string:
            raise ArgumentError("stop holds an empty string, which would end every answer at once")
    return strings


def biases_of(logit_bias: Any) -> dict[int, float]:
    """What is added to logits, by token id."""
    if not isinstance(logit_bias, Mapping):
        raise ArgumentTypeError(
            f"logit_bias is {type(logit_bias).__name__}; it maps token ids to numbers, such as "
            "{50256: -100}"
        )
    biases: dict[int, float] = {}
    for token, bias in logit_bias.items():
        number = _token_id(token)
        is_number = isinstance(bias, Real) and not isinstance(bias, bool)
        if number is None or not is_number:
            raise ArgumentTypeError(
                f"logit_bias has {token!r}: {bias!r}; it maps token ids to numbers"
            )
        if number < 0 or math.isnan(bias) or bias == math.inf:
            raise ArgumentError(
                f"logit_bias has {token!r}: {bias!r}; ids are not negative, biases are finite "
                "or -inf"
            )
        biases[number] = float(bias)
    return biases


def _token_id(token: Any) -> int | None:
    """A token id, which JSON can only spell as text; None for what is none."""
    if isinstance(token, Integral) and not isinstance(token, bool):
        return int(token)
    try:
        return int(token) if isinstance(token, str) else None
    except ValueError:
        return None
