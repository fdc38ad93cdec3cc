"""What ``precision="auto"`` chose, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pyhades.quant import FormatName, format_named
from pyhades.tables import as_html, as_table


@dataclass(frozen=True)
class Option:
    """A format that a tensor could be kept in.

    Attributes
    ----------
    format
        Name of the format.
    nbytes
        Of the tensor, packed.
    error
        Of its output on the calibration tokens, relative to the output of the tensor as stored:
        root mean square of the difference over root mean square of the output.
    """

    format: FormatName
    nbytes: int
    error: float

    def __post_init__(self) -> None:
        format_named(self.format)


@dataclass(frozen=True)
class TensorChoice:
    """The options of a tensor, the first of which is as it is stored, and the chosen one."""

    name: str
    options: tuple[Option, ...]
    chosen: int

    @property
    def choice(self) -> Option:
        """The option that was chosen."""
        return self.options[self.chosen]


@dataclass(frozen=True)
class PrecisionReport:
    """Choices for the tensors of a model; prints as a table.

    Attributes
    ----------
    error_budget
        What :attr:`error` may be.
    calibration_tokens
        How many tokens the errors were measured on.
    tensors
        One choice per tensor; experts in MXFP4 stay and are not among them.
    """

    error_budget: float
    calibration_tokens: int
    tensors: tuple[TensorChoice, ...]

    @property
    def error(self) -> float:
        """Root mean square of the relative errors of all tensors."""
        return root_mean_square([tensor.choice.error for tensor in self.tensors])

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors as chosen."""
        return sum(tensor.choice.nbytes for tensor in self.tensors)

    @property
    def stored_nbytes(self) -> int:
        """Bytes of the tensors as stored."""
        return sum(tensor.options[0].nbytes for tensor in self.tensors)

    @property
    def formats(self) -> dict[str, FormatName]:
        """Name of a tensor to its format."""
        return {tensor.name: tensor.choice.format for tensor in self.tensors}

    def to_json(self) -> str:
        """For the metadata of a packed file."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> PrecisionReport:
        """What :meth:`to_json` wrote.

        Raises
        ------
        ValueError
            It is something else.
        """
        try:
            values: Mapping[str, Any] = json.loads(text)
            tensors = tuple(_choice(**tensor) for tensor in values["tensors"])
            budget, tokens = float(values["error_budget"]), int(values["calibration_tokens"])
            return cls(budget, tokens, tensors)
        except (KeyError, TypeError, IndexError) as error:
            raise ValueError(f"no report of choices: {error}") from error

    def __str__(self) -> str:
        return (
            f"{len(self.tensors)} tensors, {self.stored_nbytes / 1e6:.2f} MB as stored, "
            f"{self.nbytes / 1e6:.2f} MB as chosen; error {self.error:.4f} of at most "
            f"{self.error_budget:g}, measured on {self.calibration_tokens} tokens\n"
            f"{as_table(self._rows(), right=(2, 3, 4, 5))}"
        )

    def _repr_html_(self) -> str:
        return as_html(self._rows())

    def _rows(self) -> list[list[str]]:
        rows = [["tensor", "format", "MB", "error", "error int8", "error int4"]]
        for tensor in self.tensors:
            errors = {option.format: f"{option.error:.4f}" for option in tensor.options}
            chosen = tensor.choice
            rows.append(
                [tensor.name, chosen.format, f"{chosen.nbytes / 1e6:.3f}", f"{chosen.error:.4f}",
                 errors.get("int8_g32", ""), errors.get("int4_g32", "")]
            )  # fmt: skip
        return rows


def root_mean_square(errors: Sequence[float]) -> float:
    """Of relative errors; 0 if there are none."""
    squares = sum(error * error for error in errors)
    return float((squares / max(len(errors), 1)) ** 0.5)


def _choice(name: str, options: Sequence[Mapping[str, Any]], chosen: int) -> TensorChoice:
    choice = TensorChoice(str(name), tuple(Option(**option) for option in options), int(chosen))
    if not 0 <= choice.chosen < len(choice.options):
        raise IndexError(f"option {chosen} of {name}")
    return choice
