"""Beyond one machine: pictures of a Ray dataset, and a service behind Ray Serve.

Needs ``pip install "pyhades[ray]"``. Nothing here imports Ray before it is used.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "build_app": "pyhades.ray.serving",
    "list_pictures": "pyhades.ray.listing",
    "remove_backgrounds": "pyhades.ray.removing",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:  # workers of a cluster load what they run, and no more
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
