"""Options of every command that opens a language model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from pyhades.llm.llm import LLM
from pyhades.llm.precision.recipe import PRECISIONS

Command = TypeVar("Command", bound=Callable[..., Any])


def llm_options(command: Command) -> Command:
    """``--model`` and how to run it."""
    for option in reversed(
        (
            click.option("--model", help="Checkpoint; by default the toy that ships here."),
            click.option(
                "--precision",
                type=click.Choice(PRECISIONS),
                help="Of the weights; balanced, or what a packed file has.",
            ),
            click.option("--threads", type=click.IntRange(min=1), help="By default all cores."),
            click.option("--isa", help="Instruction set tier."),
            click.option(
                "--context-length", type=click.IntRange(min=1), help="Most tokens in all."
            ),
        )
    ):
        command = option(command)
    return command


def sampling_options(command: Command) -> Command:
    """How to choose tokens; see :class:`pyhades.SamplingParams`."""
    for option in reversed(
        (
            click.option("--max-tokens", type=click.IntRange(min=1), help="By default what fits."),
            click.option("--temperature", type=float, default=1.0, show_default=True),
            click.option("--top-k", type=int, default=0, help="Only so many of the likeliest."),
            click.option("--top-p", type=float, default=1.0, show_default=True),
            click.option("--min-p", type=float, default=0.0, show_default=True),
            click.option("--repetition-penalty", type=float, default=1.0, show_default=True),
            click.option("--seed", type=int, help="The same seed gives the same tokens."),
            click.option("--stop", multiple=True, help="Text that ends the answer; repeatable."),
        )
    ):
        command = option(command)
    return command


def open_llm(
    model: str | None,
    precision: str | None,
    threads: int | None,
    isa: str | None,
    context_length: int | None,
) -> LLM:
    """The model that the options name."""
    llm = LLM(model, precision, threads, context_length, isa=isa, max_sequences=1)
    click.echo(repr(llm), err=True)
    return llm
