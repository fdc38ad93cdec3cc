"""Tools that the models know from their training, as the system message declares them.

Their wording is a part of the format: it is what OpenAI's renderer writes and the models have read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyhades.errors import ArgumentError
from pyhades.llm.text.harmony.tool_types import comment_lines, namespace
from pyhades.llm.text.tools import as_mapping, declared

_NUMBER = {"type": "number", "default": -1}
BUILTIN_TOOLS: dict[str, dict[str, Any]] = {
    "browser": {
        "description": (
            "Tool for browsing.\n"
            "The `cursor` appears in brackets before each browsing display: `[{cursor}]`.\n"
            "Cite information from the tool using the following format:\n"
            "`【{cursor}†L{line_start}(-L{line_end})?】`, "
            "for example: `【6†L9-L11】` or `【8†L3】`.\n"
            "Do not quote more than 10 words directly from the tool output.\n"
            "sources=web (default: web)"
        ),
        "tools": [
            {
                "name": "search",
                "description": (
                    "Searches for information related to `query` and displays `topn` results."
                ),
                "parameters": {
                    "properties": {
                        "query": {"type": "string"},
                        "topn": {"type": "number", "default": 10},
                        "source": {"type": "string"},
                    },
                    "required": ["query"],
                },
            },
            {
                "name": "open",
                "description": (
                    "Opens the link `id` from the page indicated by `cursor` starting at line "
                    "number `loc`, showing `num_lines` lines.\n"
                    "Valid link ids are displayed with the formatting: `【{id}†.*】`.\n"
                    "If `cursor` is not provided, the most recent page is implied.\n"
                    "If `id` is a string, it is treated as a fully qualified URL associated with "
                    "`source`.\n"
                    "If `loc` is not provided, the viewport will be positioned at the beginning of "
                    "the document or centered on the most relevant passage, if available.\n"
                    "Use this function without `id` to scroll to a new location of an opened page."
                ),
                "parameters": {
                    "properties": {
                        "id": {"type": ["number", "string"], "default": -1},
                        "cursor": _NUMBER,
                        "loc": _NUMBER,
                        "num_lines": _NUMBER,
                        "view_source": {"type": "boolean", "default": False},
                        "source": {"type": "string"},
                    },
                },
            },
            {
                "name": "find",
                "description": (
                    "Finds exact matches of `pattern` in the current page, or the page given by "
                    "`cursor`."
                ),
                "parameters": {
                    "properties": {"pattern": {"type": "string"}, "cursor": _NUMBER},
                    "required": ["pattern"],
                },
            },
        ],
    },
    "python": {
        "description": (
            "Use this tool to execute Python code in your chain of thought. The code will not be "
            "shown to the user. This tool should be used for internal reasoning, but not for code "
            "that is intended to be visible to the user (e.g. when creating plots, tables, or "
            "files).\n\n"
            "When you send a message containing Python code to python, it will be executed in a "
            "stateful Jupyter notebook environment. python will respond with the output of the "
            "execution or time out after 120.0 seconds. The drive at '/mnt/data' can be used to "
            "save and persist user files. Internet access for this session is UNKNOWN. Depends on "
            "the cluster."
        ),
        "tools": [],
    },
}
"""What the models were trained with, by the name of the namespace."""


def builtin_section(tools: Sequence[str | Mapping[str, Any]]) -> str:
    """The section of the system message that declares tools.

    Parameters
    ----------
    tools
        ``"browser"``, ``"python"``, or a namespace of your own: ``{"name", "description",
        "tools"}`` with functions as in OpenAI's API, or none for a tool that takes plain text.

    Raises
    ------
    ArgumentError
        There is no such tool.
    """
    return "\n\n".join(["# Tools", *map(_tool, tools)])


def _tool(tool: Any) -> str:
    given = as_mapping(tool)
    if isinstance(given, Mapping) and given.get("type") in BUILTIN_TOOLS:
        given = given["type"]
    if isinstance(given, str):
        if given not in BUILTIN_TOOLS:
            known = ", ".join(map(repr, BUILTIN_TOOLS))
            raise ArgumentError(f"builtin_tools has {given!r}; there are {known}, or give a dict")
        given = {"name": given, **BUILTIN_TOOLS[given]}
    if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
        raise ArgumentError(f"builtin_tools has {tool!r}, which has no name")
    name, described = given["name"], given.get("description") or ""
    functions = declared(given.get("tools") or ())
    if not functions:
        return f"## {name}\n\n{described}"
    lines = [*comment_lines(described, ""), namespace(name, functions)]
    return f"## {name}\n\n" + "\n".join(lines)
