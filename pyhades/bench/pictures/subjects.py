"""Our chain, with our network or that of others in it, as what is measured."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pyhades.bench.pictures.stretch import Done
from pyhades.segmentation.buffers import KeptBuffers
from pyhades.segmentation.bulk.chain import Whole
from pyhades.segmentation.bulk.crew import Crew, Seat, Worker
from pyhades.segmentation.bulk.rendering import Rendered, Rendering
from pyhades.segmentation.bulk.session_pool import SessionPool
from pyhades.segmentation.clock import Clock
from pyhades.segmentation.image.reading import load_image
from pyhades.segmentation.network import CompiledNetwork
from pyhades.segmentation.remover import Remover
from pyhades.topology import Plan

REST = "rest"
"""What is in no stage of the chain: handing over from one to the next."""


class TimedWorker:
    """A worker that writes its results to files, and says how long each picture took."""

    def __init__(
        self, worker: Worker[Any, Rendered], seat: Seat, out: Path, buffers: KeptBuffers
    ) -> None:
        self._worker = worker
        self._clock = seat.clock
        self._number = seat.number
        self._out = out
        self.buffers = buffers

    def __call__(self, path: Path) -> Done:
        self._clock.times.clear()  # that of one picture
        began = time.perf_counter()
        rendered = self._worker(path)
        with self._clock.stage("write"):
            written = write_parts(target(self._out, self._number, path), rendered.parts)
        return done(self._number, began, self._clock, written)

    def close(self) -> None:
        """There are no more pictures."""
        self._worker.close()


class TimedPool(SessionPool):
    """A pool whose workers write files and tell the time of every picture."""

    def __init__(self, remover: Remover, plan: Plan, out: Path) -> None:
        super().__init__(remover, plan=plan)
        self.out = out
        self.timed: list[TimedWorker] = []

    def _crews(self, chain: Any, nodes: Sequence[int]) -> list[Crew[Any, Any]]:
        (crew,) = super()._crews(chain, nodes)

        def make(seat: Seat) -> TimedWorker:
            buffers = KeptBuffers()
            parts = chain.decoding(seat, buffers), chain.cutting(seat, buffers)
            whole = Whole(*parts, chain.encoding(seat))
            self.timed.append(worker := TimedWorker(whole, seat, self.out, buffers))
            return worker

        return [Crew(crew.name, make, crew.seats)]


class Pooled:
    """A remover on workers, each of which does whole pictures."""

    def __init__(self, remover: Remover, plan: Plan, out: Path, facts: dict[str, Any]) -> None:
        self.workers = len(plan.workers)
        self._remover, self._plan, self._out = remover, plan, out
        self._facts = facts
        self._pool: TimedPool | None = None

    def go(self, pictures: Iterator[Path]) -> Iterator[tuple[Path, Any]]:
        """As the workers are done with them."""
        self._pool = TimedPool(self._remover, self._plan, self._out)
        return self._pool.run(pictures, in_order=False)

    def facts(self) -> dict[str, Any]:
        """The plan, and what the network needs where it is ours."""
        return {"plan": self._plan.line()} | network_facts(self._remover) | self._facts

    def parts(self) -> dict[str, int]:
        """Weights, arenas, buffers."""
        kept = [] if self._pool is None else [worker.buffers.nbytes for worker in self._pool.timed]
        found = {"buffers": sum(kept)} if kept else {}
        network = self._remover._sessions.network
        if not isinstance(network, CompiledNetwork):
            return found
        programs = list(network._programs.values())
        weights = sum(program.memory.constants for program in programs)
        arenas = self.workers * sum(program.memory.arena for program in programs)
        return {"weights": weights, "arenas": arenas} | found

    def close(self) -> None:
        """Close the remover."""
        self._remover.close()


class Loop:
    """The same pictures by a loop that cuts them one by one, without a pool."""

    workers = 1

    def __init__(self, remover: Remover, out: Path) -> None:
        self._out = out
        self._remover = remover
        self._clock = Clock()
        self._buffers = KeptBuffers()
        self._session = remover.session(buffers=self._buffers, clock=self._clock)

    def go(self, pictures: Iterator[Path]) -> Iterator[tuple[Path, Done | Exception]]:
        """One after the other, with the same stages as in a pool."""
        for path in pictures:
            try:
                yield path, self._cut(path)
            except Exception as error:
                yield path, error

    def _cut(self, path: Path) -> Done:
        clock, buffers = self._clock, self._buffers
        clock.times.clear()
        began = time.perf_counter()
        with clock.stage("decode"):
            image = load_image(path, max_pixels=self._remover.max_pixels, buffers=buffers)
        cutout = self._session.cut(image)
        with clock.stage("encode"):
            parts = Rendering().encoded(cutout)
        with clock.stage("write"):
            written = write_parts(target(self._out, 0, path), parts)
        return done(0, began, clock, written)

    def facts(self) -> dict[str, Any]:
        """What the network needs."""
        return network_facts(self._remover)

    def parts(self) -> dict[str, int]:
        """Not told: that of the pool is."""
        return {}

    def close(self) -> None:
        """Close the remover."""
        self._session.close()
        self._remover.close()


def done(number: int, began: float, clock: Clock, written: int) -> Done:
    """A picture that is finished now, with what its clock says and the bytes of its result."""
    seconds = time.perf_counter() - began
    stages = {name: times.total for name, times in clock.times.items()}
    stages[REST] = max(0.0, seconds - sum(stages.values()))
    return Done(number, seconds, stages, written)


def target(out: Path, worker: int, path: Path) -> Path:
    """Where a result goes; workers may be at the same picture in two rounds."""
    return out / f"{path.stem}-{worker}.png"


def write_parts(path: Path, parts: Sequence[bytes]) -> int:
    """Write a file piece by piece; how many bytes it has."""
    with path.open("wb") as file:
        for part in parts:
            file.write(part)
        return file.tell()


def network_facts(remover: Remover) -> dict[str, Any]:
    """Tier, operations and bytes of a picture, where the network is ours and has run."""
    network = remover._sessions.network
    if not isinstance(network, CompiledNetwork):
        return {}
    programs = list(network._programs.values())
    if not programs:
        return {}
    lines = programs[-1].lines
    return {
        "tier": programs[-1].isa,
        "precision": remover.precision,
        "flops": sum(line.flops for line in lines),
        "network_bytes": sum(line.bytes for line in lines),
    }
