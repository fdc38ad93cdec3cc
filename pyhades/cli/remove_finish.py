"""Options of ``pyhades remove`` for what is done to mattes and pictures after the network."""

from __future__ import annotations

import re
from typing import Any

import click

from pyhades.cli.options import together
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.segmentation.finish import Finish, Shadow

SOFT = "soft"

finish_options = together(
    click.option("--refine", is_flag=True, help="Take edges of the matte from the picture."),
    click.option("--threshold", type=float, metavar="OPACITY", help="Opaque from 0..1 on, or not."),
    click.option("--largest", is_flag=True, help="Keep the largest part alone."),
    click.option("--specks", metavar="SIZE", help="Remove smaller parts: pixels, or as 0.1%."),
    click.option("--fill-holes", is_flag=True, help="Make enclosed background opaque."),
    click.option("--largest-hole", metavar="SIZE", help="That --fill-holes fills."),
    click.option("--choke", type=int, metavar="PIXELS", help="Draw the contour in; out below 0."),
    click.option("--feather", type=float, metavar="PIXELS", help="Soften it by a Gaussian."),
    click.option("--crop", is_flag=True, help="Show only the box around the subject."),
    click.option("--margin", metavar="SIZE", help="Around that box: pixels, or as 5%."),
    click.option("--long-side", type=int, metavar="PIXELS", help="Bring the longer side to this."),
    click.option("--canvas", metavar="WxH", help="Centre it on a canvas."),
    click.option(
        "--shadow", metavar="soft|X,Y[,BLUR[,OPACITY[,COLOUR]]]", help="A soft shadow, such as "
        "0,12,12,0.4,black, which is 'soft'.",
    ),
    click.option(
        "--only", type=click.Choice(["alpha", "mask", "trimap"]),
        help="The matte alone: in grey, black and white, or with a band to be decided.",
    ),
    click.option("--trimap-band", type=int, metavar="PIXELS", help="To either side."),
)  # fmt: skip
"""What becomes a :class:`Finish`."""

_NAMES = (
    "refine", "threshold", "largest", "specks", "fill_holes", "largest_hole", "choke", "feather",
    "crop", "margin", "long_side", "canvas", "shadow", "only", "trimap_band",
)  # fmt: skip


def finish_of(given: dict[str, Any]) -> Finish | None:
    """Take the options out of ``given``; None where none of them was used.

    Raises
    ------
    click.UsageError
        They make no sense.
    """
    options = {name: given.pop(name) for name in _NAMES}
    used = {n: value for n, value in options.items() if value is not None and value is not False}
    if not used:
        return None
    if "largest_hole" in used:
        if not used.get("fill_holes"):
            raise click.UsageError("--largest-hole is for --fill-holes")
        used["fill_holes"] = used.pop("largest_hole")
    try:
        if "canvas" in used:
            used["canvas"] = parse_canvas(used["canvas"])
        if "shadow" in used:
            used["shadow"] = parse_shadow(used["shadow"])
        return Finish(**used)
    except (ArgumentError, ArgumentTypeError) as error:
        raise click.UsageError(_as_options(str(error))) from error


def parse_canvas(text: str) -> tuple[int, int]:
    """Read ``"1000x800"`` as (1000, 800)."""
    found = re.fullmatch(r"(\d+)[xX×](\d+)", text.strip())
    if found is None:
        raise ArgumentError(f"canvas={text!r}: expected WIDTHxHEIGHT, such as 1000x1000")
    return int(found[1]), int(found[2])


def parse_shadow(text: str) -> Shadow:
    """Read ``"soft"``, or offset, blur, opacity and colour, of which the last may be left out."""
    if text.strip() == SOFT:
        return Shadow()
    parts = [part.strip() for part in text.split(",", 4)]
    try:
        right, down, *numbers = (float(part) for part in parts[:4])
        if not (right.is_integer() and down.is_integer()):
            raise ValueError
    except ValueError:
        raise ArgumentError(
            f"shadow={text!r}: expected 'soft', or such as 0,12,12,0.4,black (see --help)"
        ) from None
    values: dict[str, Any] = dict(zip(("blur", "opacity"), numbers, strict=False))
    if len(parts) > 4:
        values["colour"] = parts[4]
    return Shadow((int(right), int(down)), **values)


def _as_options(message: str) -> str:
    """Name arguments as the command line does."""
    return re.sub(
        r"\b(\w+)=(?:True\b)?",
        lambda found: (
            f"--{found[1].replace('_', '-')}" + ("" if found[0].endswith("True") else " ")
        ),
        message,
    )
