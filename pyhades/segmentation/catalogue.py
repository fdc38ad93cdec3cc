"""The models that we know, and the guess for those that we do not.

A file is recognised by its sha256 where that is published, else by the signature of its graph.
Numbers are those of the authors' own inference code, not of the tools that repackage the weights.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyhades.errors import ModelError
from pyhades.ir.graph import Graph, Value
from pyhades.segmentation.manifest import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ModelManifest,
    find_manifest,
)

log = logging.getLogger(__name__)

GUESSED_SIDE = 1024
"""Side in pixels for an unknown graph whose height and width are dynamic."""

_U2NET = ModelManifest(
    name="u2net",
    input_size=(320, 320),
    scale="1/max",
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    range="minmax",
    licence="Apache-2.0",
    commercial_use=True,
    source="https://github.com/xuebinqin/U-2-Net (data_loader.py, u2net_test.py)",
)

CATALOGUE: dict[str, ModelManifest] = {
    "u2net": _U2NET,
    "u2netp": _U2NET.replace(name="u2netp"),
    "inspyrenet": ModelManifest(
        name="inspyrenet",
        input_size=(384, 384),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        upsample="bilinear-align-corners",
        licence="MIT",
        commercial_use=True,
        source="https://github.com/plemeri/InSPyReNet and transparent-background (mode 'fast')",
    ),
}
"""Built-in manifests by name."""


@dataclass(frozen=True)
class _PublishedFile:
    entry: str
    size: int
    """In bytes; only a file of this size is worth hashing."""


_BY_SHA256: dict[str, _PublishedFile] = {
    "8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491": _PublishedFile(
        "u2net", 175_997_641
    ),
    "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8": _PublishedFile(
        "u2netp", 4_574_861
    ),
}


@dataclass(frozen=True)
class GraphSignature:
    """What can be said about a segmentation graph without running it."""

    input_shape: tuple[int | None, ...]
    """NCHW; None where an extent is dynamic."""
    output_names: tuple[str, ...]
    output_shapes: tuple[tuple[int | None, ...] | None, ...]
    final_ops: tuple[str, ...]
    """The operator that makes each output."""
    operators: frozenset[str]
    parameters: int

    @classmethod
    def of(cls, graph: Graph) -> GraphSignature:
        """Describe ``graph``; ModelError unless it maps one image tensor to something."""
        where = graph.source or graph.name
        if len(graph.inputs) != 1:
            names = ", ".join(value.name for value in graph.inputs)
            raise ModelError(f"{where}: a segmentation model has one input, this has [{names}]")
        if not graph.outputs:
            raise ModelError(f"{where}: the graph has no outputs")
        input_shape = _extents(graph.inputs[0])
        if input_shape is None or len(input_shape) != 4 or input_shape[1] not in (3, None):
            raise ModelError(
                f"{where}: input {graph.inputs[0].name!r} has shape {input_shape}; "
                "expected an image tensor [batch, 3, height, width]"
            )
        return cls(
            input_shape,
            tuple(value.name for value in graph.outputs),
            tuple(_extents(value) for value in graph.outputs),
            tuple(value.producer.op if value.producer else "" for value in graph.outputs),
            frozenset(node.op for node in graph.nodes),
            sum(value.data.size for value in graph.values() if value.data is not None),
        )


@dataclass(frozen=True)
class Identification:
    """A manifest and how we came by it."""

    manifest: ModelManifest
    basis: str
    is_guess: bool = False


def identify(graph: Graph, path: Path | None = None, **overrides: Any) -> Identification:
    """Find the manifest of ``graph``, read from ``path``.

    Looked at in this order: a manifest of the file's own, its sha256, the signature of the graph;
    if all fail, a guess from the signature, which is logged. ``overrides`` replace single fields.
    """
    signature = GraphSignature.of(graph)
    found = (
        _from_own_manifest(graph, path) or _from_hash(path) or _from_signature(signature)
    ) or Identification(_guess(signature, path), "guessed from the graph", is_guess=True)
    manifest = found.manifest
    if overrides:
        manifest = manifest.replace(**overrides)
        found = Identification(
            manifest, f"{found.basis}; set by the caller: {', '.join(overrides)}", found.is_guess
        )
    if found.is_guess:
        log.warning(
            "%s is not a model that pyhades knows; guessed from its graph: input_size=%s, "
            "policy=%s, mean=%s, std=%s, activation=%s, range=%s. "
            "Override these with arguments or a manifest file.",
            path or graph.name, manifest.input_size, manifest.policy, manifest.mean, manifest.std,
            manifest.activation, manifest.range,
        )  # fmt: skip
    _check_against(signature, manifest, str(path or graph.name))
    return found


def _from_own_manifest(graph: Graph, path: Path | None) -> Identification | None:
    found = find_manifest(path, graph.metadata)
    return None if found is None else Identification(found[0], f"manifest in {found[1]}")


def _from_hash(path: Path | None) -> Identification | None:
    if path is None:
        return None
    candidates = {f.size for f in _BY_SHA256.values()}
    if path.stat().st_size not in candidates:
        return None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    published = _BY_SHA256.get(digest)
    if published is None:
        return None
    return Identification(
        CATALOGUE[published.entry], f"built-in entry {published.entry}, by sha256"
    )


def _from_signature(signature: GraphSignature) -> Identification | None:
    name = None
    side = signature.input_shape[2:]
    if len(signature.output_names) == 7 and set(signature.final_ops) == {"Sigmoid"}:
        # Both sizes have the same topology; 44 M weights against 1.1 M.
        name = "u2net" if signature.parameters > 10_000_000 else "u2netp"
        if side not in ((320, 320), (None, None)):
            name = None
    elif side == (384, 384) and signature.final_ops == ("Div",):
        # Swin blocks, and a min-max at the end that lies inside the graph.
        is_inspyrenet = {"LayerNormalization", "Softmax", "ReduceMax"} <= signature.operators
        name = "inspyrenet" if is_inspyrenet else None
    if name is None:
        return None
    return Identification(CATALOGUE[name], f"built-in entry {name}, by the signature of its graph")


def _guess(signature: GraphSignature, path: Path | None) -> ModelManifest:
    height, width = (side or GUESSED_SIDE for side in signature.input_shape[2:])
    shape = signature.output_shapes[0]
    classes = shape[1] if shape is not None and len(shape) == 4 else 1
    activation = "none"
    if signature.final_ops[0] not in ("Sigmoid", "Softmax", "Clip", "Div", "HardSigmoid"):
        activation = "softmax" if classes == 2 else "sigmoid"
    return ModelManifest(
        name=path.stem if path else "unknown model",
        input_size=(height, width),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        activation=activation,  # type: ignore[arg-type]
        foreground_class=1 if classes == 2 else 0,
        range="clip",
    )


def _check_against(signature: GraphSignature, manifest: ModelManifest, where: str) -> None:
    for axis, wanted, actual in zip(
        ("height", "width"), manifest.input_size, signature.input_shape[2:], strict=True
    ):
        if actual is not None and actual != wanted:
            raise ModelError(
                f"{where}: the manifest asks for an input {axis} of {wanted}, "
                f"the graph has {actual}; pass input_size={signature.input_shape[2:]}"
            )
    if manifest.policy == "short-side" and None not in signature.input_shape[2:]:
        raise ModelError(
            f"{where}: policy 'short-side' needs a graph with dynamic height and width, "
            f"this one takes {signature.input_shape[2:]}"
        )
    output = manifest.output
    if isinstance(output, str) and output not in signature.output_names:
        raise ModelError(f"{where}: no output {output!r}; there are {list(signature.output_names)}")
    if isinstance(output, int) and not 0 <= output < len(signature.output_names):
        raise ModelError(
            f"{where}: output {output} does not exist; there are {len(signature.output_names)}"
        )


def _extents(value: Value) -> tuple[int | None, ...] | None:
    if value.type is None or value.type.shape is None:
        return None
    return tuple(dim if isinstance(dim, int) else None for dim in value.type.shape)
