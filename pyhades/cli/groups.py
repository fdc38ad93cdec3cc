"""Groups of commands that help on where a name is none of theirs."""

from __future__ import annotations

import difflib

import click


class CommandGroup(click.Group):
    """Names the command that was meant, or all that there are."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names."""
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-"):  # options have messages of their own
            near = difflib.get_close_matches(name, known)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
            ctx.fail(f"no command is called {name!r}; {hint}")
        return super().resolve_command(ctx, args)
