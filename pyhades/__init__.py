"""pyhades: background removal and language models on commodity x86 servers.

Names are imported when they are first used, so that ``import pyhades`` stays cheap.
"""

from __future__ import annotations

import importlib
from typing import Any

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
