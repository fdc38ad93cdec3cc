"""Where pyhades keeps what it fetched or measured for the user."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "PYHADES_CACHE"


def hugging_face_hub() -> Path:
    """Where the hub of Hugging Face keeps repositories; it may not exist."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        told = os.environ.get(variable)
        if told:
            return Path(told).expanduser()
    home = os.environ.get("HF_HOME")
    if home:
        return Path(home).expanduser() / "hub"
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "huggingface" / "hub"


def cache_root() -> Path:
    """``PYHADES_CACHE``, else a folder in the user's cache; it may not exist yet."""
    told = os.environ.get(CACHE_VARIABLE)
    if told:
        return Path(told).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "pyhades"
