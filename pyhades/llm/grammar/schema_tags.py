"""Variants that a tag tells apart, as libraries of data classes write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyhades.llm.grammar.schema_walk import all_schemas, at


def require_tags(document: dict[str, Any]) -> None:
    """Make the tag of every variant of a ``oneOf`` with a ``discriminator`` required.

    A tag with a default is often not required, and then two variants may be followed by the same
    document, as far as anybody can prove. With the tag they exclude each other, and what follows
    the stricter schema follows the other one, too.

    Parameters
    ----------
    document
        A schema, which is changed.

    Examples
    --------
    >>> variants = [{"properties": {"kind": {"const": kind}}} for kind in "ab"]
    >>> schema = {"oneOf": variants, "discriminator": {"propertyName": "kind"}}
    >>> require_tags(schema)
    >>> schema["oneOf"][0]["required"]
    ['kind']
    """
    for _, schema in list(all_schemas(document)):
        told = schema.get("discriminator")
        tag = told.get("propertyName") if isinstance(told, Mapping) else None
        variants = schema.get("oneOf")
        if isinstance(tag, str) and isinstance(variants, list):
            for variant in variants:
                _require(_followed(document, variant), tag)


def _followed(document: dict[str, Any], variant: Any) -> Any:
    reference = variant.get("$ref") if isinstance(variant, dict) else None
    return at(document, reference) if isinstance(reference, str) else variant


def _require(variant: Any, tag: str) -> None:
    if not isinstance(variant, dict) or not isinstance(variant.get("properties"), Mapping):
        return
    known = variant["properties"].get(tag)
    required = variant.get("required", [])
    is_told_apart = isinstance(known, Mapping) and ("const" in known or "enum" in known)
    if is_told_apart and isinstance(required, list) and tag not in required:
        variant["required"] = [tag, *required]
