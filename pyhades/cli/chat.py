"""``pyhades chat``."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from pyhades.cli.language_model import llm_options, open_llm, sampling_options
from pyhades.cli.texts import standard_input_lines
from pyhades.errors import PyhadesError
from pyhades.llm.conversation import EFFORTS, Conversation
from pyhades.llm.engine.sampling import SamplingParams
from pyhades.llm.text.chat import ReasoningEffort
from pyhades.options import EngineOptions

HELP = """\
/help                this list
/system TEXT         instructions for the model; without TEXT, none
/reasoning LEVEL     none, low, medium or high
/retry               another answer to the last question
/edit N TEXT         another question in place of the Nth; what came after it is forgotten
/reset               begin anew
/history             what has been said
/quit                leave; so does Ctrl-D
Ctrl-C stops an answer."""


@click.command("chat")
@llm_options
@sampling_options
@click.option("--reasoning", type=click.Choice(EFFORTS), default="medium", show_default=True)
@click.option("--system", help="Instructions for the model.")
@click.option("--hide-reasoning", is_flag=True, help="Show answers only.")
def command(
    model: str | None,
    options: EngineOptions,
    context_length: int | None,
    cache: Mapping[str, Any],
    reasoning: ReasoningEffort,
    system: str | None,
    hide_reasoning: bool,
    **sampling: Any,
) -> None:
    """Talk with a model; /help lists what can be typed besides questions."""
    params = SamplingParams(**sampling)
    with open_llm(model, options, context_length, cache) as llm:
        conversation = Conversation(llm, params, system, reasoning)
        is_dialogue = sys.stdin.isatty()
        if is_dialogue:
            click.echo("/help for help, Ctrl-D to leave", err=True)
        for line in _typed() if is_dialogue else _piped():
            if not line.startswith("/"):
                conversation.ask(line)
            elif not _obey(conversation, line):
                return
            if conversation.has_question:
                if is_dialogue and sys.stdout.isatty():
                    _show(conversation, hide_reasoning)
                else:
                    _write(conversation, hide_reasoning)


def _piped() -> Iterator[str]:
    """Lines that a file or another program gives."""
    return filter(None, map(str.strip, standard_input_lines()))


def _typed() -> Iterator[str]:
    """What the user types, until there is no more; with line editing where there is a terminal."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # input() edits lines with it
    is_shown = sys.stdout.isatty()
    while True:
        try:
            if not is_shown:  # standard output is for answers only
                click.echo("> ", err=True, nl=False)
            line = input("> " if is_shown else "").strip()
        except EOFError:
            click.echo(err=True)
            return
        except KeyboardInterrupt:
            click.echo(err=True)
            continue
        except UnicodeDecodeError as error:
            click.echo(f"that was not UTF-8: {error.reason}", err=True)
            continue
        if line:
            yield line


def _obey(conversation: Conversation, line: str) -> bool:
    """Carry out a command; whether to go on."""
    name, _, rest = line.partition(" ")
    match name:
        case "/quit" | "/exit":
            return False
        case "/system":
            conversation.system = rest.strip() or None
        case "/reasoning" if rest.strip() in EFFORTS:
            conversation.reasoning_effort = EFFORTS[EFFORTS.index(rest.strip())]
        case "/reset":
            conversation.reset()
        case "/retry":
            conversation.take_back_answer()
        case "/edit":
            _edit(conversation, rest)
        case "/history":
            for message in conversation.messages:
                click.echo(f"{message['role']}: {message.get('content') or ''}")
        case "/help":
            click.echo(HELP)
        case _:
            click.echo(f"{line}: no such command; /help lists them", err=True)
    return True


def _edit(conversation: Conversation, text: str) -> None:
    number, _, question = text.strip().partition(" ")
    try:
        conversation.edit(int(number) - 1 if int(number) > 0 else int(number), question.strip())
    except ValueError:  # no number, or none of a question
        click.echo(f"/edit {number}: give the number of a question, the first is 1", err=True)


def _write(conversation: Conversation, hide_reasoning: bool) -> None:
    """Write the answer to standard output, and its reasoning to standard error."""
    has_reasoned = False
    for delta in conversation.answer():
        is_answer = delta.kind == "content"
        if is_answer or not hide_reasoning:
            click.echo(delta.text, nl=False, err=not is_answer)
        has_reasoned = has_reasoned or not (is_answer or hide_reasoning)
    if has_reasoned:
        click.echo(err=True)
    click.echo()


def _show(conversation: Conversation, hide_reasoning: bool) -> None:
    """Show the answer as it comes; Ctrl-C stops it, and what was said stays."""
    kind = None
    try:
        for delta in conversation.answer():
            if hide_reasoning and delta.kind == "reasoning":
                continue
            if delta.kind != kind:
                click.echo("" if kind is None else "\n")
                kind = delta.kind
            click.echo(click.style(delta.text, dim=delta.kind != "content"), nl=False)
    except KeyboardInterrupt:
        click.echo(" (stopped)", nl=False)
    except PyhadesError as error:
        click.echo(f"{error}", err=True)
    click.echo()
