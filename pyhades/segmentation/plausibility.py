"""Whether a network whose meaning was guessed gives masks that can be masks.

A wrong guess is silent: a mask that is grey all over is still an image. Photographs that ship with
the package show it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SAMPLES = tuple(
    Path(__file__).parent / "data" / f"{name}.jpg" for name in ("portrait", "pet", "mug")
)
"""Photographs with an object in front of a background each."""

LEAST_CONTRAST = 0.3
"""Between the lightest and the darkest hundredth of a mask in 0..1."""
LEAST_SHARE = 0.002
"""Of the picture that has to be foreground, and background."""


@dataclass(frozen=True)
class MaskStatistics:
    """Numbers that tell a mask from an empty one."""

    picture: str
    low: float
    """A hundredth of the mask is darker."""
    high: float
    """A hundredth is lighter."""
    share: float
    """Of the mask above one half."""

    @classmethod
    def of(cls, mask: NDArray[np.float32], picture: str) -> MaskStatistics:
        """Measure a mask in 0..1."""
        low, high = np.percentile(mask, [1, 99])
        return cls(picture, float(low), float(high), float((mask > 0.5).mean()))

    @property
    def problem(self) -> str:
        """``"blank"``, ``"full"``, ``"without contrast"``, or nothing."""
        if self.share < LEAST_SHARE:
            return "blank"
        if self.share > 1 - LEAST_SHARE:
            return "full"
        return "without contrast" if self.high - self.low < LEAST_CONTRAST else ""

    def __str__(self) -> str:
        what = f" ({self.problem})" if self.problem else ""
        return f"{self.picture}: {self.low:.2f}..{self.high:.2f}, {self.share:.1%} foreground{what}"


def look_at_samples(
    predict: Callable[[Path], NDArray[np.float32]], *, all_of_them: bool = False
) -> list[MaskStatistics]:
    """Masks of the photographs that ship here, until one is fine.

    Parameters
    ----------
    predict
        Gives the mask of a file, in 0..1.
    all_of_them
        Do not stop at the first that is fine.
    """
    found = []
    for sample in SAMPLES:
        found.append(MaskStatistics.of(predict(sample), sample.stem))
        if not found[-1].problem and not all_of_them:
            break
    return found


def complaint(found: list[MaskStatistics]) -> str:
    """What to tell the user where no mask was fine; nothing where one was."""
    if any(not statistics.problem for statistics in found):
        return ""
    shown = "; ".join(map(str, found))
    return (
        f"the masks of {len(found)} photographs with an object in each are blank, full or grey "
        f"({shown}). The preparation or the meaning of the output may be wrong: 'pyhades inspect' "
        "tells what was guessed, docs/how-to/describe_a_model how to say it better. check=False "
        "silences this"
    )
