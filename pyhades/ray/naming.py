"""What results of a batch are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyhades.errors import ArgumentError
from pyhades.segmentation.bulk.sources.naming import inside


def check_suffixes(names: Sequence[Any], suffix: str) -> None:
    """ArgumentError where a name does not end as results do; a row may have none."""
    for name in names:
        if name is not None and not str(name).endswith(suffix):
            raise ArgumentError(f"suffix={suffix!r} is not that of {name!r}")


class Names:
    """Names of results below a destination, each for one picture.

    Only those of a batch are known: other batches are with other actors, and one that comes again
    after its machine was lost has to replace what it had written.

    Examples
    --------
    >>> names = Names()
    >>> names.take("cats/1.png", "/data/1.jpg"), names.take("/cats/1.png", "/data/1.jpg")
    ('cats/1.png', 'cats/1.png')
    """

    def __init__(self) -> None:
        self._taken: dict[str, Any] = {}

    def take(self, name: str | None, picture: Any) -> str:
        """The name of the result of a picture.

        Raises
        ------
        ArgumentError
            There is none, it leads out of the destination, or another picture has it.
        """
        if name is None:
            raise ArgumentError("this row has no name for a result")
        target = inside(name, what="the name of a result")
        other = self._taken.setdefault(target, picture)
        if other is not picture and not _is_same(other, picture):
            whose = f" of {other}" if isinstance(other, str) else ""
            raise ArgumentError(f"another result{whose} is called {target}")
        return target


def _is_same(one: Any, other: Any) -> bool:
    """Whatever else a column may hold has no one truth value, and is no picture."""
    return type(one) is type(other) and isinstance(one, str | memoryview) and bool(one == other)
