"""Modules that had another name once: importing the old one works, and warns.

Everything lay flat in :mod:`pyhades.llm` before it was sorted into rooms.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_HERE = "pyhades.llm"
MODULES: dict[str, tuple[str, ...]] = {
    "adaptive": ("precision.adaptive",),
    "calibration": ("precision.calibration",),
    "checkpoint.checkpoint": ("models.checkpoint",),
    "checkpoint.gguf": ("models.gpt_oss.gguf",),
    "checkpoint.huggingface": ("models.gpt_oss.huggingface",),
    "checkpoint.opening": ("models.opening",),
    "checkpoint.original": ("models.gpt_oss.original",),
    "checkpoint.outline": ("models.outline", "models.gpt_oss.outline"),
    "checkpoint.packed": ("models.packed",),
    "config": ("models.gpt_oss.config", "models.config"),
    "convert": ("precision.convert",),
    "engine.prepared": ("requests.prepared",),
    "evaluation": ("measure.evaluation",),
    "generation": ("engine.generation",),
    "harmony": ("text.harmony", "text.chat", "text.chat_stops"),
    "harmony.answer": ("text.chat",),
    "harmony.conversation": ("text.harmony.conversation",),
    "harmony.header": ("text.harmony.header",),
    "harmony.message": ("text.chat", "text.harmony.markers"),
    "harmony.parser": ("text.harmony.parser",),
    "harmony.rendering": ("text.harmony.rendering",),
    "harmony.stops": ("text.chat_stops",),
    "harmony.tool_types": ("text.harmony.tool_types", "text.tools"),
    "kv_cache": ("cache.kv_cache",),
    "layers": ("models.layers",),
    "loading": ("precision.loading", "checkpoint.locating"),
    "measuring": ("precision.measuring",),
    "outputs": ("text.outputs",),
    "packing": ("precision.packing",),
    "precision_report": ("precision.report",),
    "prompts": ("engine.request",),
    "runner": ("engine.runner",),
    "sampling": ("engine.sampling",),
    "scheduler": ("engine.scheduler", "engine.request"),
    "standard_prompts": ("measure.prompts",),
    "step": ("models.step",),
    "stopping": ("text.stopping",),
    "synthetic": ("measure.synthetic",),
    "tokenizer": ("text.tokenizer", "text.cutting"),
    "traffic": ("measure.traffic",),
    "weights": ("models.weights", "models.gpt_oss.weights"),
}
"""Old names of modules, and where what was in them is now."""
NAMES: dict[str, tuple[str, ...]] = {
    "checkpoint": ("models.checkpoint", "models.opening", "checkpoint.stored"),
    "engine": ("llm",),
    "models.gpt_oss": ("models.gpt_oss.model",),
    "precision": ("precision.recipe",),
}
"""Packages that were modules with names of their own, and where those are now."""


def install() -> None:
    """Make old names work."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
    for package, homes in NAMES.items():
        old = f"{_HERE}.{package}"
        setattr(importlib.import_module(old), "__getattr__", _looking_up(old, homes))  # noqa: B010


class _Finder(MetaPathFinder, Loader):
    """Finds old names, after everything that is really there."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        old = fullname.removeprefix(f"{_HERE}.")
        if old == fullname or old not in MODULES:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        homes = MODULES[module.__name__.removeprefix(f"{_HERE}.")]
        # The import system's own frames do not count: this is seen from who imports.
        _warn(module.__name__, homes, stacklevel=3)
        setattr(module, "__getattr__", _looking_up(module.__name__, homes, warns=False))  # noqa: B010


def _looking_up(old: str, homes: Sequence[str], warns: bool = True) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module whose names are elsewhere."""

    def look_up(name: str) -> Any:
        if not name.startswith("__"):
            for home in homes:
                module = importlib.import_module(f"{_HERE}.{home}")
                if name in vars(module):
                    if warns:
                        _warn(f"{old}.{name}", [home], stacklevel=4)
                    return vars(module)[name]
        raise AttributeError(f"module {old!r} has no attribute {name!r}")

    return look_up


def _warn(old: str, homes: Sequence[str], stacklevel: int) -> None:
    places = " and ".join(f"{_HERE}.{home}" for home in homes)
    warnings.warn(f"{old} is now in {places}", DeprecationWarning, stacklevel=stacklevel)
