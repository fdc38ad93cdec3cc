"""What an actor has to know, as the driver sends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyhades.ray.columns import CONTENT, WRITTEN, check_columns
from pyhades.ray.required import ray_module
from pyhades.segmentation.bulk.chain import Rendering
from pyhades.segmentation.remover import Remover


@dataclass(frozen=True)
class Recipe:
    """All that an actor has to know.

    Attributes
    ----------
    model
        As a remover takes it; or a reference to its bytes in Ray's object store.
    threads
        Of the remover.
    rendering
        What is made of a cut-out.
    column
        Of a dataset, that holds pictures: paths, URLs or bytes.
    prefix
        Of the names of columns that are added.
    keep
        Whether bytes of pictures stay in their rows.
    destination, target
        Where results are written, a folder or a URL, and the column of their names; None where they
        stay in their rows.
    remover
        What else the remover takes.
    """

    model: Any
    threads: int
    rendering: Rendering
    column: str = "path"
    prefix: str = ""
    keep: bool = False
    destination: str | None = None
    target: str = "target"
    remover: dict[str, Any] = field(default_factory=dict)

    @property
    def added(self) -> Any:
        """The columns that rows get."""
        return CONTENT if self.destination is None else WRITTEN

    def check(self, names: Sequence[str]) -> None:
        """ArgumentError where a dataset with these columns is not what it is for."""
        wanted = [self.column] if self.destination is None else [self.column, self.target]
        check_columns(names, wanted, self.prefix, self.added)

    def make_remover(self) -> Remover:
        """On this machine."""
        model = self.model
        if type(model).__name__ == "ObjectRef":
            model = ray_module().get(model)
        return Remover(model, threads=self.threads, **self.remover)
