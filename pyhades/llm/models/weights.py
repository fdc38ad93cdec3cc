"""The weights of a model, packed for the kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades.llm.precision.report import PrecisionReport
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
    bias: Vector


@dataclass(frozen=True)
class Embedding:
    """Rows to look tokens up in: bf16 (as uint16) or int8 ``[vocab_size, hidden_size]``.

    ``scales`` are float16, one per 32 columns, for int8.
    """

    values: Array
    scales: Array | None = None


@dataclass(frozen=True)
class LayerWeights:
    """One transformer block."""

    attention_norm: Vector
    qkv: Linear
    """Rows: all query heads, then the key heads, then the value heads."""
    sinks: Vector
    attention_output: Linear
    mlp_norm: Vector
    router: Linear
    gate_up: Experts
    down: Experts


@dataclass(frozen=True)
class ModelWeights:
    """A whole model. ``activations`` is what matrix products take in: ``"q8"`` or ``"bf16"``.

    Matrices in bf16 or f32 take bf16 in, whatever it says.
    """

    embedding: Embedding
    layers: tuple[LayerWeights, ...]
    norm: Vector
    head: Linear
    precision: str
    activations: str
    report: PrecisionReport | None = None
    """How formats were chosen, for ``precision="auto"``."""

    @property
    def nbytes(self) -> int:
        """Bytes of all packed matrices and of the embedding."""
        return sum(array.nbytes for array in self.arrays())

    def arrays(self) -> list[Array]:
        """Every array once."""
        found: list[Array | None] = [self.embedding.values, self.embedding.scales, self.norm]
        linears = [self.head]
        for layer in self.layers:
            found += [layer.attention_norm, layer.sinks, layer.mlp_norm]
            linears += [layer.qkv, layer.attention_output, layer.router]
            for experts in (layer.gate_up, layer.down):
                found += [experts.weight.data, experts.bias]
        for linear in linears:
            found += [linear.weight.data, linear.bias]
        return [array for array in found if array is not None]
