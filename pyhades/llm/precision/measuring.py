"""The error of each format that a tensor could be kept in, on what enters it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import fsum, sqrt
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pyhades import kernels, quant
from pyhades.config import thread_count
from pyhades.kernels.qgemm import Compute
from pyhades.llm.checkpoint.stored import Part, StoredTensor
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.registry import architecture_of
from pyhades.llm.precision.calibration import Rows
from pyhades.llm.precision.report import Option
from pyhades.quant import BLOCK, FormatName, QuantizedTensor, format_named

NARROWER: tuple[FormatName, ...] = ("int8_g32", "int4_g32")
"""Widest first."""
_PIECE = 1 << 20
"""Weights of a matrix that are measured at a time."""

Result = TypeVar("Result")
Floats = NDArray[np.float32]
Options = tuple[Option, ...]
Squares = list[float]
"""Sums of squares: of the product as stored, and of its difference in each narrower format."""


def matrix_options(stored: StoredTensor, rows: Rows) -> Options:
    """The formats that a matrix can have, with the error of its product with ``rows``.

    Parameters
    ----------
    stored
        The matrix ``[n, k]``.
    rows
        What enters it: bfloat16 as uint16 ``[tokens, k]``.

    Returns
    -------
    tuple of Option
        As stored first, then narrower ones. Their errors hold the rounding of the rows to int8.
    """
    n, k = stored.shape
    formats = _narrower(stored)
    inputs = quant.from_bf16(rows)
    step = max(1, _PIECE // k)

    def measured(first: int) -> Squares:
        return _squares(inputs, stored, slice(first, first + step), formats)[0]

    return _options(stored, formats, _in_parallel(measured, range(0, n, step)))


def expert_options(
    gate_up: StoredTensor,
    bias: Floats | None,
    down: StoredTensor,
    rows: Rows,
    chosen: NDArray[np.int32],
    config: ModelConfig,
) -> tuple[Options, Options]:
    """The formats that the two matrices of each expert can have, with their errors.

    Parameters
    ----------
    gate_up, bias, down
        ``[experts, 2 intermediate_size, k]`` with its bias, if any, and the matrix behind.
    rows
        What enters the experts: bfloat16 as uint16 ``[tokens, k]``.
    chosen
        The experts of each token, int32 ``[tokens, experts_per_token]``.
    config
        Of the model.

    Returns
    -------
    tuple of Option, tuple of Option
        Of ``gate_up`` and of ``down``, which is measured on what the former gives as stored.
    """
    inputs = quant.from_bf16(rows)
    gate = architecture_of(config).gate
    biases = np.zeros(gate_up.shape[:2], np.float32) if bias is None else bias
    formats = [_narrower(gate_up), _narrower(down)]

    def measured(expert: int) -> tuple[Squares, Squares]:
        entering = inputs[(chosen == expert).any(axis=1)]
        first, made = _squares(entering, gate_up, expert, formats[0])
        hidden = gate(made + biases[expert], config)
        return first, _squares(hidden, down, expert, formats[1])[0]

    used = [expert for expert in range(gate_up.shape[0]) if (chosen == expert).any()]
    squares = _in_parallel(measured, used)
    return (
        _options(gate_up, formats[0], [pair[0] for pair in squares]),
        _options(down, formats[1], [pair[1] for pair in squares]),
    )


def embedding_options(stored: StoredTensor, kept: FormatName, tokens: Sequence[int]) -> Options:
    """The formats of the embedding ``[v, h]``, with the error of the rows of ``tokens``.

    ``kept`` is its format where it is not narrowed: ``"bf16"`` or ``"int8_g32"``.
    """
    size = stored.shape[0] * stored.shape[1]
    int8_bytes = size + size // BLOCK * 2
    if kept == "int8_g32":
        return (Option(kept, int8_bytes, 0.0),)
    rows = np.concatenate([stored.floats(slice(token, token + 1)) for token in tokens])
    exact = quant.dequantize(quant.quantize(rows, "bf16"))
    difference = quant.dequantize(quant.quantize(rows, "int8")) - exact
    error = _relative(_sum_of_squares(difference), _sum_of_squares(exact))
    return (Option("bf16", 2 * size, 0.0), Option("int8_g32", int8_bytes, error))


def _narrower(stored: StoredTensor) -> list[FormatName]:
    return [f for f in NARROWER if format_named(f).bits < format_named(stored.format).bits]


def _options(
    stored: StoredTensor, formats: Sequence[FormatName], squares: Sequence[Squares]
) -> Options:
    n, k = stored.shape[-2:]
    matrices = stored.shape[0] if len(stored.shape) == 3 else 1
    reference, *differences = (fsum(column) for column in zip(*squares, strict=True))
    errors = [0.0, *(_relative(difference, reference) for difference in differences)]
    return tuple(
        Option(name, matrices * format_named(name).packed_bytes(n, k), error)
        for name, error in zip([stored.format, *formats], errors, strict=True)
    )


def _in_parallel(measure: Callable[[int], Result], parts: Sequence[int]) -> list[Result]:
    """Results in the order of the parts, so that sums do not depend on threads."""
    with ThreadPoolExecutor(thread_count(None).count) as pool:
        return list(pool.map(measure, parts))


def _squares(
    inputs: Floats, stored: StoredTensor, part: Part, formats: Sequence[FormatName]
) -> tuple[Squares, Floats]:
    """Sums of squares over some outputs, and these outputs as stored."""
    exact = _product(inputs, stored.read(part))
    squares = [_sum_of_squares(exact)]
    for name in formats:
        rounded = _product(inputs, stored.read_as(part, name))
        squares.append(_sum_of_squares(rounded - exact))
    return squares, exact


def _product(inputs: Floats, weights: QuantizedTensor) -> Floats:
    compute: Compute = "bf16" if weights.format in ("bf16", "f32") else "int8"
    packed = kernels.pack_weight(weights, threads=1)
    return kernels.qgemm(inputs, packed, compute=compute, threads=1)


def _relative(difference: float, reference: float) -> float:
    return sqrt(difference / reference) if reference else 0.0


def _sum_of_squares(values: Floats) -> float:
    return float(np.square(values, dtype=np.float64).sum())
