"""The keywords of :class:`pyhades.LLM` that both ways to make one have, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyhades.arguments import check_count, check_flag
from pyhades.llm.cache.options import CacheOptions
from pyhades.options import EngineOptions, engine_options


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """How a model runs, whatever its weights come from.

    Attributes
    ----------
    engine
        Threads, instruction set and precision.
    context_length
        Most tokens of prompt and answer together; None for the default of the model.
    max_sequences
        Most answers that are written at the same time.
    speculation
        Whether to try drafts of tokens; None where that pays.
    cache
        What is kept of what was read.

    Raises
    ------
    ArgumentError
        A value means nothing, or has no effect without another.
    ArgumentTypeError
        A value has the wrong type.

    Examples
    --------
    >>> options = ModelOptions.of(threads=2, max_sequences=4, kv_format="int8")
    >>> options.engine.threads, options.cache.kv_format
    (2, 'int8')
    """

    engine: EngineOptions
    context_length: int | None = None
    max_sequences: int = 64
    speculation: bool | None = None
    cache: CacheOptions

    def __post_init__(self) -> None:
        check_count("max_sequences", self.max_sequences)
        if self.speculation is not None:
            check_flag("speculation", self.speculation)

    @classmethod
    def of(
        cls,
        options: EngineOptions | None = None,
        *,
        threads: int | None = None,
        isa: str | None = None,
        precision: str | None = None,
        context_length: int | None = None,
        max_sequences: int = 64,
        speculation: bool | None = None,
        **cache: Any,
    ) -> ModelOptions:
        """As the keywords of :class:`pyhades.LLM` say; ``cache`` are those of CacheOptions."""
        return cls(
            engine=engine_options(options, threads=threads, isa=isa, precision=precision),
            cache=CacheOptions(**cache), context_length=context_length,
            max_sequences=max_sequences, speculation=speculation,
        )  # fmt: skip

    def as_keywords(self) -> Mapping[str, Any]:
        """The keywords of :class:`pyhades.LLM` of which others like these are made."""
        return {
            "options": self.engine, "context_length": self.context_length,
            "max_sequences": self.max_sequences, "speculation": self.speculation,
            **self.cache.as_keywords(),
        }  # fmt: skip
