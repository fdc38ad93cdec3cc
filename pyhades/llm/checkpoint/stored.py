"""Tensors of a checkpoint as they are stored, decoded piece by piece and without loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyhades import quant
from pyhades.errors import ModelError
from pyhades.formats import TensorEntry
from pyhades.quant import FormatName, QuantizedTensor, ggml
from pyhades.quant.conversion import by_rows, common_format, is_exact

Array = NDArray[Any]
Part = int | slice
WHOLE = slice(None)

PLAIN_DTYPES = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}
_NOT_A_NUMBER = 255
"""The scale of MXFP4 that stands for no number."""


class StoredTensor(ABC):
    """A vector, a matrix ``[n, k]``, or a stack of matrices, of a mapped file.

    Attributes
    ----------
    shape
        Of the tensor.
    format
        Of what :meth:`read` returns.
    is_view
        Whether :meth:`read` returns views of the file rather than copies.
    dtypes
        What the file calls its types, in capitals: several where it is put together.
    nbytes
        In the file.
    """

    shape: tuple[int, ...]
    format: FormatName
    is_view = False
    dtypes: tuple[str, ...]
    nbytes: int

    @abstractmethod
    def read(self, part: Part = WHOLE) -> QuantizedTensor:
        """All of it, or a part along the first axis; values and scales exactly as stored.

        Raises
        ------
        ModelError
            A scale is no number.
        """

    def read_as(self, part: Part, format: FormatName) -> QuantizedTensor:
        """The same in another format: what that has is not rounded, whatever lies beside it.

        Raises
        ------
        ModelError
            A scale is no number.
        ArgumentError
            A weight is no number, or too large.
        """
        return quant.convert(self.read(part), format)

    def is_exact_in(self, format: FormatName) -> bool:
        """Whether :meth:`read_as` rounds nothing, by the formats of what it is made of."""
        return is_exact(self.format, format)

    def floats(self, part: Part = WHOLE) -> NDArray[np.float32]:
        """The numbers that :meth:`read` stands for."""
        return quant.dequantize(self.read(part))


class PlainTensor(StoredTensor):
    """float32, float16 (which comes out as float32) or bfloat16.

    Parameters
    ----------
    entry
        In the file.
    is_transposed
        Whether the file has the last two axes the other way round.
    """

    def __init__(self, entry: TensorEntry, *, is_transposed: bool = False) -> None:
        array = entry.data.view(PLAIN_DTYPES[entry.dtype]).reshape(entry.shape)
        self._array = array.swapaxes(-1, -2) if is_transposed else array
        self.shape = self._array.shape
        self.format = "bf16" if entry.dtype == "BF16" else "f32"
        self.is_view = entry.dtype != "F16" and not is_transposed
        self.dtypes, self.nbytes = (entry.dtype,), len(entry.data)

    def read(self, part: Part = WHOLE) -> QuantizedTensor:
        array = self._array[part]
        dtype = np.uint16 if self.format == "bf16" else np.float32
        values = np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])
        return QuantizedTensor(self.format, values.shape, values)


class Mxfp4Tensor(StoredTensor):
    """MXFP4 in two tensors: blocks of 16 bytes and their scales."""

    format: FormatName = "mxfp4"
    is_view = True

    def __init__(self, blocks: TensorEntry, scales: TensorEntry) -> None:
        self._file = scales
        self._blocks = blocks.data.reshape(blocks.shape)
        self._scales = scales.data.reshape(scales.shape)
        self.shape = (*scales.shape[:-1], scales.shape[-1] * quant.BLOCK)
        self.dtypes, self.nbytes = ("MXFP4",), len(blocks.data) + len(scales.data)

    def read(self, part: Part = WHOLE) -> QuantizedTensor:
        scales = self._scales[part]
        k = scales.shape[-1] * quant.BLOCK
        values = self._blocks[part].reshape(*scales.shape[:-1], k // 2)
        tensor = QuantizedTensor(self.format, (*scales.shape[:-1], k), values, scales)
        return _with_sound_scales(tensor, self._file)


class BlockTensor(StoredTensor):
    """One of the formats of ggml."""

    def __init__(self, entry: TensorEntry) -> None:
        self._entry = entry
        self._kind = ggml.TYPES_BY_NAME[entry.dtype]
        *rows, columns = self.shape = entry.shape
        row_bytes = columns // self._kind.block * self._kind.block_bytes
        self._data = entry.data.reshape(*rows, row_bytes)
        self.format = self._kind.format
        self.dtypes, self.nbytes = (entry.dtype,), len(entry.data)

    def read(self, part: Part = WHOLE) -> QuantizedTensor:
        return self.read_as(part, self.format)

    def read_as(self, part: Part, format: FormatName) -> QuantizedTensor:
        """See the base. What is decoded is float32 in part, and converted before it is much."""
        data = self._data[part]
        rows = data.reshape(-1, data.shape[-1])

        def made(piece: slice) -> QuantizedTensor:
            decoded = ggml.decode(rows[piece], self._kind)
            return quant.convert(_with_sound_scales(decoded, self._entry), format)

        return by_rows((*data.shape[:-1], self.shape[-1]), format, made)


class JoinedTensor(StoredTensor):
    """Tensors whose rows follow one another, in the narrowest format that has all their weights.

    Parameters
    ----------
    parts
        The tensors; they agree in everything but the number of rows.
    row_axis
        -2 for matrices, -1 for vectors.
    """

    def __init__(self, parts: Sequence[StoredTensor], row_axis: int) -> None:
        self._parts = parts
        self._axis = row_axis
        shape = list(parts[0].shape)
        shape[row_axis] = sum(part.shape[row_axis] for part in parts)
        self.shape = tuple(shape)
        self.format, self.dtypes, self.nbytes = _of_all(parts)

    def read(self, part: Part = WHOLE) -> QuantizedTensor:
        return self.read_as(part, self.format)

    def read_as(self, part: Part, format: FormatName) -> QuantizedTensor:
        """See the base."""
        pieces = [piece.read_as(place, format) for piece, place in self._places(part)]
        values = np.concatenate([piece.values for piece in pieces], self._axis)
        scales = [piece.scales for piece in pieces if piece.scales is not None]
        joined = np.concatenate(scales, self._axis) if scales else None
        columns = pieces[0].shape[-1:] if self._axis == -2 else values.shape[-1:]
        return QuantizedTensor(format, (*values.shape[:-1], *columns), values, joined)

    def is_exact_in(self, format: FormatName) -> bool:
        """See the base."""
        return all(part.is_exact_in(format) for part in self._parts)

    def _places(self, part: Part) -> Iterator[tuple[StoredTensor, Part]]:
        """The pieces that ``part`` touches, and what it takes of each."""
        if len(self.shape) + self._axis > 0 or not isinstance(part, slice):
            yield from ((piece, part) for piece in self._parts)
            return
        first, last, _ = part.indices(self.shape[0])
        for piece in self._parts:
            rows = piece.shape[0]
            if first < rows and last > 0:
                yield piece, slice(max(first, 0), last)
            first, last = first - rows, last - rows


class StackedTensor(StoredTensor):
    """Matrices of one shape as a stack ``[len(parts), n, k]``: experts stored one by one."""

    def __init__(self, parts: Sequence[StoredTensor]) -> None:
        self._parts = parts
        self.shape = (len(parts), *parts[0].shape)
        self.format, self.dtypes, self.nbytes = _of_all(parts)

    def read(self, part: Part = WHOLE) -> QuantizedTensor:
        return self.read_as(part, self.format)

    def read_as(self, part: Part, format: FormatName) -> QuantizedTensor:
        """See the base."""
        if not isinstance(part, slice):
            return self._parts[part].read_as(WHOLE, format)
        pieces = [piece.read_as(WHOLE, format) for piece in self._parts[part]]
        values = np.stack([piece.values for piece in pieces])
        scales = [piece.scales for piece in pieces if piece.scales is not None]
        shape = (len(pieces), *self.shape[1:])
        return QuantizedTensor(format, shape, values, np.stack(scales) if scales else None)

    def is_exact_in(self, format: FormatName) -> bool:
        """See the base."""
        return all(part.is_exact_in(format) for part in self._parts)


class InterleavedTensor(StoredTensor):
    """The rows of a tensor's first half and of its second half in turn.

    Parameters
    ----------
    tensor
        Rows of the gate, then those of the linear part.
    row_axis
        -2 for matrices, -1 for vectors.
    """

    def __init__(self, tensor: StoredTensor, row_axis: int) -> None:
        self._tensor = tensor
        self._axis = row_axis
        self.shape = tensor.shape
        self.format = tensor.format
        self.dtypes, self.nbytes = tensor.dtypes, tensor.nbytes

    def read(self, part: Part = WHOLE) -> QuantizedTensor:
        return self.read_as(part, self.format)

    def is_exact_in(self, format: FormatName) -> bool:
        """See the base."""
        return self._tensor.is_exact_in(format)

    def read_as(self, part: Part, format: FormatName) -> QuantizedTensor:
        """See the base."""
        stored = self._tensor.read_as(part, format)
        values = self._interleaved(stored.values)
        scales = None if stored.scales is None else self._interleaved(stored.scales)
        return QuantizedTensor(stored.format, stored.shape, values, scales)

    def _interleaved(self, array: Array) -> Array:
        axis = array.ndim + self._axis
        before, after = array.shape[:axis], array.shape[axis + 1 :]
        halves = array.reshape(*before, 2, array.shape[axis] // 2, *after)
        return halves.swapaxes(axis, axis + 1).reshape(array.shape)


def _of_all(parts: Sequence[StoredTensor]) -> tuple[FormatName, tuple[str, ...], int]:
    """The format, types and bytes of a tensor that is made of others."""
    dtypes = dict.fromkeys(dtype for part in parts for dtype in part.dtypes)
    nbytes = sum(part.nbytes for part in parts)
    return common_format([part.format for part in parts]), tuple(dtypes), nbytes


def _with_sound_scales(tensor: QuantizedTensor, file: TensorEntry) -> QuantizedTensor:
    scales = tensor.scales
    if scales is None:
        is_sound = tensor.format != "f32" or bool(np.isfinite(tensor.values).all())
    elif scales.dtype == np.uint8:
        is_sound = not (scales == _NOT_A_NUMBER).any()
    else:
        is_sound = bool(np.isfinite(scales).all())
    if not is_sound:
        raise ModelError(
            f"{file} has a scale that is no number; the file is damaged; download or convert it "
            "again"
        )
    return tensor
