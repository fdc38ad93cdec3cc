"""What a remover was made from, so that others can make or read the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyhades
from pyhades.errors import ArgumentTypeError
from pyhades.ir.graph import Graph
from pyhades.segmentation.modelfile import ModelFile
from pyhades.segmentation.network import Network


@dataclass(frozen=True)
class Origin:
    """A model, and what was asked for with it.

    Attributes
    ----------
    label
        What messages call it.
    source
        The model's file or folder, or its bytes; None for a network of the caller's.
    file
        The same as it was before it was loaded.
    arguments
        Of :class:`~pyhades.Remover`, beside the model.
    """

    label: str
    source: Path | bytes | None
    file: ModelFile
    arguments: Mapping[str, Any]

    @classmethod
    def of_model(cls, source: Path | bytes, **arguments: Any) -> Origin:
        """A model as it is at this moment, before it is loaded."""
        label = f"{len(source)} bytes" if isinstance(source, bytes) else str(source)
        return cls(label, source, ModelFile.now(source), arguments)

    @classmethod
    def of_network(cls, network: Network) -> Origin:
        """A network of the caller's, which nobody can make again."""
        return cls(type(network).__name__, None, ModelFile.now(None), {})

    def again(self) -> dict[str, Any]:
        """Arguments that make an equal remover, in another process for instance."""
        if self.source is None:
            raise ArgumentTypeError("a Remover around a network of the caller's cannot be pickled")
        return {"model": self.source, **self.arguments}

    def read(self) -> tuple[Graph, Path | bytes]:
        """The graph once more, and where it is, for those who run it elsewhere.

        Raises
        ------
        ArgumentTypeError
            There is no file of a network of the caller's.
        ModelError
            There is another file by now.
        """
        if self.source is None:
            raise ArgumentTypeError("a network of the caller's has no model file")
        self.file.check_same()
        return pyhades.load_onnx(self.source), self.source
