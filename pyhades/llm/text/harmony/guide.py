"""What an answer has to have: an end of its reasoning, and the next of several calls."""

from __future__ import annotations

from collections.abc import Sequence

from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.harmony.markers import Markers
from pyhades.llm.text.harmony.parser import HarmonyParser
from pyhades.llm.text.reasoning_budget import ReasoningBudget
from pyhades.llm.text.tokenizer import Tokenizer


class HarmonyGuide:
    """Guides one answer.

    The models end their turn after a call. Where parallel calls are asked for, another message is
    begun for them; if that is none for a tool, the answer ends before it.

    Parameters
    ----------
    tokenizer
        That of the model.
    options
        Of the chat: ``reasoning_budget`` and ``parallel_tool_calls`` are what is guided.
    begun
        Tokens with which the answer begins already.
    """

    def __init__(self, tokenizer: Tokenizer, options: ChatOptions, begun: Sequence[int]) -> None:
        markers = Markers.of(tokenizer)
        start = (markers.start, *tokenizer.encode("assistant"))
        self._call = markers.call if options.parallel_tool_calls else None
        self._another = (*start, markers.channel)
        self._commentary = tokenizer.encode("commentary")[0]
        self._until_choice = 0
        self.is_over = False
        self._budget: ReasoningBudget | None = None
        if options.reasoning_budget is not None:
            end = (markers.end, *self._another)
            final = (*end, *tokenizer.encode("final"), markers.message)
            # Who may call a function chooses between a call and an answer, once.
            exits = [end, final] if options.offer.functions else [final]
            if options.offer.is_required:
                exits = [(*end, *tokenizer.encode("commentary"))]
            parser = HarmonyParser(tokenizer)
            for token in begun:
                parser.push(token)
            self._budget = ReasoningBudget(parser, options.reasoning_budget, exits)

    @staticmethod
    def is_needed(options: ChatOptions) -> bool:
        """Whether a chat with these options has something to be guided in."""
        return options.reasoning_budget is not None or bool(options.parallel_tool_calls)

    def after(self, token: int) -> Sequence[int]:
        """The tokens that have to follow, once ``token`` has come."""
        forced = () if self._budget is None else self._budget.after(token)
        if self._until_choice:
            self._until_choice -= 1
            self.is_over = not self._until_choice and token != self._commentary
        elif token == self._call:
            self._until_choice = len(self._another) + 1
            return self._another
        return forced
