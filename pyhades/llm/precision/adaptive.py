"""``precision="auto"``: each tensor in the format whose measured error is worth its bytes.

The model is run once with its dense tensors as they are stored, and what enters them is kept. Each
tensor is then multiplied with it piece by piece, as stored and in every narrower format, by the
kernels that will do so later. Formats are narrowed in the order of error per byte that is saved,
until the next would exceed the budget: a larger budget never gives a larger model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum, isfinite
from numbers import Real
from typing import Any

from tqdm import tqdm

from pyhades.errors import ArgumentError, ArgumentTypeError, ModelError
from pyhades.llm.engine.request import checked_tokens
from pyhades.llm.models import Checkpoint
from pyhades.llm.models.outline import EMBEDDING
from pyhades.llm.models.weights import ModelWeights
from pyhades.llm.precision.calibration import Captured, calibration_tokens, capture, dense_labels
from pyhades.llm.precision.measuring import (
    Options,
    embedding_options,
    expert_options,
    matrix_options,
)
from pyhades.llm.precision.recipe import AUTO, Recipe
from pyhades.llm.precision.report import PrecisionReport, TensorChoice
from pyhades.quant import FormatName

DEFAULT_ERROR_BUDGET = 0.05
"""About half of what four bits cost in every tensor."""
MEASURED_ROWS = 128
"""Of the calibration tokens, evenly spaced: errors hardly change with more."""

Pack = Callable[[Recipe], ModelWeights[Any]]


def adapt(
    checkpoint: Checkpoint,
    pack: Pack,
    error_budget: float | None = None,
    calibration: Sequence[int] | None = None,
    *,
    progress: bool = True,
) -> Recipe:
    """Choose formats for the tensors of a checkpoint; experts in MXFP4 stay.

    Parameters
    ----------
    checkpoint
        What is packed.
    pack
        Packs it by a recipe, for one run of the model.
    error_budget
        What the root mean square of the relative errors of all these tensors may be; 0.05 if None.
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
    if not isinstance(budget, Real) or isinstance(budget, bool):
        raise ArgumentTypeError(f"error_budget={budget!r} is not a number")
    if not (isfinite(budget) and budget >= 0):
        raise ArgumentError(f"error_budget={budget}: expected a number from 0 on")
    if calibration is None:
        tokens = calibration_tokens(checkpoint)
    else:
        tokens = list(checked_tokens(calibration, "calibration", checkpoint.config.vocab_size))
    as_stored = Recipe(AUTO, "q8", "int8_g32", _dense_as_stored(checkpoint))
    captured = capture(checkpoint.config, pack(as_stored), tokens)
    kept = as_stored.formats[EMBEDDING]
    options = {EMBEDDING: embedding_options(checkpoint.tensors[EMBEDDING], kept, tokens)}
    hidden = None if progress else True
    for name in tqdm(_measured_together(checkpoint), "measuring", leave=False, disable=hidden):
        try:
            options |= _options(checkpoint, name, captured)
        except ArgumentError as error:
            raise ModelError(f"{checkpoint.source}: tensor {name!r}: {error}") from error
        checkpoint.release()
    report = PrecisionReport(budget, len(tokens), choose(options, budget))
    return replace(as_stored, formats=report.formats, report=report)


def choose(options: Mapping[str, Options], error_budget: float) -> tuple[TensorChoice, ...]:
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
    >>> from pyhades.llm.precision.report import Option
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


def _steps(name: str, options: Options) -> Iterator[_Step]:
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


def _dense_as_stored(checkpoint: Checkpoint) -> dict[str, FormatName]:
    embedding = checkpoint.tensors[EMBEDDING].format
    kept: FormatName = "int8_g32" if embedding in ("int8_g32", "int4_g32") else "bf16"
    names = dense_labels(checkpoint.config)
    return {EMBEDDING: kept, **{name: checkpoint.tensors[name].format for name in names}}


def _measured_together(checkpoint: Checkpoint) -> list[str]:
    """The dense matrices, and ``gate_up`` of experts that are not in MXFP4."""
    layers = range(checkpoint.config.num_hidden_layers)
    experts = [f"layers.{index}.gate_up.weight" for index in layers]
    wide = [name for name in experts if checkpoint.tensors[name].format != "mxfp4"]
    return [*dense_labels(checkpoint.config), *wide]


def _options(checkpoint: Checkpoint, name: str, captured: Captured) -> dict[str, Options]:
    """The options of a matrix; with ``gate_up`` also those of ``down``."""
    tensors, rows = checkpoint.tensors, captured.rows.pop(name)
    some = slice(None, None, -(-len(rows) // MEASURED_ROWS))
    layer, of_experts, _ = name.partition(".gate_up")
    if not of_experts:
        return {name: matrix_options(tensors[name], rows[some])}
    down = f"{layer}.down.weight"
    stored = tensors.get(f"{layer}.gate_up.bias")
    bias = None if stored is None else stored.floats()
    chosen = captured.chosen[int(layer.removeprefix("layers."))][some]
    pair = expert_options(tensors[name], bias, tensors[down], rows[some], chosen, checkpoint.config)
    return dict(zip((name, down), pair, strict=True))
