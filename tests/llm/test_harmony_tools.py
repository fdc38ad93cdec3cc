"""JSON schemas as the types that a model reads."""

from __future__ import annotations

import pytest

from pyhades.errors import ArgumentError
from pyhades.llm.text.harmony.tool_types import tools_section, typescript
from pyhades.llm.text.tools import function_names


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, "string"),
        ({"type": "integer"}, "number"),
        ({"type": "number"}, "number"),
        ({"type": "boolean"}, "boolean"),
        ({"type": "null"}, "null"),
        ({}, "any"),
        (True, "any"),
        ({"type": "string", "enum": ["a", "b"]}, '"a" | "b"'),
        ({"enum": [1, 2.5, None, "x"]}, '1 | 2.5 | null | "x"'),
        ({"const": "on"}, '"on"'),
        ({"type": "string", "nullable": True}, "string | null"),
        ({"type": ["string", "null"], "nullable": True}, "string | null"),
        ({"type": ["integer", "number"]}, "number"),
        ({"type": "array"}, "Array<any>"),
        ({"type": "array", "items": {"type": "string"}}, "string[]"),
        ({"type": "array", "items": {"type": ["string", "null"]}}, "(string | null)[]"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string | null"),
        ({"allOf": [{"type": "string"}]}, "string"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "Record<string, number>"),
        ({"oneOf": [{"type": "string", "description": "a name"}, {"type": "number", "default": 3}]},
         "\n | string // a name\n | number // default: 3"),
    ],
    ids=str,
)  # fmt: skip
def test_types(schema, expected):
    assert typescript(schema) == expected


def test_definitions_are_looked_up_and_may_contain_themselves():
    schema = {
        "type": "object",
        "properties": {"tree": {"$ref": "#/$defs/Tree"}, "lost": {"$ref": "#/$defs/None"}},
        "$defs": {
            "Tree": {
                "type": "object",
                "properties": {"below": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
            }
        },
    }
    assert typescript(schema) == "\n".join(
        ["{", "tree?: {", "    below?: any[],", "    },", "lost?: any,", "}"]
    )


EVERYTHING = {
    "type": "object",
    "description": "What to paint",
    "required": ["colour", "size"],
    "properties": {
        "colour": {"type": "string", "title": "Colour", "description": "Its colour",
                   "examples": ["red", "dark blue"]},
        "size": {"type": "integer", "default": 3},
        "unit": {"type": "string", "enum": ["cm", "in"], "default": "cm"},
        "label": {"type": "string", "nullable": True, "default": "none"},
        "note": {"type": "string", "description": "First line.\nSecond line."},
        "corner": {"type": "object", "required": ["x"],
                   "properties": {"x": {"type": "number"}, "y": {"type": "number"}}},
        "width": {"description": "how wide", "default": 2, "oneOf": [
            {"type": "string", "default": "thin"},
            {"type": "number", "description": "in pixels"}]},
        "fill": {"description": "a name", "oneOf": [
            {"type": "string", "description": "a name"}, {"type": "null"}]},
    },
}  # fmt: skip


def test_a_tool_with_everything():
    assert tools_section([{
        "type": "function",
        "function": {"name": "paint", "description": "Paints.\nTwice.", "parameters": EVERYTHING},
    }]) == """\
# Tools

## functions

namespace functions {

// Paints.
// Twice.
type paint = (_: // What to paint
{
// Colour
//
// Its colour
// Examples:
// - "red"
// - "dark blue"
colour: string,
size: number, // default: 3
unit?: "cm" | "in", // default: cm
label?: string | null, // default: "none"
// First line.
// Second line.
note?: string,
corner?: {
    x: number,
    y?: number,
    },
// how wide
// default: 2
width?:
 | string // default: "thin"
 | number // in pixels
,
fill?:
 | string
 | null
,
}) => any;

} // namespace functions"""  # fmt: skip


@pytest.mark.parametrize(
    "parameters",
    [None, {}, {"type": "object"}, {"type": "object", "properties": {}}],
    ids=str,
)
def test_a_tool_without_arguments(parameters):
    section = tools_section([{"name": "now", "parameters": parameters}])
    assert "\ntype now = () => any;\n" in section


def test_the_names_of_functions():
    tools = [{"name": "a"}, {"type": "function", "function": {"name": "b-2"}}]
    assert function_names(tools) == {"a", "b-2"}


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        ({"type": "web_search"}, r"tools\[0\] has type 'web_search'"),
        ({"type": "function", "function": {}}, r"tools\[0\] has name None"),
        ({"name": "a b"}, r"tools\[0\] has name 'a b'"),
        ({"name": "a", "parameters": ["x"]}, r"tools\[0\] \(a\): parameters are no JSON schema"),
        ("now", r"tools\[0\] is no dict: 'now'"),
    ],
)
def test_tools_that_cannot_be_read_are_refused(tool, message):
    with pytest.raises(ArgumentError, match=message):
        tools_section([tool])
