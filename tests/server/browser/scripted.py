"""A server whose answers are written beforehand: the first word of a question chooses one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pyhades.server.page import routes

Script = AsyncIterator[Any]
DONE = "[DONE]"
USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 12,
    "total_tokens": 42,
    "prompt_tokens_details": {"cached_tokens": 20},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
ATTACK = """Here it is: <script>window.attacked = 1</script> <b onclick="attacked = 1">bold</b>

<img src=x onerror="window.attacked = 1">

<iframe srcdoc="<script>parent.attacked = 1</script>"></iframe>

![seen](https://elsewhere.example/pixel.png) [click](javascript:window.attacked=1) [good](https://good.example/)

```"><script>window.attacked=1</script>
</code></pre><svg onload="window.attacked = 1">
```
"""


def delta(finish: str | None = None, **pieces: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": pieces, "finish_reason": finish}]}


async def ended(finish: str = "stop") -> Script:
    yield delta(finish)
    yield {"choices": [], "usage": USAGE}
    yield DONE


async def think(server: Scripted, body: dict[str, Any]) -> Script:
    """Reads for a while, thinks, answers."""
    yield ": ping"
    await server.wait_for("read")
    yield delta(role="assistant", content="")
    for piece in ("Someone ", "<asks>", " of a tree."):
        yield delta(reasoning=piece, reasoning_content=piece)
    await server.wait_for("thought")
    for piece in ("A **tree** ha", "s\n\n- lea", "ves\n- roots\n\n```py", "thon\nprint(1)\n```\n"):
        yield delta(content=piece)
    async for last in ended():
        yield last


async def attack(server: Scripted, body: dict[str, Any]) -> Script:
    for start in range(0, len(ATTACK), 3):
        yield delta(content=ATTACK[start : start + 3])
        await asyncio.sleep(0)
    async for last in ended():
        yield last


async def endless(server: Scripted, body: dict[str, Any]) -> Script:
    while True:
        yield delta(content="and so on ")
        await asyncio.sleep(0.01)


async def long(server: Scripted, body: dict[str, Any]) -> Script:
    """Three hundred kilobytes, in tenths."""
    for paragraph in range(3000):
        if paragraph % 300 == 0:
            await server.wait_for(str(paragraph))
        yield delta(content=f"Paragraph *{paragraph}* of many, which goes on ")
        yield delta(content="and on, until it is a hundred characters long.\n\n")
    async for last in ended("length"):
        yield last


async def deep(server: Scripted, body: dict[str, Any]) -> Script:
    """Deeper than parsers go."""
    yield delta(content="> " * 20000 + "the end")
    async for last in ended():
        yield last


async def broken(server: Scripted, body: dict[str, Any]) -> Script:
    yield delta(content="As far as this. ")
    yield {"error": {"message": "The engine broke.", "type": "server_error", "code": None}}


async def cut(server: Scripted, body: dict[str, Any]) -> Script:
    yield delta(content="As far as this, ")


async def call(server: Scripted, body: dict[str, Any]) -> Script:
    function = {"name": "get_weather", "arguments": ""}
    yield delta(tool_calls=[{"index": 0, "id": "call_1", "type": "function", "function": function}])
    for piece in ('{"city": ', '"<b>Oslo</b>"}'):
        yield delta(tool_calls=[{"index": 0, "function": {"arguments": piece}}])
    async for last in ended("tool_calls"):
        yield last


async def plain(server: Scripted, body: dict[str, Any]) -> Script:
    """What any other question is answered with."""
    yield delta(role="assistant", content="")
    yield delta(content=f"You asked: {body['messages'][-1]['content']}")
    async for last in ended():
        yield last


SCRIPTS: dict[str, Callable[..., Script]] = {
    script.__name__: script for script in (think, attack, endless, long, deep, broken, cut, call)
}
REFUSALS = {
    "busy": (429, "Too many requests are waiting.", "rate_limit_exceeded", {"retry-after": "2"}),
    "overflow": (400, "The prompt is too long.", "context_length_exceeded", {}),
}


def refusal(status: int, message: str, code: str, headers: dict[str, str]) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return JSONResponse({"error": error}, status, headers)


class Scripted:
    """The server. ``key`` is the only one that it takes; None takes everybody.

    Attributes
    ----------
    bodies
        What was asked, in order.
    left
        Is set when a client left in the middle of an answer.
    loading
        Whether there is no model yet.
    url
        While it is running.
    """

    def __init__(self, key: str | None = None) -> None:
        self.key = key
        self.bodies: list[dict[str, Any]] = []
        self.left = threading.Event()
        self.loading = False
        self.url = ""
        self._reached: set[str] = set()
        self.app = Starlette(
            routes=[
                *routes(),
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
            ]
        )

    @property
    def said(self) -> list[str]:
        """The chat as it was told last."""
        return [message["content"] for message in self.bodies[-1]["messages"]]

    def go_on(self, place: str) -> None:
        """Let scripts pass this place."""
        self._reached.add(place)

    async def wait_for(self, place: str) -> None:
        while place not in self._reached:
            await asyncio.sleep(0.005)

    def _refused(self, request: Request) -> Response | None:
        if self.loading:
            return refusal(503, "The model is being loaded.", "model_loading", {})
        if self.key is None or request.headers.get("authorization") == f"Bearer {self.key}":
            return None
        return refusal(401, "Incorrect API key provided.", "invalid_api_key", {})

    async def _models(self, request: Request) -> Response:
        model = {"id": "scripted", "object": "model", "created": 0, "owned_by": "tests"}
        return self._refused(request) or JSONResponse({"object": "list", "data": [model]})

    async def _chat(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        body = await request.json()
        self.bodies.append(body)
        word = body["messages"][-1]["content"].split()[0]
        if word in REFUSALS:
            return refusal(*REFUSALS[word])
        script = SCRIPTS.get(word, plain)
        return StreamingResponse(self._lines(script(self, body)), media_type="text/event-stream")

    async def _lines(self, script: Script) -> AsyncIterator[str]:
        try:
            async for event in script:
                if isinstance(event, dict):
                    event = json.dumps(event)
                yield f"{event}\n\n" if event.startswith(":") else f"data: {event}\n\n"
        except asyncio.CancelledError:
            self.left.set()
            raise

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Serve from a thread of its own, at a port that the system chooses."""
        config = uvicorn.Config(self.app, log_config=None, access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            try:
                yield
            finally:
                server.should_exit = server.force_exit = True
                thread.join()
