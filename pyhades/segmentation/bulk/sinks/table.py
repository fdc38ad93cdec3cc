"""Results in Parquet files: kept in a journal, and a table once all are there."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from pyhades.segmentation.bulk.sinks.files import sync_folder
from pyhades.segmentation.bulk.sinks.parts import forget_parts, part_name, release
from pyhades.segmentation.bulk.sinks.place import Place
from pyhades.segmentation.bulk.sinks.tar import Shelf
from pyhades.segmentation.bulk.sinks.whole import put_in_place

Assemble = Callable[[Path, Mapping[int, str], Path], None]


class TableShelf(Shelf):
    """One table that is being made.

    A Parquet file that was cut off cannot be read: its directory stands at its end. Results are
    therefore collected in an archive, whose members are called after their rows, and which a later
    run goes on with. The table is made out of that at the end.

    Parameters
    ----------
    path, options
        See :class:`~pyhades.segmentation.bulk.sinks.tar.Shelf`.

    Attributes
    ----------
    reasons
        Why rows have no result, by their numbers.
    assemble
        Writes the table: from the archive, and the reasons, to a path.
    """

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(path, **options)
        self.reasons: dict[int, str] = {}
        self.assemble: Assemble | None = None
        self._may_be_there = False

    @classmethod
    def resumed(cls, path: Path, *, has_name: bool, **options: Any) -> Self:
        """Go on with what an earlier run has left.

        ``has_name``: there is a table of that name already. It is ours if its archive is there,
        too, which goes only after the table was noted.
        """
        shelf = cls(path, **options)
        shelf._take_up_part()
        forget_parts(path)
        shelf._may_be_there = has_name
        if has_name and shelf._part is None:
            shelf._give_up(FileExistsError(17, "File exists", str(path)))
        return shelf

    def _write(self, place: Place) -> None:
        if place.parts is None:
            self.reasons[int(place.name)] = place.reason
        super()._write(place)

    def _publish(self) -> None:
        assert self._part is not None and self.assemble is not None
        table = self._path.with_name(part_name())
        try:
            self.assemble(self._part, self.reasons, table)
            if self._sync != "none":
                with table.open("rb") as file:
                    os.fsync(file.fileno())
            self._name(table)
        finally:
            table.unlink(missing_ok=True)
            release(table.name)
        if self._sync == "full":
            sync_folder(self._path.parent)
        self._finished(self)
        self._part.unlink()
        release(self._part.name)

    def _name(self, table: Path) -> None:
        try:
            put_in_place(table, self._path, replace=self._replace)
        except FileExistsError:
            # Named by a run that was killed before it could say so?
            if not (self._may_be_there and filecmp.cmp(table, self._path, shallow=False)):
                raise
