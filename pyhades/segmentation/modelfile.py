"""Whether a model's file is still the one that was loaded.

Files of models are mapped, so that weights are read when a program needs them. A file that is
replaced by another (written beside it, then renamed) stays mapped as it was. One that is written
over changes under the programs that are compiled later, and one that gets shorter ends the process.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pyhades.errors import ModelError

_Stamp = tuple[int, int, int, int]


@dataclass(frozen=True)
class ModelFile:
    """What a model was loaded from, as it was then.

    Attributes
    ----------
    label
        Its path, for messages.
    stamps
        Of the file and of what may lie beside it; of a model in memory there are none.
    """

    label: str
    stamps: tuple[tuple[str, _Stamp | None], ...]

    @classmethod
    def now(cls, model: str | os.PathLike[str] | bytes | None) -> ModelFile:
        """As it is at this moment; to be taken before the model is loaded.

        Examples
        --------
        >>> ModelFile.now("no such.onnx") == ModelFile.now("no such.onnx")
        True
        """
        if model is None or isinstance(model, bytes):
            return cls("the model", ())
        path = Path(model).expanduser().absolute()  # a name even where it is "."
        beside = [path.with_name(path.name + ending) for ending in (".json", ".data", "_data")]
        files = [path, *beside, path.with_suffix(".manifest.json"), path.with_suffix(".data")]
        return cls(str(path), tuple((str(file), _stamp(file)) for file in dict.fromkeys(files)))

    def check_same(self) -> None:
        """ModelError if there is another file by now, for those who would read that."""
        for name, before in self.stamps:
            if _stamp(Path(name)) != before:
                raise ModelError(
                    f"{name}: the model file was replaced since it was loaded; make a new remover"
                )

    def check_intact(self) -> None:
        """ModelError if the file that is mapped was written over."""
        for name, before in self.stamps:
            found = _stamp(Path(name))
            if before and found and found != before and found[:2] == before[:2]:
                raise ModelError(
                    f"{name}: the model file was written over while it is in use; make a new "
                    "remover, and replace files by renaming others"
                )


def _stamp(path: Path) -> _Stamp | None:
    """Device, number, time of change and size of a file; None where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
