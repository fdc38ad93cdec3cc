"""Blocks of rows as a source of Ray's, which are tables that the driver has."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata


class Blocks(Datasource):  # type: ignore[misc]  # Ray's types are not looked at
    """A task for each table.

    Parameters
    ----------
    tables
        Blocks as they are to be.
    """

    def __init__(self, tables: Sequence[pa.Table]) -> None:
        super().__init__()
        self._tables = tables

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """One for each block, however many Ray would like."""
        return [
            ReadTask(
                functools.partial(_only, table),
                BlockMetadata(table.num_rows, table.nbytes, exec_stats=None),
                schema=table.schema,
                per_task_row_limit=per_task_row_limit,
            )
            for table in self._tables
        ]

    def estimate_inmemory_data_size(self) -> int:
        """In bytes."""
        return sum(table.nbytes for table in self._tables)


def _only(table: pa.Table) -> list[pa.Table]:
    return [table]
