"""From what callers say to what actors, replicas and Ray are told."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.onnx.source import model_bytes
from pyhades.ray.recipe import Recipe
from pyhades.ray.required import ray_module
from pyhades.segmentation.bulk.chain import Rendering
from pyhades.segmentation.bulk.sources.urls import is_url
from pyhades.segmentation.manifest import ModelManifest
from pyhades.segmentation.remover import ModelLike, Remover


def recipe_of(
    model: ModelLike | None,
    num_cpus: float,
    rendering: Rendering,
    remover: dict[str, Any],
    **more: Any,
) -> Recipe:
    """What actors and replicas are made of; a model that is no file is put into Ray's store.

    Raises
    ------
    ArgumentError
        ``num_cpus`` is no number of CPUs, or threads are given beside it.
    """
    return Recipe(_sent(model), threads_of(num_cpus, remover), rendering, remover=remover, **more)


def check_options(remover: Mapping[str, Any]) -> None:
    """ArgumentError where a remover has no such options; no actor is started for that."""
    known = {
        *inspect.signature(Remover).parameters,
        *(field.name for field in fields(ModelManifest)),
    }
    if unknown := [name for name in remover if name not in known]:
        raise ArgumentError(f"{', '.join(map(repr, unknown))}: a remover has no such option")


def threads_of(num_cpus: float, remover: Mapping[str, Any]) -> int:
    """Threads of a remover that has so many CPUs.

    Examples
    --------
    >>> threads_of(0.5, {}), threads_of(1, {}), threads_of(3.9, {})
    (1, 1, 3)
    """
    check_options(remover)
    if "threads" in remover:
        raise ArgumentError("an actor has as many threads as num_cpus= says; leave threads= out")
    is_number = isinstance(num_cpus, int | float) and not isinstance(num_cpus, bool)
    if not is_number or not 0 < num_cpus < math.inf:
        raise ArgumentError(f"num_cpus={num_cpus!r} is no number of CPUs above 0")
    return max(1, math.floor(num_cpus))


def others(name: str, given: Mapping[str, Any] | None, ours: Sequence[str]) -> dict[str, Any]:
    """Options that go to Ray as they are.

    Parameters
    ----------
    name
        Of the argument that has them.
    given
        Them.
    ours
        Which of Ray's are said by arguments here, or are none of the caller's.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        One of those is among them, or they are no mapping.

    Examples
    --------
    >>> others("ray_remote_args", {"memory": 2 * 2**30}, ["num_cpus"])
    {'memory': 2147483648}
    """
    if given is not None and not isinstance(given, Mapping):
        raise ArgumentTypeError(f"{name} is {type(given).__name__}, not a mapping of names")
    options = dict(given or {})
    if twice := [option for option in options if option in ours]:
        raise ArgumentError(
            f"{name} has {', '.join(map(repr, twice))}: leave out what is an argument of "
            "its own, or is not to be chosen"
        )
    return options


def _sent(model: ModelLike | None) -> Any:
    """A model as actors get it: a name or a path as it is, content by way of the object store."""
    if model is None:
        return None
    if isinstance(model, str | os.PathLike):
        return same_everywhere(model) if Path(model).exists() else os.fspath(model)
    return ray_module().put(bytes(model_bytes(model)))


def same_everywhere(place: str | os.PathLike[str]) -> str:
    """A path as it is called in whatever folder an actor works; a URL as it is."""
    text = os.fspath(place)
    return text if is_url(text) or not text else str(Path(text).absolute())
