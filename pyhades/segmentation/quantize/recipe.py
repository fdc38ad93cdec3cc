"""How a network is quantised: everything that the result depends on beside model and pictures."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any, Literal

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError

Clipping = Literal["mse", "percentile", "largest"]

RECIPE_VERSION = 1
"""Counts what the same fields have meant, so that kept results of another meaning are not used."""


@dataclass(frozen=True)
class Recipe:
    """How a network is quantised.

    Parameters
    ----------
    activations
        What ends the grid of activations: ``"mse"``, where the mean squared error on the
        calibration pictures is least; ``"percentile"``, what all but ``1 - percentile / 100`` of
        the numbers stay within; ``"largest"``, the largest number that was seen.
    weights
        The same for weights, each output channel for itself.
    percentile
        See ``activations``.
    bias_correction
        Whether biases make up for the mean error that rounded weights make.
    smoothing
        How much of the spread of the channels of a LayerNorm moves into the weights behind it, 0
        to 1 (the alpha of SmoothQuant); 0 for none.
    float_channels
        Products of fewer output channels stay in float: they cost little, and masks end in them.

    Examples
    --------
    >>> Recipe.from_json(Recipe(smoothing=0.0).to_json()).smoothing
    0.0
    """

    activations: Clipping = "mse"
    weights: Clipping = "mse"
    percentile: float = 99.99
    bias_correction: bool = True
    smoothing: float = 0.5
    float_channels: int = 8

    def __post_init__(self) -> None:
        one_of("activations", self.activations, Clipping)
        one_of("weights", self.weights, Clipping)
        if not 50 < self.percentile <= 100:
            raise ArgumentError(f"percentile={self.percentile!r}: expected more than 50, up to 100")
        if not (0 <= self.smoothing <= 1 and math.isfinite(self.smoothing)):
            raise ArgumentError(f"smoothing={self.smoothing!r}: expected 0 to 1")

    def to_json(self) -> str:
        """JSON text that :meth:`from_json` reads back."""
        return json.dumps({"version": RECIPE_VERSION, **dataclasses.asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Read a recipe that :meth:`to_json` wrote."""
        fields: dict[str, Any] = json.loads(text)
        fields.pop("version", None)
        return cls(**fields)

    @property
    def digest(self) -> str:
        """Of all fields, in hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()
