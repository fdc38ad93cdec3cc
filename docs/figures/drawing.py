"""SVG by hand: a card that is legible on light and dark pages, with bars or boxes on it.

The card brings its own background, so it can be read even where a page and the reader's system
disagree about which of the two is on.
"""

from __future__ import annotations

from html import escape

FONT = "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
MONO = "ui-monospace, 'SF Mono', Menlo, Consolas, monospace"
CHARACTER = 0.56
"""Mean width of a letter over the size of its font."""

LIGHT = {
    "card": "#ffffff",
    "frame": "#d1d9e0",
    "strong": "#1f2328",
    "text": "#59636e",
    "line": "#e4e8ed",
    "ours": "#c2410c",
    "rival": "#b7bfc8",
}
DARK = {
    "card": "#12171e",
    "frame": "#30363d",
    "strong": "#f0f3f6",
    "text": "#9aa4af",
    "line": "#262d36",
    "ours": "#f0883e",
    "rival": "#565f6a",
}


def number(value: float) -> str:
    """As short as SVG allows, and the same everywhere."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


def width_of(text: str, size: float) -> float:
    """About how wide a text is."""
    return len(text) * size * CHARACTER


class Drawing:
    """A card of that size.

    Parameters
    ----------
    width, height
        Of the view; the picture scales.
    title
        Read out instead of the picture.
    styles
        More classes: name to a pair of colours, on light and on dark.
    """

    def __init__(
        self,
        width: float,
        height: float,
        title: str,
        styles: dict[str, tuple[str, str]] | None = None,
    ) -> None:
        self.width, self.height, self._title = width, height, title
        more = styles or {}
        self._light = LIGHT | {name: pair[0] for name, pair in more.items()}
        self._dark = DARK | {name: pair[1] for name, pair in more.items()}
        self._parts: list[str] = []
        self.rect(0.5, 0.5, width - 1, height - 1, "card", radius=12, stroke="frame")

    def rect(
        self, x: float, y: float, width: float, height: float, style: str, *,
        radius: float = 0, stroke: str = "",
    ) -> None:  # fmt: skip
        """A box, filled."""
        edge = f" s-{stroke}" if stroke else ""
        self._parts.append(
            f'<rect class="f-{style}{edge}" x="{number(x)}" y="{number(y)}" '
            f'width="{number(width)}" height="{number(height)}" rx="{number(radius)}"/>'
        )

    def text(
        self, x: float, y: float, words: str, size: float, style: str = "text", *,
        anchor: str = "start", weight: int = 400, mono: bool = False, turned: bool = False,
    ) -> None:  # fmt: skip
        """A line of text on its base line; ``turned`` reads upwards."""
        extra = f' font-weight="{weight}"' if weight != 400 else ""
        extra += f' text-anchor="{anchor}"' if anchor != "start" else ""
        extra += f' class="mono f-{style}"' if mono else f' class="f-{style}"'
        place = f'x="{number(x)}" y="{number(y)}"'
        if turned:
            place += f' transform="rotate(-90 {number(x)} {number(y)})"'
        self._parts.append(
            f'<text {place} font-size="{number(size)}"{extra}>{escape(words)}</text>'
        )

    def line(
        self, x0: float, y0: float, x1: float, y1: float, style: str, *,
        width: float = 1, dashes: str = "",
    ) -> None:  # fmt: skip
        """A straight line."""
        extra = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(
            f'<line class="s-{style}" x1="{number(x0)}" y1="{number(y0)}" x2="{number(x1)}" '
            f'y2="{number(y1)}" stroke-width="{number(width)}"{extra}/>'
        )

    def circle(self, x: float, y: float, radius: float, style: str) -> None:
        """A dot."""
        self._parts.append(
            f'<circle class="f-{style}" cx="{number(x)}" cy="{number(y)}" r="{number(radius)}"/>'
        )

    def svg(self) -> str:
        """The file."""
        size = f"{number(self.width)} {number(self.height)}"
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" '
            f'width="{number(self.width)}" height="{number(self.height)}" role="img" '
            f'font-family="{FONT}">'
        )
        style = (
            f"<style>\n.mono {{ font-family: {MONO} }}\n"
            f"{_classes(self._light)}@media (prefers-color-scheme: dark) {{\n"
            f"{_classes(self._dark)}}}\n</style>"
        )
        title = f"<title>{escape(self._title)}</title>"
        return "\n".join([head, title, style, *self._parts, "</svg>", ""])


def _classes(colours: dict[str, str]) -> str:
    return "".join(
        f".f-{name} {{ fill: {colour} }} .s-{name} {{ stroke: {colour} }}\n"
        for name, colour in colours.items()
    )
