"""Options of every command that opens a language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pyhades.cli.cache_options import cache_options
from pyhades.cli.options import engine_options, together
from pyhades.llm.llm import LLM
from pyhades.llm.precision.recipe import PRECISIONS
from pyhades.options import EngineOptions

llm_options = together(
    click.option("--model", help="Checkpoint; by default the toy that ships here."),
    engine_options(PRECISIONS),
    click.option("--context-length", type=click.IntRange(min=1), help="Most tokens in all."),
    cache_options,
)
"""``--model`` and how to run it."""

sampling_options = together(
    click.option("--max-tokens", type=click.IntRange(min=1), help="By default what fits."),
    click.option("--temperature", type=float, default=1.0, show_default=True),
    click.option("--top-k", type=int, default=0, help="Only so many of the likeliest."),
    click.option("--top-p", type=float, default=1.0, show_default=True),
    click.option("--min-p", type=float, default=0.0, show_default=True),
    click.option("--repetition-penalty", type=float, default=1.0, show_default=True),
    click.option("--seed", type=int, help="The same seed gives the same tokens."),
    click.option("--stop", multiple=True, help="Text that ends the answer; repeatable."),
)
"""How to choose tokens; see :class:`pyhades.SamplingParams`."""


def open_llm(
    model: str | None,
    options: EngineOptions,
    context_length: int | None,
    cache: Mapping[str, Any],
) -> LLM:
    """The model that :func:`llm_options` name; what was chosen goes to standard error."""
    llm = LLM(model, options=options, context_length=context_length, max_sequences=1, **cache)
    click.echo(repr(llm), err=True)
    return llm
