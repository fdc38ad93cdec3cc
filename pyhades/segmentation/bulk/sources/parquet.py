"""Pictures in columns of Parquet files: bytes, or the records that Hugging Face's datasets make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.arrow import ROWS, parquet_module, picture_column
from pyhades.segmentation.bulk.picture import Picture, Stamp, broken, stamp_of
from pyhades.segmentation.bulk.sinks.rows import ResultTable
from pyhades.segmentation.bulk.sinks.table import TableShelf
from pyhades.segmentation.bulk.sources.naming import Taken, inside
from pyhades.segmentation.bulk.sources.tar import Desk

IDS = ("id", "key", "__key__", "path", "file_name", "filename")
"""Columns that name a picture, the first that there is."""


@dataclass(frozen=True)
class _Row:
    """One picture.

    Attributes
    ----------
    number
        From 0.
    given
        What the table calls it; None where it does not.
    data
        The content of an image file, if it is one.
    """

    number: int
    given: str | None
    data: Any

    def read(self) -> bytes:
        """The content; ArgumentError where there is none."""
        if not isinstance(self.data, bytes):
            raise ArgumentError("the row holds no bytes")
        return self.data

    @property
    def name(self) -> str:
        """What it is called below its table."""
        return f"{self.number:08d}" if self.given is None else inside(self.given, what="the id")


class Table:
    """Pictures of one Parquet file.

    Parameters
    ----------
    path
        Of the file.
    key
        What the manifest calls it.
    target
        The table of results; None for files in a folder of its name.
    suffix
        Of results.
    column
        That holds the content of image files; by default the only one of bytes.
    """

    def __init__(
        self, path: Path, key: str, target: str | None, suffix: str, column: str | None = None
    ) -> None:
        self.key = key
        self.path = path
        self.target = target
        self._suffix = suffix
        self._column = column
        self._stamp = Stamp()
        self._names = Taken()

    def pictures(self, desk: Desk) -> Iterator[Picture]:
        """Read it; ``desk`` says what is done already and where results go."""
        parquet = parquet_module()
        try:
            self._stamp = stamp_of(self.path)  # of all rows: nobody knows which have changed
            with parquet.ParquetFile(self.path, memory_map=False, pre_buffer=False) as file:
                column = picture_column(file.schema_arrow, self._column, self.path)
                if self.target is None:
                    for row in self._rows(file, column):
                        yield self._as_file(row)
                else:
                    yield from self._as_rows(file, column, self.target, desk)
        except ArgumentError:
            raise
        except Exception as error:  # of Arrow, which has many
            yield broken(self.key, error, str(self.path))

    def __len__(self) -> int:
        parquet = parquet_module()
        try:
            with parquet.ParquetFile(self.path) as file:
                return int(file.metadata.num_rows)
        except Exception:  # reading it says why, in place of one picture
            return 1

    @property
    def folder(self) -> str:
        """Where its results go as files."""
        return str(Path(self.key).with_suffix(""))

    def _rows(self, file: Any, column: str) -> Iterator[_Row]:
        names = file.schema_arrow.names
        name = next((name for name in IDS if name in names and name != column), None)
        columns = [column] if name is None else [column, name]
        number = 0
        for batch in file.iter_batches(batch_size=ROWS, columns=columns):
            ids: Sequence[Any] = [None] * len(batch)
            if name is not None:
                ids = batch.column(name).to_pylist()
            for value, given in zip(batch.column(column), ids, strict=True):
                yield _row(number, value.as_py(), given)
                number += 1

    # Results as files.

    def _as_file(self, row: _Row) -> Picture:
        try:
            name = row.name
        except ArgumentError as error:
            return broken(f"{self.key}/{row.number:08d}", error, self._shown(row))
        if not isinstance(row.data, bytes):
            return self._picture(name, row, "")
        stem = name.rpartition(".")[0] or name
        return self._picture(name, row, f"{self.folder}/{stem}{self._suffix}")

    def _picture(self, name: str, row: _Row, target: str) -> Picture:
        read: Callable[[], bytes] = row.read
        return Picture(
            f"{self.key}/{name}", target, read, self._shown(row), self._stamp, archive=self.key
        )

    def _shown(self, row: _Row) -> str:
        return f"{self.path}, row {row.number}"

    # Results as rows of another table.

    def _as_rows(self, file: Any, column: str, target: str, desk: Desk) -> Iterator[Picture]:
        shelf = desk.shelf(self.key, target, self._stamp, TableShelf)
        if shelf is None:
            return
        self._names = Taken()
        rows, damage = 0, ""
        try:
            for row in self._rows(file, column):
                if shelf.problem is not None:
                    return
                yield from self._member(row, target, desk, shelf)
                rows = row.number + 1
        except Exception as error:  # of Arrow, too
            damage = f"the table is damaged: {error}"
        shelf.assemble = ResultTable(self.path, column, self._suffix, rows).write
        shelf.end(damage)

    def _member(self, row: _Row, target: str, desk: Desk, shelf: TableShelf) -> Iterator[Picture]:
        picture = self._picture(self._own_name(row), row, target)
        if desk.is_settled(picture.key, self.key, self._stamp):
            shelf.reasons[row.number] = desk.reason(picture.key)
            return
        name = f"{row.number:08d}"
        crc32 = desk.checksum(picture.key, self._stamp)
        if crc32 is not None and shelf.has(name, crc32):
            desk.skip(self.key)
            return
        picture.place = shelf.place(name, 0)
        yield picture

    def _own_name(self, row: _Row) -> str:
        """Rows of one id are told apart by their numbers, as those are that have no usable one."""
        try:
            name = row.name
        except ArgumentError:
            name = f"{row.number:08d}"
        return name if self._names.take(name) else f"{name}#{row.number}"


def _row(number: int, value: Any, given: Any) -> _Row:
    data = value
    if isinstance(value, dict):
        data = value.get("bytes")
        given = value.get("path") if given is None else given
    return _Row(number, None if given is None else str(given), data)
