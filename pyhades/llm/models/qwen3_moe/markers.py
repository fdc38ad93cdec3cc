"""The special tokens of ChatML, as Qwen3 uses it."""

from __future__ import annotations

from dataclasses import dataclass

from pyhades.errors import ModelError
from pyhades.llm.text.tokenizer import Tokenizer

_NEEDED = ("<|im_start|>", "<|im_end|>", "<think>", "</think>")
_OF_TOOLS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")


@dataclass(frozen=True)
class Markers:
    """Their ids; those around calls and results of tools only where a tokenizer has them."""

    start: int
    end: int
    think: int
    thought: int
    call: int | None
    called: int | None
    response: int | None
    responded: int | None

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, with_tools: bool = False) -> Markers:
        """Those of a tokenizer.

        Raises
        ------
        ModelError
            It lacks some.
        """
        needed = (*_NEEDED, *_OF_TOOLS) if with_tools else _NEEDED
        missing = [name for name in needed if name not in tokenizer.specials]
        if missing:
            what = "call tools" if set(missing) <= set(_OF_TOOLS) else "chat"
            raise ModelError(
                f"{tokenizer.name} has no {', '.join(missing)}, so this model cannot {what}; "
                "generate continues a prompt with any tokenizer"
            )
        ids = [tokenizer.specials[name] for name in _NEEDED]
        return cls(*ids, *(tokenizer.specials.get(name) for name in _OF_TOOLS))
