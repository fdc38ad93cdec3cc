"""``precision="auto"``: each dense tensor in the format whose measured error is worth its bytes.

The model is run once with its dense tensors as they are stored, and what enters them is kept. Each
tensor is then multiplied with it piece by piece, as stored and in every narrower format, by the
kernels that will do so later. Formats are narrowed in the order of error per byte that is saved,
until the next would exceed the budget: a larger budget never gives a larger model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import fsum, isfinite, sqrt

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pyhades import kernels, quant
from pyhades.config import thread_count
from pyhades.errors import ArgumentError, ModelError
from pyhades.kernels.qgemm import Compute
from pyhades.llm.calibration import Rows, calibration_tokens, dense_formats, dense_inputs
from pyhades.llm.checkpoint import Checkpoint, StoredTensor
from pyhades.llm.checkpoint.outline import EMBEDDING
from pyhades.llm.precision import AUTO, Recipe
from pyhades.llm.precision_report import Option, PrecisionReport, TensorChoice
from pyhades.llm.weights import ModelWeights
from pyhades.quant import BLOCK, QuantizedTensor, format_named

DEFAULT_ERROR_BUDGET = 0.05
"""About half of what four bits cost in every tensor."""
NARROWER = ("int8_g32", "int4_g32")
"""Widest first."""

MEASURED_ROWS = 128
"""Of the calibration tokens, evenly spaced: errors hardly change with more."""
_PIECE = 1 << 20
"""Weights that are measured at a time."""

Pack = Callable[[Recipe], ModelWeights]
Options = Mapping[str, tuple[Option, ...]]


def adapt(
    checkpoint: Checkpoint,
    pack: Pack,
    error_budget: float | None = None,
    calibration: Sequence[int] | None = None,
    *,
    progress: bool = True,
) -> Recipe:
    """Choose formats for the dense tensors of a checkpoint.

    Parameters
    ----------
    checkpoint
        What is packed.
    pack
        Packs it by a recipe, for one run of the model.
    error_budget
        What the root mean square of the relative errors of all dense tensors may be; 0.05 if None.
        With 0 they stay as they are stored.
    calibration
        Token ids to measure errors on; by default 512 of the standard prompts, or random ones where
        there is no tokenizer.
    progress
        Show a bar.

    Returns
    -------
    Recipe
        With its report.

    Raises
    ------
    ArgumentError
        The budget is negative or no number, or the tokens are not the model's.
    ModelError
        A tensor is damaged.
    """
    budget = DEFAULT_ERROR_BUDGET if error_budget is None else error_budget
    if not (isfinite(budget) and budget >= 0):
        raise ArgumentError(f"error_budget={budget}: expected a number from 0 on")
    tokens = calibration_tokens(checkpoint) if calibration is None else list(calibration)
    as_stored = Recipe(AUTO, "q8", "int8_g32", _formats_as_stored(checkpoint))
    inputs = dense_inputs(checkpoint.config, pack(as_stored), tokens)
    options = {EMBEDDING: _embedding_options(checkpoint, as_stored, tokens)}
    names = tqdm(sorted(inputs), "measuring", leave=False, disable=None if progress else True)
    for name in names:
        try:
            options[name] = matrix_options(checkpoint.tensors[name], _sample(inputs.pop(name)))
        except ArgumentError as error:
            raise ModelError(f"{checkpoint.source}: tensor {name!r}: {error}") from error
        checkpoint.release()
    report = PrecisionReport(budget, len(tokens), choose(options, budget))
    return replace(as_stored, formats=report.formats, report=report)


def matrix_options(stored: StoredTensor, rows: Rows) -> tuple[Option, ...]:
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
    formats = [f for f in NARROWER if format_named(f).bits < format_named(stored.format).bits]
    step = max(1, _PIECE // k)
    parts = [slice(first, first + step) for first in range(0, n, step)]
    inputs = quant.from_bf16(rows)
    with ThreadPoolExecutor(thread_count(None).count) as pool:
        squares = list(pool.map(lambda part: _squares(stored, part, formats, inputs), parts))
    reference, *differences = (fsum(column) for column in zip(*squares, strict=True))
    errors = [0.0, *(sqrt(d / reference) if reference else 0.0 for d in differences)]
    return tuple(
        Option(name, format_named(name).packed_bytes(n, k), error)
        for name, error in zip([stored.format, *formats], errors, strict=True)
    )


def choose(options: Options, error_budget: float) -> tuple[TensorChoice, ...]:
    """Narrow tensors as far as the budget allows, where it costs least error per byte first.

    Parameters
    ----------
    options
        Of each tensor, as stored first.
    error_budget
        What the root mean square of the errors of the chosen options may be.

    Returns
    -------
    tuple of TensorChoice
        Sorted by name. Steps are taken in one order whatever the budget is, and the first that
        does not fit is the end, so bytes fall as the budget rises.

    Examples
    --------
    >>> of = lambda error: (Option("bf16", 160, 0.0), Option("int8_g32", 85, error))
    >>> [tensor.choice.format for tensor in choose({"a": of(0.03), "b": of(0.01)}, 0.015)]
    ['bf16', 'int8_g32']
    """
    chosen = dict.fromkeys(sorted(options), 0)
    allowed = error_budget**2 * len(options)
    steps = sorted(step for name in chosen for step in _steps(name, options[name]))
    for step in steps:
        tried = chosen | {step.name: step.target}
        if fsum(options[name][index].error ** 2 for name, index in tried.items()) > allowed:
            break
        chosen = tried
    return tuple(TensorChoice(name, options[name], index) for name, index in chosen.items())


@dataclass(frozen=True, order=True)
class _Step:
    """Taking another option: its price in squared error per byte saved."""

    price: float
    name: str
    target: int


def _steps(name: str, options: Sequence[Option]) -> Iterator[_Step]:
    """The options that no mixture of others beats, at rising prices."""
    at = 0
    while at + 1 < len(options):
        here = options[at]
        price, target = min(
            ((there.error**2 - here.error**2) / (here.nbytes - there.nbytes), -index)
            for index, there in enumerate(options[at + 1 :], at + 1)
        )
        at = -target
        yield _Step(price, name, at)


def _sample(rows: Rows) -> Rows:
    return rows[:: -(-len(rows) // MEASURED_ROWS)]


def _squares(
    stored: StoredTensor, part: slice, formats: Sequence[str], inputs: NDArray[np.float32]
) -> list[float]:
    """Sums of squares over some outputs: of the product as stored, and of each difference."""
    weights = stored.read(part)
    floats = quant.dequantize(weights)
    exact = _product(inputs, weights)
    squares = [_sum_of_squares(exact)]
    for name in formats:
        squares.append(_sum_of_squares(_product(inputs, quant.quantize(floats, name)) - exact))
    return squares


def _product(inputs: NDArray[np.float32], weights: QuantizedTensor) -> NDArray[np.float32]:
    compute: Compute = "bf16" if weights.format in ("bf16", "f32") else "int8"
    packed = kernels.pack_weight(weights, threads=1)
    return kernels.qgemm(inputs, packed, compute=compute, threads=1)


def _sum_of_squares(values: NDArray[np.float32]) -> float:
    return float(np.square(values, dtype=np.float64).sum())


def _formats_as_stored(checkpoint: Checkpoint) -> dict[str, str]:
    embedding = checkpoint.tensors[EMBEDDING].format
    kept = "int8_g32" if embedding in ("int8_g32", "int4_g32") else "bf16"
    return {EMBEDDING: kept, **dense_formats(checkpoint)}


def _embedding_options(
    checkpoint: Checkpoint, as_stored: Recipe, tokens: Sequence[int]
) -> tuple[Option, ...]:
    """The formats of the embedding, with the error of the rows of ``tokens``."""
    stored = checkpoint.tensors[EMBEDDING]
    size = stored.shape[0] * stored.shape[1]
    if as_stored.formats[EMBEDDING] == "int8_g32":
        return (Option("int8_g32", size + size // BLOCK * 2, 0.0),)
    rows = np.concatenate([stored.floats(slice(t, t + 1)) for t in tokens])
    kept = quant.dequantize(quant.quantize(rows, "bf16"))
    difference = quant.dequantize(quant.quantize(rows, "int8")) - kept
    error = sqrt(_sum_of_squares(difference) / max(_sum_of_squares(kept), 1e-300))
    return (
        Option("bf16", 2 * size, 0.0),
        Option("int8_g32", size + size // BLOCK * 2, error),
    )
