"""Options of every command that runs an engine, each with one name and one help text."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

from pyhades.options import EngineOptions

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]

HELP = {
    "threads": "Default: see 'pyhades info'.",
    "isa": "Instruction set tier, such as avx2; default: the best of this CPU.",
    "precision": "Of the weights and the arithmetic.",
}
NAMES = tuple(HELP)


class Number(click.FloatRange):
    """A range of numbers in which "nan" and "inf" are none: no comparison would refuse "nan"."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read a number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


POSITIVE = Number(min=0, min_open=True)


def together(*options: Decorator[Any]) -> Callable[[Command], Command]:
    """Several options as one decorator, listed by --help in their order."""

    def decorate(command: Command) -> Command:
        return functools.reduce(lambda made, option: option(made), reversed(options), command)

    return decorate


def engine_options(
    precisions: Sequence[str],
    *,
    names: Sequence[str] = NAMES,
    several: Iterable[str] = (),
    **defaults: Any,
) -> Callable[[Command], Command]:
    """``--threads``, ``--isa`` and ``--precision`` as one argument ``options``.

    Parameters
    ----------
    precisions
        What the engine knows.
    names
        Which of the options the command has.
    several
        Those that take a list, such as ``1,2``; they stay arguments of their own.
    defaults
        Of single options; without one, that of the engine.
    """
    lists = tuple(several)
    parsers = {"threads": parse_counts, "precision": functools.partial(parse_names, precisions)}
    kinds = {"threads": click.IntRange(min=1), "isa": click.STRING}
    kinds |= {"precision": click.Choice(precisions)}

    def option(name: str) -> Decorator[Any]:
        how: dict[str, Any] = {"default": defaults.get(name), "show_default": name in defaults}
        if name in lists:
            return click.option(
                f"--{name}", callback=parsers[name], metavar="LIST",
                help=f"{HELP[name]} Several, separated by commas.", **how,
            )  # fmt: skip
        return click.option(f"--{name}", type=kinds[name], help=HELP[name], **how)

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_options(*arguments: Any, **given: Any) -> Any:
            single = {name: given.pop(name) for name in names if name not in lists}
            return command(*arguments, options=EngineOptions(**single), **given)

        return together(*map(option, names))(with_options)  # type: ignore[return-value]

    return decorate


def parse_counts(context: click.Context, option: click.Parameter, text: str) -> list[int]:
    """Read ``"1,2"`` as ``[1, 2]``."""
    counts = [part.strip() for part in text.split(",")]
    if not all(count.isdecimal() and int(count) > 0 for count in counts):
        raise click.BadParameter(f"{text!r} is not a list of numbers from 1 on, like 1,2")
    return [int(count) for count in counts]


def parse_names(
    known: Sequence[str], context: click.Context, option: click.Parameter, text: str
) -> list[str]:
    """Read ``"balanced,fast"`` as a list of known names."""
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name not in known:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(known)}")
    return names
