"""The seam: an engine can be pickled, says what it is, and makes a network of a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from pyhades.engines.feeding import InputPlan
from pyhades.engines.network import EngineNetwork
from pyhades.ir.graph import Graph
from pyhades.options import EngineOptions


@dataclass(frozen=True)
class Model:
    """What a network is made of.

    Attributes
    ----------
    source
        The file, or its bytes.
    graph
        The same as our importer reads it. Its operators need not be ours where an engine takes
        foreign ones.
    output
        Index or name of the output that is wanted.
    plan
        How its inputs are fed.
    size
        ``(height, width)`` of a picture that it certainly takes.
    options
        Threads and the like, as the caller gave them.
    tune
        See :func:`pyhades.compile`.
    check_intact, check_same
        Called when weights are about to be read from the mapped file, and when the file is about to
        be opened again; raise where that would give others.
    """

    source: Path | bytes = field(repr=False)
    graph: Graph = field(repr=False)
    output: int | str
    plan: InputPlan = field(repr=False)
    size: tuple[int, int]
    options: EngineOptions = field(default_factory=EngineOptions)
    tune: bool = False
    check_intact: Callable[[], None] = field(default=lambda: None, repr=False)
    check_same: Callable[[], None] = field(default=lambda: None, repr=False)

    @property
    def output_name(self) -> str:
        """Of the output that is wanted."""
        if isinstance(self.output, str):
            return self.output
        return self.graph.outputs[self.output].name

    @property
    def where(self) -> str:
        """What messages call it."""
        return str(self.graph.source or self.graph.name)


@runtime_checkable
class Engine(Protocol):
    """What runs networks. Engines are pickled with the remover that has them.

    Its ``repr`` says what it is in words: version, providers, threads.
    """

    @property
    def name(self) -> str:
        """Such as ``"onnxruntime"``."""

    @property
    def label(self) -> str:
        """What results say that they were made by: the name with the provider."""

    @property
    def batch(self) -> int:
        """Most pictures that it takes at once, where a model lets it."""

    @property
    def cores(self) -> int:
        """Of the machine, that it needs beside our engine; 0 for what computes elsewhere."""

    @property
    def takes_foreign(self) -> bool:
        """Whether it runs operators that our importer refuses."""

    def lanes(self, workers: int, beside: bool) -> int:
        """How many runs it does at a time.

        Parameters
        ----------
        workers
            That the machine has cores for.
        beside
            Whether there are other engines.
        """

    def network(self, model: Model) -> EngineNetwork:
        """Make the network of a model.

        Raises
        ------
        ConfigurationError
            This machine lacks what the engine needs.
        ModelError
            It cannot run the model.
        """
