"""Functions that a caller declares, and which of them an answer may or must call."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyhades.errors import ArgumentError, ArgumentTypeError

CHOICES = ("none", "auto", "required")
_NAMES = re.compile(r"[\w.-]+")

Given = Mapping[str, Any]
Choice = str | Given | None


def as_mapping(value: Any) -> Any:
    """A dict for an object of a client library that knows how to be one; else the same."""
    if isinstance(value, Mapping):
        return value
    for method in ("model_dump", "to_dict"):
        if not isinstance(value, type) and callable(getattr(value, method, None)):
            return getattr(value, method)()
    return value


def as_json(value: Any, what: str, *, compact: bool = False) -> str:
    """JSON of a value; ArgumentTypeError where it has none."""
    try:
        separators = (",", ":") if compact else None
        return json.dumps(value, ensure_ascii=False, separators=separators)
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentTypeError(f"{what} cannot be written as JSON: {error}") from None


def declared(tools: Sequence[Any]) -> list[Given]:
    """The functions of ``tools``: the inner dicts of OpenAI's API.

    Parameters
    ----------
    tools
        ``{"type": "function", "function": {"name", "description", "parameters"}}``, or the inner
        dict alone.

    Raises
    ------
    ArgumentTypeError
        They are no list.
    ArgumentError
        A tool is no function, or has no usable name.
    """
    if isinstance(tools, (str, bytes, Mapping)) or not isinstance(tools, Sequence):
        raise ArgumentTypeError(f"tools is {type(tools).__name__}; it is a list of functions")
    return [_function(as_mapping(tool), f"tools[{number}]") for number, tool in enumerate(tools)]


def function_names(tools: Sequence[Any]) -> set[str]:
    """Names of the functions that ``tools`` declare."""
    return {function["name"] for function in declared(tools)}


@dataclass(frozen=True)
class Offer:
    """What an answer may call.

    Attributes
    ----------
    functions
        What the model is told of.
    is_required
        Whether the answer has to be a call of one of them.
    """

    functions: tuple[Given, ...] = ()
    is_required: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Of the functions."""
        return tuple(function["name"] for function in self.functions)


def offer(tools: Sequence[Any], choice: Choice) -> Offer:
    """What ``tool_choice`` leaves of the tools.

    Parameters
    ----------
    tools
        All that there are.
    choice
        ``"none"``, ``"auto"``, ``"required"``, a function, or ``allowed_tools``, as in OpenAI's
        API; None is ``"auto"``.

    Raises
    ------
    ArgumentTypeError
        It is no text and no dict.
    ArgumentError
        It means nothing, or names a function that is not declared.
    """
    functions = tuple(declared(tools))
    kind, given = _kind_of(choice)
    if kind in CHOICES:
        offered = Offer(() if kind == "none" else functions, kind == "required")
    elif kind == "function":
        offered = Offer(_named([_name_in(given)], functions), is_required=True)
    elif kind == "allowed_tools":
        inner = as_mapping(given.get("allowed_tools", given))
        mode = inner.get("mode", "auto") if isinstance(inner, Mapping) else None
        if mode not in ("auto", "required"):
            raise ArgumentError(f"tool_choice: the mode of allowed_tools is {mode!r}, "
                                "not 'auto' or 'required'")  # fmt: skip
        names = [_name_in(as_mapping(tool)) for tool in inner.get("tools") or ()]
        offered = Offer(_named(names, functions), mode == "required")
    else:
        raise _meaningless(choice)
    if offered.is_required and not offered.functions:
        raise ArgumentError(f"tool_choice={choice!r} asks for a call, but there are no tools")
    return offered


def _kind_of(choice: Any) -> tuple[Any, Given]:
    choice = as_mapping(choice)
    if choice is None or isinstance(choice, str):
        return choice or "auto", {}
    if not isinstance(choice, Mapping):
        raise ArgumentTypeError(
            f"tool_choice is {type(choice).__name__}; it is a text, or a dict with a type"
        )
    return choice.get("type"), choice


def _name_in(given: Any) -> Any:
    """The name in ``{"type": "function", "function": {"name"}}``, or in the flat spelling."""
    inner = given.get("function", given) if isinstance(given, Mapping) else None
    return inner.get("name") if isinstance(inner, Mapping) else None


def _named(names: Sequence[Any], functions: Sequence[Given]) -> tuple[Given, ...]:
    known = {function["name"]: function for function in functions}
    for name in names:
        if not isinstance(name, str) or name not in known:
            listed = ", ".join(map(repr, known)) or "none"
            raise ArgumentError(f"tool_choice names {name!r}; the declared functions are: {listed}")
    return tuple(known[name] for name in dict.fromkeys(names))


def _meaningless(choice: Any) -> ArgumentError:
    return ArgumentError(
        f"tool_choice={choice!r} is none of {', '.join(map(repr, CHOICES))}, "
        "{'type': 'function', 'function': {'name': ...}} and {'type': 'allowed_tools', ...}"
    )


def _function(tool: Any, where: str) -> Given:
    if not isinstance(tool, Mapping):
        raise ArgumentError(f"{where} is no dict: {tool!r}")
    if tool.get("type", "function") != "function":
        raise ArgumentError(f"{where} has type {tool['type']!r}; only functions are known")
    function: Given = tool.get("function", tool)
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str) or not _NAMES.fullmatch(name):
        raise ArgumentError(
            f"{where} has name {name!r}; a name has letters, digits, '_', '-' and '.'"
        )
    if not isinstance(function.get("parameters") or {}, Mapping):
        raise ArgumentError(f"{where} ({name}): parameters are no JSON schema")
    return function
