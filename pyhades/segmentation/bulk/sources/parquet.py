"""Pictures in columns of Parquet files: bytes, or the records that Hugging Face's datasets make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pyhades.errors import ArgumentError, ConfigurationError
from pyhades.segmentation.bulk.picture import Picture, Stamp, broken, stamp_of
from pyhades.segmentation.bulk.sources.naming import inside

ROWS = 16
"""That are read at a time."""
IDS = ("id", "key", "__key__", "path", "file_name", "filename")
"""Columns that name a picture, the first that there is."""


class Table:
    """Pictures of one Parquet file.

    Parameters
    ----------
    path
        Of the file.
    key
        What the manifest calls it.
    suffix
        Of results.
    column
        That holds the content of image files; by default the only one of bytes.
    """

    def __init__(self, path: Path, key: str, suffix: str, column: str | None = None) -> None:
        self.key = key
        self._path = path
        self._suffix = suffix
        self._column = column
        self._stamp = Stamp()

    def __iter__(self) -> Iterator[Picture]:
        parquet = _pyarrow()
        try:
            self._stamp = stamp_of(self._path)  # of all rows: nobody knows which have changed
            with parquet.ParquetFile(self._path, memory_map=False, pre_buffer=False) as file:
                yield from self._rows(file)
        except ArgumentError:
            raise
        except Exception as error:  # of Arrow, which has many
            yield broken(self.key, error, str(self._path))

    def __len__(self) -> int:
        return int(_pyarrow().ParquetFile(self._path).metadata.num_rows)

    def _rows(self, file: Any) -> Iterator[Picture]:
        schema = file.schema_arrow
        column = self._column or _only_bytes(schema, self._path)
        if column not in schema.names:
            raise ArgumentError(f"{self._path} has no column {column!r}, but {schema.names}")
        name = next((name for name in IDS if name in schema.names and name != column), None)
        number = 0
        columns = [column] if name is None else [column, name]
        for batch in file.iter_batches(batch_size=ROWS, columns=columns):
            names: Sequence[Any] = [None] * len(batch)
            if name is not None:
                names = batch.column(name).to_pylist()
            for value, given in zip(batch.column(column), names, strict=True):
                yield self._picture(value.as_py(), given, number)
                number += 1

    def _picture(self, value: Any, given: Any, number: int) -> Picture:
        data = value.get("bytes") if isinstance(value, dict) else value
        if given is None and isinstance(value, dict):
            given = value.get("path")
        shown = f"{self._path}, row {number}"
        folder = str(Path(self.key).with_suffix(""))
        try:
            name = f"{number:08d}" if given is None else inside(str(given), what="the id")
        except ArgumentError as error:
            return broken(f"{self.key}/{number:08d}", error, shown)
        key = f"{self.key}/{name}"
        if not isinstance(data, bytes):
            return broken(key, ArgumentError("the row holds no bytes"), shown)
        stem = name.rpartition(".")[0] or name
        target = f"{folder}/{stem}{self._suffix}"
        return Picture(key, target, lambda: data, shown, self._stamp)


def _only_bytes(schema: Any, path: Path) -> str:
    found = [field.name for field in schema if _holds_bytes(field.type)]
    if len(found) != 1:
        what = "none" if not found else ", ".join(found)
        raise ArgumentError(
            f"{path}: columns that hold image files: {what}; name one with column= (--column)"
        )
    return str(found[0])


def _holds_bytes(kind: Any) -> bool:
    types = _arrow_types()
    if types.is_struct(kind):
        return any(f.name == "bytes" and _holds_bytes(f.type) for f in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _pyarrow() -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigurationError(
            "Parquet files need pyarrow: pip install 'pyhades[bulk]'"
        ) from error
    return parquet


def _arrow_types() -> Any:
    from pyarrow import types

    return types
