"""What an actor of Ray does with a batch: one remover, which cuts picture after picture out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyhades.errors import ArgumentError, ImageError, PyhadesError
from pyhades.ray.columns import (
    CONTENT,
    WRITTEN,
    Outcome,
    check_columns,
    checked_picture,
    pictures_of,
    with_outcomes,
    without_content,
)
from pyhades.ray.required import ray_module
from pyhades.segmentation.buffers import KeptBuffers
from pyhades.segmentation.bulk.beginning import sink_of
from pyhades.segmentation.bulk.chain import Cutting, Decoding, Encoding, Rendered, Rendering, Whole
from pyhades.segmentation.bulk.review import doubt_about
from pyhades.segmentation.bulk.sources.naming import inside
from pyhades.segmentation.bulk.sources.urls import is_url, reach
from pyhades.segmentation.clock import Clock
from pyhades.segmentation.remover import Remover


@dataclass(frozen=True)
class Recipe:
    """All that an actor has to know, as the driver sends it.

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


class Cutter:
    """Cuts out the pictures of batches, one after the other.

    It is made once for each actor, with a remover whose weights are packed once and whose memory is
    used again from picture to picture.

    Parameters
    ----------
    recipe
        What is to be done.

    Attributes
    ----------
    remover
        What it works with.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self.remover = recipe.make_remover()
        self._clock, self._buffers = Clock(), KeptBuffers()
        where = recipe.destination
        self._sink = None if where is None else sink_of(where, "file")[0]
        self._session = self.remover.session(buffers=self._buffers, clock=self._clock)

    def __call__(self, batch: Any) -> Any:
        """A ``pyarrow.Table`` with what became of its rows; a picture that fails costs its row."""
        recipe = self._recipe
        recipe.check(batch.column_names)
        pictures = pictures_of(batch, recipe.column)
        outcomes = list(map(self._outcome, pictures, self._targets(batch)))
        if not recipe.keep:
            batch = without_content(batch, recipe.column)
        return with_outcomes(batch, outcomes, recipe.prefix, recipe.added)

    def cut(self, picture: Any, rendering: Rendering | None = None) -> Rendered:
        """A picture as a file: from a path, a URL or bytes.

        Parameters
        ----------
        picture
            It.
        rendering
            What is made of it; by default that of the recipe.

        Raises
        ------
        ImageError
            It cannot be read.
        """
        how = rendering or self._recipe.rendering
        encoding = Encoding(how, doubt_about, self._clock)
        limit = self.remover.max_pixels
        decoding = Decoding(read_picture, limit, how, self._clock, self._buffers)
        whole = Whole(decoding, Cutting(self._session, encoding), encoding)
        rendered: Rendered = whole(picture)
        return rendered

    def close(self) -> None:
        """Give back the memory of the network."""
        self._session.close()
        self.remover.close()

    def _targets(self, batch: Any) -> Sequence[Any]:
        """What results of rows are called; None where they are not written."""
        if self._sink is None:
            return [None] * batch.num_rows
        names: list[Any] = batch.column(self._recipe.target).to_pylist()
        suffix = self._recipe.rendering.suffix
        other = next((name for name in names if not str(name).endswith(suffix)), suffix)
        if other != suffix:
            raise ArgumentError(f"suffix={suffix!r} is not that of {other!r}")
        return names

    def _outcome(self, picture: Any, target: Any) -> Outcome:
        """What becomes of a picture; nothing that is wrong with it is raised."""
        began = time.perf_counter()
        rendered, reason, output = None, "", None
        try:
            done = self.cut(checked_picture(picture))
            if self._sink is not None:
                name = inside(target, what="the name of a result")
                self._sink.write(name, done.parts, replace=True)
                output = f"{str(self._recipe.destination).rstrip('/')}/{name}"
            rendered = done
        except Exception as error:  # codecs and file systems have their own
            reason = reason_of(error)
        return Outcome(rendered, round(time.perf_counter() - began, 4), reason, output)


def read_picture(picture: Any) -> Any:
    """What a chain decodes: bytes as they are, a path as it is, the content behind a URL.

    Raises
    ------
    ImageError
        It cannot be fetched.
    """
    if not isinstance(picture, str) or not is_url(picture):
        return picture
    try:
        files, path = reach(picture)
        return files.cat_file(path)
    except PyhadesError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{picture}: there is no such file") from error
    except Exception as error:  # every file system has its own
        raise ImageError(f"{picture}: {reason_of(error)}") from error


def reason_of(error: Exception) -> str:
    """What to tell of an error, never empty."""
    text = str(error)
    return text if isinstance(error, PyhadesError) and text else f"{type(error).__name__}: {text}"
