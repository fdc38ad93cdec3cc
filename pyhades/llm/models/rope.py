"""Rotary position embedding: its frequencies, and how files describe them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pyhades.llm.checkpoint.settings import Settings
from pyhades.llm.models.config import ConfigSource, ModelConfig, RopeScaling
from pyhades.llm.models.weights import Vector


def rope_frequencies(config: ModelConfig) -> tuple[Vector, float]:
    """Radians per position of each pair of dimensions, and the factor on cosines and sines.

    Low frequencies are interpolated by ``factor``, high ones kept, with a ramp in between.
    """
    half = config.head_dim // 2
    base = config.rope_theta ** (-np.arange(half, dtype=np.float64) / half)
    scaling = config.rope_scaling
    if scaling is None:
        return base.astype(np.float32), 1.0
    low = _dimension_of(scaling.beta_fast, config, scaling)
    high = _dimension_of(scaling.beta_slow, config, scaling)
    if scaling.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, config.head_dim - 1)
    interpolated = np.clip((np.arange(half) - low) / max(high - low, 1e-3), 0, 1)
    frequencies = base * (1 - interpolated) + base / scaling.factor * interpolated
    return frequencies.astype(np.float32), 0.1 * math.log(scaling.factor) + 1.0


def _dimension_of(rotations: float, config: ModelConfig, scaling: RopeScaling) -> float:
    """The dimension that turns so many times within the original context."""
    turns = scaling.original_max_position_embeddings / (rotations * 2 * math.pi)
    return config.head_dim * math.log(turns) / (2 * math.log(config.rope_theta))


def read_rope_theta(source: ConfigSource, default: float | None = None) -> float:
    """The base of the frequencies, among the other parameters or beside them."""
    theta = _rope(source).get("rope_theta") or source.settings.get("rope_theta")
    return Settings({"rope_theta": theta}, source.name).number("rope_theta", default=default)


def read_rope_scaling(source: ConfigSource, truncate: bool = True) -> RopeScaling | None:
    """The object ``rope_scaling`` or ``rope_parameters`` of a ``config.json``.

    ``truncate`` is what it means to say nothing: transformers rounds, gpt-oss does not.
    """
    rope = _rope(source)
    kind = rope.text("rope_type", "type", default="default")
    if kind == "default":
        return None
    if kind != "yarn":
        rope.fail(f"rope_type is {kind!r}; pyhades knows 'yarn' and 'default'")
    scaling = RopeScaling(
        factor=rope.number("factor", default=32.0),
        beta_fast=rope.number("beta_fast", default=32.0),
        beta_slow=rope.number("beta_slow", default=1.0),
        original_max_position_embeddings=rope.integer(
            "original_max_position_embeddings", default=4096
        ),
        truncate=rope.flag("truncate", default=truncate),
    )
    attention = rope.number("attention_factor", default=1.0)
    usual = 0.1 * math.log(scaling.factor) + 1.0 if scaling.factor > 1 else 1.0
    if rope.get("attention_factor") is not None and not math.isclose(attention, usual):
        rope.fail(f"attention_factor is {attention}; with this factor pyhades knows {usual:.6f}")
    return scaling


def _rope(source: ConfigSource) -> Settings:
    """Everything that is said of it, in one object: what is said twice counts where it is newer."""
    said: dict[str, Any] = {}
    for key in ("rope_scaling", "rope_parameters"):
        given = source.settings.get(key) or {}
        if not isinstance(given, dict):
            source.settings.fail(f"{key} are {given!r}, not named values")
        said |= {name: value for name, value in given.items() if value is not None}
    per_type = {name: said.pop(name) for name in list(said) if isinstance(said[name], dict)}
    if per_type:
        name, first = next(iter(per_type.items()))
        others = [other for other, value in per_type.items() if value != first]
        if others:
            source.settings.fail(
                f"rope_parameters of {name} and {others[0]} differ; pyhades has the same for all "
                "layers"
            )
        said |= {key: value for key, value in first.items() if value is not None}
    rope = Settings(said, source.name)
    if rope.number("partial_rotary_factor", default=1.0) != 1.0:
        rope.fail("partial_rotary_factor is not 1; pyhades rotates whole heads")
    if rope.get("mscale") and rope.get("mscale_all_dim"):
        rope.fail("mscale and mscale_all_dim are given; pyhades knows the usual attention_factor")
    return rope
