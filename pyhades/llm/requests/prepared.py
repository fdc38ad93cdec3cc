"""Requests that were checked and turned into tokens, and have not been given to the engine."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from collections.abc import Sequence as Items

from pyhades.llm.engine.generation import ChatStreams
from pyhades.llm.engine.handle import Handle
from pyhades.llm.engine.request import Request
from pyhades.llm.text.chat import ChatDelta
from pyhades.llm.text.chat_prompt import ChatPrompt
from pyhades.llm.text.outputs import Delta

Write = Callable[[Items[Request]], Handle[Delta]]


class PreparedChat:
    """A conversation as tokens, ready to be answered; see :meth:`pyhades.LLM.prepare_chat`.

    Attributes
    ----------
    prompt_tokens
        How many tokens the model has to read.
    """

    def __init__(
        self, write: Write, request: Request, prompt: ChatPrompt, stop: Items[str]
    ) -> None:
        self._write = write
        self._request = request
        self._prompt = prompt
        self._stop = stop
        self.prompt_tokens = len(prompt.tokens)

    @property
    def prompt_token_ids(self) -> tuple[int, ...]:
        """What the model will read."""
        return self._prompt.tokens

    def begin(self) -> ChatStreams:
        """Give it to the engine; the pieces of the answers, as they come."""
        params = self._request.params
        return ChatStreams(self._write([self._request]), self._prompt, self._stop, params.n)

    def __iter__(self) -> Generator[ChatDelta, None, None]:
        return iter(self.begin())

    def __aiter__(self) -> AsyncGenerator[ChatDelta, None]:
        return aiter(self.begin())

    def __repr__(self) -> str:
        return f"PreparedChat({self.prompt_tokens} tokens to read)"


class PreparedTexts:
    """Prompts as tokens, ready to be continued; see :meth:`pyhades.LLM.prepare`.

    Attributes
    ----------
    prompt_tokens
        How many tokens the model has to read, of all prompts together.
    """

    def __init__(self, write: Write, requests: Items[Request], *, are_several: bool) -> None:
        self._write = write
        self.requests = requests
        self.are_several = are_several
        self.prompt_tokens = sum(len(request.tokens) for request in requests)

    @property
    def prompt_token_ids(self) -> tuple[tuple[int, ...], ...]:
        """What the model will read, of each prompt."""
        return tuple(request.tokens for request in self.requests)

    def begin(self) -> Handle[Delta]:
        """Give them to the engine; what comes of them."""
        return self._write(self.requests)

    def __iter__(self) -> Generator[Delta, None, None]:
        return iter(self.begin())

    def __aiter__(self) -> AsyncGenerator[Delta, None]:
        return aiter(self.begin())

    def __repr__(self) -> str:
        return f"PreparedTexts({len(self.requests)} prompts, {self.prompt_tokens} tokens to read)"
