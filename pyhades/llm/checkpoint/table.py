"""The tensors of a checkpoint's files, taken out by name until none is left."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from pyhades.errors import ModelError
from pyhades.formats import TensorEntry
from pyhades.llm.checkpoint.stored import PLAIN_DTYPES, Mxfp4Tensor, PlainTensor
from pyhades.quant import BLOCK

Shape = tuple[int, ...]


class TensorTable:
    """Finds tensors and checks their shape and type.

    Parameters
    ----------
    source
        The checkpoint, for errors.
    entries
        Of all its files.
    known_as
        The name under which a tensor is asked for, by its name in the file.

    Raises
    ------
    ModelError
        A name comes twice; also from the methods, which name file, tensor and remedy.
    """

    def __init__(
        self, source: Path, entries: Iterable[TensorEntry], known_as: Callable[[str], str] = str
    ) -> None:
        self.source = source
        self._entries: dict[str, TensorEntry] = {}
        for entry in entries:
            name = known_as(entry.name)
            if name in self._entries:
                raise ModelError(
                    f"{entry} is also in {self._entries[name].file}; keep the files of one "
                    "checkpoint only in a folder"
                )
            self._entries[name] = entry
        self._left = set(self._entries)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def entry(self, name: str, shape: Shape, dtypes: Collection[str]) -> TensorEntry:
        """The tensor called ``name``; it must have this shape and one of these types."""
        entry = self._entries.get(name)
        if entry is None:
            near = difflib.get_close_matches(name, sorted(self._left), 1)
            hint = f" ({near[0]!r} is there)" if near else ""
            raise ModelError(
                f"{self.source}: tensor {name!r} is missing{hint}; the checkpoint is incomplete or "
                "of another model; download it again"
            )
        if entry.shape != shape:
            raise ModelError(
                f"{entry} has the shape {list(entry.shape)}, the configuration asks for "
                f"{list(shape)}; configuration and weights do not belong together"
            )
        if entry.dtype not in dtypes:
            raise ModelError(
                f"{entry} is stored as {entry.dtype}; here pyhades reads {', '.join(dtypes)}"
            )
        self._left.discard(name)
        return entry

    def plain(self, name: str, shape: Shape) -> PlainTensor:
        """A tensor of float32, float16 or bfloat16."""
        return PlainTensor(self.entry(name, shape, PLAIN_DTYPES))

    def transposed(self, name: str, shape: Shape) -> PlainTensor:
        """A tensor of this shape whose last two axes are the other way round in the file."""
        *stack, n, k = shape
        return PlainTensor(self.entry(name, (*stack, k, n), PLAIN_DTYPES), is_transposed=True)

    def mxfp4(self, blocks: str, scales: str, shape: Shape) -> Mxfp4Tensor:
        """A stack of matrices in MXFP4."""
        *stack, k = shape
        count = (*stack, k // BLOCK)
        return Mxfp4Tensor(
            self.entry(blocks, (*count, BLOCK // 2), ("U8",)), self.entry(scales, count, ("U8",))
        )

    def finish(self, ignored: str = "$^") -> None:
        """ModelError where tensors are left whose names do not match the pattern ``ignored``."""
        extra = sorted(name for name in self._left if not re.search(ignored, name))
        if extra:
            more = f" and {len(extra) - 1} more" if len(extra) > 1 else ""
            raise ModelError(
                f"{self._entries[extra[0]]} is not part of a model of this configuration"
                f"{more}; configuration and weights do not belong together"
            )
