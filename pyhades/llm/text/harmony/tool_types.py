"""Tools as harmony writes them: JSON schemas become types in the manner of TypeScript.

The layout, down to comments and line ends, is that of OpenAI's renderer, which the models were
trained on. Schemas that it gives up on (``anyOf``, ``$ref``, ``const``) get their type as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyhades.errors import ArgumentError
from pyhades.llm.text.chat import NAMESPACE
from pyhades.llm.text.tools import as_json, declared

_PLAIN = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean",
          "null": "null"}  # fmt: skip
_EMPTY = "{\n}"

Schema = Mapping[str, Any]


def tools_section(tools: Sequence[Mapping[str, Any]]) -> str:
    """The section of the developer message that declares functions.

    Parameters
    ----------
    tools
        As in OpenAI's API: ``{"type": "function", "function": {"name", "description",
        "parameters"}}``, or the inner dict alone.

    Raises
    ------
    ArgumentError
        A tool is no function, or has no usable name.
    """
    return f"# Tools\n\n## {NAMESPACE}\n\n{namespace(NAMESPACE, declared(tools))}"


def namespace(name: str, functions: Sequence[Mapping[str, Any]]) -> str:
    """Types of functions that belong together."""
    lines = [f"namespace {name} {{\n"]
    for function in functions:
        lines += comment_lines(function.get("description"), "")
        parameters = function.get("parameters")
        type_text = typescript(parameters) if parameters else _EMPTY
        argument = "" if type_text.endswith(_EMPTY) else f"_: {type_text}"
        lines.append(f"type {function['name']} = ({argument}) => any;\n")
    return "\n".join([*lines, f"}} // namespace {name}"])


def typescript(schema: Schema) -> str:
    """A JSON schema as a type.

    Examples
    --------
    >>> typescript({"type": "array", "items": {"type": "integer"}})
    'number[]'
    """
    return _Types(schema).of(schema, "")


def comment_lines(text: Any, indent: str) -> list[str]:
    """Lines of a comment."""
    return [f"{indent}// {line}" for line in text.splitlines()] if isinstance(text, str) else []


def _default(schema: Schema) -> list[str]:
    if "default" not in schema:
        return []
    default = schema["default"]
    is_bare = isinstance(default, str) and bool(schema.get("enum"))
    return [f"default: {default if is_bare else _json(default)}"]


def _json(value: Any) -> str:
    return as_json(value, "a schema of tools", compact=True)


class _Types:
    """Types of the schemas inside one, whose definitions ``$ref`` refers to."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._open: list[str] = []

    def of(self, schema: Any, indent: str) -> str:
        """The type of a schema; lines after its first are indented."""
        if not isinstance(schema, Mapping):
            return "any"
        text = self._without_null(schema, indent)
        return f"{text} | null" if schema.get("nullable") and "null" not in text else text

    def _without_null(self, schema: Schema, indent: str) -> str:
        if "$ref" in schema:
            return self._referred(str(schema["$ref"]), indent)
        if isinstance(schema.get("oneOf"), list):
            lines = [self._variant(each, indent, None) for each in schema["oneOf"]]
            return "".join(f"\n{line}" for line in lines)
        if isinstance(schema.get("anyOf"), list):
            return self._union(schema["anyOf"], indent)
        if isinstance(schema.get("allOf"), list) and len(schema["allOf"]) == 1:
            return self.of(schema["allOf"][0], indent)
        if "const" in schema:
            return _json(schema["const"])
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return " | ".join(_json(value) for value in schema["enum"])
        kind = schema.get("type")
        if isinstance(kind, list):
            single = {**schema, "nullable": False}
            return self._union([{**single, "type": each} for each in kind], indent)
        if kind == "array":
            return self._array(schema, indent)
        if kind == "object" or (kind is None and "properties" in schema):
            return self._object(schema, indent)
        return _PLAIN.get(str(kind), "any")

    def _referred(self, reference: str, indent: str) -> str:
        """The type of a definition; one that contains itself is not written out twice."""
        if reference in self._open or not reference.startswith("#/"):
            return "any"
        found: Any = self._root
        for key in reference[2:].split("/"):
            found = found.get(key) if isinstance(found, Mapping) else None
        self._open.append(reference)
        text = self.of(found, indent)
        self._open.pop()
        return text

    def _union(self, variants: list[Any], indent: str) -> str:
        return " | ".join(dict.fromkeys(self.of(variant, indent) for variant in variants))

    def _array(self, schema: Schema, indent: str) -> str:
        if "items" not in schema:
            return "Array<any>"
        item = self.of(schema["items"], indent)
        return f"({item})[]" if " | " in item and not item.endswith("}") else f"{item}[]"

    def _object(self, schema: Schema, indent: str) -> str:
        properties = schema.get("properties")
        others = schema.get("additionalProperties")
        if not properties and isinstance(others, Mapping):
            return f"Record<string, {self.of(others, indent)}>"
        lines = [*comment_lines(schema.get("description"), indent), "{"]
        required = schema.get("required") or ()
        if not isinstance(properties or {}, Mapping) or not isinstance(required, list | tuple):
            raise ArgumentError(
                f"a schema of tools has properties {properties!r} and required {required!r}; they "
                "are a dict and a list"
            )
        for key, value in (properties or {}).items():
            name = f"{indent}{key}{'' if key in required else '?'}:"
            lines += self._property(name, value if isinstance(value, Mapping) else {}, indent)
        return "\n".join([*lines, f"{indent}}}"])

    def _property(self, name: str, schema: Schema, indent: str) -> list[str]:
        lines = comment_lines(schema.get("title"), indent)
        lines += [f"{indent}//"] if lines else []
        variants = schema.get("oneOf")
        if isinstance(variants, list):
            return lines + self._property_of_variants(name, schema, variants, indent)
        lines += comment_lines(schema.get("description"), indent)
        lines += _examples(schema.get("examples"), indent)
        comment = "".join(f" // {default}" for default in _default(schema))
        return [*lines, f"{name} {self.of(schema, indent + '    ')},{comment}"]

    def _property_of_variants(
        self, name: str, schema: Schema, variants: list[Any], indent: str
    ) -> list[str]:
        """One variant a line. A description that the first repeats is only written once."""
        lines = _examples(schema.get("examples"), indent)
        described = schema.get("description")
        is_repeated = bool(variants) and described == _described(variants[0])
        if not is_repeated:
            lines += comment_lines(described, indent)
        lines += [f"{indent}// {default}" for default in _default(schema)]
        lines.append(name)
        for number, variant in enumerate(variants):
            is_known = described is not None and number == 0 and not is_repeated
            hidden = _described(variant) if is_known else described
            lines.append(self._variant(variant, indent, hidden))
        return [*lines, f"{indent},"]

    def _variant(self, variant: Any, indent: str, hidden: str | None) -> str:
        """A line of a union, with its description unless that is ``hidden``, and its default."""
        described = _described(variant)
        comments = [described] if described is not None and described != hidden else []
        comments += _default(variant) if isinstance(variant, Mapping) else []
        comment = f" // {' '.join(comments)}" if comments else ""
        return f"{indent} | {self.of(variant, indent + '   ')}{comment}"


def _described(schema: Any) -> str | None:
    described = schema.get("description") if isinstance(schema, Mapping) else None
    return " ".join(described.splitlines()) if isinstance(described, str) else None


def _examples(examples: Any, indent: str) -> list[str]:
    if not isinstance(examples, list) or not examples:
        return []
    lines = [f'{indent}// - "{example}"' for example in examples if isinstance(example, str)]
    return [f"{indent}// Examples:", *lines]
