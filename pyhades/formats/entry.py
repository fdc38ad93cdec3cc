"""One tensor of a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyhades.errors import ModelError


@dataclass(frozen=True, eq=False)
class TensorEntry:
    """A tensor where it lies in a mapped file.

    Attributes
    ----------
    name
        In the file.
    file
        Where it is.
    dtype
        As the container calls it in capitals: ``"F32"``, ``"BF16"``, ``"U8"``, ``"Q8_0"``, ...
    shape
        Of the elements, slowest axis first.
    data
        uint8, one axis: the bytes, read-only and possibly unaligned.
    """

    name: str
    file: Path
    dtype: str
    shape: tuple[int, ...]
    data: NDArray[np.uint8]

    def __str__(self) -> str:
        return f"{self.file}: tensor {self.name!r}"


def check_apart(file: Path, places: Iterable[tuple[str, int, int]]) -> None:
    """ModelError where two of the tensors, given as (name, begin, end), share bytes."""
    last_name, last_end = "", 0
    for name, begin, end in sorted(places, key=lambda place: place[1:]):
        if end > begin < last_end:
            raise ModelError(
                f"{file}: the bytes of tensor {name!r} overlap those of {last_name!r}; the file is "
                "damaged; download or convert it again"
            )
        if end >= last_end:
            last_name, last_end = name, end
