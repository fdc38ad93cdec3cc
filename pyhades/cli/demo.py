"""``pyhades demo``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import click

from pyhades.cli.model import PreparedModel
from pyhades.cli.remove import make_remover, remover_options
from pyhades.cli.targets import write_atomically
from pyhades.errors import ConfigurationError
from pyhades.options import EngineOptions
from pyhades.segmentation.remover import DEFAULT_MODEL

SAMPLES = DEFAULT_MODEL.parent
PROMPT = "def read_lines(path):\n"


@click.command("demo")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("pyhades-demo"),
    show_default=True,
    help="Folder for the results.",
)
@remover_options
def command(out: Path, model: str | None, prepared: PreparedModel, **how: Any) -> None:
    """Remove the background of the images that ship with pyhades, and continue a line of code.

    Says where the results are. The text needs the extra: pip install "pyhades[llm]".
    """
    samples = sorted(SAMPLES.glob("*.jpg"))
    if not samples:
        raise ConfigurationError(f"no sample images in {SAMPLES}; reinstall the package")
    with make_remover(model, prepared, **how) as remover:
        for sample in samples:
            cutout = remover.cut(sample)
            for name, data in (
                (f"{sample.stem}.png", cutout.encode()),
                (f"{sample.stem}-mask.png", cutout.encode("mask")),
            ):
                write_atomically(out / name, data)
                click.echo(out / name)
    click.echo(f"{2 * len(samples)} files written to {out.absolute()}")
    if importlib.util.find_spec("tokenizers") is None:
        click.echo('for the language model: pip install "pyhades[llm]" && pyhades generate "def "')
        return
    _continue_text(prepared.options)


def _continue_text(options: EngineOptions) -> None:
    """What the toy language model makes of the beginning of a function."""
    from pyhades.llm import LLM

    with LLM(threads=options.threads, isa=options.isa, max_sequences=1) as llm:
        click.echo(f"\n{llm!r} continues:\n{PROMPT}", nl=False)
        for delta in llm.stream(PROMPT, max_tokens=48, temperature=0):
            click.echo(delta.text, nl=False)
        click.echo()
