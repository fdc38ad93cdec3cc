"""How far the masks of a quantised network are from those of the float one, and what is allowed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyhades.errors import ArgumentError
from pyhades.segmentation.verification.fidelity import BOUNDARY_SHARE, eroded, soft_iou

Plane = NDArray[np.float32]

CERTAINTY = 1.645
"""Standard errors of a mean that 19 of 20 stay within, to one side."""


@dataclass(frozen=True)
class Score:
    """Of one picture.

    Attributes
    ----------
    picture
        Its name.
    mae
        Mean absolute difference of the masks, in 0..1.
    iou
        Soft intersection over union: 1 where both are equal.
    band
        Mean absolute difference in a band along the boundary of the float mask; that of the whole
        picture where there is no boundary.
    """

    picture: str
    mae: float
    iou: float
    band: float

    @classmethod
    def of(cls, picture: str, ours: Plane, wanted: Plane) -> Score:
        """Compare a mask with that of the float network."""
        difference = np.abs(ours.astype(np.float64) - wanted)
        band = boundary_band(wanted > 0.5)
        inside = difference[band] if band.any() else difference
        return cls(picture, float(difference.mean()), soft_iou(ours, wanted), float(inside.mean()))


def boundary_band(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels near the boundary of a mask, on both sides."""
    width = max(1, round(BOUNDARY_SHARE / 2 * float(np.hypot(*mask.shape))))
    padded = np.pad(mask, width, mode="edge")
    inner, outer = eroded(padded, width), ~eroded(~padded, width)
    middle = tuple(slice(width, -width) for _ in mask.shape)
    return np.asarray((outer & ~inner)[middle])


def mean_of(scores: Sequence[Score]) -> dict[str, float]:
    """The mean of each measure."""
    names = [field.name for field in dataclasses.fields(Score)[1:]]
    return {name: float(np.mean([getattr(score, name) for score in scores])) for name in names}


def bound_of(scores: Sequence[Score]) -> dict[str, float]:
    """What the mean over other pictures of the kind is hardly worse than, for each measure.

    Of one picture it is what was measured, of more the mean and what it may be off by.
    """
    names = [field.name for field in dataclasses.fields(Score)[1:]]
    found = {}
    for name in names:
        values = np.array([getattr(score, name) for score in scores])
        off = CERTAINTY * values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else 0.0
        found[name] = float(values.mean() + (-off if name == "iou" else off))
    return found


@dataclass(frozen=True)
class Budget:
    """What a quantised network may differ by, in the mean over pictures like those held out.

    A few pictures in which much is lost decide over the mean, and other pictures have other ones.
    So it is not the mean of the pictures held out that must stay within, but the end of its
    confidence interval: in 19 of 20 cases the mean over many pictures is no worse.

    Parameters
    ----------
    mae
        The most mean absolute difference of masks in 0..1.
    iou
        The least soft intersection over union.
    band
        The most mean absolute difference along boundaries.

    Examples
    --------
    >>> Budget.parse("mae=.002,iou=.997")
    Budget(mae=0.002, iou=0.997, band=inf)
    """

    mae: float = math.inf
    iou: float = 0.0
    band: float = math.inf

    @classmethod
    def parse(cls, text: str | Budget) -> Budget:
        """Read ``"mae=.002,iou=.997"``.

        Raises
        ------
        ArgumentError
            It says something else.
        """
        if isinstance(text, Budget):
            return text
        known = [field.name for field in dataclasses.fields(cls)]
        found: dict[str, float] = {}
        for part in str(text).split(","):
            name, sign, number = part.strip().partition("=")
            try:
                found[name] = float(number)
            except ValueError:
                sign = ""
            if not sign or name not in known or not 0 <= found[name] <= 1:
                raise ArgumentError(
                    f"budget={text!r}: expected numbers from 0 to 1 of {', '.join(known)}, such "
                    "as 'mae=.002,iou=.997'"
                )
        return cls(**found)

    def holds(self, scores: Sequence[Score]) -> bool:
        """Whether pictures like these stay within."""
        found = bound_of(scores)
        return found["mae"] <= self.mae and found["iou"] >= self.iou and found["band"] <= self.band

    def spent(self, scores: Sequence[Score], pictures: int = 0) -> float:
        """The share of the budget that the pictures need, of the measure that needs the most.

        Where ``scores`` are of some of so many ``pictures``, it is the least that all of them need.
        """
        share = len(scores) / max(pictures, len(scores))
        mean = mean_of(scores)
        needed = [(mean["mae"], self.mae), (mean["band"], self.band)]
        needed.append((1 - mean["iou"], 1 - self.iou))
        return max(share * error / max(limit, 1e-12) for error, limit in needed)

    def __str__(self) -> str:
        limits = dataclasses.asdict(self)
        return ",".join(
            f"{name}={value:g}" for name, value in limits.items() if value != getattr(Budget, name)
        )
