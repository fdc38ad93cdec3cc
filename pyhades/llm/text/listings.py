"""Numbers with their names, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Rows = Sequence[tuple[str, str]]


def as_html(rows: Rows) -> str:
    """A table with a row each.

    Examples
    --------
    >>> as_html([("steps", "7")]).count("<tr>")
    1
    """
    style = 'style="text-align:left"'
    lines = (
        f"<tr><th {style}>{escape(name)}</th><td {style}>{escape(value)}</td></tr>"
        for name, value in rows
    )
    return f"<table>{''.join(lines)}</table>"


def share(part: float, whole: float) -> str:
    """A part with the percentage that it is.

    Examples
    --------
    >>> share(1500, 6000), share(0, 0)
    ('1,500 (25 %)', '0')
    """
    told = f"{part:,}"
    return f"{told} ({100 * part / whole:.0f} %)" if whole else told
