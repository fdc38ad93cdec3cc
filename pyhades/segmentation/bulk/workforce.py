"""The workers of a run: how many there are, and the memory that they share."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from pyhades.arguments import check_count
from pyhades.errors import ImageError
from pyhades.segmentation.bulk.calibration import Calibration, calibrate
from pyhades.segmentation.bulk.memory import MemoryLimit, parse_size, resident
from pyhades.segmentation.bulk.picture import Picture
from pyhades.segmentation.bulk.rendering import Rendering
from pyhades.segmentation.bulk.session_pool import SessionPool
from pyhades.segmentation.finish import Finish
from pyhades.segmentation.image.reading import ImageLike, load_image
from pyhades.segmentation.remover import Remover

SAMPLES = 8
"""Pictures of a run that its calibration looks at."""


class Workforce:
    """Makes a pool of workers that fits into the memory that a run may take.

    Parameters
    ----------
    remover
        The model.
    max_memory
        Of this process, in bytes or as ``"2G"``; None for any amount.
    codecs
        ``decoders`` and ``encoders`` of the pool.
    suffix, finish
        Of results: some encoders take more memory than others.
    engine_timeout
        Of the pool.
    **given
        ``workers`` and ``threads_per_worker`` of the pool.

    Attributes
    ----------
    pool
        The workers.
    memory
        What bounds them; None where nothing does.
    """

    def __init__(
        self,
        remover: Remover,
        max_memory: int | str | None,
        codecs: dict[str, int],
        *,
        suffix: str = ".png",
        finish: Finish | None = None,
        engine_timeout: float | None = None,
        **given: Any,
    ) -> None:
        self._remover = remover
        self._result: dict[str, Any] = {"suffix": suffix, "finish": finish}
        self._codecs: dict[str, Any] = {**codecs, "engine_timeout": engine_timeout}
        self._most = parse_size(max_memory) if isinstance(max_memory, str) else max_memory
        self.pool, self.memory = self._engaged(**given)

    def calibrate(self, pictures: Iterable[Picture], rendering: Rendering) -> Calibration | None:
        """Take as many workers as are fastest with some pictures; None where none can be read."""
        samples: list[ImageLike] = []
        for picture in itertools.islice(pictures, SAMPLES):
            with suppress(OSError, ImageError):
                data = picture.read()
                load_image(data, max_pixels=self._remover.max_pixels)
                samples.append(data)
        if not samples:
            return None
        measured = calibrate(self._remover, samples, rendering)
        self.pool, self.memory = self._engaged(plan=measured.chosen.plan)
        return measured

    def _engaged(self, **given: Any) -> tuple[SessionPool, MemoryLimit | None]:
        pool = SessionPool(self._remover, **given, **self._codecs)
        if self._most is None:
            return pool, None
        most = check_count("max_memory", self._most)
        taken = resident() + len(pool.plan.workers) * self._remover.arena_bytes
        limit = MemoryLimit.of(most, pool.holders, taken, **self._result)
        bounds: dict[str, Any] = {"most_items": limit.most_items, "most_bytes": limit.most_bytes}
        return SessionPool(self._remover, plan=pool.plan, **self._codecs, **bounds), limit
