"""Named values of JSON files and of GGUF metadata, fetched with checks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from pyhades.errors import ModelError
from pyhades.formats.pointer import refuse_pointer

MOST_LAYERS = 1024
"""More are a sign of damage: a table of them would fill the memory."""
_MOST = 2**31 - 1

Json = Mapping[str, Any]


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises
    ------
    ModelError
        The file is missing or is no JSON object.
    """
    refuse_pointer(path)
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        raise ModelError(
            f"{path}: {error.strerror}; a checkpoint needs this file beside its weights"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is no JSON: {error}; download it again") from None
    if not isinstance(values, dict):
        raise ModelError(f"{path} holds no JSON object; download it again")
    return values


class Settings:
    """Named values of a file, fetched with a check of their type.

    Parameters
    ----------
    values
        As read.
    source
        What to call the file in errors.
    prefix
        Of all names.
    """

    def __init__(self, values: Json, source: str, prefix: str = "") -> None:
        self.values = values
        self.source = source
        self.prefix = prefix

    def get(self, *names: str) -> Any:
        """The value of the first of these names that has one, or None."""
        found = (self.values.get(self.prefix + name) for name in names)
        return next((value for value in found if value is not None), None)

    def integer(self, *names: str, default: int | None = None, most: int = _MOST) -> int:
        """An integer from 1 to ``most``; ModelError where it is not, or missing without default."""
        value = self._required(names, default)
        is_integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not is_integer or not 1 <= value <= most:
            self.fail(f"{self.prefix}{names[0]} is {value!r}, not an integer from 1 to {most}")
        return int(value)

    def number(self, *names: str, default: float | None = None) -> float:
        """A positive number; ModelError where it is something else, or missing without default."""
        value = self._required(names, default)
        kinds = (int, float, np.integer, np.floating)
        if isinstance(value, bool) or not isinstance(value, kinds):
            self.fail(f"{self.prefix}{names[0]} is {value!r}, not a number")
        if not (0 < value < math.inf):
            self.fail(f"{self.prefix}{names[0]} is {value!r}, not a positive number")
        return float(value)

    def flag(self, *names: str, default: bool) -> bool:
        """True or false; ModelError where it is something else."""
        value = self._required(names, default)
        if not isinstance(value, bool):
            self.fail(f"{self.prefix}{names[0]} is {value!r}, not true or false")
        return value

    def token_ids(self, *names: str) -> list[int]:
        """A token id or several; none where the name has no value."""
        value = self.get(*names)
        value = value.tolist() if isinstance(value, np.ndarray) else value
        ids = value if isinstance(value, list) else [] if value is None else [value]
        if any(type(item) is not int or item < 0 for item in ids):
            self.fail(f"{self.prefix}{names[0]} is {value!r}, not token ids")
        return ids

    def text(self, *names: str, default: str) -> str:
        """A text; ModelError where it is something else."""
        value = self._required(names, default)
        if not isinstance(value, str):
            self.fail(f"{self.prefix}{names[0]} is {value!r}, not a text")
        return str(value)

    def fail(self, problem: str) -> NoReturn:
        """Raise a ModelError about the file."""
        raise ModelError(f"{self.source}: {problem}")

    def _required(self, names: Iterable[str], default: Any) -> Any:
        value = self.get(*names)
        if value is None and default is None:
            spelled = " or ".join(self.prefix + name for name in names)
            self.fail(f"{spelled} is missing; the checkpoint's own configuration has it")
        return default if value is None else value
