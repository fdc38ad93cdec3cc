"""Our own engine."""

from __future__ import annotations

from dataclasses import dataclass

import pyhades
from pyhades.engines.compiled import CompiledNetwork
from pyhades.engines.engine import Model
from pyhades.engines.network import EngineNetwork


@dataclass(frozen=True)
class Pyhades:
    """Our own kernels: one picture at a time, on as many sessions as there are workers.

    Examples
    --------
    >>> Pyhades().label
    'pyhades'
    """

    @property
    def name(self) -> str:
        """``"pyhades"``."""
        return "pyhades"

    @property
    def label(self) -> str:
        """The name: there are no providers."""
        return self.name

    @property
    def batch(self) -> int:
        """One."""
        return CompiledNetwork.batch

    @property
    def cores(self) -> int:
        """Those that others leave."""
        return 0

    @property
    def takes_foreign(self) -> bool:
        """No: what the importer refuses has no kernel."""
        return False

    def lanes(self, workers: int, beside: bool) -> int:
        """One for each worker."""
        return workers

    def network(self, model: Model) -> EngineNetwork:
        """Compile a model."""
        return CompiledNetwork(
            model.graph, model.output, plan=model.plan, options=model.options, tune=model.tune,
            before_compiling=model.check_intact,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"Pyhades({pyhades.__version__})"
