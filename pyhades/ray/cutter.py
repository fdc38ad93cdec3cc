"""What an actor of Ray does with a batch: one remover, which cuts picture after picture out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from pyhades.errors import ImageError, PyhadesError
from pyhades.ray.columns import (
    Outcome,
    check_columns,
    checked_picture,
    pictures_of,
    with_outcomes,
    without_content,
)
from pyhades.ray.required import ray_module
from pyhades.segmentation.buffers import KeptBuffers
from pyhades.segmentation.bulk.chain import Cutting, Decoding, Encoding, Rendered, Rendering, Whole
from pyhades.segmentation.bulk.review import doubt_about
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
    remover
        What else the remover takes.
    """

    model: Any
    threads: int
    rendering: Rendering
    column: str = "path"
    prefix: str = ""
    keep: bool = False
    remover: dict[str, Any] = field(default_factory=dict)

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
        self._session = self.remover.session(buffers=self._buffers, clock=self._clock)

    def __call__(self, batch: Any) -> Any:
        """A ``pyarrow.Table`` with what became of its rows; a picture that fails costs its row."""
        recipe = self._recipe
        check_columns(batch.column_names, recipe.column, recipe.prefix)
        outcomes = [self._outcome(picture) for picture in pictures_of(batch, recipe.column)]
        if not recipe.keep:
            batch = without_content(batch, recipe.column)
        return with_outcomes(batch, outcomes, recipe.prefix)

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

    def _outcome(self, picture: Any) -> Outcome:
        """What becomes of a picture; nothing that is wrong with it is raised."""
        began = time.perf_counter()
        rendered, reason = None, ""
        try:
            rendered = self.cut(checked_picture(picture))
        except Exception as error:  # codecs and file systems have their own
            reason = reason_of(error)
        return Outcome(rendered, round(time.perf_counter() - began, 4), reason)


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
