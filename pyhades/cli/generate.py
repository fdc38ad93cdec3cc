"""``pyhades generate``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pyhades.cli.language_model import llm_options, open_llm, sampling_options
from pyhades.cli.texts import standard_input
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.options import EngineOptions


@click.command("generate")
@click.argument("prompt")
@llm_options
@sampling_options
def command(
    prompt: str,
    model: str | None,
    options: EngineOptions,
    context_length: int | None,
    cache: Mapping[str, Any],
    **sampling: Any,
) -> None:
    """Continue the text PROMPT; - reads it from standard input.

    The text goes to standard output as it comes, what it took to standard error.
    """
    text = standard_input() if prompt == "-" else prompt
    params = SamplingParams(**sampling)
    with open_llm(model, options, context_length, cache) as llm:
        answer = llm.generate(text, params, on_delta=lambda delta: click.echo(delta.text, nl=False))
    click.echo()
    click.echo(answer.completions[0].summary(), err=True)
