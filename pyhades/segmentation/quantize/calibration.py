"""The float network with its pictures: what it is fed, what it predicts, what passes through it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pyhades.ir.graph import Graph
from pyhades.numerics.array import Array
from pyhades.options import EngineOptions
from pyhades.segmentation.catalogue import Identification
from pyhades.segmentation.image.reading import ImageLike, load_image
from pyhades.segmentation.network import CompiledNetwork, Network, fed_picture
from pyhades.segmentation.preprocess import network_input, place
from pyhades.segmentation.quantize.files import write_whole
from pyhades.segmentation.quantize.observe import Observer, observed_edges
from pyhades.segmentation.quantize.pictures import Picture, spread
from pyhades.segmentation.quantize.products import Product
from pyhades.segmentation.quantize.scores import Score
from pyhades.segmentation.quantize.statistics import EdgeStatistics, Statistics, merged
from pyhades.segmentation.remover import Remover

SAVED_EVERY = 2.0
"""Seconds between two states of the statistics that are kept on disk."""

USUAL_PIXELS = 512 * 512
"""Of pictures that as many are looked at of as is asked for."""

Thing = TypeVar("Thing")

Step = Callable[[str, int, int], object]
"""Called with what is done, how much of it is done, and how much there is."""


class Calibration:
    """A float network and how its pictures are prepared.

    Parameters
    ----------
    found
        Manifest of the network and how it is fed.
    options
        Threads and tier.
    step
        Told of progress.
    """

    def __init__(self, found: Identification, options: EngineOptions, step: Step) -> None:
        assert found.inputs is not None
        self.manifest, self.plan = found.manifest, found.inputs
        self.options, self.step = options, step
        self._made: dict[Picture, ImageLike] = {}

    def outputs(self, graph: Graph) -> set[str]:
        """Names of the outputs that are wanted of a network: the mask, and what is carried on."""
        return {self.mask(graph), *(state.output for state in self.plan.states)}

    def mask(self, graph: Graph) -> str:
        """Name of the output that is the mask."""
        asked = self.manifest.output
        return asked if isinstance(asked, str) else graph.outputs[asked].name

    def feeds(self, picture: Picture) -> dict[str, Array]:
        """What the network is fed for a picture, as the first of a sequence."""
        planes = self.planes(picture)
        plan = self.plan
        feeds: dict[str, Array] = {plan.picture: fed_picture(planes, plan)}
        for state, shape in zip(plan.states, plan.state_shapes, strict=True):
            feeds[state.input] = np.zeros(shape, np.float32)
        return feeds | {name: np.asarray(array) for name, array in plan.constants}

    def planes(self, picture: Picture) -> NDArray[np.float32]:
        """The picture as the manifest wants it, float32 ``[1, 3, h, w]``."""
        image = load_image(self._loaded(picture))
        return network_input(image, self.manifest, place(image.size, self.manifest), threads=1)

    def _loaded(self, picture: Picture) -> ImageLike:
        """The picture; what code makes takes longer than a small network, and is made once."""
        if picture.image is not None:
            return picture.image
        if picture not in self._made:
            self._made[picture] = picture.load()
        return self._made[picture]

    def told(self, what: str, total: int, things: Iterable[Thing]) -> Iterator[Thing]:
        """The same things, whose number is said as they pass."""
        for index, thing in enumerate(things):
            yield thing
            self.step(what, index + 1, total)

    def masks(
        self, graph: Graph, pictures: Sequence[Picture]
    ) -> Generator[NDArray[np.float32], None, None]:
        """The predictions of a network, float or quantised, in 0..1."""
        network = CompiledNetwork(graph, self.manifest.output, plan=self.plan, options=self.options)
        return self.predictions(network, pictures)

    def predictions(
        self, network: Network, pictures: Sequence[Picture]
    ) -> Generator[NDArray[np.float32], None, None]:
        """What a network, which is closed afterwards, predicts in 0..1."""
        plain = EngineOptions(threads=self.options.threads, isa=self.options.isa)
        with Remover.from_network(network, self.manifest, options=plain) as remover:
            for picture in pictures:
                yield remover.predict(self._loaded(picture))

    def enough(self, pictures: Sequence[Picture], most: int, least: int = 1) -> list[Picture]:
        """At most so many of them, evenly spread; of large ones less, as each shows more.

        What is found on them is hardly better with more, and takes as much longer as they are
        larger.
        """
        count = self.fewer(min(most, len(pictures)), pictures[0])
        return spread(pictures, max(count, least))

    def fewer(self, count: int, picture: Picture) -> int:
        """As many as are enough of pictures like one, where ``count`` small ones are."""
        height, width = self.planes(picture).shape[2:]
        return math.ceil(count * min(1.0, math.sqrt(USUAL_PIXELS / (height * width))))

    def scores(
        self, graph: Graph, pictures: Sequence[Picture], wanted: Sequence[NDArray[np.float32]]
    ) -> tuple[Score, ...]:
        """How far a network is from the masks that are wanted."""
        masks = self.masks(graph, pictures)
        return tuple(
            Score.of(picture.name, mask, other)
            for picture, mask, other in zip(pictures, masks, wanted, strict=True)
        )

    def observe(
        self,
        graph: Graph,
        products: Sequence[Product],
        pictures: Sequence[Picture],
        what: str,
        kept: Path | None = None,
    ) -> Statistics:
        """Statistics of all edges that ``products`` may put on grids.

        Parameters
        ----------
        graph, products
            The prepared network.
        pictures
            For calibration.
        what
            To be said of it.
        kept
            A file that holds what was found so far; a call that was interrupted goes on from there.
        """
        found, done = _read(kept)
        observer = Observer(graph, observed_edges(graph, products), self.options)
        saved = time.monotonic()
        try:
            for index, picture in enumerate(pictures):
                if index >= done:
                    found = merged(found, observer.look(self.feeds(picture)))
                    done = index + 1
                self.step(what, index + 1, len(pictures))
                if kept is not None and time.monotonic() - saved > SAVED_EVERY:
                    _write(kept, found, done)
                    saved = time.monotonic()
        finally:
            observer.close()
            if kept is not None and done:
                # Also after Ctrl-C: what was looked at is not looked at again.
                _write(kept, found, done)
        return found


def _read(path: Path | None) -> tuple[Statistics, int]:
    """Statistics and of how many pictures; nothing where there is no file, or a damaged one."""
    if path is None or not path.is_file():
        return {}, 0
    with contextlib.suppress(OSError, ValueError, KeyError), np.load(path) as file:
        arrays: dict[int, dict[str, Any]] = {}
        for key in file.files:
            index, _, field = key.partition(".")
            if field:
                arrays.setdefault(int(index), {})[field] = file[key]
        names = [str(name) for name in file["names"]]
        done = int(file["done"])
        return {names[i]: EdgeStatistics.from_arrays(a) for i, a in arrays.items()}, done
    return {}, 0


def _write(path: Path, found: Statistics, done: int) -> None:
    arrays: dict[str, Any] = {"names": np.array(list(found)), "done": np.array(done)}
    for index, statistics in enumerate(found.values()):
        arrays |= {f"{index}.{key}": array for key, array in statistics.to_arrays().items()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_whole(path, [buffer.getbuffer()])


def digest_of_graph(graph: Graph) -> str:
    """Of operators, attributes and constants, in hexadecimal."""
    h = hashlib.sha256()
    for value in graph.values():
        h.update(f"{value.name} {value.type}".encode())
        if value.data is not None:
            h.update(np.ascontiguousarray(value.data).reshape(-1).view(np.uint8).data)
    for node in graph.nodes:
        h.update(repr(node).encode())
    return h.hexdigest()


def work_folder(output: str | os.PathLike[str]) -> Path:
    """Where an interrupted call leaves what it found, beside the file that it was to write."""
    path = Path(output)
    return path.with_name(f"{path.name}.calibration")
