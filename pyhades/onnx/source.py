"""Where a model may come from: a path, bytes, an open file, an object of the onnx package."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, runtime_checkable

from pyhades.errors import ArgumentTypeError, ModelError
from pyhades.onnx import strangers
from pyhades.onnx.external import map_file


@runtime_checkable
class Serializable(Protocol):
    """A message of Google's protocol buffers, ``onnx.ModelProto`` above all."""

    def SerializeToString(self) -> bytes:
        """The bytes that would be in the file."""


ModelSource = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Serializable
"""What :func:`pyhades.load_onnx` takes."""


@dataclass(frozen=True)
class OpenedModel:
    """The bytes of a model and where they are from."""

    data: memoryview
    label: str
    """What to call it in errors."""
    path: Path | None
    """None where it is not from a file that has one."""

    def failure(self, error: ModelError) -> ModelError:
        """``error``, or a better one where the bytes are a well-known other thing."""
        what = strangers.stranger(self.data)
        return error if what is None else ModelError(f"{self.label}: this is {what}")


def open_model(model: ModelSource) -> OpenedModel:
    """Map a file, or take the bytes of anything else.

    Raises
    ------
    ModelError
        The file cannot be read.
    ArgumentTypeError
        ``model`` is none of the types that it may be.
    """
    if isinstance(model, str | os.PathLike):
        path = expanded(model)
        if path.is_dir():
            raise ModelError(f"{path}: this is {strangers.folder(path)}")
        return OpenedModel(map_file(path), str(path), path)
    return OpenedModel(memoryview(model_bytes(model)).cast("B"), "<bytes>", None)


def expanded(path: str | os.PathLike[str]) -> Path:
    """``path`` with a leading ``~`` replaced; ArgumentTypeError for a path of bytes."""
    text = os.fspath(path)
    if not isinstance(text, str):
        raise ArgumentTypeError(f"a path is text, not {type(text).__name__}")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ModelError(f"{text}: {error}") from None


def model_bytes(
    model: bytes | bytearray | memoryview | IO[bytes] | Serializable,
) -> bytes | bytearray | memoryview:
    """The bytes of a model that is not given by its path."""
    data: object = model
    if isinstance(model, Serializable):
        data = model.SerializeToString()
    elif hasattr(model, "read"):
        data = model.read()
        if isinstance(data, str):
            raise ArgumentTypeError("model is a file that was opened as text; open it with 'rb'")
    if isinstance(data, memoryview) and not data.c_contiguous:
        data = data.tobytes()
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ArgumentTypeError(
            "model must be a path, bytes, a binary file or an onnx.ModelProto, not "
            f"{type(model).__name__}"
        )
    return data
