"""Masks of networks that are the float one but for a few products."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.compiler.stages import is_static
from pyhades.ir.graph import Graph
from pyhades.ir.outputs import with_outputs
from pyhades.numerics.array import Array
from pyhades.passes.rewriting import live
from pyhades.segmentation.quantize.calibration import Calibration
from pyhades.segmentation.quantize.pictures import Picture
from pyhades.segmentation.quantize.resuming import Carried, Feeds, sized


class Candidates:
    """The float network with a few pictures, run as far as a candidate is equal to it.

    Parameters
    ----------
    calibration
        How pictures are fed.
    graph
        The prepared network. Candidates that come in the order of their first products are faster.
    """

    def __init__(self, calibration: Calibration, graph: Graph) -> None:
        self._calibration = calibration
        self._mask = calibration.mask(graph)
        self._graph = with_outputs(graph, [self._mask])
        self._pictures: list[Picture] = []
        self._feeds: Feeds = {}
        self._carried: Carried | None = None

    def masks(
        self, candidate: Graph, pictures: Sequence[Picture]
    ) -> Generator[NDArray[np.float32], None, None]:
        """What ``candidate`` predicts in 0..1."""
        if list(pictures) != self._pictures:
            self._pictures = list(pictures)
            self._carried = self._begun()
        if self._carried is None:
            return self._calibration.masks(candidate, pictures)
        outputs = self._carried.outputs(sized(with_outputs(candidate, [self._mask]), self._feeds))
        masks = (found[self._mask] for found in outputs)
        return self._calibration.predictions(_Onward(masks), pictures)

    def _begun(self) -> Carried | None:
        """None where sizes differ from picture to picture, or depend on what is in them."""
        feeds = [functools.partial(self._calibration.feeds, each) for each in self._pictures]
        sizes = [{name: x.shape for name, x in make().items()} for make in feeds]
        if any(size != sizes[0] for size in sizes):
            return None
        self._feeds = feeds[0]()
        graph = sized(self._graph, self._feeds)
        graph = dataclasses.replace(graph, nodes=live(graph.nodes, graph.outputs))
        return Carried(graph, feeds, self._calibration.options) if is_static(graph) else None


class _Onward:
    """A network that knows its pictures, and is asked for one after the other."""

    def __init__(self, masks: Iterator[Array]) -> None:
        self._masks = masks

    def __call__(self, planes: NDArray[np.float32], /) -> NDArray[Any]:
        mask = next(self._masks)
        return mask[:1] if mask.ndim == 4 else mask

    def close(self) -> None:
        """Nothing is its own."""
