"""Ray itself, which is an extra."""

from __future__ import annotations

import importlib
from typing import Any

from pyhades.errors import ConfigurationError


def ray_module(name: str = "ray") -> Any:
    """A module of Ray, such as ``"ray.data"``.

    Raises
    ------
    ConfigurationError
        It is not installed, or lacks that part.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigurationError(f"{name} is missing: pip install 'pyhades[ray]'") from error
