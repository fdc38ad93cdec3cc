"""What an actor of Ray does with a batch: one remover, which cuts picture after picture out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from pyhades.errors import ArgumentError
from pyhades.ray.columns import pictures_of, with_outcomes, without_content
from pyhades.ray.fetching import Fetched, fetch
from pyhades.ray.naming import Names, check_suffixes
from pyhades.ray.recipe import Recipe
from pyhades.ray.rows import Row
from pyhades.segmentation.buffers import KeptBuffers
from pyhades.segmentation.bulk.beginning import sink_of
from pyhades.segmentation.bulk.chain import Cutting, Decoding, Encoding, Rendered, Rendering, Whole
from pyhades.segmentation.bulk.overlap import overlap
from pyhades.segmentation.bulk.review import doubt_about
from pyhades.segmentation.clock import Clock


class Cutter:
    """Cuts out the pictures of batches, one after the other.

    It is made once for each actor, with a remover whose weights are packed once and whose memory is
    used again from picture to picture. While it computes, the next pictures are fetched and the
    last results are written: a CPU that is lent does not wait for disks and networks.

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
        self._alone = threading.Lock()

    def __call__(self, batch: Any) -> Any:
        """A ``pyarrow.Table`` with what became of its rows; a picture that fails costs its row."""
        recipe = self._recipe
        recipe.check(batch.column_names)
        with self._alone:  # pools can be told to call an actor from several threads
            done = overlap(self._rows(batch), _fetched, self._cut, self._put)
            outcomes = [row.outcome(result, self._place(row)) for row, result in done]
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
        return self._rendered(fetch(picture), rendering or self._recipe.rendering)

    def close(self) -> None:
        """Give back the memory of the network."""
        self._session.close()
        self.remover.close()

    def _rendered(self, picture: Fetched, how: Rendering) -> Rendered:
        encoding = Encoding(how, doubt_about, self._clock)
        limit = self.remover.max_pixels
        decoding = Decoding(_content, limit, how, self._clock, self._buffers)
        whole = Whole(decoding, Cutting(self._session, encoding), encoding)
        # What has no name is told apart by its type.
        rendered: Rendered = whole(picture if picture.name else picture.data)
        return rendered

    def _rows(self, batch: Any) -> Iterator[Row]:
        pictures = pictures_of(batch, self._recipe.column)
        if self._sink is None:
            yield from map(Row, pictures)
            return
        targets = batch.column(self._recipe.target).to_pylist()
        check_suffixes(targets, self._recipe.rendering.suffix)
        names = Names()
        for picture, target in zip(pictures, targets, strict=True):
            try:
                yield Row(picture, names.take(target, picture))
            except ArgumentError as error:
                yield Row(picture, wrong=error)

    def _cut(self, fetched: tuple[Row, Fetched]) -> tuple[Row, Rendered]:
        row, picture = fetched
        with row.timed():
            return row, self._rendered(picture, self._recipe.rendering)

    def _put(self, cut: tuple[Row, Rendered]) -> Rendered:
        row, rendered = cut
        if self._sink is not None and row.target is not None:
            with row.timed():
                self._sink.write(row.target, rendered.parts, replace=True)
        return rendered

    def _place(self, row: Row) -> str | None:
        """Of the result of a row; None where it stays there."""
        if row.target is None:
            return None
        return f"{str(self._recipe.destination).rstrip('/')}/{row.target}"


def _fetched(row: Row) -> tuple[Row, Fetched]:
    if row.wrong is not None:
        raise row.wrong
    with row.timed():
        return row, fetch(row.picture)


def _content(item: Any) -> Any:
    return item.data if isinstance(item, Fetched) else item
