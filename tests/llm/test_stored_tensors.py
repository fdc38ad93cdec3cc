"""Tensors that are put together of several of a file."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import quant
from pyhades.llm.checkpoint.stored import (
    InterleavedTensor,
    JoinedTensor,
    StackedTensor,
    StoredTensor,
)
from pyhades.quant import QuantizedTensor


class Kept(StoredTensor):
    """A tensor in memory."""

    def __init__(self, values: np.ndarray, format: str) -> None:
        self._tensor = quant.quantize(values, format)
        self.shape, self.format = values.shape, format
        self.dtypes, self.nbytes = (format,), self._tensor.nbytes

    def read(self, part: int | slice = slice(None)) -> QuantizedTensor:
        values, scales = self._tensor.values[part], self._tensor.scales
        shape = (*values.shape[:-1], self.shape[-1])
        return QuantizedTensor(self.format, shape, values, None if scales is None else scales[part])


def matrices(count: int, formats: tuple[str, ...], rows: int = 4) -> list[Kept]:
    rng = np.random.default_rng(0)
    return [
        Kept(rng.standard_normal((rows, 64)).astype(np.float32), formats[i % len(formats)])
        for i in range(count)
    ]


@pytest.mark.parametrize("formats", [("bf16",), ("int8_g32",), ("bf16", "int8_g32")], ids=str)
@pytest.mark.parametrize("part", [0, 2, slice(None), slice(1, 3)], ids=str)
def test_a_stack_of_matrices(formats, part):
    parts = matrices(3, formats)
    stack = StackedTensor(parts)
    whole = np.stack([quant.dequantize(matrix.read()) for matrix in parts])
    assert stack.shape == (3, 4, 64)
    assert stack.format == (formats[0] if len(formats) == 1 else "f32")
    read = stack.read(part)
    assert read.format == stack.format
    np.testing.assert_array_equal(quant.dequantize(read), whole[part])


@pytest.mark.parametrize("part", [1, slice(None), slice(0, 2)], ids=str)
def test_gates_and_ups_of_experts_that_are_stored_apart(part):
    gates, ups = matrices(3, ("bf16",)), matrices(6, ("bf16",))[3:]
    halves = [StackedTensor(gates), StackedTensor(ups)]
    joined = InterleavedTensor(JoinedTensor(halves, -2), -2)
    whole = np.empty((3, 8, 64), np.float32)
    whole[:, 0::2] = np.stack([quant.dequantize(matrix.read()) for matrix in gates])
    whole[:, 1::2] = np.stack([quant.dequantize(matrix.read()) for matrix in ups])
    assert joined.shape == whole.shape
    np.testing.assert_array_equal(joined.floats(part), whole[part])
