"""The weights of a model, packed for the kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from pyhades.quant import PackedWeight

Array = NDArray[Any]
Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Linear:
    """A packed matrix ``[n, k]`` and its bias ``[n]``."""

    weight: PackedWeight
    bias: Vector | None = None


@dataclass(frozen=True)
class Experts:
    """A packed matrix per expert and biases ``[experts, n]``, rows in the order of the weight."""

    weight: PackedWeight
    bias: Vector | None = None


@dataclass(frozen=True)
class Embedding:
    """Rows to look tokens up in: bf16 (as uint16) or int8 ``[vocab_size, hidden_size]``.

    ``scales`` are float16, one per 32 columns, for int8.
    """

    values: Array
    scales: Array | None = None


@dataclass(frozen=True)
class LayerWeights:
    """One transformer block; every architecture derives its own, of parts of these three kinds."""

    @property
    def parts(self) -> dict[str, Linear | Experts | Vector]:
        """By name."""
        return vars(self)


Layer = TypeVar("Layer", bound=LayerWeights, covariant=True)


@dataclass(frozen=True)
class ModelWeights(Generic[Layer]):
    """A whole model. ``activations`` is what matrix products take in: ``"q8"`` or ``"bf16"``.

    Matrices in bf16 or f32 take bf16 in, whatever it says.
    """

    embedding: Embedding
    layers: tuple[Layer, ...]
    norm: Vector
    head: Linear
    precision: str
    activations: str

    @property
    def nbytes(self) -> int:
        """Bytes of all packed matrices and of the embedding."""
        return sum(array.nbytes for array in self.arrays())

    def arrays(self) -> list[Array]:
        """Every array once."""
        found: list[Array | None] = [self.embedding.values, self.embedding.scales, self.norm]
        found += [self.head.weight.data, self.head.bias]
        for layer in self.layers:
            for part in layer.parts.values():
                if isinstance(part, (Linear, Experts)):
                    found += [part.weight.data, part.bias]
                else:
                    found.append(part)
        return [array for array in found if array is not None]
