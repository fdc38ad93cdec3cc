"""How a network is quantised: everything that the result depends on beside model and pictures."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError

Clipping = Literal["mse", "percentile", "largest"]
Rounding = Literal["learned", "nearest"]
Equalisation = Literal["all", "normalisations", "none"]

RECIPE_VERSION = 8
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
    rounding
        Of weights: ``"learned"``, so that what a product makes of what it reads on the pictures
        changes least; ``"nearest"``.
    bias_correction
        Whether biases make up for the mean error that rounded weights make.
    equalisation
        Where loud channels are scaled down as they are made, and the weights that read them up, by
        as much as makes the least noise: in ``"normalisations"``, in convolutions and other
        products too (``"all"``), or nowhere.
    pieces
        Whether channels that are far louder than those beside them are made in pieces, each of
        which a finer grid holds.
    float_channels
        Products of fewer output channels stay in float: they cost little, and masks end in them.

    Examples
    --------
    >>> Recipe.from_json(Recipe(equalisation="none").to_json()).equalisation
    'none'
    """

    activations: Clipping = "mse"
    weights: Clipping = "mse"
    percentile: float = 99.99
    rounding: Rounding = "learned"
    bias_correction: bool = True
    equalisation: Equalisation = "normalisations"
    pieces: bool = True
    float_channels: int = 8

    def __post_init__(self) -> None:
        one_of("activations", self.activations, Clipping)
        one_of("weights", self.weights, Clipping)
        one_of("rounding", self.rounding, Rounding)
        one_of("equalisation", self.equalisation, Equalisation)
        if not 50 < self.percentile <= 100:
            raise ArgumentError(f"percentile={self.percentile!r}: expected more than 50, up to 100")

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
