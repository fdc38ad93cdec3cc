"""The argument ``activation`` of products and convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.numerics.epilogue import NONE, Stage
from pyhades.numerics.functions import ACTIVATIONS, FUNCTIONS, Parameter

Activation = str | tuple[str] | tuple[str, float] | tuple[str, float, float]
"""A name, or a name and parameters: ``"relu"``, ``("leaky_relu", 0.1)``, ``("clip", 0, 6)``."""


def parse_activation(activation: Activation | None) -> Stage:
    """Name and parameters; those left out have their defaults, where they have any.

    Raises
    ------
    ArgumentError
        No activation has this name, or it takes other parameters.
    ArgumentTypeError
        This is neither a name nor a tuple of a name and numbers.

    Examples
    --------
    >>> parse_activation(("clip", 0, 6))
    ('clip', (0.0, 6.0))
    >>> parse_activation("leaky_relu")
    ('leaky_relu', (0.01,))
    """
    if activation is None or activation == "none":
        return NONE
    name, given = (activation, ()) if isinstance(activation, str) else _split(activation)
    if name not in ACTIVATIONS:
        raise ArgumentError(
            f"activation={activation!r} is none of {', '.join(ACTIVATIONS)}; None for none"
        )
    expected = FUNCTIONS[name].parameters
    missing = [p for p in expected[len(given) :] if p.default is None]
    if missing or len(given) > len(expected):
        raise ArgumentError(f"activation={activation!r}: {_usage(name, expected)}")
    defaults = [p.default for p in expected[len(given) :] if p.default is not None]
    return name, _numbers(activation, [*given, *defaults])


def activation_attributes(activation: Activation | None) -> dict[str, str | float]:
    """What native operators take: the attributes ``activation``, ``activation_alpha``, ..."""
    name, parameters = parse_activation(activation)
    suffixes = ("activation_alpha", "activation_beta")
    return {"activation": name, **dict(zip(suffixes, parameters, strict=False))}


def _split(activation: object) -> tuple[str, tuple[object, ...]]:
    if isinstance(activation, tuple) and activation and isinstance(activation[0], str):
        return activation[0], activation[1:]
    raise ArgumentTypeError(
        f"activation={activation!r} is neither a name, nor a name and its parameters in a tuple, "
        'as ("clip", 0, 6), nor None'
    )


def _usage(name: str, parameters: Sequence[Parameter]) -> str:
    if not parameters:
        return f"{name} takes no parameters; give {name!r}"
    form = ", ".join(p.name for p in parameters)
    required = any(p.default is None for p in parameters)
    return f'{name} {"needs" if required else "takes"} {form}; give ("{name}", {form})'


def _numbers(activation: object, values: Sequence[object]) -> tuple[float, ...]:
    try:
        return tuple(float(value) for value in values)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ArgumentTypeError(f"activation={activation!r}: parameters are numbers") from None
