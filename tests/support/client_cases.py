"""What every client is asked to do: the same question, the same tool, the same answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Any

from tests.support.harmony_shapes import ARGUMENTS, CALL, FINAL, THOUGHT
from tests.support.served import until

QUESTION = "Is it warm in Paris?"
ASK = [{"role": "user", "content": QUESTION}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
        "additionalProperties": False}  # fmt: skip
TOOLS = [
    {
        "type": "function",
        "function": {"name": "weather", "description": "The weather.", "parameters": CITY},
    }
]
ANSWER, REASON, RESULT = "Yes, it is warm.", "Hm.", "21 degrees"
ANSWERED = f"{THOUGHT}{FINAL}{ANSWER}<|return|>"
CALLED = f"{THOUGHT}{CALL}{ARGUMENTS}<|call|>"
AS_JSON = f"{THOUGHT}{FINAL}{ARGUMENTS}<|return|>"


def version(package: str) -> str:
    """Of an installed package; nothing where there is none."""
    try:
        return version_of(package)
    except PackageNotFoundError:
        return ""


def tell_slowly(script) -> None:
    """An answer that nobody waits for to its end."""
    script.tell(FINAL + "word " * 3000 + "<|return|>", seconds=0.001)


async def cancelled_midway(script, request: Coroutine[Any, Any, Any]) -> None:
    """A request whose task is cancelled while the model writes."""
    task = asyncio.ensure_future(request)
    while not (script.scripts and script.scripts[0].told > 5):
        assert not task.done(), task.result()
        await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def check_ended(script) -> None:
    """The model has stopped to write what nobody reads."""
    until(lambda: script.scripts and script.scripts[0].is_closed)
    assert script.scripts[0].told < 2500


def check_result_was_read(script) -> None:
    """The model was asked twice, the second time with what the tool has given."""
    first, second = script.asked
    text = script.detokenize(second.tokens)
    assert RESULT in text and "Paris" in text[len(script.detokenize(first.tokens)) - 20 :]
    assert REASON in text, "the chain goes on without its reasoning"
