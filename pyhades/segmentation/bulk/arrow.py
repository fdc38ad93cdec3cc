"""Parquet by Arrow, which is an extra, and what of its columns may hold pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyhades.errors import ArgumentError, ConfigurationError

ROWS = 16
"""That are read at a time."""


def parquet_module() -> Any:
    """``pyarrow.parquet``.

    Raises
    ------
    ConfigurationError
        It is not installed.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigurationError(
            "Parquet files need pyarrow: pip install 'pyhades[bulk]'"
        ) from error
    return parquet


def picture_column(schema: Any, given: str | None, path: Path) -> str:
    """The column that holds image files: the one that was named, or the only one of bytes.

    Raises
    ------
    ArgumentError
        There is none, or there are several.
    """
    if given is not None:
        if given not in schema.names:
            raise ArgumentError(f"{path} has no column {given!r}, but {schema.names}")
        return given
    found = [field.name for field in schema if _holds_bytes(field.type)]
    if len(found) != 1:
        what = "none" if not found else ", ".join(found)
        raise ArgumentError(
            f"{path}: columns that hold image files: {what}; name one with column= (--column)"
        )
    return str(found[0])


def _holds_bytes(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):  # as Hugging Face's datasets have it
        return any(field.name == "bytes" and _holds_bytes(field.type) for field in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))
