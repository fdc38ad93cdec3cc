"""Opening a checkpoint: find its files, recognise the container, check every tensor."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyhades.errors import ArgumentTypeError, ModelError
from pyhades.formats import GgufFile, SafetensorsFile, TensorEntry
from pyhades.llm.checkpoint.locating import beside, is_gguf, located, weight_files
from pyhades.llm.checkpoint.settings import read_json
from pyhades.llm.checkpoint.table import TensorTable
from pyhades.llm.models import packed
from pyhades.llm.models.checkpoint import Checkpoint
from pyhades.llm.models.config import ConfigSource
from pyhades.llm.models.registry import architecture_named, gguf_layout_named, layout_marked
from pyhades.llm.text.tokenizer_files import tokenizer_contents

_TOKENIZER = "tokenizer.json"


def open_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Open the checkpoint of a language model, without reading its weights.

    The files are mapped: leave them in place and unchanged while the checkpoint is in use.

    Parameters
    ----------
    path
        Hugging Face safetensors (a folder, a file, or the model's folder in the cache), OpenAI's
        ``original`` folder, a GGUF file (any part, if it is split), what ``pyhades convert``
        wrote, or the name of a repository that is in the cache of Hugging Face.

    Returns
    -------
    Checkpoint
        Configuration, tensors and tokenizer.

    Raises
    ------
    ModelError
        A file is missing or damaged, a tensor is missing, superfluous, misshapen or of a type that
        is not read, or the model is of another family. The message names file, tensor and remedy.
    """
    if not isinstance(path, str | os.PathLike):
        raise ArgumentTypeError(
            f"the model is {type(path).__name__}; it is the path of a folder or a file"
        )
    source = located(path)
    files = weight_files(source)
    if is_gguf(files[0]):
        return _open_gguf(source, [GgufFile(file) for file in files])
    opened = [SafetensorsFile(file) for file in files]
    if packed.is_packed(opened[0]):
        return packed.open_packed(source, opened[0])
    return _open_safetensors(source, opened)


def _open_safetensors(source: Path, files: list[SafetensorsFile]) -> Checkpoint:
    folder = files[0].mapping.path.parent
    config_json = beside(folder, "config.json") or folder / "config.json"
    values = read_json(config_json)
    tokenizer_json = beside(folder, _TOKENIZER)
    specials = _special_ids(tokenizer_json)
    table = TensorTable(source, _entries(files))
    layout = layout_marked(table)
    if layout is not None:
        config_json = folder / "config.json"
        told = ConfigSource(read_json(config_json), str(config_json), {}, specials)
    else:
        layout = architecture_named(values.get("model_type"), str(config_json)).huggingface
        generation_json = beside(folder, "generation_config.json")
        generation = {} if generation_json is None else read_json(generation_json)
        told = ConfigSource(values, str(config_json), generation, specials)
    config = layout.read_config(told)
    tensors = layout.collect(config, table, told)
    mappings = tuple(file.mapping for file in files)
    return Checkpoint(source, config, tensors, mappings, tokenizer_json=tokenizer_json)


def _open_gguf(source: Path, files: list[GgufFile]) -> Checkpoint:
    first = files[0]
    path = first.mapping.path
    parts = first.metadata.get("split.count") or 1
    if type(parts) is not int or parts != len(files):
        raise ModelError(
            f"{path} says that it is one of {parts} parts; keep all parts in a "
            "folder under the names that they came with"
        )
    layout = gguf_layout_named(first.metadata.get("general.architecture"), str(path))
    config = layout.read_config(first)
    tensors = layout.collect(config, TensorTable(source, _entries(files), layout.common_name))
    vocabulary = {
        key: value for key, value in first.metadata.items() if key.startswith("tokenizer.")
    }
    has_tokens = "tokenizer.ggml.tokens" in vocabulary
    return Checkpoint(
        source, config, tensors, tuple(file.mapping for file in files),
        tokenizer_json=None if has_tokens else beside(path.parent, _TOKENIZER),
        vocabulary=vocabulary if has_tokens else None,
    )  # fmt: skip


def _entries(files: list[SafetensorsFile] | list[GgufFile]) -> list[TensorEntry]:
    return [entry for file in files for entry in file.tensors.values()]


def _special_ids(tokenizer_json: Path | None) -> Mapping[str, int]:
    """Special tokens to their ids, as ``tokenizer.json`` lists them."""
    if tokenizer_json is None:
        return {}
    read_json(tokenizer_json)  # says what is wrong with the file, if anything
    added: Any = json.loads(tokenizer_contents(tokenizer_json)).get("added_tokens") or []
    try:
        return {str(token["content"]): int(token["id"]) for token in added}
    except (KeyError, TypeError, ValueError):
        listed = json.dumps(added)[:60]
        raise ModelError(
            f"{tokenizer_json}: added_tokens are {listed}..., not content and id; download it again"
        ) from None
