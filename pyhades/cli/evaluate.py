"""``pyhades evaluate``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from tqdm import tqdm

from pyhades.cli.options import engine_options
from pyhades.cli.targets import check_apart, write_atomically
from pyhades.cli.texts import text_of
from pyhades.errors import ArgumentError
from pyhades.llm.llm import LLM
from pyhades.llm.measure.evaluation import Comparison, compare, comparison_table, recorded
from pyhades.llm.measure.prompts import PROMPTS
from pyhades.llm.precision.recipe import AUTO, PRECISIONS
from pyhades.options import EngineOptions

RANDOM_TOKENS = 512


@click.command("evaluate")
@click.option("--model", help="Checkpoint; by default the toy that ships here.")
@click.option("--text", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="UTF-8.")
@click.option(
    "--against", type=click.Choice(PRECISIONS), default="exact", show_default=True,
    help="The precision that others are compared with.",
)  # fmt: skip
@engine_options(PRECISIONS, several=["precision"], precision="balanced,fast,auto")
@click.option("--error-budget", type=float, help="For auto; by default 0.05.")
@click.option(
    "--context-length", type=click.IntRange(min=2), default=512, show_default=True,
    help="Longer texts are cut into pieces of so many tokens.",
)  # fmt: skip
@click.option("--json", "json_file", metavar="FILE", help="Write the results there.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def command(
    model: str | None,
    text: Path | None,
    against: str,
    options: EngineOptions,
    precision: list[str],
    error_budget: float | None,
    context_length: int,
    json_file: str | None,
    quiet: bool,
) -> None:
    """Compare the predictions of a model in one precision with those in others.

    The text is that of a file, or the standard prompts; random tokens where the model has no
    tokenizer. One model is in memory at a time.
    """
    check_apart(json_file, model, text)
    written = None if text is None else text_of(text)

    def opened(name: str) -> LLM:
        budget = error_budget if name == AUTO else None
        return LLM(
            model, options=options.changed(precision=name), max_sequences=1, error_budget=budget,
            progress=not quiet,
        )  # fmt: skip

    with tqdm(unit=" tokens", disable=True if quiet else None, leave=False) as bar:
        reference = opened(against)
        name = reference.name
        texts = _pieces(_tokens(reference, written), context_length)
        bar.reset(sum(map(len, texts)) * (1 + len(precision)))
        with recorded(reference, texts, report=bar.update) as recording:
            reference.close()
            comparisons = []
            for compared in precision:
                with opened(compared) as other:
                    comparisons.append(compare(recording, other, texts, report=bar.update))
    click.echo(f"{name}: {comparisons[0].tokens} tokens against {against}")
    click.echo(comparison_table(comparisons))
    if json_file is not None:
        content = json.dumps(_described(name, comparisons), indent=2) + "\n"
        write_atomically(Path(json_file), content.encode())


def _tokens(model: LLM, text: str | None) -> list[int]:
    """What is evaluated; ArgumentError for a text that is too short."""
    if text is None and not model.has_tokenizer:
        click.echo("random tokens, as the model has no tokenizer", err=True)
        random = np.random.default_rng(0)
        drawn: list[int] = random.integers(0, model.config.vocab_size, RANDOM_TOKENS).tolist()
        return drawn
    tokens = model.tokenize("\n\n".join(PROMPTS) if text is None else text)
    if len(tokens) < 2:
        raise ArgumentError("the text has fewer than two tokens; there is nothing to predict")
    return tokens


def _pieces(tokens: Sequence[int], length: int) -> list[Sequence[int]]:
    return [tokens[first : first + length] for first in range(0, len(tokens), length)]


def _described(name: str, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    results = [asdict(c) | {"perplexity_change": c.perplexity_change} for c in comparisons]
    return {"model": name, "results": results}
