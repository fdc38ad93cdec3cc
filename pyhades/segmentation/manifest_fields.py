"""Fields of a manifest: brought to the types that they have, and checked.

They come from JSON and from keyword arguments, so messages name the field and show its value.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pyhades.errors import ArgumentError

if TYPE_CHECKING:
    from pyhades.segmentation.manifest import ModelManifest

Pairs = tuple[tuple[str, Any], ...]
"""A mapping that does not change; any mapping is accepted."""

MOST_INPUT_PIXELS = 1 << 26
"""Of an input; larger ones are slips of the pen, and would take all memory."""
_LARGEST = 2.0**53
"""No size, mean or deviation is anywhere near; whole numbers below are exact as floats."""
LENGTHS = {"input_size": 2, "mean": 3, "std": 3, "output_bounds": 2}
"""Of the fields that are tuples of numbers."""


def as_tuple(key: str, value: Any) -> tuple[Any, ...]:
    """As many numbers as the field has; one of them may stand for all."""
    length = LENGTHS[key]
    if key != "output_bounds" and _is_number(value):
        value = (value,) * length
    if not isinstance(value, list | tuple) or len(value) != length:
        raise ArgumentError(f"manifest {key}={value!r}: expected {length} numbers")
    if not all(map(_is_number, value)):
        raise ArgumentError(f"manifest {key}={value!r}: expected {length} numbers")
    return tuple(value) if key == "input_size" else tuple(float(item) for item in value)


def _is_number(value: Any) -> bool:
    # NaN compares as false.
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and abs(value) < _LARGEST


def as_pairs(key: str, value: Any) -> Pairs:
    """A mapping as pairs, its lists as tuples, so that a manifest can be hashed."""
    try:
        pairs = dict(value).items()
    except (TypeError, ValueError):
        raise ArgumentError(f"manifest {key}={value!r}: expected a mapping by input name") from None

    def frozen(item: Any) -> Any:
        return tuple(map(frozen, item)) if isinstance(item, list | tuple) else item

    result = tuple((name, frozen(item)) for name, item in pairs)
    kinds: Any = str if key == "states" else int | float | tuple
    if not all(isinstance(name, str) and isinstance(item, kinds) for name, item in result):
        what = "names of outputs" if key == "states" else "numbers or lists of them"
        raise ArgumentError(f"manifest {key}={value!r}: expected {what} by input name")
    return result


def check_values(manifest: ModelManifest) -> None:
    """ArgumentError for a value that the field cannot have."""
    _check_size(manifest)
    _check_classes(manifest)
    low, high = manifest.output_bounds
    if not (math.isfinite(low) and math.isfinite(high) and low != high):
        raise ArgumentError(
            f"manifest output_bounds={manifest.output_bounds!r}: expected two different numbers"
        )
    if any(not value > 0 for value in manifest.std):
        raise ArgumentError(f"manifest std={manifest.std!r}: every value must be positive")
    _check_names(manifest)
    for key in ("antialias", "commercial_use"):
        value = getattr(manifest, key)
        if not isinstance(value, bool) and not (key == "commercial_use" and value is None):
            raise ArgumentError(f"manifest {key}={value!r}: expected true or false")


def _check_size(manifest: ModelManifest) -> None:
    height, width = manifest.input_size
    if not (isinstance(height, int) and isinstance(width, int) and min(height, width) >= 1):
        raise ArgumentError(
            f"manifest input_size={manifest.input_size!r}: "
            "expected two positive integers (height, width)"
        )
    if height * width > MOST_INPUT_PIXELS:
        raise ArgumentError(
            f"manifest input_size={manifest.input_size!r}: more than {MOST_INPUT_PIXELS:,} pixels"
        )
    _check_integers("multiple_of", manifest.multiple_of, 1)
    if manifest.policy == "short-side" and manifest.multiple_of > min(height, width):
        raise ArgumentError(
            f"manifest multiple_of={manifest.multiple_of!r}: more than the short side of "
            f"input_size={manifest.input_size!r}"
        )


def _check_classes(manifest: ModelManifest) -> None:
    """Channels or classes of the foreground and of the background."""
    if isinstance(manifest.foreground, tuple):
        if not manifest.foreground:
            raise ArgumentError("manifest foreground=[]: expected at least one class")
        for each in manifest.foreground:
            _check_integers("foreground", each, 0)
    else:
        _check_integers("foreground", manifest.foreground, 0)
    if manifest.background is not None:
        _check_integers("background", manifest.background, 0)


def _check_names(manifest: ModelManifest) -> None:
    """Of the output and the input of the graph."""
    if not isinstance(manifest.output, int | str) or isinstance(manifest.output, bool):
        raise ArgumentError(f"manifest output={manifest.output!r}: expected an index or a name")
    if manifest.input is not None and not isinstance(manifest.input, str):
        raise ArgumentError(f"manifest input={manifest.input!r}: expected a name")


def _check_integers(key: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ArgumentError(f"manifest {key}={value!r}: expected an integer of at least {least}")
