"""Every exception that pyhades raises on purpose.

All of them derive from :class:`PyhadesError`, and each also derives from the built-in exception
that a caller would expect, so that ``except ValueError`` works in code that does not know us.
"""

from __future__ import annotations

from typing import Self


class PyhadesError(Exception):
    """Base class of all exceptions raised by pyhades."""


class ArgumentError(PyhadesError, ValueError):
    """An argument has a value, shape or dtype that the function does not accept."""


class ArgumentTypeError(PyhadesError, TypeError):
    """An argument has a type that the function does not accept."""


class ConfigurationError(PyhadesError, RuntimeError):
    """An environment variable or option asks for something that this machine does not have."""


class ModelError(PyhadesError, ValueError):
    """A model file is malformed, truncated or contradicts itself."""


class UnsupportedOperatorError(ModelError, NotImplementedError):
    """A model uses an operator, or an option of one, that pyhades does not implement."""


class ShapeError(ModelError):
    """Shapes or dtypes inside a graph, or of a value fed to it, do not fit together."""


class ImageError(PyhadesError, ValueError):
    """An image cannot be read, is too large, or has a mode that cannot be interpreted."""


class SeveralFramesError(ImageError):
    """A file has several frames or pages, where one picture was expected."""


class ImageFileError(ImageError, OSError):
    """The file of an image cannot be read."""

    @classmethod
    def of(cls, message: str, cause: OSError) -> Self:
        """With the number and the file of what the system said."""
        error = cls(message)
        error.errno, error.strerror, error.filename = cause.errno, cause.strerror, cause.filename
        return error

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class MissingImageError(ImageFileError, FileNotFoundError):
    """There is no such file."""


class DownloadError(PyhadesError, OSError):
    """A file could not be fetched, or what came is not the file that was asked for."""


class CancelledError(PyhadesError, RuntimeError):
    """A running program was cancelled."""


class ClosedError(PyhadesError, RuntimeError):
    """An object was used after its ``close()``."""


class EngineError(PyhadesError, RuntimeError):
    """An engine failed, gave what is no prediction, or did not answer in time."""


class CapacityError(PyhadesError, RuntimeError):
    """More tokens or sequences than there is room for."""
