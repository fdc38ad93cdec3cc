"""A model on our engine beside another engine, and beside masks that people drew."""

from __future__ import annotations

import dataclasses
import html
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pyhades.errors import ArgumentError
from pyhades.segmentation.image.formats import opened_suffixes
from pyhades.segmentation.image.reading import load_image
from pyhades.segmentation.plausibility import SAMPLES
from pyhades.segmentation.remover import Remover
from pyhades.segmentation.verification.fidelity import LEVEL, Fidelity
from pyhades.segmentation.verification.quality import Quality
from pyhades.segmentation.verification.rival import Interpreter, make_rival
from pyhades.tables import as_html, as_table


@dataclass(frozen=True)
class Row:
    """One picture."""

    picture: str
    fidelity: Fidelity | None
    """Against the rival; None where there is none."""
    quality: Quality | None = None
    """Against a drawn mask; None where there is none."""
    rival_quality: Quality | None = None


@dataclass(frozen=True)
class Verification:
    """What :func:`verify` found.

    Attributes
    ----------
    model, rival
        What was compared.
    rows
        One per picture.
    tolerance
        Largest difference that is allowed.
    note
        What to know about the rival.
    """

    model: str
    rival: str
    rows: tuple[Row, ...]
    tolerance: float
    note: str = ""

    @property
    def largest(self) -> float:
        """The largest difference of all pictures."""
        return max((r.fidelity.largest for r in self.rows if r.fidelity), default=0.0)

    @property
    def agrees(self) -> bool:
        """Whether no pixel differs by more than the tolerance."""
        return self.largest <= self.tolerance

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        return {
            "model": self.model,
            "rival": self.rival,
            "tolerance": self.tolerance,
            "agrees": self.agrees,
            "note": self.note,
            "rows": [dataclasses.asdict(row) for row in self.rows],
            "mean_quality": _mean_quality([r.quality for r in self.rows]),
            "mean_rival_quality": _mean_quality([r.rival_quality for r in self.rows]),
        }

    def _tables(self) -> list[list[list[str]]]:
        fidelity = [["picture", "max", "mean", "> 1/255", "soft IoU", "boundary IoU"]]
        fidelity += [[r.picture, *_numbers(r.fidelity)] for r in self.rows if r.fidelity]
        quality = [["picture", "engine", "MAE", "S", "E", "weighted F", "max F"]]
        for row in self.rows:
            for engine, found in (("pyhades", row.quality), (self.rival, row.rival_quality)):
                if found is not None:
                    quality.append([row.picture, engine, *_numbers(found)])
        if len(self.rows) > 1:
            for engine, mean in (
                ("pyhades", _mean_quality([r.quality for r in self.rows])),
                (self.rival, _mean_quality([r.rival_quality for r in self.rows])),
            ):
                if mean is not None:
                    quality.append(["mean", engine, *(f"{v:.4f}" for v in mean.values())])
        return [table for table in (fidelity, quality) if len(table) > 1]

    def _verdict(self) -> str:
        word = "agree" if self.agrees else "DISAGREE"
        return (
            f"{self.model}: pyhades and {self.rival} {word}: the largest difference is "
            f"{self.largest:.2g} of 1 ({self.tolerance:.2g} is allowed)"
        )

    def __str__(self) -> str:
        tables = [as_table(table, range(1, len(table[0]))) for table in self._tables()]
        note = [f"note: {self.note}"] if self.note else []
        return "\n\n".join([*tables, *note, self._verdict()])

    def _repr_html_(self) -> str:
        tables = "".join(as_html(table) for table in self._tables())
        return f"{tables}<p>{html.escape(self._verdict())}</p>"


def verify(
    model: str | os.PathLike[str] | bytes | None = None,
    images: Sequence[str | os.PathLike[str]] | None = None,
    masks: str | os.PathLike[str] | None = None,
    *,
    tolerance: float = LEVEL,
    report: Callable[[str], object] = lambda picture: None,
    **options: Any,
) -> Verification:
    """Compare the predictions of a model with those of onnxruntime, and with drawn masks.

    Both engines are fed the same tensor. Without onnxruntime the NumPy interpreter takes its
    place, with one picture, as it is slow; it shares the importer with what is compared.

    Parameters
    ----------
    model
        See making a :class:`~pyhades.Remover`.
    images
        Pictures; by default those that ship with pyhades.
    masks
        Folder of masks with the names of the pictures; above half is foreground.
    tolerance
        Largest difference of a prediction in 0..1 that is allowed; by default one level of 255.
    report
        Called with the name of each picture before it is looked at.
    **options
        See making a :class:`~pyhades.Remover`.

    Returns
    -------
    Verification
        Differences and measures per picture.

    Raises
    ------
    ArgumentError
        A picture has no mask in the folder, or one of another size.
    ModelError
        The file is not a model that gives a mask.

    Examples
    --------
    >>> result = verify()
    >>> result.agrees
    True
    """
    pictures = [Path(image) for image in (SAMPLES if images is None else images)]
    truths = None if masks is None else {p: _mask_of(p, Path(masks)) for p in pictures}
    with Remover(model, check=False, **options) as remover:
        graph, source, plan = remover._read_again()
        network, name = make_rival(graph, source, remover.manifest.output, plan, remover.threads)
        note = ""
        if name == Interpreter.name:
            note = "onnxruntime is not installed (pip install onnxruntime); the interpreter is "
            note += "slow, so one picture was looked at, and shares the importer with the engine"
            pictures = pictures[:1]
        rival = Remover.from_network(network, remover.manifest, options=remover.options)
        rows = []
        for picture in pictures:
            report(picture.name)
            truth = None if truths is None else truths[picture]
            rows.append(_row(remover, rival, picture, truth))
    return Verification(remover._origin.label, name, tuple(rows), tolerance, note)


def _row(remover: Remover, rival: Remover, picture: Path, truth: Path | None) -> Row:
    loaded = load_image(picture)
    ours, theirs = remover.predict(loaded), rival.predict(loaded)
    fidelity = Fidelity.of(ours, theirs)
    if truth is None:
        return Row(picture.name, fidelity)
    with Image.open(truth) as opened:
        drawn = np.asarray(opened.convert("L")) > 127
    mattes = [each.cut(loaded).alpha for each in (remover, rival)]
    if drawn.shape != mattes[0].shape:
        raise ArgumentError(f"{truth}: the mask has the shape {drawn.shape}, {picture} "
                            f"{mattes[0].shape}")  # fmt: skip
    return Row(picture.name, fidelity, *(Quality.of(matte, drawn) for matte in mattes))


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder, in the order of their names; ArgumentError where there are none."""
    suffixes = opened_suffixes()
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in suffixes)
    if not found:
        raise ArgumentError(f"{folder}: no images in this folder")
    return found


def _mask_of(picture: Path, folder: Path) -> Path:
    for suffix in (".png", *sorted(opened_suffixes())):
        path = folder / f"{picture.stem}{suffix}"
        if path.is_file():
            return path
    raise ArgumentError(f"{folder}: no mask called {picture.stem}.png for {picture}")


def _numbers(measures: Fidelity | Quality) -> list[str]:
    return [f"{value:.4f}" for value in dataclasses.asdict(measures).values()]


def _mean_quality(found: Sequence[Quality | None]) -> dict[str, float] | None:
    rows = [dataclasses.asdict(quality) for quality in found if quality is not None]
    if not rows:
        return None
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
