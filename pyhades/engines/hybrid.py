"""Several engines side by side, behind the face of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pyhades.engines.engine import Engine, Model
from pyhades.engines.hybrid_network import HybridNetwork
from pyhades.engines.network import EngineNetwork
from pyhades.engines.patience import Patience
from pyhades.errors import ArgumentError, ArgumentTypeError


class Hybrid:
    """Engines that take pictures from one queue, each as fast as it can.

    Parameters
    ----------
    engines
        The fastest first. Those of another Hybrid stand for themselves.
    patience
        How long they are waited for, and how often they may fail.

    Examples
    --------
    >>> from pyhades.engines import OnnxRuntime, Pyhades
    >>> Hybrid([OnnxRuntime("cuda"), Pyhades()]).label
    'onnxruntime:cuda,pyhades'
    """

    def __init__(self, engines: Sequence[Engine], patience: Patience | None = None) -> None:
        self.engines = tuple(_flat(engines))
        self.patience = patience or Patience()
        labels = [engine.label for engine in self.engines]
        if not labels:
            raise ArgumentError("engines is empty; name one, such as pyhades.engines.Pyhades()")
        if len(set(labels)) < len(labels):
            raise ArgumentError(f"engines has one twice: {', '.join(labels)}")

    @property
    def name(self) -> str:
        """``"hybrid"``."""
        return "hybrid"

    @property
    def label(self) -> str:
        """Those of the engines."""
        return ",".join(engine.label for engine in self.engines)

    @property
    def batch(self) -> int:
        """One: engines take more out of the queue."""
        return 1

    @property
    def cores(self) -> int:
        """What they need beside our engine."""
        return sum(engine.cores for engine in self.engines)

    @property
    def takes_foreign(self) -> bool:
        """Whether all of them do."""
        return all(engine.takes_foreign for engine in self.engines)

    def lanes(self, workers: int, beside: bool) -> int:
        """Of all engines."""
        return sum(engine.lanes(workers, True) for engine in self.engines)

    def network(self, model: Model) -> HybridNetwork:
        """Make the network of every engine."""
        networks: list[EngineNetwork] = []
        for engine in self.engines:
            try:
                threads = engine.cores or None
                options = model.options.changed(threads=threads)
                networks.append(engine.network(replace(model, options=options)))
            except Exception:
                for network in networks:
                    network.close()
                raise
        return HybridNetwork(self.engines, networks, model, self.patience)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hybrid) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        return self.engines, self.patience

    def __repr__(self) -> str:
        return f"Hybrid({', '.join(map(repr, self.engines))})"


def _flat(engines: Sequence[Engine]) -> Iterator[Engine]:
    """Each engine, so that results name the one that made them."""
    for engine in engines:
        if isinstance(engine, Hybrid):
            yield from engine.engines
        elif isinstance(engine, Engine) and not isinstance(engine, type):
            yield engine
        else:
            raise ArgumentTypeError(
                f"engines has {engine!r}; expected engines such as pyhades.engines.Pyhades(), or "
                "Remover(engine=...), which takes their names"
            )


def as_hybrid(engine: Engine, network: EngineNetwork, model: Model) -> HybridNetwork:
    """A network behind a queue, be it of one engine or of several."""
    if isinstance(network, HybridNetwork):
        return network
    return HybridNetwork([engine], [network], model)
