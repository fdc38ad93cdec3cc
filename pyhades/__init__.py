"""pyhades: background removal and language models on commodity x86 servers.

Names are imported when they are first used, so that ``import pyhades`` stays cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what editors and type checkers see of the names below
    from pyhades.compiler import Program as Program
    from pyhades.compiler import compile as compile
    from pyhades.config import show_config as show_config
    from pyhades.llm import LLM as LLM
    from pyhades.llm import SamplingParams as SamplingParams
    from pyhades.onnx import load_onnx as load_onnx
    from pyhades.options import EngineOptions as EngineOptions
    from pyhades.segmentation import Remover as Remover
    from pyhades.segmentation import inspect as inspect
    from pyhades.segmentation import remove_background as remove_background
    from pyhades.segmentation.bulk.run import BulkRun as BulkRun
    from pyhades.segmentation.quantize import quantize as quantize

__version__ = "0.1.0"

_HOMES = {
    "BulkRun": "pyhades.segmentation.bulk.run",
    "EngineOptions": "pyhades.options",
    "LLM": "pyhades.llm",
    "Program": "pyhades.compiler",
    "Remover": "pyhades.segmentation",
    "SamplingParams": "pyhades.llm",
    "compile": "pyhades.compiler",
    "inspect": "pyhades.segmentation",
    "load_onnx": "pyhades.onnx",
    "quantize": "pyhades.segmentation.quantize",
    "remove_background": "pyhades.segmentation",
    "show_config": "pyhades.config",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'pyhades' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
