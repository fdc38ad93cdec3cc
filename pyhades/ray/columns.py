"""Columns of a batch: the one that pictures are read from, and those that are added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pyhades.errors import ArgumentError, ImageError
from pyhades.segmentation.bulk.chain import Rendered

_ALWAYS = (
    pa.field("height", pa.int32()),
    pa.field("width", pa.int32()),
    pa.field("foreground", pa.float64()),
    pa.field("doubt", pa.string()),
    pa.field("engine", pa.string()),
    pa.field("seconds", pa.float64()),
    pa.field("error", pa.string()),
)
CONTENT = pa.schema([pa.field("result", pa.binary()), *_ALWAYS])
"""What is added to a row, in this order. All but the last two are null where it failed."""
WRITTEN = pa.schema([pa.field("output", pa.string()), *_ALWAYS])
"""The same where results were written: where they are, and not what they are."""

_TEXT = {"string", "large_string", "string_view", "null"}
"""Types of columns that name pictures; one of nothing but nulls may be any, and takes no room."""


@dataclass(frozen=True)
class Outcome:
    """What became of a row.

    Attributes
    ----------
    rendered
        None where it failed.
    seconds
        From reading it until its result was encoded, and written.
    error
        Why it failed; empty where it did not.
    output
        Where its result was written, if it was.
    """

    rendered: Rendered | None
    seconds: float
    error: str = ""
    output: str | None = None

    def by_name(self, added: pa.Schema = CONTENT) -> dict[str, Any]:
        """A value for each of what is added."""
        told = dict.fromkeys(added.names) | {"seconds": self.seconds, "error": self.error}
        done = self.rendered
        if done is None:
            return told
        height, width = done.size
        result = {"result": done.data} if "result" in told else {"output": self.output}
        return told | result | {
            "height": height, "width": width, "foreground": done.foreground, "doubt": done.doubt,
            "engine": done.engine,
        }  # fmt: skip


def check_columns(names: Sequence[str], wanted: Sequence[str], prefix: str, added: Any) -> None:
    """Columns that are asked for are among those of a dataset, and those that are added are not.

    Raises
    ------
    ArgumentError
        One is not, or one is.
    """
    for column in wanted:
        if column not in names:
            raise ArgumentError(f"column {column!r} is none of {', '.join(map(repr, names))}")
    clashing = [f"{prefix}{name}" for name in added.names if f"{prefix}{name}" in names]
    if clashing:
        raise ArgumentError(
            f"the dataset has columns {', '.join(map(repr, clashing))}; prefix= gives those that "
            "are added other names"
        )


def pictures_of(batch: Any, column: str) -> Iterator[Any]:
    """The picture of each row, without copying it: text, a view of bytes, or None.

    Records of Hugging Face's datasets, of ``bytes`` and ``path``, are what they hold.
    """
    for value in batch.column(column):
        yield _picture(value)


def with_outcomes(
    batch: Any, outcomes: Sequence[Outcome], prefix: str, added: Any = CONTENT
) -> Any:
    """A batch with what became of its rows."""
    rows = [outcome.by_name(added) for outcome in outcomes]
    for field in added:
        array = pa.array([row[field.name] for row in rows], field.type)
        batch = batch.append_column(f"{prefix}{field.name}", array)
    return batch


def without_content(batch: Any, column: str) -> Any:
    """A batch without the column of pictures, if that holds more than their names."""
    names_them = _is_text(batch.schema.field(column).type)
    return batch if names_them else batch.drop_columns([column])


def _is_text(kind: Any) -> bool:
    return str(kind.value_type if pa.types.is_dictionary(kind) else kind) in _TEXT


def checked_picture(value: Any) -> Any:
    """What can be a picture.

    Raises
    ------
    ImageError
        There is none in this row, or it is something else.
    """
    if value is None:
        raise ImageError("this row has no picture")
    if not isinstance(value, str | bytes | bytearray | memoryview):
        raise ImageError(f"a picture is a path, a URL or bytes, and not {type(value).__name__}")
    return value


def _picture(value: Any) -> Any:
    """Of one row, an Arrow scalar."""
    if not value.is_valid:
        return None
    if isinstance(value, pa.StructScalar):
        return next((found for key in ("bytes", "path") if (found := _held(value, key))), None)
    if isinstance(value, pa.BinaryScalar) and not isinstance(value, pa.StringScalar):
        return memoryview(value.as_buffer())
    return value.as_py()


def _held(record: Any, key: str) -> Any:
    names = [record.type.field(place).name for place in range(record.type.num_fields)]
    return _picture(record[key]) if key in names else None
