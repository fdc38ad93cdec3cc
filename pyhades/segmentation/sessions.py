"""The sessions of one network: the remover's own, and those of callers who wait for no other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.engines import Engine
from pyhades.engines.exchange import Exchange
from pyhades.engines.hybrid import as_hybrid
from pyhades.engines.hybrid_network import Asker, HybridNetwork
from pyhades.options import EngineOptions
from pyhades.segmentation.buffers import FRESH, Buffers
from pyhades.segmentation.clock import Clock
from pyhades.segmentation.manifest import ModelManifest
from pyhades.segmentation.network import Network
from pyhades.segmentation.opening import Opened
from pyhades.segmentation.session import Session


class Sessions:
    """Makes sessions, all of which mean the same by a picture.

    Parameters
    ----------
    network
        What they share; closed with this.
    manifest
        What it wants and means.
    options
        Threads and tier of the kernels around it.
    cutout_options
        Of :class:`~pyhades.segmentation.cutout.Cutout`.
    engine
        What runs the network; None for a network of the caller's.
    foreign
        The model on another engine than ours, which can be put behind a queue.

    Attributes
    ----------
    threads
        That sessions have where nothing else is said.
    own
        The session of the remover itself; None once they are closed.
    """

    def __init__(
        self,
        network: Network,
        manifest: ModelManifest,
        options: EngineOptions,
        cutout_options: dict[str, Any],
        engine: Engine | None = None,
        foreign: Opened | None = None,
    ) -> None:
        self.network = network
        self.manifest = manifest
        self.cutout_options = cutout_options
        self.engine = engine
        self.threads = options.threads_used
        self._isa = options.isa
        self._foreign = foreign
        self.own: Session | None = self._on(network, options.threads)

    @property
    def label(self) -> str:
        """What results say that they were made by."""
        return type(self.network).__name__ if self.engine is None else self.engine.label

    def beside(
        self, threads: int | None, replica: str, buffers: Buffers, clock: Clock | None
    ) -> Session:
        """One with threads and an arena of its own, where the network can be had so."""
        threads = self.threads if threads is None else threads
        session = getattr(self.network, "session", None)
        network = _Shared(self.network) if session is None else session(threads, replica)
        return self._on(network, threads, buffers, clock)

    def asking(
        self, exchange: Exchange, threads: int | None, buffers: Buffers, clock: Clock | None
    ) -> Session:
        """One whose pictures go to whichever engine of ``exchange`` is free."""
        threads = self.threads if threads is None else threads
        return self._on(Asker(exchange), threads, buffers, clock)

    def behind_queue(self) -> HybridNetwork | None:
        """The network as one of those behind a queue; None where our engine is alone."""
        if self._foreign is None or self.engine is None:
            return None
        return as_hybrid(self.engine, self._foreign.network, self._foreign.model)

    def sequence(self) -> Network:
        """The network for frames in their order: one that remembers does so from here on."""
        remembering = getattr(self.network, "sequence", None)
        return self.network if remembering is None else remembering()

    def close(self) -> None:
        """Give back the network's memory."""
        own, self.own, self._foreign = self.own, None, None
        if own is not None:
            own.close()

    def _on(
        self, network: Network, threads: int | None, buffers: Buffers = FRESH,
        clock: Clock | None = None,
    ) -> Session:  # fmt: skip
        return Session(
            network, self.manifest, self.cutout_options, engine=self.label,
            threads=threads, isa=self._isa, buffers=buffers, clock=clock,
        )  # fmt: skip


class _Shared:
    """A network that others use, too, and that whoever made it closes."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        return self._network(planes)

    def close(self) -> None:
        """Nothing."""
