"""Which format every tensor of a model is kept in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from pyhades.arguments import one_of
from pyhades.llm.models.outline import EMBEDDING
from pyhades.llm.precision.report import PrecisionReport
from pyhades.quant import FormatName, format_named

Precision = Literal["exact", "balanced", "fast", "auto"]
"""Of the weights of a language model."""
Activations = Literal["q8", "bf16"]
"""What matrix products of a language model take in."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
DEFAULT_PRECISION: Precision = "balanced"
AUTO: Precision = "auto"


@dataclass(frozen=True)
class Recipe:
    """What becomes of weights when they are packed.

    Attributes
    ----------
    precision
        Name of the recipe.
    activations
        What matrix products take in: ``"q8"`` or ``"bf16"``.
    widest
        The format that wider ones become, None where all stay as they are stored. Narrower ones
        stay: they gain nothing from being written with more bits.
    formats
        Of matrices by name, whatever ``widest`` says.
    report
        How ``formats`` were chosen, where they were.
    """

    precision: Precision
    activations: Activations
    widest: FormatName | None
    formats: Mapping[str, FormatName] = field(default_factory=dict)
    report: PrecisionReport | None = None

    def __post_init__(self) -> None:
        one_of("precision", self.precision, Precision)
        one_of("activations", self.activations, Activations)
        for format in (self.widest, *self.formats.values()):
            if format is not None:
                format_named(format)

    def format_of(self, name: str, stored: FormatName) -> FormatName:
        """The format of the matrix ``name`` that the checkpoint holds in the format ``stored``."""
        format_named(stored)
        if name.endswith("router.weight"):
            return "bf16"
        if name in self.formats:
            return self.formats[name]
        if self.widest is None or format_named(stored).bits <= format_named(self.widest).bits:
            return stored
        return self.widest

    def embedding_format(self, stored: FormatName) -> FormatName:
        """The format of the embedding, ``"bf16"`` or ``"int8_g32"``: rows of it are looked up."""
        format_named(stored)
        if EMBEDDING in self.formats:
            return self.formats[EMBEDDING]
        if stored in ("int8_g32", "int4_g32") or self.widest is not None:
            return "int8_g32"
        return "bf16"


RECIPES: dict[str, Recipe] = {
    recipe.precision: recipe
    for recipe in (
        Recipe("exact", "bf16", None),
        Recipe("balanced", "q8", "int8_g32"),
        Recipe("fast", "q8", "int4_g32"),
    )
}


def recipe_named(precision: str | None) -> Recipe:
    """The recipe of a fixed precision; None is the default, ArgumentError lists what exists.

    Examples
    --------
    >>> recipe_named("balanced").format_of("head", "bf16")
    'int8_g32'
    >>> recipe_named("fast").format_of("layers.0.down.weight", "mxfp4")
    'mxfp4'
    """
    if precision is None:
        precision = DEFAULT_PRECISION
    return RECIPES[one_of("precision", precision, RECIPES)]
