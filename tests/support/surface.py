"""The public face of pyhades: what the rooms export, and what the reference page describes."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import re
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"
ROOMS = (
    "pyhades",
    "pyhades.compiler",
    "pyhades.debug",
    "pyhades.engines",
    "pyhades.formats",
    "pyhades.ir",
    "pyhades.kernels",
    "pyhades.llm",
    "pyhades.llm.models",
    "pyhades.networks",
    "pyhades.onnx",
    "pyhades.passes",
    "pyhades.quant",
    "pyhades.segmentation",
)


class Parameter(NamedTuple):
    """A parameter of a public function, with what its annotation means."""

    function: str
    name: str
    kind: Any
    default: Any
    hint: Any

    @property
    def choices(self) -> tuple[str, ...]:
        """The names that its Literals allow."""
        return _names_in(self.hint)


def public_functions() -> dict[str, Callable[..., Any]]:
    """Functions, constructors and methods by name, each once."""
    found: dict[str, Callable[..., Any]] = {}
    for member in _members():
        if inspect.isclass(member):
            for name, function in _methods(member):
                found[f"{_home(member)}{name}"] = function
        elif inspect.isfunction(member):
            found[_home(member)] = member
    return found


def parameters(name: str, function: Callable[..., Any]) -> Iterator[Parameter]:
    """Those of a function, without self and cls."""
    if dataclasses.is_dataclass(function):
        hints = typing.get_type_hints(function)  # inherited fields, each where it was written
    else:
        hints = typing.get_type_hints(function.__init__ if inspect.isclass(function) else function)
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in ("self", "cls"):
            hint = hints.get(parameter.name, Any)
            yield Parameter(name, parameter.name, parameter.kind, parameter.default, hint)


def _members() -> Iterator[Any]:
    for room in ROOMS:
        module = importlib.import_module(room)
        yield from (getattr(module, name) for name in module.__all__)
    text = PAGE.read_text(encoding="utf-8")
    for path in re.findall(r"auto(?:function|class):: ([\w.]+)", text):
        module_name, _, name = path.rpartition(".")
        yield getattr(importlib.import_module(module_name), name)


def _methods(cls: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, value in vars(cls).items():
        if isinstance(value, staticmethod | classmethod):
            value = value.__func__
        if not inspect.isfunction(value):
            continue
        if name == "__init__":
            yield "", cls
        elif name == "__call__" or not name.startswith("_"):
            yield f".{name}", value


def _home(member: Any) -> str:
    """Its name without the part that says in which module of the room it stands."""
    return f"{member.__module__}.{member.__qualname__}"


@functools.cache
def _names_in(hint: Any) -> tuple[str, ...]:
    if typing.get_origin(hint) is Literal:
        return tuple(name for name in typing.get_args(hint) if isinstance(name, str))
    inner = [part for part in typing.get_args(hint) if not isinstance(part, list)]
    return tuple(name for part in inner for name in _names_in(part))
