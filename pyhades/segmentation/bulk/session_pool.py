"""A model on many workers, each of which does whole pictures."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Self

from pyhades.arguments import check_count
from pyhades.engines import Patience, Tally
from pyhades.engines.exchange import Exchange
from pyhades.engines.hybrid_network import Worker
from pyhades.errors import ArgumentTypeError
from pyhades.segmentation.bulk.chain import Look, Read, no_doubt
from pyhades.segmentation.bulk.crew import Crew
from pyhades.segmentation.bulk.pool import Pool
from pyhades.segmentation.bulk.rendering import Rendered, Rendering
from pyhades.segmentation.bulk.seating import (
    distances_of,
    nodes_of,
    plan_beside,
    replica_of,
    seats_of,
)
from pyhades.segmentation.bulk.workers import ChainWorkers
from pyhades.segmentation.clock import StageReport
from pyhades.segmentation.inputs import several
from pyhades.segmentation.remover import Remover
from pyhades.topology import Plan


class SessionPool:
    """Workers with a session of one model each; pictures in, files out.

    Parameters
    ----------
    remover
        The model. Whoever made it closes it.
    workers, threads_per_worker
        By default as many workers of one thread as the machine has cores for; see
        :func:`~pyhades.segmentation.bulk.calibration.calibrate` for what is fastest.
    plan
        The two above with their CPUs, in place of them.
    decoders, encoders
        Threads that decode and that encode, beside the workers, which are left with the network. By
        default a worker does all of it, which keeps a picture in one cache.
    most_items
        Most pictures on their way; by default twice as many as there are threads.
    most_bytes
        Most bytes of pixels on their way from a decoder to a worker, and from there to an encoder.
    engine_timeout
        Seconds that another engine than ours may take for a picture, see
        :class:`pyhades.engines.Patience`. Workers are sessions of our engine then, beside which
        threads prepare pictures for all engines.

    Examples
    --------
    >>> import numpy as np, pyhades
    >>> from pyhades.segmentation.bulk import SessionPool
    >>> pictures = [np.full((40, 60, 3), shade, np.uint8) for shade in (0, 99)]
    >>> with pyhades.Remover() as remover, SessionPool(remover, workers=2) as pool:
    ...     [rendered.size for _, rendered in pool.run(pictures)]
    [(40, 60), (40, 60)]
    """

    def __init__(
        self,
        remover: Remover,
        *,
        workers: int | None = None,
        threads_per_worker: int | None = None,
        plan: Plan | None = None,
        decoders: int = 0,
        encoders: int = 0,
        most_items: int | None = None,
        most_bytes: int | None = None,
        engine_timeout: float | None = None,
    ) -> None:
        if not isinstance(remover, Remover):
            raise ArgumentTypeError(f"remover is {type(remover).__name__}, not a Remover")
        self.remover = remover
        self.plan = plan or plan_beside(remover.engine, workers, threads_per_worker)
        self._timeout = Patience(engine_timeout).seconds
        self._engines = remover.behind_queue()
        self._exchange: Exchange | None = None
        self.decoders = check_count("decoders", decoders, least=0)
        self.encoders = check_count("encoders", encoders, least=0)
        self._most_items = most_items
        self._most_bytes = most_bytes or 0
        self._pool: Pool[Any, Rendered] | None = None
        self._pools: weakref.WeakSet[Pool[Any, Rendered]] = weakref.WeakSet()

    def run(
        self,
        items: Iterable[Any],
        rendering: Rendering | None = None,
        *,
        read: Read | None = None,
        look: Look = no_doubt,
        in_order: bool = True,
    ) -> Iterator[tuple[Any, Rendered | Exception]]:
        """Every item with what became of it, as the workers are done.

        Parameters
        ----------
        items
            Anything; they are taken as far ahead as there is room, by a thread of the pool.
        rendering
            What is made of a cut-out; by default PNG with transparency.
        read
            From an item to a path, bytes, a picture or an array; runs on the worker. By default
            items are that themselves, and are copied where whoever gives them may change them.
        look
            Says what is doubtful about a matte, uint8 ``[height, width]``.
        in_order
            Whether results come in the order of the items.
        """
        if read is None:
            items = several(items, "items")
        exchange = self._exchange = self._engaged()
        chain = ChainWorkers(
            self.remover, self.plan.threads_per_worker, rendering or Rendering(),
            read or (lambda item: item), look, exchange,
        )  # fmt: skip
        nodes = nodes_of(self.plan)
        pool: Pool[Any, Rendered] = Pool(
            self._crews(chain, nodes), most_items=self._most_items, most_bytes=self._most_bytes,
            distances=distances_of(self.plan, nodes),
            before_closing=(lambda: None) if exchange is None else exchange.close,
        )  # fmt: skip
        self._pool = pool
        self._pools.add(pool)
        return pool.run(items, in_order=in_order)

    def _engaged(self) -> Exchange | None:
        """Consumers of all engines, where ours is not alone."""
        if self._engines is None:
            return None
        seats = seats_of(self.plan, nodes_of(self.plan))
        workers = [Worker(cpus, replica_of(node)) for cpus, node in seats]
        return self._engines.exchange(workers, self.plan.threads_per_worker, self._timeout)

    @property
    def holders(self) -> int:
        """Threads that hold a picture at a time."""
        return self._cutters + self.decoders + self.encoders

    @property
    def _cutters(self) -> int:
        workers = len(self.plan.workers)
        return workers if self._engines is None else self._engines.callers(workers)

    @property
    def engines(self) -> list[Tally]:
        """What each engine has done in the last run; empty where ours is alone."""
        return [] if self._exchange is None else self._exchange.tallies

    def _crews(self, chain: ChainWorkers, nodes: Sequence[int]) -> list[Crew[Any, Any]]:
        seats = seats_of(self.plan, nodes)
        if chain.exchange is not None:
            # Those who only ask engines are more than there are CPUs, and sit anywhere.
            seats = [((), 0)] * self._cutters
        *before, last = chain.crews(seats, self.decoders, self.encoders)
        return [*before, replace(last, timed=Rendered.timed)]

    @property
    def stages(self) -> StageReport:
        """Where the time of the last run goes, or went."""
        return StageReport({}) if self._pool is None else self._pool.stages

    def stop(self) -> None:
        """Take no more pictures, in any run; those on their way come out."""
        for pool in list(self._pools):
            pool.stop()

    def close(self) -> None:
        """Drop what is on its way, and end the workers of all runs."""
        for pool in list(self._pools):
            pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        codecs = f", {self.decoders} decoders, {self.encoders} encoders"
        beside = codecs if self.decoders or self.encoders else ""
        return f"SessionPool({self.line()}{beside})"

    def line(self) -> str:
        """Workers, threads and engines, in a line."""
        if self._engines is None:
            return self.plan.line()
        return f"{self.plan.line()}; engines: {self.remover.engine!r}"
