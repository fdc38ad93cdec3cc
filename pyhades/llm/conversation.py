"""A conversation in progress: what has been said, and the answer that comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.llm import LLM
from pyhades.llm.text.chat import ChatAnswer, ChatDelta, ReasoningEffort

EFFORTS: tuple[ReasoningEffort, ...] = get_args(ReasoningEffort)


class Conversation:
    """Questions and answers, with the history that the next answer needs.

    Parameters
    ----------
    llm
        Who answers.
    params
        How to sample.
    system
        Instructions.
    reasoning_effort
        As in :meth:`pyhades.LLM.chat`.
    """

    def __init__(
        self,
        llm: LLM,
        params: SamplingParams | None = None,
        system: str | None = None,
        reasoning_effort: ReasoningEffort = "medium",
    ) -> None:
        if not isinstance(llm, LLM):
            raise ArgumentTypeError(f"llm is {type(llm).__name__}; a conversation needs an LLM")
        if not isinstance(params, SamplingParams | None):
            raise ArgumentTypeError(f"params is {type(params).__name__}; give SamplingParams")
        if not isinstance(system, str | None):
            raise ArgumentTypeError(f"system={system!r} is not text")
        self.llm = llm
        self.params = params
        self.system = system
        self.reasoning_effort: ReasoningEffort = one_of(
            "reasoning_effort", reasoning_effort, ReasoningEffort
        )
        self._said: list[dict[str, Any]] = []

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Instructions and everything that has been said, as in OpenAI's API."""
        instructions = [] if self.system is None else [{"role": "system", "content": self.system}]
        return [*instructions, *self._said]

    @property
    def has_question(self) -> bool:
        """Whether it is the model's turn."""
        return bool(self._said) and self._said[-1]["role"] == "user"

    def ask(self, text: str) -> None:
        """Say something; a question that got no answer is replaced."""
        if not isinstance(text, str):
            raise ArgumentTypeError(f"a question is text, not {type(text).__name__}")
        if self.has_question:
            self._said.pop()
        self._said.append({"role": "user", "content": text})

    def answer(self) -> Iterator[ChatDelta]:
        """The pieces of the answer; it enters the history as far as it came."""
        pieces: list[ChatDelta] = []
        deltas = self.llm.chat(
            self.messages,
            self.params,
            reasoning_effort=self.reasoning_effort,
            stream=True,
        )
        try:
            for delta in deltas:
                pieces.append(delta)
                yield delta
        finally:
            if pieces:
                self._said.append(ChatAnswer.collect(pieces).message)

    def take_back_answer(self) -> None:
        """Forget the last answer, so that the question stands again."""
        if self._said and self._said[-1]["role"] == "assistant":
            self._said.pop()

    def edit(self, turn: int, text: str) -> None:
        """Ask another question in place of an earlier one; what came after it is forgotten.

        What was read up to there is not read again.

        Parameters
        ----------
        turn
            Which question: 0 for the first, -1 for the last.
        text
            What is asked in its place.

        Raises
        ------
        ArgumentError
            There is no such question.
        """
        asked = [at for at, message in enumerate(self._said) if message["role"] == "user"]
        if not -len(asked) <= turn < len(asked):
            raise ArgumentError(f"turn={turn}: {len(asked)} questions were asked, the first is 0")
        if not isinstance(text, str):
            raise ArgumentTypeError(f"a question is text, not {type(text).__name__}")
        del self._said[asked[turn] :]
        self.ask(text)

    def reset(self) -> None:
        """Forget everything but the instructions."""
        self._said.clear()
