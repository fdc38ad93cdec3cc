"""What a segmentation model wants to be fed and what its output means.

The same architecture is published with different preprocessing by different people, so none of this
can be read off a graph reliably. A manifest states it, as JSON beside the model file
(``model.onnx.json`` or ``model.manifest.json``) or in the ONNX metadata under ``pyhades.manifest``.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError, ModelError

METADATA_KEY = "pyhades.manifest"
SCHEMA = 1
MOST_INPUT_PIXELS = 1 << 26
"""Of an input; larger ones are slips of the pen, and would take all memory."""

Triple = tuple[float, float, float]
Pairs = tuple[tuple[str, Any], ...]
"""A mapping that does not change; any mapping is accepted."""

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)

Policy = Literal["stretch", "letterbox-centre", "letterbox-topleft", "short-side"]
Resample = Literal["bilinear", "bicubic", "lanczos", "nearest", "lanczos-8bit"]
Scale = Literal["1/255", "1/max"]
ChannelOrder = Literal["rgb", "bgr"]
Layout = Literal["nchw", "nhwc"]
Activation = Literal["none", "sigmoid", "softmax", "argmax", "labels"]
Range = Literal["none", "minmax", "clip"]
Upsample = Literal["bilinear", "bilinear-align-corners", "bicubic", "lanczos-8bit"]

_CHOICES: dict[str, object] = {
    "policy": Policy,
    "resample": Resample,
    "scale": Scale,
    "channel_order": ChannelOrder,
    "output_layout": Layout,
    "activation": Activation,
    "range": Range,
    "upsample": Upsample,
}


@dataclass(frozen=True)
class ModelManifest:
    """Preprocessing, postprocessing and licence of one segmentation model.

    Parameters
    ----------
    name
        What to call the model in messages.
    input_size
        ``(height, width)`` in pixels that the network is fed.
    policy
        How an image gets that size. ``"stretch"`` ignores the aspect ratio; ``"letterbox-centre"``
        and ``"letterbox-topleft"`` keep it and pad with zeros after normalisation; ``"short-side"``
        keeps it and brings the short side to ``min(input_size)``, for graphs of dynamic size.
    multiple_of
        With ``"short-side"``, both sides are rounded to a multiple of this.
    resample, antialias
        Resize kernel, and whether it widens when it shrinks (as Pillow's kernels do).
        ``"lanczos-8bit"`` is Pillow's own, which rounds to 256 levels, as rembg does.
    scale
        ``"1/255"``, or ``"1/max"``: divide by the largest value of the resized image.
    mean, std
        Subtracted and divided by after scaling, in the order of ``channel_order``.
    channel_order
        Order of the channels that the network expects.
    input
        Name of the input that takes the picture; None where it can be told from the others.
    states
        Output per input that carries what was seen from frame to frame, as a mapping.
    constants
        Number or list per input that is always fed the same, as a mapping.
    output
        Index or name of the graph output that holds the prediction.
    output_layout
        ``"nchw"``, or ``"nhwc"`` where the channels of the output come last.
    output_bounds
        Numbers that stand for background and foreground, such as ``(0, 255)``; what the output
        holds is brought to 0..1 from there before anything else.
    activation
        What is still missing in the graph: ``"sigmoid"``, or over the channels ``"softmax"`` or
        ``"argmax"`` (a hard choice). ``"labels"`` where the output holds numbers of classes.
    foreground
        Channel or class of the foreground, or several of them.
    background
        Channel or class of the background: everything else is foreground. It takes the place of
        ``foreground``.
    range
        ``"minmax"`` stretches each prediction to 0..1 (as the authors do, but not noise),
        ``"clip"`` cuts it, ``"none"`` states that it already lies in 0..1.
    upsample
        How the prediction gets back to the size of the image. ``"lanczos-8bit"`` rounds down to
        256 levels first and enlarges those, as rembg does.
    licence
        SPDX identifier of the weights' licence, or None where unknown.
    commercial_use
        Whether that licence allows commercial use; None where unknown.
    source
        Where the model and these numbers come from.

    Examples
    --------
    >>> manifest = ModelManifest("isnet", (1024, 1024), mean=(0.5, 0.5, 0.5), range="minmax")
    >>> ModelManifest.from_json(manifest.to_json()) == manifest
    True
    """

    name: str
    input_size: tuple[int, int]
    policy: Policy = "stretch"
    multiple_of: int = 1
    resample: Resample = "bilinear"
    antialias: bool = True
    scale: Scale = "1/255"
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    channel_order: ChannelOrder = "rgb"
    input: str | None = None
    states: Pairs = ()
    constants: Pairs = ()
    output: int | str = 0
    output_layout: Layout = "nchw"
    output_bounds: tuple[float, float] = (0.0, 1.0)
    activation: Activation = "none"
    foreground: int | tuple[int, ...] = 0
    background: int | None = None
    range: Range = "clip"
    upsample: Upsample = "bilinear"
    licence: str | None = None
    commercial_use: bool | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        for key in _LENGTHS:
            object.__setattr__(self, key, _as_tuple(key, getattr(self, key)))
        for key in ("states", "constants"):
            object.__setattr__(self, key, _as_pairs(key, getattr(self, key)))
        if isinstance(self.foreground, list):
            object.__setattr__(self, "foreground", tuple(self.foreground))
        for key, choices in _CHOICES.items():
            one_of(f"manifest {key}", getattr(self, key), choices)
        _check_numbers(self)

    def replace(self, **changes: Any) -> ModelManifest:
        """Return a copy with other values, checked again; ArgumentError for an unknown field.

        A foreground that is given takes the place of a background that was there.
        """
        changes = _in_new_names(changes)
        _reject_unknown(changes, ArgumentError, "")
        if "foreground" in changes:
            changes.setdefault("background", None)
        return dataclasses.replace(self, **changes)

    def to_json(self) -> str:
        """JSON text that :meth:`from_json` reads back."""
        fields = dataclasses.asdict(self)
        fields |= {key: dict(fields[key]) for key in ("states", "constants")}
        return json.dumps({"schema": SCHEMA, **fields}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "manifest") -> ModelManifest:
        """Read a manifest; ModelError, with ``where`` in it, if it is not a valid one."""
        try:
            fields = json.loads(text)
        except ValueError as error:
            raise ModelError(f"{where}: not valid JSON ({error})") from error
        if not isinstance(fields, dict):
            raise ModelError(f"{where}: expected a JSON object, got {type(fields).__name__}")
        schema = fields.pop("schema", SCHEMA)
        if schema != SCHEMA:
            raise ModelError(f"{where}: schema {schema!r}; this version of pyhades reads {SCHEMA}")
        fields = _in_new_names(fields)
        _reject_unknown(fields, ModelError, where + ": ")
        missing = [key for key in ("name", "input_size") if key not in fields]
        if missing:
            raise ModelError(f"{where}: missing {' and '.join(missing)}")
        try:
            return cls(**fields)
        except (ArgumentError, TypeError) as error:
            raise ModelError(f"{where}: {error}") from error


def find_manifest(
    path: Path | None, metadata: Mapping[str, str]
) -> tuple[ModelManifest, str] | None:
    """Find the manifest beside ``path``, else in the ONNX ``metadata``, and say where it was."""
    if path is not None:
        for sidecar in (path.with_name(path.name + ".json"), path.with_suffix(".manifest.json")):
            if sidecar.is_file():
                return ModelManifest.from_json(sidecar.read_bytes(), str(sidecar)), str(sidecar)
    if METADATA_KEY in metadata:
        where = f"{path or 'model'}, metadata {METADATA_KEY!r}"
        return ModelManifest.from_json(metadata[METADATA_KEY], where), where
    return None


def _reject_unknown(
    fields: Mapping[str, Any], error: type[ArgumentError] | type[ModelError], prefix: str
) -> None:
    known = [field.name for field in dataclasses.fields(ModelManifest)]
    unknown = [key for key in fields if key not in known]
    if unknown:
        raise error(
            f"{prefix}unknown manifest field {', '.join(map(repr, unknown))}; "
            f"the fields are {', '.join(known)}"
        )


_LENGTHS = {"input_size": 2, "mean": 3, "std": 3, "output_bounds": 2}
"""Of the fields that are tuples of numbers."""


def _in_new_names(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields under the names that they have now."""
    renamed = dict(fields)
    if "foreground_class" in renamed:
        renamed.setdefault("foreground", renamed.pop("foreground_class"))
    return renamed


def _as_tuple(key: str, value: Any) -> tuple[Any, ...]:
    length = _LENGTHS[key]
    if key != "output_bounds" and _is_number(value):
        value = (value,) * length
    if not isinstance(value, list | tuple) or len(value) != length:
        raise ArgumentError(f"manifest {key}={value!r}: expected {length} numbers")
    if not all(map(_is_number, value)):
        raise ArgumentError(f"manifest {key}={value!r}: expected {length} numbers")
    return tuple(value) if key == "input_size" else tuple(float(item) for item in value)


_LARGEST = 2.0**53
"""No size, mean or deviation is anywhere near; whole numbers below are exact as floats."""


def _is_number(value: Any) -> bool:
    # NaN compares as false.
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and abs(value) < _LARGEST


def _as_pairs(key: str, value: Any) -> Pairs:
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


def _check_numbers(manifest: ModelManifest) -> None:
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
    if isinstance(manifest.foreground, tuple):
        if not manifest.foreground:
            raise ArgumentError("manifest foreground=[]: expected at least one class")
        for each in manifest.foreground:
            _check_integers("foreground", each, 0)
    else:
        _check_integers("foreground", manifest.foreground, 0)
    if manifest.background is not None:
        _check_integers("background", manifest.background, 0)
    low, high = manifest.output_bounds
    if not (math.isfinite(low) and math.isfinite(high) and low != high):
        raise ArgumentError(
            f"manifest output_bounds={manifest.output_bounds!r}: expected two different numbers"
        )
    if any(not value > 0 for value in manifest.std):
        raise ArgumentError(f"manifest std={manifest.std!r}: every value must be positive")
    if not isinstance(manifest.output, int | str) or isinstance(manifest.output, bool):
        raise ArgumentError(f"manifest output={manifest.output!r}: expected an index or a name")
    if manifest.input is not None and not isinstance(manifest.input, str):
        raise ArgumentError(f"manifest input={manifest.input!r}: expected a name")
    for key in ("antialias", "commercial_use"):
        value = getattr(manifest, key)
        if not isinstance(value, bool) and not (key == "commercial_use" and value is None):
            raise ArgumentError(f"manifest {key}={value!r}: expected true or false")


def _check_integers(key: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ArgumentError(f"manifest {key}={value!r}: expected an integer of at least {least}")
