"""The OpenAPI document: what may be asked, written down from the structs that requests become."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

import pyhades
from pyhades.server.http.ollama import ShowBody
from pyhades.server.http.places import DetokenizeBody, TokenizeBody
from pyhades.server.protocol import anthropic, chat, completions, ollama, responses
from pyhades.server.protocol.face import Endpoint

_REFUSALS = {
    "400": "The request is wrong; the error says where.",
    "401": "There is no key, or no known one.",
    "403": "A web page of somebody else may not ask.",
    "404": "There is no such thing.",
    "408": "The request did not come in time.",
    "413": "The request is too large.",
    "429": "There is too much to do; retry-after tells when to ask again.",
    "501": "What it takes is not installed.",
    "503": "The model is being loaded, or the server stops.",
}
_STREAMS = {"sse": "text/event-stream", "ndjson": "application/x-ndjson"}
_REF = "#/components/schemas/{name}"


@dataclass(frozen=True)
class Operation:
    """Something that may be asked.

    Attributes
    ----------
    body
        What a request is; None where there is none.
    answers
        Types of content.
    query
        Schemas of parameters, by their names.
    """

    method: str
    path: str
    summary: str
    body: type[msgspec.Struct] | None = None
    answers: tuple[str, ...] = ("application/json",)
    query: Mapping[str, Any] = field(default_factory=dict)


def _answering(endpoint: Endpoint[Any], summary: str) -> Operation:
    types = ("application/json", _STREAMS[endpoint.framing])
    return Operation("POST", endpoint.path, summary, endpoint.body, types)


_FLAG = {"type": "string", "enum": ["true", "false"]}
_COUNT = {"type": "integer", "minimum": 0}
_LISTED = {
    "order": {"type": "string", "enum": ["asc", "desc"]},
    "limit": {"type": "integer", "minimum": 1, "maximum": 100}, "after": {"type": "string"},
}  # fmt: skip
_STORED = "/v1/responses/{id}"

OPERATIONS = (
    _answering(chat.ENDPOINT, "The next message of a conversation."),
    _answering(completions.ENDPOINT, "What follows a text."),
    _answering(responses.ENDPOINT, "The next items of a conversation."),
    _answering(anthropic.ENDPOINT, "The next message, in Anthropic's protocol."),
    _answering(ollama.CHAT, "The next message, in ollama's protocol."),
    _answering(ollama.GENERATE, "What follows a text, in ollama's protocol."),
    Operation("POST", "/v1/responses/input_tokens", "How many tokens a request would be.",
              responses.ENDPOINT.body),
    Operation("GET", _STORED, "A response that is stored.", None,
              ("application/json", "text/event-stream"),
              {"stream": _FLAG, "starting_after": _COUNT}),
    Operation("DELETE", _STORED, "Forget a response."),
    Operation("POST", f"{_STORED}/cancel", "Cancel a response in the background."),
    Operation("GET", f"{_STORED}/input_items", "What a response was asked.", query=_LISTED),
    Operation("POST", "/v1/messages/count_tokens", "How many tokens a request would be.",
              anthropic.ENDPOINT.body),
    Operation("GET", "/v1/models", "Which models there are."),
    Operation("GET", "/v1/models/{name}", "A model."),
    Operation("POST", "/tokenize", "The tokens of a text or a conversation.", TokenizeBody),
    Operation("POST", "/detokenize", "The text of tokens.", DetokenizeBody),
    Operation("GET", "/api/version", "The version of ollama's protocol."),
    Operation("GET", "/api/tags", "Which models there are, for clients of ollama."),
    Operation("GET", "/api/ps", "Which models are in memory, for clients of ollama."),
    Operation("POST", "/api/show", "About a model, for clients of ollama.", ShowBody),
    Operation("GET", "/health", "Whether requests are answered."),
    Operation("GET", "/metrics", "Numbers for Prometheus.", answers=("text/plain",)),
    Operation("GET", "/openapi.json", "This document."),
)  # fmt: skip


def document(*, needs_key: bool) -> dict[str, Any]:
    """The document.

    Parameters
    ----------
    needs_key
        Whether requests have to bring one.
    """
    bodies = [operation.body for operation in OPERATIONS if operation.body is not None]
    schemas, components = msgspec.json.schema_components(bodies, ref_template=_REF)
    schema_of = dict(zip(bodies, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        schema = None if operation.body is None else schema_of[operation.body]
        paths.setdefault(operation.path, {})[operation.method.lower()] = _told(operation, schema)
    return {
        "openapi": "3.1.0",
        "info": {"title": "pyhades", "version": pyhades.__version__},
        "security": [{"key": []}] if needs_key else [],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {status: _refusal(what) for status, what in _REFUSALS.items()},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _told(operation: Operation, schema: Any) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    parameters += [
        {"name": name, "in": "query", "schema": schema} for name, schema in operation.query.items()
    ]
    answer = {
        "description": "What was asked for.",
        "content": {kind: {} for kind in operation.answers},
    }
    refusals = {status: {"$ref": f"#/components/responses/{status}"} for status in _REFUSALS}
    told = {
        "summary": operation.summary, "parameters": parameters,
        "responses": {"200": answer, **refusals},
    }  # fmt: skip
    if schema is not None:
        content = {"application/json": {"schema": schema}}
        told["requestBody"] = {"required": True, "content": content}
    return told


def _refusal(what: str) -> dict[str, Any]:
    schema = {"type": "object", "required": ["error"]}
    return {"description": what, "content": {"application/json": {"schema": schema}}}
