"""The engine of a model with the levels of its cache, opened together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.opening import open_levels
from pyhades.llm.cache.options import CacheOptions
from pyhades.llm.cache.roots import facts_of, weights_digest
from pyhades.llm.cache.sizes import cache_tokens
from pyhades.llm.engine.engine import Engine
from pyhades.llm.engine.runner import Runner
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.weights import ModelWeights
from pyhades.llm.precision.loading import progress_bar
from pyhades.llm.speculation.speculation import Speculation
from pyhades.llm.text.tokenizer import Tokenizer
from pyhades.options import EngineOptions


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What an engine is opened for.

    Attributes
    ----------
    name
        Of the model, for messages.
    tokenizer
        None where there is none.
    context_length, max_sequences
        As in :class:`pyhades.LLM`, but known.
    cache
        What is kept of what was read.
    speculation
        As in :class:`pyhades.LLM`.
    progress
        Whether to show a bar where something takes long.
    """

    name: str
    config: ModelConfig
    weights: ModelWeights[Any]
    tokenizer: Tokenizer | None
    options: EngineOptions
    context_length: int
    max_sequences: int
    cache: CacheOptions
    speculation: bool | None
    progress: bool

    def opened(self) -> tuple[Engine, Levels | None]:
        """The engine, which closes the levels, and these; None where there are none."""
        levels, facts = open_levels(self.cache, self.config, self.name, self._facts)
        try:
            runner = self._runner(levels, facts)
        except BaseException:
            if levels is not None:
                levels.close()
            raise
        speculation = Speculation.wanted(self.speculation)
        return Engine(runner, self.tokenizer, self.name, speculation=speculation), levels

    def _facts(self) -> dict[str, str]:
        weights, threads = self.weights, self.options.threads_used
        with progress_bar("digesting", weights.nbytes, self.progress) as bar:
            digest = weights_digest(weights, threads=threads, told=bar.update)
        return facts_of(
            self.config, weights, self.tokenizer, kv_format=self.cache.kv_format,
            tier=self.options.tier, digest=digest,
        )  # fmt: skip

    def _runner(self, levels: Levels | None, facts: Mapping[str, str]) -> Runner:
        cache, options = self.cache, self.options
        room = cache_tokens(
            self.config, cache.kv_format, cache.kv_memory, prefixes=cache.prefix_cache
        )
        return Runner(
            self.config, self.weights, self.context_length, self.max_sequences,
            options.threads_used, options.isa, cache.kv_format, prefix_cache=cache.prefix_cache,
            cache_tokens=room, levels=levels, policy=cache.cache_policy, facts=facts,
        )  # fmt: skip
