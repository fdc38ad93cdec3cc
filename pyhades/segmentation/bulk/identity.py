"""What the results of a run depend on: the model and the options that show in them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pyhades.segmentation.bulk.rendering import Rendering
from pyhades.segmentation.compose import BackgroundLike
from pyhades.segmentation.remover import Remover

_UNSAID = {"engine": "pyhades"}
"""Options of runs that do not name them."""


@dataclass(frozen=True)
class Identity:
    """A model and options.

    Attributes
    ----------
    model
        What it is called.
    model_sha256
        Of its file; empty for a network of the caller's.
    options
        By name, as JSON takes them.
    """

    model: str
    model_sha256: str
    options: dict[str, Any]

    @classmethod
    def of(
        cls, remover: Remover, rendering: Rendering, background: BackgroundLike | None
    ) -> Identity:
        """What a remover makes; ``background`` is that of the rendering, as it was given."""
        model, sha256 = _model(remover)
        options = {
            "output": rendering.output,
            "suffix": rendering.suffix,
            **dataclasses.asdict(rendering.options),
            "first_frame": rendering.first_frame,
            "background": None if background is None else _told(background),
            "precision": remover.precision,
            **remover.cutout_options,
            "max_pixels": remover.max_pixels,
            "manifest": dataclasses.asdict(remover.manifest),
        }
        engines = _engines(remover)
        if remover.engine is not None and engines != _UNSAID["engine"]:
            options["engine"] = engines  # masks of others differ in their last bits
        if rendering.finish is not None:
            options["finish"] = repr(rendering.finish)
        return cls(model, sha256, json.loads(json.dumps(options, default=str)))

    @classmethod
    def from_line(cls, line: dict[str, Any]) -> Identity:
        """Out of the line that a run begins with."""
        return cls(line.get("model", ""), line.get("model_sha256", ""), line["options"])

    @property
    def hash(self) -> str:
        """Of all of it; the name of the model does not count, its content does."""
        text = json.dumps([self.model_sha256, self.options], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def differences(self, before: Identity) -> str:
        """How ``before`` differs, by name."""
        was, now = ({**_UNSAID, **each.options} for each in (before, self))
        found = [
            f"{name} was {was.get(name)!r} and is {now.get(name)!r}"
            for name in {**now, **was}
            if was.get(name) != now.get(name)
        ]
        if before.model_sha256 != self.model_sha256:
            found.insert(0, f"the model was {before.model} and is {self.model}")
        return f"with other options ({'; '.join(found)})"


def _engines(remover: Remover) -> str:
    """In any order, on any device of their kind."""
    labels = re.sub(r"@\w+", "", remover.engine_label).split(",")
    return ",".join(sorted(set(labels)))


def _told(background: BackgroundLike) -> str:
    """A colour by its name, a picture by its content."""
    if isinstance(background, str | os.PathLike) and Path(background).is_file():
        return hashlib.sha256(Path(background).read_bytes()).hexdigest()
    if isinstance(background, Image.Image | np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(background).tobytes()).hexdigest()
    return str(background)


def _model(remover: Remover) -> tuple[str, str]:
    """Name and sha256 of a model."""
    source = remover.source
    if source is None:
        return remover.manifest.name, ""
    if isinstance(source, bytes):
        return remover.manifest.name, hashlib.sha256(source).hexdigest()
    digest = hashlib.sha256()
    for path in _files(source):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return str(source), digest.hexdigest()


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    return sorted(path for path in source.rglob("*") if path.is_file())
