"""The packed file: a safetensors container whose tensors the kernels read in place.

Metadata: ``format`` = ``pyhades``, ``version``, ``layout`` of the packed matrices, ``precision``,
``activations``, ``config`` (JSON with the names of Hugging Face), ``weights`` (JSON: name to
format, shape and row order of the packed matrices) and, for ``auto``, ``report`` (JSON). A tensor
of bytes holds the tokenizer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pyhades.errors import ArgumentError, ModelError
from pyhades.formats import SafetensorsFile, TensorEntry
from pyhades.formats.safetensors import ALIGNMENT
from pyhades.llm.models.checkpoint import Array, Checkpoint, PackedModel, PackedShape
from pyhades.llm.models.config import ConfigSource, ModelConfig, to_huggingface
from pyhades.llm.models.outline import EMBEDDING, outline
from pyhades.llm.models.registry import architecture_named
from pyhades.quant import BLOCK, LAYOUT, PackedWeight

FORMAT, VERSION = "pyhades", "1"
TOKENIZER_JSON, VOCABULARY = "tokenizer.json", "tokenizer.gguf"
VALUES, SCALES = f"{EMBEDDING}.values", f"{EMBEDDING}.scales"
DTYPES = {"U8": np.uint8, "I8": np.int8, "BF16": np.uint16, "F16": np.float16, "F32": np.float32}
_REMEDY = "write it again with 'pyhades convert'"


def is_packed(file: SafetensorsFile) -> bool:
    """Whether ``pyhades convert`` wrote a file."""
    return file.metadata.get("format") == FORMAT


def metadata_of(
    config: ModelConfig,
    precision: str,
    activations: str,
    weights: Mapping[str, PackedShape],
    report: str | None = None,
) -> dict[str, str]:
    """The metadata of a packed file."""
    reported = {} if report is None else {"report": report}
    described = {name: [w.format, w.shape, w.row_order] for name, w in weights.items()}
    return {
        "format": FORMAT,
        "version": VERSION,
        "layout": LAYOUT,
        "precision": precision,
        "activations": activations,
        "config": json.dumps(to_huggingface(config)),
        "weights": json.dumps(described),
        **reported,
    }


def open_packed(source: Path, file: SafetensorsFile) -> Checkpoint:
    """Check a packed file completely, without reading its weights.

    Raises
    ------
    ModelError
        The file is damaged, or of a version or layout that is not read.
    """
    path, metadata = file.mapping.path, file.metadata
    for key, known in (("version", VERSION), ("layout", LAYOUT)):
        if metadata.get(key) != known:
            raise ModelError(
                f"{path} has the {key} {metadata.get(key)!r}, this version of pyhades reads "
                f"{known!r}, on every CPU; {_REMEDY}"
            )
    activations = metadata.get("activations", "")
    if activations not in ("q8", "bf16"):
        raise ModelError(f"{path}: the metadata 'activations' is {activations!r}; {_REMEDY}")
    source_of_config = ConfigSource(_json(file, "config"), f"{path}: config")
    architecture = architecture_named(source_of_config.values.get("model_type"), str(path))
    config = architecture.huggingface.read_config(source_of_config)
    arrays = {name: _array(entry) for name, entry in file.tensors.items()}
    tokenizer, vocabulary = (arrays.pop(name, None) for name in (TOKENIZER_JSON, VOCABULARY))
    weights = _weights(file)
    _check(path, config, arrays, weights)
    model = PackedModel(
        metadata.get("precision", ""), activations, arrays, weights, metadata.get("report")
    )
    return Checkpoint(
        source, config, {}, (file.mapping,), model,
        tokenizer_json=None if tokenizer is None else tokenizer.tobytes(),
        vocabulary=None if vocabulary is None else _object(path, VOCABULARY, vocabulary.tobytes()),
    )  # fmt: skip


def _json(file: SafetensorsFile, key: str) -> dict[str, Any]:
    return _object(file.mapping.path, key, file.metadata.get(key, ""))


def _object(path: Path, key: str, text: str | bytes) -> dict[str, Any]:
    """The JSON object in a text of the file."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ModelError(f"{path}: {key!r} is no JSON object; {_REMEDY}")
    return values


def _array(entry: TensorEntry) -> Array:
    if entry.dtype not in DTYPES:
        raise ModelError(f"{entry} has the type {entry.dtype}, which no part of a model has")
    if entry.data.ctypes.data % ALIGNMENT:
        raise ModelError(f"{entry} is not on a {ALIGNMENT}-byte boundary; {_REMEDY}")
    return entry.data.view(DTYPES[entry.dtype]).reshape(entry.shape)


def _weights(file: SafetensorsFile) -> dict[str, PackedShape]:
    weights: dict[str, PackedShape] = {}
    for name, described in _json(file, "weights").items():
        try:
            format_name, shape, row_order = described
            sizes = tuple(int(size) for size in shape)
            weights[name] = PackedShape(format_name, sizes, row_order, LAYOUT)
        except (TypeError, ValueError):
            raise ModelError(
                f"{file.mapping.path}: weight {name!r} is described as {described!r}; {_REMEDY}"
            ) from None
    return weights


def _check(
    path: Path,
    config: ModelConfig,
    arrays: Mapping[str, Array],
    weights: Mapping[str, PackedShape],
) -> None:
    """Compare what is there with what the configuration asks for."""
    expected = outline(config)
    rows, columns = expected.pop(EMBEDDING)
    is_int8 = SCALES in arrays
    wanted: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {}
    wanted[VALUES] = (np.int8 if is_int8 else np.uint16, (rows, columns))
    if is_int8:
        wanted[SCALES] = (np.float16, (rows, columns // BLOCK))
    for name, shape in expected.items():
        if name in weights:
            _check_weight(path, name, shape, arrays, weights[name])
        else:
            wanted[name] = (np.float32, shape)
    for name, (dtype, shape) in wanted.items():
        array = arrays.get(name)
        if array is None:
            raise ModelError(f"{path}: tensor {name!r} is missing; {_REMEDY}")
        if array.dtype != dtype or array.shape != shape:
            raise ModelError(
                f"{path}: tensor {name!r} is {array.dtype.name} {list(array.shape)}, not "
                f"{np.dtype(dtype).name} {list(shape)}; {_REMEDY}"
            )
    extra = sorted({*arrays, *weights} - {*wanted, *expected})
    if extra:
        raise ModelError(f"{path}: tensor {extra[0]!r} is not part of the model; {_REMEDY}")


def _check_weight(
    path: Path, name: str, shape: tuple[int, ...], arrays: Mapping[str, Array], stored: PackedShape
) -> None:
    row_order = "gate_up" if name.endswith("gate_up.weight") else "plain"
    if (stored.shape, stored.row_order) != (shape, row_order):
        raise ModelError(
            f"{path}: weight {name!r} is {list(stored.shape)} {stored.row_order}, not "
            f"{list(shape)} {row_order}; {_REMEDY}"
        )
    if name not in arrays:
        raise ModelError(f"{path}: tensor {name!r} is missing; {_REMEDY}")
    try:
        PackedWeight(arrays[name], stored.format, stored.shape, stored.row_order, stored.layout)
    except ArgumentError as error:
        raise ModelError(f"{path}: tensor {name!r}: {error}") from None
