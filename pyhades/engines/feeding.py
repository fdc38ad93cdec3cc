"""How the inputs of a network are fed: a picture, states of the frame before, constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyhades.ir.graph import Graph

Layout = Literal["nchw", "nhwc"]
"""Where the channels of a tensor lie."""

Extents = tuple[int | None, ...]


@dataclass(frozen=True)
class State:
    """An input that is fed what an output gave for the frame before."""

    input: str
    output: str


@dataclass(frozen=True)
class InputPlan:
    """How the inputs of a graph are fed."""

    picture: str
    layout: Layout
    dtype: np.dtype[Any]
    extents: Extents
    """Of the picture's tensor, as the file declares them; None where open."""
    states: tuple[State, ...] = ()
    state_shapes: tuple[tuple[int, ...], ...] = ()
    """What each state is before the first frame: zeros of this shape."""
    constants: tuple[tuple[str, Any], ...] = ()
    """Arrays by name."""
    reasons: tuple[str, ...] = ()

    @property
    def side(self) -> tuple[int | None, int | None]:
        """``(height, width)`` that the file fixes; None where open."""
        first = 1 if self.layout == "nhwc" else 2
        return self.extents[first], self.extents[first + 1]

    def picture_shape(self, size: tuple[int, int], batch: int = 1) -> tuple[int, ...]:
        """Shape of the picture's tensor at ``size`` (height, width)."""
        return (batch, *size, 3) if self.layout == "nhwc" else (batch, 3, *size)

    def shapes(self, size: tuple[int, int]) -> dict[str, tuple[int, ...]]:
        """Shapes of all inputs for one picture of ``size``, before the first frame."""
        states = zip(self.states, self.state_shapes, strict=True)
        return {
            self.picture: self.picture_shape(size),
            **{state.input: shape for state, shape in states},
            **{name: array.shape for name, array in self.constants},
        }


def fed_picture(planes: NDArray[np.float32], plan: InputPlan) -> NDArray[Any]:
    """Pictures, float32 ``[n, 3, h, w]``, in the layout and the dtype of the network's input."""
    array: NDArray[Any] = planes
    if plan.layout == "nhwc":
        array = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
    if plan.dtype.kind in "iu":
        limits = np.iinfo(plan.dtype)
        array = np.clip(np.rint(array), limits.min, limits.max)
    return array.astype(plan.dtype, copy=False)


def first_states(plan: InputPlan, graph: Graph) -> list[NDArray[Any]]:
    """What a recurrent network is fed before the first frame: zeros."""
    kinds = {value.name: value.type for value in graph.inputs}
    states = []
    for state, shape in zip(plan.states, plan.state_shapes, strict=True):
        kind = kinds[state.input]
        states.append(np.zeros(shape, np.float32 if kind is None else kind.dtype))
    return states
