"""Engines by their names, as callers and the command line give them."""

from __future__ import annotations

from collections.abc import Sequence

from pyhades.engines.engine import Engine
from pyhades.engines.hybrid import Hybrid
from pyhades.engines.onnxruntime import OnnxRuntime
from pyhades.engines.ours import Pyhades
from pyhades.errors import ArgumentError, ArgumentTypeError

EngineLike = str | Engine | Sequence[str | Engine]
"""A name such as ``"onnxruntime:cuda"``, an engine, or several of these."""


def engine_of(given: EngineLike | None, *, batch: int | None = None) -> Engine:
    """The engine that is meant.

    Parameters
    ----------
    given
        ``"pyhades"`` (and None) is ours; ``"onnxruntime"`` computes on the CPU,
        ``"onnxruntime:cuda"`` on another provider, ``"onnxruntime:tensorrt+cuda"`` on several,
        ``"onnxruntime:cuda@1"`` on the second device.
        Several engines, in a list or with commas between, work side by side:
        ``"onnxruntime:cuda,pyhades"``.
    batch
        Of engines of onnxruntime that are given by name.

    Raises
    ------
    ArgumentError
        There is none of that name.

    Examples
    --------
    >>> engine_of("onnxruntime:cuda,pyhades").label
    'onnxruntime:cuda,pyhades'
    """
    if given is None:
        return Pyhades()
    if isinstance(given, str):
        names = [name.strip() for name in given.split(",")]
        engines = [_named(name, batch) for name in names]
    elif isinstance(given, Engine) and not isinstance(given, type):
        return given
    elif isinstance(given, Sequence):
        engines = [engine_of(each, batch=batch) for each in given]
    else:
        raise ArgumentTypeError(
            f"engine is {type(given).__name__}; expected a name, an engine of pyhades.engines, or "
            "several of these"
        )
    if not engines:
        raise ArgumentError("engine is empty; name one, such as 'pyhades' or 'onnxruntime'")
    return engines[0] if len(engines) == 1 else Hybrid(engines)


def _named(given: str, batch: int | None) -> Engine:
    name, _, providers = given.partition(":")
    if name == "pyhades":
        if providers:
            raise ArgumentError(f"engine={given!r}: pyhades has no providers")
        return Pyhades()
    if name == "onnxruntime":
        pairs = [each.partition("@") for each in (providers or "cpu").split("+")]
        devices = {provider: {"device_id": number} for provider, _, number in pairs if number}
        return OnnxRuntime([each for each, *_ in pairs], provider_options=devices, batch=batch)
    raise ArgumentError(
        f"engine={given!r} must be 'pyhades' or 'onnxruntime', with a provider where it should not "
        "compute on the CPU ('onnxruntime:cuda'); several have commas between them"
    )
