"""What a replica of Ray Serve does with requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError, ArgumentTypeError, ConfigurationError, ImageError
from pyhades.ray.columns import Outcome
from pyhades.ray.cutter import Cutter
from pyhades.ray.recipe import Recipe
from pyhades.ray.required import ray_module
from pyhades.segmentation.bulk.chain import Rendering
from pyhades.segmentation.cutout import Output, output_of
from pyhades.segmentation.image.write import check_output, format_of

STUCK = 300.0
"""Seconds after which a picture, or a batch of them, counts as one that never ends."""

LATE = 60.0
"""Seconds for the body of a request. As long as it is waited for it counts as one of those that a
replica takes: a few clients that send nothing would keep all others out."""

TOLD = ("foreground", "doubt", "engine", "seconds")
"""What headers of an answer tell."""


@dataclass(frozen=True)
class Wanted:
    """The bytes of a picture, and what is to be made of it."""

    data: bytes
    rendering: Rendering


Result = Outcome | Exception


class PictureService:
    """One remover on a thread of its own, so that a replica answers while it computes.

    Parameters
    ----------
    recipe
        What is made of pictures, and by which model.
    max_batch_size, batch_wait_timeout_s, max_bytes
        See :func:`pyhades.ray.build_app`.
    """

    def __init__(
        self, recipe: Recipe, max_batch_size: int, batch_wait_timeout_s: float, max_bytes: int
    ) -> None:
        self._rendering = recipe.rendering
        self._max_bytes = max_bytes
        self._cutter = Cutter(recipe)
        self._thread = ThreadPoolExecutor(1, "pyhades")
        self._began: float | None = None
        self._answer: Callable[[Wanted], Awaitable[Result]] = self._alone
        if max_batch_size > 1:
            collect = ray_module("ray.serve").batch(
                max_batch_size=max_batch_size, batch_wait_timeout_s=batch_wait_timeout_s
            )
            self._answer = collect(self._together)

    async def __call__(self, request: Request) -> Response:
        """The answer to a request over HTTP."""
        if request.method != "POST":
            return _refused(405, "POST the bytes of a picture", Allow="POST")
        if request.headers.get("content-type", "").startswith("multipart/"):
            return _refused(415, "this is a form: POST the bytes of a picture as the body itself")
        try:
            data = await asyncio.wait_for(body_of(request, self._max_bytes), LATE)
        except TimeoutError:
            return _refused(408, f"the body has not come within {LATE:g} s")
        except ClientDisconnect:
            return _refused(400, "the body has no end")  # which nobody reads any more
        if data is None:
            return _refused(413, f"there are more than {self._max_bytes} bytes")
        try:
            outcome = await self._outcome(data, request.query_params.get("output"))
        except (ImageError, ArgumentError) as error:
            return _refused(400, str(error))
        values = outcome.by_name()
        kind = Image.MIME[format_of(self._rendering.suffix).name]
        told = {f"X-{name.title()}": str(values[name]) for name in TOLD}
        return Response(values["result"], media_type=kind, headers=told)

    async def remove(self, image: bytes, output: Output | None = None) -> dict[str, Any]:
        """What handles call: ``await handle.remove.remote(data)``.

        Parameters
        ----------
        image
            The content of a picture's file.
        output
            ``"rgba"`` or ``"mask"``; by default what the application was built with.

        Returns
        -------
        dict
            ``result`` (bytes), ``height``, ``width``, ``foreground``, ``doubt``, ``engine`` and
            ``seconds``, as the columns of :func:`pyhades.ray.remove_backgrounds`.

        Raises
        ------
        ImageError
            It cannot be read.
        ArgumentError, ArgumentTypeError
            There is no such output, or the picture is not given by its bytes.
        """
        if not isinstance(image, bytes | bytearray | memoryview):
            # A path would be one of the replica's machine, which is not the caller's to read.
            raise ArgumentTypeError(f"image is {type(image).__name__}; give the bytes of its file")
        if len(image) > self._max_bytes:
            raise ArgumentError(f"{len(image)} bytes are more than {self._max_bytes}")
        return (await self._outcome(bytes(image), output)).by_name()

    def check_health(self) -> None:
        """Called by Serve, which replaces a replica that raises.

        Raises
        ------
        ConfigurationError
            A picture takes so long that it will not end any more.
        """
        began = self._began
        if began is not None and time.monotonic() - began > STUCK:
            raise ConfigurationError(f"a picture has taken more than {STUCK:.0f} s")

    async def _outcome(self, data: bytes, output: Any) -> Outcome:
        """What becomes of a picture, or its error raised."""
        if not data:
            raise ImageError("there is no picture: the body is empty")
        how = self._rendering if output is None else with_output(self._rendering, output)
        result = await self._answer(Wanted(data, how))
        if isinstance(result, Exception):
            raise result
        return result

    async def _alone(self, wanted: Wanted) -> Result:
        return (await self._together([wanted]))[0]

    async def _together(self, several: Sequence[Wanted]) -> list[Result]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._compute, several)

    def _compute(self, several: Sequence[Wanted]) -> list[Result]:
        """On the thread of the remover: one picture after the other."""
        self._began = time.monotonic()
        try:
            return [self._cut(wanted) for wanted in several]
        finally:
            self._began = None

    def _cut(self, wanted: Wanted) -> Result:
        began = time.perf_counter()
        try:
            rendered = self._cutter.cut(wanted.data, wanted.rendering)
        except Exception as error:  # that of one picture is not that of its batch
            return error
        return Outcome(rendered, round(time.perf_counter() - began, 4))


async def body_of(request: Request, most: int) -> bytes | None:
    """The content of a request; None as soon as there is more than ``most`` bytes of it."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > most:
        return None
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            return None
    return bytes(body)


def with_output(rendering: Rendering, output: Output) -> Rendering:
    """The same for another output; a matte is put on no background.

    Raises
    ------
    ArgumentError
        There is no such output, or the format cannot hold it.
    """
    one_of("output", output, Output)
    background = None if output == "mask" else rendering.background
    shown = output_of(output, background, rendering.finish)
    check_output(rendering.suffix, shown, background, rendering.options)
    return replace(rendering, output=shown, background=background)


def _refused(status: int, why: str, **headers: str) -> Response:
    return JSONResponse({"error": why}, status, headers=headers)
