"""The ``pyhades`` command. Sub-commands are imported when they are called."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from typing import Any

import click

import pyhades
from pyhades.cli.groups import CommandGroup
from pyhades.cli.streams import complete_writes
from pyhades.errors import PyhadesError

# heading of --help: {name: (module, one line)}
SECTIONS = {
    "Images": {
        "remove": (
            "pyhades.cli.remove",
            "Remove the background of images and video; watch folders.",
        ),
        "models": ("pyhades.cli.models", "Models by name: list, download, find and check them."),
        "inspect": ("pyhades.cli.inspect", "Tell what a model is, and what is made of it."),
        "quantize": ("pyhades.cli.quantize", "Make a model int8 by looking at pictures."),
        "verify": ("pyhades.cli.verify", "Compare a model with onnxruntime and with masks."),
    },
    "Text": {
        "generate": ("pyhades.cli.generate", "Continue a text with a language model."),
        "chat": ("pyhades.cli.chat", "Talk with a language model."),
        "serve": ("pyhades.cli.serve", "Serve a language model to clients of OpenAI's API."),
        "cache": ("pyhades.cli.cache", "What is kept on disk of texts: show, clear, check it."),
        "convert": ("pyhades.cli.convert", "Pack a language model into a file that loads at once."),
        "evaluate": ("pyhades.cli.evaluate", "Measure what the precision of a model costs."),
    },
    "Both": {
        "demo": ("pyhades.cli.demo", "Cut out the images that ship, and continue a line of code."),
        "bench": ("pyhades.cli.bench", "Measure pyhades, alone or against a rival."),
        "info": ("pyhades.cli.info", "Show what pyhades found on this machine."),
    },
}
COMMANDS = {name: entry for section in SECTIONS.values() for name, entry in section.items()}


class UserError(click.ClickException):
    """What the user can mend: a message instead of a traceback."""

    exit_code = 2


class LazyGroup(CommandGroup):
    """Knows the names of its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table."""
        for heading, commands in SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, text) for name, (_, text) in commands.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; our own exceptions and Ctrl-C become messages and exit codes."""
        try:
            return super().invoke(ctx)
        except PyhadesError as error:
            raise UserError(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # its reader has gone: nobody to tell
                raise
            where = "" if error.filename is None else f"{error.filename}: "
            raise UserError(f"{where}{error.strerror or error}") from error
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(130)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(pyhades.__version__, "--version", prog_name="pyhades")
@click.pass_context
def main(context: click.Context) -> None:
    """Background removal and language models on CPUs.

    Both run on kernels of our own. Exit codes: 0 all done, 1 some files failed, 2 wrong usage, 130
    interrupted.
    """
    # Whoever wants no colours gets none, whatever command it is: see no-color.org.
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        context.color = False
    complete_writes()
    for stream in (sys.stdout, sys.stderr):  # of a terminal that does not know every character
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
