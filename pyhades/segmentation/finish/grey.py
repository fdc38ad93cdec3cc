"""A matte alone: as it is, as black and white, as a trimap."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyhades.arguments import one_of
from pyhades.segmentation.finish.contour import choke, threshold

Matte = NDArray[np.uint8]
Only = Literal["alpha", "mask", "trimap"]

UNKNOWN = 128
"""What a trimap has where matting is to decide."""
SURELY_OPAQUE = 242
SURELY_NOTHING = 13
"""A twentieth from either end of 0..255."""


def grey(alpha: Matte, only: Only, *, level: float = 0.5, band: int | None = None) -> Matte:
    """Show a matte.

    Parameters
    ----------
    alpha
        uint8 ``[height, width]``.
    only
        ``"alpha"``: opacity in grey. ``"mask"``: 0 or 255. ``"trimap"``: 0, 255, and 128 in a band
        around the contour, where matting is to decide.
    level
        From which opacity on a mask is 255.
    band
        Of a trimap: how far it goes to either side, in pixels; by default a hundredth of the longer
        side of the picture.

    Examples
    --------
    >>> matte = np.array([[0, 0, 0, 90, 255, 255, 255]], np.uint8)
    >>> grey(matte, "trimap", band=1)
    array([[  0,   0, 128, 128, 128, 255, 255]], dtype=uint8)
    """
    if one_of("only", only, Only) == "alpha":
        return alpha
    if only == "mask":
        return threshold(alpha, level)
    reach = max(1, round(max(alpha.shape) / 100)) if band is None else band
    opaque = choke((alpha >= SURELY_OPAQUE).view(np.uint8), reach)
    touched = choke((alpha >= SURELY_NOTHING).view(np.uint8), -reach)
    result = opaque * np.uint8(255 - UNKNOWN)
    result += touched * np.uint8(UNKNOWN)
    return result
