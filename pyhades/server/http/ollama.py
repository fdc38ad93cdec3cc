"""What clients of ollama ask besides answers: which models there are, and what they can do."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

import pyhades
from pyhades.llm.models.registry import architecture_of
from pyhades.server.http.bodies import as_json, read_body, understood
from pyhades.server.service import Service

VERSION = "0.12.0"
"""The version of ollama whose protocol is spoken: clients look whether it is new enough."""


class ShowBody(msgspec.Struct):
    """Which model is asked for, under either of two names."""

    model: str | None = None
    name: str | None = None


def ollama_places(service: Service) -> list[BaseRoute]:
    """Routes below ``/api``."""

    async def version(request: Request) -> Response:
        return as_json({"version": VERSION, "pyhades": pyhades.__version__})

    async def tags(request: Request) -> Response:
        return as_json({"models": [_card(service, name) for name in service.names]})

    async def running(request: Request) -> Response:
        # Nothing is ever unloaded.
        until = {"expires_at": datetime.max.replace(tzinfo=UTC).isoformat(), "size_vram": 0}
        cards = [{**_card(service, name), **until} for name in service.names]
        return as_json({"models": [{**card, "context_length": _context(service)}
                                    for card in cards]})  # fmt: skip

    async def show(request: Request) -> Response:
        body, _ = understood(await read_body(request, service.settings), ShowBody)
        service.check_model(body.model or body.name)
        return as_json(_about(service))

    return [
        Route("/api/version", version, methods=["GET"]),
        Route("/api/tags", tags, methods=["GET"]),
        Route("/api/ps", running, methods=["GET"]),
        Route("/api/show", show, methods=["POST"]),
    ]


def _context(service: Service) -> int:
    return service.llm.context_length


def _card(service: Service, name: str) -> dict[str, Any]:
    tagged = name if ":" in name else f"{name}:latest"
    digest = hashlib.sha256(service.fingerprint.encode()).hexdigest()
    return {
        "name": tagged, "model": tagged, "modified_at": _since(service),
        "size": service.llm.weight_bytes, "digest": digest, "details": _details(service),
    }  # fmt: skip


def _details(service: Service) -> dict[str, Any]:
    family = architecture_of(service.llm.config).model_type
    return {"parent_model": "", "format": "gguf", "family": family, "families": [family],
            "parameter_size": "", "quantization_level": str(service.llm.precision)}  # fmt: skip


def _about(service: Service) -> dict[str, Any]:
    family = _details(service)["family"]
    return {
        "modelfile": "", "parameters": "", "template": "", "license": "",
        "modified_at": _since(service), "details": _details(service),
        "model_info": {"general.architecture": family,
                       f"{family}.context_length": _context(service)},
        "capabilities": ["completion", "tools", "thinking"],
    }  # fmt: skip


def _since(service: Service) -> str:
    return datetime.fromtimestamp(service.began, UTC).isoformat()
