"""Many pictures: workers that each do whole ones, and what a run of days needs around them."""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Rendered": "pyhades.segmentation.bulk.rendering",
    "Rendering": "pyhades.segmentation.bulk.rendering",
    "SessionPool": "pyhades.segmentation.bulk.session_pool",
    "calibrate": "pyhades.segmentation.bulk.calibration",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:  # a remover, which pools need, needs a part of this package
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
