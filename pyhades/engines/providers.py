"""Execution providers of onnxruntime: their names, what they are set to, and what is installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pyhades.errors import ArgumentError, ArgumentTypeError, ConfigurationError

SUFFIX = "ExecutionProvider"
CPU = f"CPU{SUFFIX}"
CUDA = f"CUDA{SUFFIX}"
TENSORRT = f"Tensorrt{SUFFIX}"

_NAMES = (
    "CPU", "CUDA", "Tensorrt", "NvTensorRTRTX", "OpenVINO", "ROCM", "MIGraphX", "Dml", "CoreML",
    "QNN", "WebGpu", "Xnnpack", "Dnnl", "VitisAI", "CANN", "Azure",
)  # fmt: skip
_SHORT = {name.lower(): f"{name}{SUFFIX}" for name in _NAMES}
_SHORT |= {"directml": f"Dml{SUFFIX}", "trt": TENSORRT, "onednn": f"Dnnl{SUFFIX}"}

_WHEELS = {
    CPU: "onnxruntime",
    CUDA: "onnxruntime-gpu",
    TENSORRT: "onnxruntime-gpu",
    f"NvTensorRTRTX{SUFFIX}": "onnxruntime-trt-rtx",
    f"OpenVINO{SUFFIX}": "onnxruntime-openvino",
    f"Dml{SUFFIX}": "onnxruntime-directml",
    f"ROCM{SUFFIX}": "onnxruntime-rocm",
    f"MIGraphX{SUFFIX}": "onnxruntime-migraphx",
    f"QNN{SUFFIX}": "onnxruntime-qnn",
}
"""What to install for a provider; all of them write to the folder ``onnxruntime``."""

_DEFAULTS: dict[str, dict[str, str]] = {
    # The exhaustive search runs anew for every shape; powers of two double the arena.
    CUDA: {
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
    },
}


def full_name(name: str) -> str:
    """Of a provider, from its full name or a short one.

    Raises
    ------
    ArgumentError
        There is none of that name.

    Examples
    --------
    >>> full_name("cuda")
    'CUDAExecutionProvider'
    """
    if not isinstance(name, str):
        raise ArgumentTypeError(f"providers has {name!r}, which is no name of a provider")
    if name.endswith(SUFFIX) and name != SUFFIX:
        return _SHORT.get(name.removesuffix(SUFFIX).lower(), name)
    if name.lower() not in _SHORT:
        raise ArgumentError(
            f"providers={name!r}: onnxruntime has no such provider; short names are "
            f"{', '.join(sorted(_SHORT))}"
        )
    return _SHORT[name.lower()]


def short_name(provider: str) -> str:
    """Of a provider, in small letters.

    Examples
    --------
    >>> short_name("CUDAExecutionProvider")
    'cuda'
    """
    return provider.removesuffix(SUFFIX).lower()


def settings_of(
    provider: str, given: Mapping[str, Any], defaults: Mapping[str, str]
) -> dict[str, str]:
    """Options of a provider: ours, those of this model (``defaults``), those of the caller."""
    told = {key: str(value) for key, value in given.items()}
    return {**_DEFAULTS.get(provider, {}), **defaults, **told}


def require_onnxruntime() -> Any:
    """The module.

    Raises
    ------
    ConfigurationError
        It is not installed, or broken.
    """
    try:
        import onnxruntime
    except ImportError as error:
        if importlib.util.find_spec("onnxruntime") is None:
            raise ConfigurationError(
                "engine 'onnxruntime' needs the package of that name: "
                'pip install "pyhades[onnxruntime]", or onnxruntime-gpu for a GPU of NVIDIA'
            ) from None
        raise ConfigurationError(f"onnxruntime cannot be imported: {error}") from error
    return onnxruntime


def require_providers(wanted: Sequence[str], module: Any) -> None:
    """ConfigurationError where the installed onnxruntime was built without one of them."""
    there = list(module.get_available_providers())
    for provider in wanted:
        if provider in there:
            continue
        wheel = _WHEELS.get(provider)
        remedy = f"pip install {wheel}" if wheel else "install an onnxruntime that has it"
        rivals = installed_wheels()
        if wheel in rivals and len(rivals) > 1:
            others = [name for name in rivals if name != wheel]
            remedy = (
                f"{' and '.join(rivals)} are installed and overwrite each other: "
                f"pip uninstall -y {' '.join(rivals)}, then pip install {wheel}"
                f" (and not {' '.join(others)})"
            )
        elif rivals and wheel:
            remedy = f"pip uninstall -y {' '.join(rivals)}, then pip install {wheel}"
        raise ConfigurationError(
            f"onnxruntime {module.__version__} has no {provider}, only {', '.join(there)}; {remedy}"
        )


def installed_wheels() -> list[str]:
    """Distributions that have written to the folder ``onnxruntime``."""
    found = []
    for wheel in dict.fromkeys(_WHEELS.values()):
        try:
            importlib.metadata.distribution(wheel)
        except importlib.metadata.PackageNotFoundError:
            continue
        found.append(wheel)
    return found


def installed_version() -> str:
    """Of onnxruntime, without importing it."""
    module = sys.modules.get("onnxruntime")
    if module is not None:
        return str(module.__version__)
    wheels = installed_wheels()
    return importlib.metadata.version(wheels[0]) if wheels else "not installed"
