"""How a model is opened: its weights are loaded, and an engine and its cache started for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyhades.llm.cache.levels import Levels
from pyhades.llm.cache.opening import open_levels
from pyhades.llm.cache.roots import facts_of, weights_digest
from pyhades.llm.cache.sizes import cache_tokens
from pyhades.llm.checkpoint.locating import toy_model
from pyhades.llm.engine.engine import Engine
from pyhades.llm.engine.request import context_length_of
from pyhades.llm.engine.runner import Runner
from pyhades.llm.models import Checkpoint, open_checkpoint
from pyhades.llm.models.config import ModelConfig
from pyhades.llm.models.weights import ModelWeights
from pyhades.llm.options import ModelOptions
from pyhades.llm.precision.loading import load_weights, progress_bar
from pyhades.llm.speculation.speculation import Speculation
from pyhades.llm.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory, which nothing runs yet.

    Attributes
    ----------
    name
        For messages.
    tokenizer
        None where there is none.
    """

    name: str
    config: ModelConfig
    weights: ModelWeights[Any]
    tokenizer: Tokenizer | None


def found_checkpoint(model: str | Path | None) -> Checkpoint:
    """The checkpoint that a caller names, whose weights are not read yet; None is the toy.

    Raises
    ------
    ModelError
        It is not there, malformed, or of an architecture that is not known.
    """
    return open_checkpoint(toy_model() if model is None else model)


def load(
    model: str | Path | None,
    options: ModelOptions,
    *,
    error_budget: float | None,
    calibration: Sequence[int] | None,
    progress: bool,
) -> LoadedModel:
    """The model of a checkpoint; the arguments are those of :class:`pyhades.LLM`.

    Raises
    ------
    ModelError
        The checkpoint is malformed, or of an architecture that is not known.
    ArgumentError
        The model cannot be what the options ask for.
    """
    checkpoint = found_checkpoint(model)
    context_length_of(options.context_length, checkpoint.config)  # before gigabytes are read
    weights = load_weights(
        checkpoint, options.engine.precision, progress, error_budget=error_budget,
        calibration=calibration,
    )  # fmt: skip
    return LoadedModel(str(checkpoint.source), checkpoint.config, weights, checkpoint.tokenizer())


@dataclass(frozen=True)
class Opening:
    """What an engine is opened for.

    Attributes
    ----------
    model
        Its weights are in memory.
    options
        How it runs.
    progress
        Whether to show a bar where something takes long.
    """

    model: LoadedModel
    options: ModelOptions
    progress: bool

    @property
    def context_length(self) -> int:
        """Most tokens of prompt and answer together; ArgumentError where the model has fewer."""
        return context_length_of(self.options.context_length, self.model.config)

    def opened(self) -> tuple[Engine, Levels | None]:
        """The engine, which closes the levels, and these; None where there are none."""
        model, options = self.model, self.options
        levels, facts = open_levels(options.cache, model.config, model.name, self._facts)
        try:
            runner = self._runner(levels, facts)
        except BaseException:
            if levels is not None:
                levels.close()
            raise
        speculation = Speculation.wanted(options.speculation)
        return Engine(runner, model.tokenizer, model.name, speculation=speculation), levels

    def _facts(self) -> dict[str, str]:
        model, engine = self.model, self.options.engine
        with progress_bar("digesting", model.weights.nbytes, self.progress) as bar:
            digest = weights_digest(model.weights, threads=engine.threads_used, told=bar.update)
        return facts_of(
            model.config, model.weights, model.tokenizer, kv_format=self.options.cache.kv_format,
            tier=engine.tier, digest=digest,
        )  # fmt: skip

    def _runner(self, levels: Levels | None, facts: Mapping[str, str]) -> Runner:
        model, cache, engine = self.model, self.options.cache, self.options.engine
        room = cache_tokens(
            model.config, cache.kv_format, cache.kv_memory, prefixes=cache.prefix_cache
        )
        return Runner(
            model.config, model.weights, self.context_length, self.options.max_sequences,
            engine.threads_used, engine.isa, cache.kv_format, prefix_cache=cache.prefix_cache,
            cache_tokens=room, levels=levels, policy=cache.cache_policy, facts=facts,
        )  # fmt: skip
