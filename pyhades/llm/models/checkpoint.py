"""A checkpoint that is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pyhades.arguments import one_of
from pyhades.errors import ModelError
from pyhades.formats import MappedFile
from pyhades.llm.checkpoint.stored import StoredTensor
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.text.tokenizer import Tokenizer
from pyhades.quant import FormatName, RowOrder, format_named

Array = NDArray[Any]


@dataclass(frozen=True)
class PackedShape:
    """How a matrix, or one per expert, is packed: what a ``PackedWeight`` says without data."""

    format: FormatName
    shape: tuple[int, ...]
    row_order: RowOrder
    layout: str

    def __post_init__(self) -> None:
        format_named(self.format)
        one_of("row_order", self.row_order, RowOrder)


@dataclass(frozen=True, eq=False)
class PackedModel:
    """What ``pyhades convert`` made of a model: arrays for the kernels, in place in the file.

    Attributes
    ----------
    precision
        Name of the recipe that it was packed by.
    activations
        What matrix products take in, see :class:`pyhades.llm.models.weights.ModelWeights`.
    arrays
        Name to array, a view of the mapped file.
    weights
        Of which of them are packed matrices.
    report
        How their formats were chosen, for ``auto``: JSON, see
        :class:`pyhades.llm.precision.report.PrecisionReport`.
    """

    precision: str
    activations: str
    arrays: Mapping[str, Array]
    weights: Mapping[str, PackedShape]
    report: str | None = None


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """An open checkpoint; made by :func:`open_checkpoint`.

    Attributes
    ----------
    source
        The path that it was opened by.
    config
        Of the model.
    tensors
        The model's tensors, by the names of
        :func:`~pyhades.llm.models.outline.outline`; none where ``packed`` is.
    files
        What is mapped.
    packed
        The model, where the kernels can read it as it lies in the file.
    tokenizer_json
        The text of ``tokenizer.json``, as bytes or in a file.
    vocabulary
        The ``tokenizer.*`` metadata of a GGUF file, where there is no ``tokenizer_json``.
    """

    source: Path
    config: ModelConfig
    tensors: Mapping[str, StoredTensor] = field(repr=False)
    files: tuple[MappedFile, ...] = field(repr=False)
    packed: PackedModel | None = field(default=None, repr=False)
    tokenizer_json: Path | bytes | None = field(default=None, repr=False)
    vocabulary: Mapping[str, Any] | None = field(default=None, repr=False)

    def tokenizer(self) -> Tokenizer | None:
        """The tokenizer, or None where the checkpoint has none.

        Raises
        ------
        ModelError
            It is damaged.
        ConfigurationError
            The library that it needs is not installed.
        """
        if self.vocabulary is not None:
            return Tokenizer.from_gguf(self.vocabulary, str(self.source))
        if self.tokenizer_json is None:
            return None
        try:
            return Tokenizer.from_json(self.tokenizer_json)
        except ModelError as error:
            if isinstance(self.tokenizer_json, Path):
                raise
            raise ModelError(f"{self.source}: {error}") from error

    def release(self) -> None:
        """Take pages of the files that were read out of this process's memory."""
        for file in self.files:
            file.release()
