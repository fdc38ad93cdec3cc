"""Where pyhades keeps what it fetched or measured for the user."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "PYHADES_CACHE"


def cache_root() -> Path:
    """``PYHADES_CACHE``, else a folder in the user's cache; it may not exist yet."""
    told = os.environ.get(CACHE_VARIABLE)
    if told:
        return Path(told).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "pyhades"
