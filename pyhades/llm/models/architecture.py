"""What an architecture tells the rest of the house: all of it in one object.

Its folder under ``models/`` exports that object as ``ARCHITECTURE``; see
docs/how-to/add_language_model.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.formats import GgufFile
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.checkpoint.stored import StoredTensor
from pyhades.llm.checkpoint.table import Shape, TensorTable
from pyhades.llm.grammar.compiled import Grammar
from pyhades.llm.grammar.turn import Turn
from pyhades.llm.models.config import ConfigSource, ModelConfig
from pyhades.llm.models.step import Limits, StepBuilder
from pyhades.llm.models.weights import LayerWeights, ModelWeights
from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.chat_prompt import ChatPrompt
from pyhades.llm.text.tokenizer import Tokenizer

Tensors = dict[str, StoredTensor]
Floats = NDArray[np.float32]
Pools = Mapping[str, tuple[tuple[int, int], int]]
"""Per kind of layer: the shape of its pool ``(layers, bytes)`` and the blocks per sequence."""


@dataclass(frozen=True)
class Layout:
    """How safetensors files spell an architecture.

    Attributes
    ----------
    read_config
        Reads ``config.json``; ModelError where it makes no sense.
    collect
        Takes every tensor of the outline out of the files, and leaves none.
    mark
        A tensor by which files are known to have this layout; None for that of Hugging Face.
    """

    read_config: Callable[[ConfigSource], ModelConfig]
    collect: Callable[[Any, TensorTable, ConfigSource], Tensors]
    mark: str | None = None


@dataclass(frozen=True)
class GgufLayout:
    """How GGUF files spell an architecture: as :class:`Layout`.

    ``common_name`` is the name under which ``collect`` asks for a tensor, by its name in the file.
    """

    read_config: Callable[[GgufFile], ModelConfig]
    collect: Callable[[Any, TensorTable], Tensors]
    common_name: Callable[[str], str] = str


@dataclass(frozen=True)
class ChatFormat:
    """How conversations become prompts, and answers become messages.

    Attributes
    ----------
    prompt
        Takes messages, tokenizer and options; says what the model reads, and how its answer is
        read. ArgumentError for what the format cannot say.
    turn
        Spells what the assistant may say, as a grammar of what follows the opening of its turn.
    """

    prompt: Callable[[Sequence[Mapping[str, Any]], Tokenizer, ChatOptions], ChatPrompt]
    turn: Callable[[Turn, Tokenizer], Grammar]


@dataclass(frozen=True)
class Architecture:
    """All that is peculiar to the models of one ``model_type``.

    Attributes
    ----------
    model_type
        As in ``config.json``.
    layer_shapes
        Name and shape of every tensor of a layer; matrices are ``[outputs, inputs]``, those of
        experts ``[experts, outputs, inputs]``, biases have the name of their matrix.
    layer_weights
        Takes those tensors, packed, by name: ``qkv.weight`` and ``qkv.bias`` as ``qkv``.
    build_step
        Writes down a step: ``(config, weights, limits, pools, kv_format)``.
    gate
        What stands between the two matrices of an expert, for columns of gates and ups in turn.
    product_labels
        Of each matrix of a layer, the label of the product in the step that takes in the same rows:
        ``precision="auto"`` measures errors on them.
    chat
        The format of conversations.
    huggingface
        The layout with the names of transformers.
    others
        More layouts, each with a mark.
    gguf
        Layouts by the name that GGUF files give to the architecture.
    """

    model_type: str
    layer_shapes: Callable[[Any], dict[str, Shape]]
    layer_weights: Callable[..., LayerWeights]
    build_step: Callable[[Any, ModelWeights[Any], Limits, Pools, KvFormat], StepBuilder]
    gate: Callable[[Floats, Any], Floats]
    product_labels: Mapping[str, str]
    chat: ChatFormat
    huggingface: Layout
    others: tuple[Layout, ...] = ()
    gguf: Mapping[str, GgufLayout] = field(default_factory=dict)
