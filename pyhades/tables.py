"""Tables of text, for terminals and for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape


def as_table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns aligned for a terminal; ``right`` lists those to align right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def as_lines(facts: Sequence[tuple[str, str]]) -> str:
    """A line for each name, values below each other.

    Examples
    --------
    >>> print(as_lines([("steps", "7"), ("running answers", "1")]))
    steps            7
    running answers  1
    """
    width = max((len(name) for name, _ in facts), default=0)
    return "\n".join(f"{name:{width}}  {value}" for name, value in facts)


def as_html(rows: Sequence[Sequence[str]]) -> str:
    """The first row as header."""

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows[1:])
    return f"<table><tr>{cells(rows[0], 'th')}</tr>{body}</table>"


def as_facts(caption: str, facts: Mapping[str, str]) -> str:
    """A row with name and value for each, in HTML.

    Examples
    --------
    >>> "<td>&gt; 7</td>" in as_facts("somebody", {"age": "> 7"})
    True
    """
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in facts.items()
    )
    return f"<table><caption>{escape(caption)}</caption>{rows}</table>"
