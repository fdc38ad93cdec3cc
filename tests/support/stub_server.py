"""A server of OpenAI's protocol that answers as a test wants it, well or not."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

RESTING = "vllm:num_requests_running 0\nvllm:num_requests_waiting 0\npyhades_kv_blocks_held 0\n"


@dataclass
class Behaviour:
    """What it does, which a test may change at any time."""

    refuse: int = 0
    """A status in place of answers, if there is one."""
    refuse_after: int = 0
    """Answers before that."""
    retry_after: str | None = "1"
    """What a refusal says."""
    ends: bool = True
    """Whether streams end as they should."""
    seconds_per_token: float = 0.0
    spoilt: int = 400
    """Status of what is no good request."""
    metrics: str = RESTING
    asked: list[dict] = field(default_factory=list)


def application(behaviour: Behaviour) -> Starlette:
    async def answer(request: Request):
        try:
            body = json.loads(await request.body())
            tokens, prompt = int(body["max_tokens"]), body.get("prompt") or body["messages"]
            assert 0 < tokens < 10_000 and isinstance(prompt, str | list)
        except Exception as error:
            return JSONResponse({"error": {"message": repr(error)}}, behaviour.spoilt)
        behaviour.asked.append(body)
        if behaviour.refuse and len(behaviour.asked) > behaviour.refuse_after:
            headers = {"retry-after": behaviour.retry_after} if behaviour.retry_after else {}
            return JSONResponse({"error": {"message": "no"}}, behaviour.refuse, headers)
        if not body.get("stream"):
            return JSONResponse({"choices": [{"index": 0, "text": "x"}]})
        words = len(str(prompt).split())
        chunks = stream(behaviour, tokens, words, "messages" in body)
        return StreamingResponse(chunks, media_type="text/event-stream")

    async def other(request: Request):
        return JSONResponse({"error": {"message": "no such place"}}, 404)

    async def metrics(request: Request):
        return PlainTextResponse(behaviour.metrics)

    async def health(request: Request):
        return JSONResponse({})

    async def models(request: Request):
        return JSONResponse({"data": [{"id": "stub"}]})

    return Starlette(
        routes=[
            Route("/v1/completions", answer, methods=["POST"]),
            Route("/v1/chat/completions", answer, methods=["POST"]),
            Route("/metrics", metrics),
            Route("/health", health),
            Route("/v1/models", models),
            Route("/{path:path}", other, methods=["GET", "POST", "PUT", "DELETE", "PATCH"]),
        ]
    )


async def stream(behaviour: Behaviour, tokens: int, words: int, is_chat: bool):
    """As many tokens as were asked for; a prompt has one for each word, and three more."""

    def event(**what) -> bytes:
        return b"data: " + json.dumps(what).encode() + b"\n\n"

    yield b": reading\n\n"
    if is_chat:
        yield event(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}}])
    for number in range(tokens):
        await asyncio.sleep(behaviour.seconds_per_token)
        text = f" {number}"
        name = "reasoning" if number < tokens // 2 else "content"
        yield event(choices=[{"delta": {name: text}} if is_chat else {"text": text}])
    if behaviour.ends:
        usage = {"prompt_tokens": words + 3, "completion_tokens": tokens}
        yield event(choices=[], usage=usage)
        yield b"data: [DONE]\n\n"


@contextlib.contextmanager
def stub_server() -> Iterator[tuple[str, Behaviour]]:
    """Its URL, and what it does."""
    behaviour = Behaviour()
    config = uvicorn.Config(application(behaviour), log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.002)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", behaviour
        finally:
            server.should_exit = server.force_exit = True
            thread.join(timeout=20)


def main() -> None:
    """As a program, in the place of llama.cpp's: what it was told comes back as its model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--port", type=int)
    known, _ = parser.parse_known_args()
    if known.version:
        print("version: 9.9 (a stand-in)")
        return
    app = application(Behaviour(metrics="llamacpp:requests_processing 0\n"))
    uvicorn.run(app, port=known.port, log_level="error")
