"""The architectures that there are, by ``model_type``.

Every folder beside this file is one. An architecture from elsewhere joins by :func:`register`.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path

from pyhades.errors import ArgumentError, ModelError
from pyhades.llm.checkpoint.table import TensorTable
from pyhades.llm.models.architecture import Architecture, GgufLayout, Layout
from pyhades.llm.models.config import ModelConfig

_REGISTERED: dict[str, Architecture] = {}


def register(architecture: Architecture) -> None:
    """Add an architecture from outside of this package.

    Raises
    ------
    ArgumentError
        There is another one of that ``model_type``.
    """
    if architectures().get(architecture.model_type, architecture) is not architecture:
        raise ArgumentError(f"there is another architecture {architecture.model_type!r}")
    _REGISTERED[architecture.model_type] = architecture


def architectures() -> dict[str, Architecture]:
    """All of them, by ``model_type``.

    Examples
    --------
    >>> "gpt_oss" in architectures()
    True
    """
    return {**_shipped(), **_REGISTERED}


def architecture_of(config: ModelConfig) -> Architecture:
    """The architecture of a configuration."""
    return architecture_named(config.model_type, type(config).__name__)


def architecture_named(model_type: object, source: str) -> Architecture:
    """The architecture that a file names; ModelError lists what there is."""
    known = architectures()
    if not isinstance(model_type, str) or model_type not in known:
        listed = ", ".join(map(repr, sorted(known)))
        raise ModelError(
            f"{source}: the model is of the family {model_type!r}; pyhades runs {listed}"
        )
    return known[model_type]


def layout_marked(table: TensorTable) -> Layout | None:
    """The layout whose mark is among some tensors."""
    layouts = (layout for known in architectures().values() for layout in known.others)
    return next((layout for layout in layouts if layout.mark and layout.mark in table), None)


def gguf_layout_named(name: object, source: str) -> GgufLayout:
    """The layout of GGUF files that name an architecture so; ModelError lists what there is."""
    known = {
        key: layout for entry in architectures().values() for key, layout in entry.gguf.items()
    }
    if not isinstance(name, str) or name not in known:
        listed = ", ".join(map(repr, sorted(known)))
        raise ModelError(
            f"{source}: the model is of the family {name!r}; of GGUF files, pyhades runs {listed}"
        )
    return known[name]


@cache
def _shipped() -> dict[str, Architecture]:
    here = pkgutil.iter_modules([str(Path(__file__).parent)])
    folders = [found.name for found in here if found.ispkg]
    return {name: importlib.import_module(f"{__package__}.{name}").ARCHITECTURE for name in folders}
