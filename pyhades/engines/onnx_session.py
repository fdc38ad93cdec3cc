"""Sessions of onnxruntime that compute where they were asked to, or are refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyhades.cache import cache_root
from pyhades.engines.engine import Model
from pyhades.engines.providers import (
    CPU,
    CUDA,
    TENSORRT,
    require_onnxruntime,
    require_providers,
    settings_of,
    short_name,
)
from pyhades.errors import ConfigurationError, ModelError

if TYPE_CHECKING:
    from pyhades.engines.onnxruntime import OnnxRuntime

ERRORS_ONLY = 3
"""Severity of what onnxruntime logs."""


def open_session(engine: OnnxRuntime, model: Model, threads: int) -> Any:
    """An ``InferenceSession`` whose providers are those that were asked for.

    Raises
    ------
    ConfigurationError
        A provider is not there, or does not work on this machine.
    ModelError
        onnxruntime cannot read the model, or a provider lacks its operators.
    """
    module = require_onnxruntime()
    require_providers(engine.providers, module)
    if {CUDA, TENSORRT} & set(engine.providers) and hasattr(module, "preload_dlls"):
        module.preload_dlls()  # of packages such as nvidia-cudnn, which no path names
    options = _session_options(module, engine, threads)
    settings = [_settings(engine, provider, model, module.__version__)
                for provider in engine.providers]  # fmt: skip
    source = model.source if isinstance(model.source, bytes) else str(model.source)
    model.check_same()
    try:
        session = module.InferenceSession(
            source, options, providers=list(engine.providers), provider_options=settings,
            enable_fallback=0,
        )  # fmt: skip
    except Exception as error:  # its own classes have no base of their own
        raise _refusal(engine, model, error) from error
    session.disable_fallback()
    _check_providers(engine, session.get_providers(), module.__version__)
    return session


def _session_options(module: Any, engine: OnnxRuntime, threads: int) -> Any:
    options = module.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    entries: dict[str, Any] = {
        # Threads that wait in a loop would take the cores of the engine beside.
        "session.intra_op.allow_spinning": "0",
        "session.inter_op.allow_spinning": "0",
    }
    if CPU not in engine.providers:
        entries["session.disable_cpu_ep_fallback"] = "1"
    for key, value in {**entries, **engine.session_options}.items():
        options.add_session_config_entry(key, str(value))
    for library in engine.libraries:
        try:
            options.register_custom_ops_library(library)
        except Exception as error:
            raise ConfigurationError(f"libraries={library!r} cannot be loaded: {error}") from error
    return options


def _settings(engine: OnnxRuntime, provider: str, model: Model, version: str) -> dict[str, str]:
    """Of a provider; TensorRT keeps what it has built, which takes it minutes."""
    defaults: dict[str, str] = {}
    if provider == TENSORRT:
        folder = tensorrt_folder(model, version, engine.batch)
        folder.mkdir(parents=True, exist_ok=True)
        defaults = {
            "trt_engine_cache_enable": "1", "trt_engine_cache_path": str(folder),
            "trt_timing_cache_enable": "1", "trt_timing_cache_path": str(folder),
        }  # fmt: skip
    return settings_of(provider, engine.provider_options.get(provider, {}), defaults)


def tensorrt_folder(
    model: Model, version: str, batch: int, driver: Path = Path("/proc/driver/nvidia")
) -> Path:
    """Where engines of TensorRT are kept: they fit one GPU and driver, version, model, batch."""
    content = model.source
    data = content if isinstance(content, bytes) else _stamp(content)
    machine = [line for path in sorted(driver.glob("gpus/*/information"))
               for line in path.read_text().splitlines() if line.startswith("Model")]  # fmt: skip
    machine += [path.read_text() for path in driver.glob("version")]
    parts = [version.encode(), str(batch).encode(), *map(str.encode, machine), data]
    return cache_root() / "tensorrt" / hashlib.sha256(b"\n".join(parts)).hexdigest()[:16]


def _stamp(path: Path) -> bytes:
    status = path.stat()
    return f"{path.resolve()} {status.st_size} {status.st_mtime_ns}".encode()


def _refusal(engine: OnnxRuntime, model: Model, error: Exception) -> Exception:
    """What to tell instead of one of onnxruntime's own errors."""
    reason = str(error).strip()
    names = "+".join(map(short_name, engine.providers))
    if "fallback to the CPU EP" in reason or "disabled by the user" in reason:
        return ModelError(
            f"{model.where}: {names} does not take all of its operators, or could not be started, "
            f'and nothing falls back to the CPU unasked: {reason} Say engine="onnxruntime:'
            f'{names}+cpu" to let the CPU compute the rest'
        )
    if type(error).__name__ in ("InvalidGraph", "InvalidProtobuf", "NotImplemented", "NoModel"):
        return ModelError(f"{model.where}: onnxruntime cannot run it: {reason}")
    if not engine.on_cpu:
        return ConfigurationError(f"onnxruntime on {names} cannot be started: {reason}")
    return ModelError(f"{model.where}: onnxruntime cannot run it: {reason}")


def _check_providers(engine: OnnxRuntime, found: list[str], version: str) -> None:
    """Those that fail to start are left out without an error: they are looked for."""
    missing = [provider for provider in engine.providers if provider not in found]
    if missing:
        raise ConfigurationError(
            f"onnxruntime {version} has {missing[0]}, which does not work on this machine; it left "
            f"{', '.join(found)}. Mostly libraries are missing, such as CUDA's or cuDNN's: "
            'pip install "onnxruntime-gpu[cuda,cudnn]", or look at what onnxruntime has logged'
        )
