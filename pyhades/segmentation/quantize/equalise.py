"""Scale channels where they are made, so that no channel alone decides how coarse a grid is.

A grid has one scale for all channels of an edge. Where one of them is larger by far, little is left
for the others; where it is divided by a number and the weights that read it are multiplied by it,
the network is the same and the error moves from activations to weights. Which numbers are best is
found by trying: those for which the noise that grids add to all that is read is least.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pyhades.ir.graph import Graph, Node
from pyhades.ir.inference import constant
from pyhades.numerics.array import Array
from pyhades.passes.rewriting import clone
from pyhades.segmentation.quantize.channels import PINNED, Channels, Ids, Reader, trace_channels
from pyhades.segmentation.quantize.noise import Factors, Sound, by_group, sounds_of
from pyhades.segmentation.quantize.products import Product
from pyhades.segmentation.quantize.recipe import Equalisation
from pyhades.segmentation.quantize.statistics import Statistics

_LARGEST = 2.0**10
"""No channel is scaled by more, either way."""
_ROUNDS = 3
"""Over all makers: what is best for one depends on the others."""
_POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the spread of channels that is taken away."""
_LIMITS = (0.5, 0.25, 0.125)
"""Of the loudest channel, that others may stay as they are below."""
_LEVELS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Of all channels of a maker, beside others on the same grid."""


def equalise(
    graph: Graph,
    products: Sequence[Product],
    statistics: Statistics,
    of: Equalisation = "all",
) -> Graph:
    """An equal network, but for rounding, whose grids cost less.

    Parameters
    ----------
    graph
        Prepared.
    products
        All of them, also those that stay in float.
    statistics
        Of what the products read, for peaks and variances of channels.
    of
        Nodes whose channels are scaled.
    """
    channels = trace_channels(graph, products, of)
    factors = _best_factors(channels, sounds_of(graph, products, channels, statistics))
    result = clone(graph)
    twins = dict(zip(graph.nodes, result.nodes, strict=True))
    for reader in channels.readers:
        _multiply(twins[reader.product.node], reader, factors[channels.classes(reader.ids)])
    for maker in channels.makers:
        for index, axis in maker.constants:
            _divide(twins[maker.node], index, axis, factors[channels.classes(maker.ids)])
    return result


def layers_with_known_channels(
    graph: Graph, products: Sequence[Product], of: Equalisation = "all"
) -> list[Product]:
    """Products to be quantised that read channels which can be scaled."""
    channels = trace_channels(graph, products, of)
    return [
        reader.product
        for reader in channels.readers
        if not reader.product.kept and (channels.classes(reader.ids) != PINNED).any()
    ]


def _best_factors(channels: Channels, sounds: Sequence[Sound]) -> Factors:
    factors = np.ones(channels.count)
    peaks, tops = np.zeros(channels.count), np.zeros(channels.count)
    for sound in sounds:
        np.maximum.at(peaks, sound.classes, sound.peaks)
        heard = sound.tops / np.maximum(sound.tops.max(axis=2, keepdims=True), 1e-30)
        np.maximum.at(tops, sound.classes, heard.max(axis=1).reshape(-1))
    for _ in range(_ROUNDS):
        for unit in _units(channels):
            alive = unit[(peaks[unit] > 0) & (tops[unit] > 0)]
            if len(alive):
                _improve(factors, alive, peaks[alive], tops[alive], _near(sounds, alive))
    return factors


def _units(channels: Channels) -> list[Ids]:
    """Classes that are scaled together: those of a maker, and of makers with a class in common."""
    units: list[set[int]] = []
    for maker in channels.makers:
        unit = set(channels.classes(maker.ids).tolist()) - {PINNED}
        apart = []
        for other in units:
            if unit & other:
                unit |= other
            else:
                apart.append(other)
        units = [*apart, unit]
    return [np.array(sorted(unit), np.int64) for unit in units if unit]


def _near(sounds: Sequence[Sound], unit: Ids) -> list[Sound]:
    """What is on a grid with channels of a unit."""
    grids = {sound.grid for sound in sounds if np.isin(sound.classes, unit).any()}
    return [sound for sound in sounds if sound.grid in grids]


def _improve(
    factors: Factors, unit: Ids, peaks: Factors, tops: Factors, sounds: Sequence[Sound]
) -> None:
    """Keep whatever is best of what is tried for a unit."""
    best, least = factors[unit], _noise(sounds, factors)
    for tried in _candidates(peaks / peaks.max(), tops):
        factors[unit] = np.clip(tried, 1 / _LARGEST, _LARGEST)
        noise = _noise(sounds, factors)
        if noise < least * 0.999:
            best, least = factors[unit], noise
    factors[unit] = best


def _candidates(shares: Factors, tops: Factors) -> Iterator[Factors]:
    shapes = [shares**power for power in _POWERS]
    shapes += [shares**power / tops ** (1 - power) for power in (0.0, 0.25, 0.5, 0.75)]
    shapes += [tops**-0.5]
    shapes += [np.maximum(shares / limit, 1.0) for limit in _LIMITS]
    for shape in shapes:
        for level in _LEVELS:
            yield shape * level


def _noise(sounds: Sequence[Sound], factors: Factors) -> float:
    lengths: dict[int, float] = {}
    for sound in sounds:
        lengths[sound.grid] = max(lengths.get(sound.grid, 0.0), sound.loudest(factors))
    return sum(sound.noise(factors, lengths[sound.grid]) for sound in sounds)


def _multiply(node: Node, reader: Reader, factors: Factors) -> None:
    """The weights that read channels."""
    value = node.inputs[1]
    assert value is not None and value.data is not None
    product = reader.product
    rows = by_group(product, value.data)
    rows = rows * factors.reshape(len(rows), 1, -1, 1)
    rows = rows.reshape(np.moveaxis(value.data, product.channels, 0).shape)
    data: Array = np.moveaxis(rows, 0, product.channels).astype(value.data.dtype)
    node.inputs[1] = constant(f"{value.name}.equal", np.ascontiguousarray(data))


def _divide(node: Node, index: int, axis: int, factors: Factors) -> None:
    """A constant that holds channels along ``axis``."""
    value = node.inputs[index]
    assert value is not None and value.data is not None
    column = [1] * value.data.ndim
    column[axis] = -1
    data = (value.data / factors.reshape(column)).astype(value.data.dtype)
    node.inputs[index] = constant(f"{value.name}.equal", data)
