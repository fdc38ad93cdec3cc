"""A model that is served, and asked without the server, too, in one process.

Answers questions of :mod:`~pyhades.bench.serve.scenarios.overhead`, a line of JSON each. The
weights are loaded once, and both ways run in turn on the very same engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import sys
import threading
import time
from typing import Any

import uvicorn

from pyhades.bench.serve.outcome import Outcome
from pyhades.errors import PyhadesError
from pyhades.llm import LLM
from pyhades.options import EngineOptions
from pyhades.server.app import build
from pyhades.server.service import Service
from pyhades.server.serving import bound
from pyhades.server.settings import Settings


def main() -> None:
    """Open the model that the first argument describes, then answer until the input ends."""
    asked = json.loads(sys.argv[1])
    options = EngineOptions(**asked.pop("options"))
    try:
        llm = LLM(**asked, options=options, progress=False)
    except PyhadesError as error:
        sys.exit(str(error))
    with llm, contextlib.closing(bound("127.0.0.1", 0)) as listening:
        service = Service(Settings())
        service.open(llm)
        config = uvicorn.Config(build(service), log_config=None, access_log=False, ws="none")
        server = uvicorn.Server(config)
        running = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        running.start()
        while not server.started:
            time.sleep(0.01)
        _answer({"url": f"http://127.0.0.1:{listening.getsockname()[1]}"})
        for line in sys.stdin:
            outcomes = asyncio.run(_ask(llm, **json.loads(line)))
            _answer({"outcomes": [dataclasses.asdict(outcome) for outcome in outcomes]})
        server.should_exit = True
        running.join()


async def _ask(llm: LLM, prompts: list[str], output_tokens: int, client: str) -> list[Outcome]:
    """The answers to all prompts at once, as their reader sees them without a server."""
    start = time.perf_counter()

    async def one(prompt: str) -> Outcome:
        outcome = Outcome(time.perf_counter() - start, status=200, complete=True)
        stream = llm.astream(
            prompt, client=client, max_tokens=output_tokens, temperature=0, ignore_eos=True
        )
        async for delta in stream:
            outcome.tokens += len(delta.token_ids)
            outcome.text += delta.text
            if delta.text:
                outcome.times.append(time.perf_counter() - start)
        outcome.ended = time.perf_counter() - start
        return outcome

    return list(await asyncio.gather(*map(one, prompts)))


def _answer(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
