"""A Parquet file like another one, with results in place of its pictures."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pyhades.segmentation.bulk.arrow import ROWS, parquet_module

STATUS, REASON = "pyhades_status", "pyhades_reason"
"""Columns that say of every row whether it has a result, and why not."""
GROUP_BYTES = 64 << 20
"""Of results that are written together, as a row group."""
GROUP_ROWS = 4096


@dataclass(frozen=True)
class ResultTable:
    """What becomes of one Parquet file.

    Attributes
    ----------
    source
        The file whose rows are taken.
    column
        That holds its pictures.
    suffix
        Of results.
    rows
        How many are taken: of a damaged file those that could be read.
    """

    source: Path
    column: str
    suffix: str
    rows: int

    def write(self, journal: Path, reasons: Mapping[int, str], out: Path) -> None:
        """Write it.

        Parameters
        ----------
        journal
            A tar archive of results, called after the numbers of their rows.
        reasons
            Why others have none.
        out
            The file.
        """
        parquet = parquet_module()
        with (
            parquet.ParquetFile(self.source, memory_map=False, pre_buffer=False) as file,
            _Journal(journal) as results,
        ):
            schema = _with_status(file.schema_arrow)
            with parquet.ParquetWriter(out, schema, use_dictionary=False) as writer:
                batches = self._batches(file, schema, results, reasons)
                for group in _grouped(batches):
                    writer.write_table(_table(group, schema))

    def _batches(
        self, file: Any, schema: Any, results: _Journal, reasons: Mapping[int, str]
    ) -> Iterator[Any]:
        import pyarrow

        first = 0
        for batch in file.iter_batches(batch_size=ROWS):
            batch = batch.slice(0, self.rows - first)
            numbers = range(first, first + len(batch))
            first += len(batch)
            found = [results.take(number) for number in numbers]
            columns = {name: batch.column(name) for name in batch.schema.names}
            columns[self.column] = self._results(found, batch.column(self.column))
            columns[STATUS] = pyarrow.array(["failed" if r is None else "done" for r in found])
            columns[REASON] = pyarrow.array([reasons.get(number, "") for number in numbers])
            yield pyarrow.RecordBatch.from_arrays(
                [columns[name] for name in schema.names], schema=schema
            )
            if first >= self.rows:
                return

    def _results(self, found: list[bytes | None], before: Any) -> Any:
        """As pictures were: bytes, or records with bytes and a path."""
        import pyarrow

        values: list[Any] = list(found)
        if pyarrow.types.is_struct(before.type):
            values = [
                None if data is None else self._record(data, record.as_py())
                for data, record in zip(found, before, strict=True)
            ]
        return pyarrow.array(values, before.type)

    def _record(self, data: bytes, before: dict[str, Any]) -> dict[str, Any]:
        record = {**before, "bytes": data}
        if record.get("path"):
            record["path"] = str(PurePosixPath(record["path"]).with_suffix(self.suffix))
        return record


class _Journal:
    """Results of an archive, in the order of their rows."""

    def __init__(self, path: Path) -> None:
        self._archive = tarfile.open(path, "r:")  # noqa: SIM115
        self._next = self._archive.next()

    def take(self, number: int) -> bytes | None:
        """The result of a row; None where it has none."""
        if self._next is None or int(self._next.name) != number:
            return None
        file = self._archive.extractfile(self._next)
        assert file is not None  # nothing but files is put there
        data = file.read()
        self._archive.members.clear()  # type: ignore[attr-defined]  # it would remember every one
        self._next = self._archive.next()
        return data

    def __enter__(self) -> _Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self._archive.close()


def _with_status(schema: Any) -> Any:
    """Every row says what became of it; results of rows that failed are null."""
    import pyarrow

    kept = [field.with_nullable(True) for field in schema if field.name not in (STATUS, REASON)]
    added = [pyarrow.field(name, pyarrow.string()) for name in (STATUS, REASON)]
    return pyarrow.schema([*kept, *added], metadata=_told_of(schema.metadata or {}))


def _told_of(metadata: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Hugging Face's datasets keep a list of columns, and refuse files with others."""
    if b"huggingface" not in metadata:
        return metadata
    facts = json.loads(metadata[b"huggingface"])
    features = facts.get("info", {}).get("features")
    if features is not None:
        features |= {name: {"dtype": "string", "_type": "Value"} for name in (STATUS, REASON)}
    return {**metadata, b"huggingface": json.dumps(facts).encode()}


def _grouped(batches: Iterator[Any]) -> Iterator[list[Any]]:
    """As many as make a row group."""
    group: list[Any] = []
    for batch in batches:
        group.append(batch)
        if sum(map(len, group)) >= GROUP_ROWS or sum(b.nbytes for b in group) >= GROUP_BYTES:
            yield group
            group = []
    if group:
        yield group


def _table(batches: list[Any], schema: Any) -> Any:
    import pyarrow

    return pyarrow.Table.from_batches(batches, schema)
