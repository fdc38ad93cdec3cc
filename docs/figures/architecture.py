"""Draw the floors of the house and what each gets from those below, from the imports themselves.

``python docs/figures/architecture.py`` writes ``architecture.svg`` beside this script; tests/docs
fails when the committed picture is not the one that this script draws. The floors and what is said
about them are those of the list in docs/explanation/architecture.md.
"""

from __future__ import annotations

import ast
import colorsys
import functools
import re
from dataclasses import dataclass
from pathlib import Path

from drawing import Drawing, width_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "architecture.md"
TARGET = Path(__file__).with_name("architecture.svg")

NATIVE = "_native"
"""The floor without a folder of its own: sources beside pyhades/__init__.py, parts in a folder."""

WIDTH, MARGIN = 940, 26
TOP, BOTTOM = 92, 58
BAND = 30
"""Of the words beside the two halves of the house."""
STEP = 19
"""Between the risers."""
NAME_SIZE, TEXT_SIZE, ROOM_SIZE = 13.5, 11.5, 10.5
LINE = 15
CHIP = 17
GAP = 8
"""Between the two halves of the house, twice."""


@dataclass(frozen=True)
class Floor:
    """A subpackage of pyhades or a folder of csrc."""

    half: str
    """``"pyhades"`` or ``"csrc"``."""
    name: str
    description: str
    rooms: tuple[str, ...]
    uses: frozenset[str]
    """Keys of floors."""

    @property
    def key(self) -> str:
        """What it is called among all floors: both halves have kernels and formats."""
        return f"{self.half}/{self.name}"


def listed(half: str) -> list[tuple[str, str]]:
    """Names and descriptions in the list of floors, from the top down."""
    text = PAGE.read_text(encoding="utf-8")
    separator = re.escape("." if half == "pyhades" else "/")
    return re.findall(rf"^{half}{separator}(\w+) +(.*)$", text, re.MULTILINE)


def imported(path: Path) -> set[str]:
    """Keys of the floors that a Python module imports, anywhere in it.

    ``pyhades.compile`` and the like are names of the package that import their floor when used.
    """
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pyhades":
            names = [f"pyhades.{node.attr}"]
        for name in names:
            package, _, rest = name.partition(".")
            if package == "pyhades" and rest:
                found.add(_homes().get(rest, f"pyhades/{rest.split('.')[0]}"))
    return found


@functools.cache
def _homes() -> dict[str, str]:
    """Names that ``pyhades`` itself has, to the keys of the floors that define them."""
    module = ast.parse((ROOT / "pyhades" / "__init__.py").read_text(encoding="utf-8"))
    tables = [
        ast.literal_eval(node.value)
        for node in module.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES"
    ]
    return {name: f"pyhades/{home.split('.')[1]}" for name, home in tables[0].items()}


def included(path: Path) -> set[str]:
    """Keys of the floors whose headers a C++ or Cython file includes."""
    pattern = r'^\s*(?:#include|cdef extern from) "(\w+)/'
    return {
        f"csrc/{name}"
        for name in re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    }


def floors() -> list[Floor]:
    """All floors as they are in the tree, from the top down."""
    named = [(half, *floor) for half in ("pyhades", "csrc") for floor in listed(half)]
    keys = {f"{half}/{name}" for half, name, _ in named}
    found = []
    for half, name, description in named:
        folder = ROOT / half / name
        uses: set[str] = set()
        for path in sources(half, name):
            uses |= imported(path) if path.suffix == ".py" else included(path)
        uses = (uses & keys) - {f"{half}/{name}"}
        said = description.replace("`", "").replace("->", "\N{RIGHTWARDS ARROW}")
        found.append(Floor(half, name, said, rooms(folder), frozenset(uses)))
    return found


def sources(half: str, name: str) -> list[Path]:
    """The files of a floor."""
    if name == NATIVE:
        return [*(ROOT / half).glob("*.p[xy][xd]"), *(ROOT / half / "native").glob("*.pxi")]
    patterns = ("*.py",) if half == "pyhades" else ("*.h", "*.cpp", "*.inc")
    return [path for pattern in patterns for path in (ROOT / half / name).rglob(pattern)]


def rooms(folder: Path) -> tuple[str, ...]:
    """Folders of a floor that hold code."""
    kinds = {".py", ".h", ".cpp"}
    inside = [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    held = [path for path in inside if any(file.suffix in kinds for file in path.iterdir())]
    return tuple(sorted(path.name for path in held))


def colours(count: int) -> dict[str, tuple[str, str]]:
    """A hue per floor, from warm at the top to cold at the bottom; fill, line and words."""
    styles = {}
    for index in range(count):
        hue = (0.045 + 0.60 * index / max(count - 1, 1)) % 1
        styles[f"riser{index}"] = (_hex(hue, 0.44, 0.55), _hex(hue, 0.62, 0.60))
        styles[f"chip{index}"] = (_hex(hue, 0.94, 0.55), _hex(hue, 0.17, 0.35))
        styles[f"room{index}"] = (_hex(hue, 0.29, 0.55), _hex(hue, 0.80, 0.45))
    return styles


def _hex(hue: float, lightness: float, saturation: float) -> str:
    return "#" + "".join(
        f"{round(255 * c):02x}" for c in colorsys.hls_to_rgb(hue, lightness, saturation)
    )


def wrapped(
    words: list[str], size: float, width: float, padding: float, gap: float
) -> list[list[str]]:
    """Words in lines of at most that width."""
    lines: list[list[str]] = [[]]
    used = 0.0
    for word in words:
        needed = width_of(word, size) + padding
        if lines[-1] and used + needed > width:
            lines.append([])
            used = 0
        lines[-1].append(word)
        used += needed + gap
    return lines if lines[0] else []


def draw(house: list[Floor]) -> str:
    """The picture of these floors."""
    plan = _Plan(house)
    drawing = Drawing(WIDTH, plan.height, "The floors of pyhades", colours(len(house)))
    x = MARGIN
    drawing.text(x, 40, "The house, from the top down", 19, "strong", weight=650)
    drawing.text(
        x, 62, "From each floor a line goes down, with a dot on every floor that it uses. "
        "None goes up.", 12.5,
    )  # fmt: skip
    _halves(drawing, plan)
    for index, _ in enumerate(house):
        _floor(drawing, plan, index)
    for index, _ in enumerate(house):
        _riser(drawing, plan, index)
    drawing.text(
        x, plan.height - 24,
        "Drawn from the import and include lines by docs/figures/architecture.py; "
        "boxes are the folders of a floor.", 11,
    )  # fmt: skip
    return drawing.svg()


class _Plan:
    """Where everything goes."""

    def __init__(self, house: list[Floor]) -> None:
        self.house = house
        self.left = MARGIN + BAND
        self.first_riser = WIDTH - MARGIN - STEP * (len(house) - 1) - 8
        self.text_width = self.first_riser - self.left - 14
        self.tops: list[float] = []
        self.heights: list[float] = []
        self.descriptions: list[list[str]] = []
        self.chips: list[list[list[str]]] = []
        y = float(TOP)
        for index, floor in enumerate(house):
            if index and floor.half != house[index - 1].half:
                y += 2 * GAP
            text = wrapped(
                floor.description.split(), TEXT_SIZE, self.text_width, 0, TEXT_SIZE * 0.4
            )
            chips = wrapped(list(floor.rooms), ROOM_SIZE, self.text_width, 12, 5)
            self.descriptions.append([" ".join(line) for line in text])
            self.chips.append(chips)
            height = 26 + LINE * len(text) + (CHIP + 4) * len(chips) + (4 if chips else 0)
            self.tops.append(y)
            self.heights.append(height)
            y += height
        self.height = y + BOTTOM

    def riser(self, index: int) -> float:
        """The column of a floor."""
        return self.first_riser + STEP * index

    def level(self, index: int) -> float:
        """Where a floor's line runs."""
        return self.tops[index] + 15


def _halves(drawing: Drawing, plan: _Plan) -> None:
    says = {"pyhades": "Python assembles", "csrc": "native executes"}
    for half, words in says.items():
        indices = [i for i, floor in enumerate(plan.house) if floor.half == half]
        begin = plan.tops[indices[0]]
        end = plan.tops[indices[-1]] + plan.heights[indices[-1]]
        drawing.rect(MARGIN, begin + 2, 20, end - begin - 4, "line", radius=6)
        drawing.text(
            MARGIN + 14, (begin + end) / 2, words, 11.5, "strong",
            anchor="middle", weight=600, turned=True,
        )  # fmt: skip


def _floor(drawing: Drawing, plan: _Plan, index: int) -> None:
    floor, x, top = plan.house[index], plan.left, plan.tops[index]
    level = plan.level(index)
    bottom = top + plan.heights[index]
    drawing.line(x, bottom, WIDTH - MARGIN, bottom, "line")
    separator = "." if floor.half == "pyhades" else "/"
    prefix = f"{floor.half}{separator}"
    drawing.text(x, top + 20, prefix, NAME_SIZE, "text", mono=True)
    drawing.text(
        x + len(prefix) * NAME_SIZE * 0.602,
        top + 20,
        floor.name,
        NAME_SIZE,
        f"room{index}",
        weight=700,
        mono=True,
    )
    y = top + 36
    for line in plan.descriptions[index]:
        drawing.text(x, y, line, TEXT_SIZE)
        y += LINE
    y -= 9
    for line in plan.chips[index]:
        at = x
        for room in line:
            width = width_of(room, ROOM_SIZE) + 12
            drawing.rect(at, y, width, CHIP, f"chip{index}", radius=5)
            drawing.text(at + width / 2, y + 12.2, room, ROOM_SIZE, f"room{index}", anchor="middle")
            at += width + 5
        y += CHIP + 4
    name_end = x + (len(prefix) + len(floor.name)) * NAME_SIZE * 0.602 + 10
    drawing.line(name_end, level, plan.riser(index), level, "line")


def _riser(drawing: Drawing, plan: _Plan, index: int) -> None:
    """A floor's line, down to the lowest floor that it uses."""
    x = plan.riser(index)
    used = [i for i, floor in enumerate(plan.house) if floor.key in plan.house[index].uses]
    if used:
        drawing.line(x, plan.level(index), x, plan.level(max(used)), f"riser{index}", width=2)
    for other in used:
        drawing.circle(x, plan.level(other), 4.2, f"riser{index}")
    drawing.rect(x - 6.5, plan.level(index) - 6.5, 13, 13, f"riser{index}", radius=3.5)


def main() -> None:
    """Write the picture."""
    TARGET.write_text(draw(floors()), encoding="utf-8")


if __name__ == "__main__":
    main()
