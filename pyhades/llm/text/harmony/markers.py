"""The tokens that mark messages of the harmony format and their parts."""

from __future__ import annotations

from dataclasses import dataclass, fields

from pyhades.errors import ModelError
from pyhades.llm.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Markers:
    """Ids of the special tokens of the format."""

    start: int
    channel: int
    constrain: int
    message: int
    end: int
    call: int
    return_: int

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Markers:
        """Look them up.

        Raises
        ------
        ModelError
            The tokenizer lacks one of them, and cannot chat.
        """
        names = {field.name: f"<|{field.name.rstrip('_')}|>" for field in fields(cls)}
        missing = [name for name in names.values() if name not in tokenizer.specials]
        if missing:
            raise ModelError(
                f"{tokenizer.name} has no {', '.join(missing)}, so this model cannot chat; "
                "generate continues a prompt with any tokenizer"
            )
        return cls(**{field: tokenizer.specials[name] for field, name in names.items()})
