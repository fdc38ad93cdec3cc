"""What a segmentation model wants to be fed and what its output means.

The same architecture is published with different preprocessing by different people, so none of this
can be read off a graph reliably. A manifest states it, as JSON beside the model file
(``model.onnx.json`` or ``model.manifest.json``) or in the ONNX metadata under ``pyhades.manifest``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError, ModelError
from pyhades.segmentation.manifest_fields import LENGTHS, Pairs, as_pairs, as_tuple, check_values

METADATA_KEY = "pyhades.manifest"
SCHEMA = 1
Triple = tuple[float, float, float]

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
        for key in LENGTHS:
            object.__setattr__(self, key, as_tuple(key, getattr(self, key)))
        for key in ("states", "constants"):
            object.__setattr__(self, key, as_pairs(key, getattr(self, key)))
        if isinstance(self.foreground, list):
            object.__setattr__(self, "foreground", tuple(self.foreground))
        for key, choices in _CHOICES.items():
            one_of(f"manifest {key}", getattr(self, key), choices)
        check_values(self)

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


def _in_new_names(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields under the names that they have now."""
    renamed = dict(fields)
    if "foreground_class" in renamed:
        renamed.setdefault("foreground", renamed.pop("foreground_class"))
    return renamed
