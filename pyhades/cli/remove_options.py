"""Options of ``pyhades remove``, in groups, and what they say together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from pyhades.cli.options import together
from pyhades.cli.targets import check_apart
from pyhades.segmentation.bulk.memory import parse_size
from pyhades.segmentation.bulk.shards import Shard
from pyhades.segmentation.cutout import Output
from pyhades.segmentation.image.png import Compression

STANDARD = "-"

result_options = together(
    click.option("--only-mask", is_flag=True, help="Write the matte in grey."),
    click.option("--background", help="Colour, image file or 'blur' to put the foreground on."),
    click.option("--overwrite", is_flag=True, help="Replace results that exist."),
    click.option(
        "--format", "suffix", default="png", show_default=True,
        type=click.Choice(["png", "webp", "tif", "jpg"]), help="Of files in an output folder.",
    ),
    click.option(
        "--png", default="fast", show_default=True,
        type=click.Choice(["fast", "balanced", "small"]), help="Speed against size.",
    ),
    click.option(
        "--foreground/--no-foreground", "estimate_foreground", default=True,
        help="Free soft edges of the background's colour (default).",
    ),
    click.option(
        "--keep-hidden", is_flag=True, help="Keep the colour of fully transparent pixels."
    ),
    click.option("-q", "--quiet", is_flag=True, help="No progress bar."),
)  # fmt: skip
"""What is made of a picture."""

_inputs = together(
    click.option(
        "--recursive/--no-recursive", default=True, help="Sub-folders of an input folder too."
    ),
    click.option("--list", "list_", metavar="FILE", help="Paths, one a line; - is standard input."),
    click.option(
        "--jsonl", metavar="FILE",
        help="Objects with path and, if wanted, id and output, one a line; - is standard input.",
    ),
    click.option("--unpack", is_flag=True, help="Write pictures of tar archives and of Parquet "
                 "files to files."),
    click.option("--column", metavar="NAME", help="Of Parquet files, that holds pictures."),
    click.option(
        "--watch", is_flag=True, help="Follow folders; Ctrl-C ends it. Implies --resume."
    ),
    click.option(
        "--interval", type=click.FloatRange(min=0.01), default=2.0, show_default=True,
        help="Seconds between two looks of --watch.",
    ),
    click.option(
        "--shard", default="1/1", metavar="I/N", help="Do the I-th of N parts, by a hash of paths."
    ),
)  # fmt: skip

_records = together(
    click.option("--resume", is_flag=True, help="Leave out what the manifest says is done."),
    click.option("--retry-failed", is_flag=True, help="Resume, and try again what failed."),
    click.option(
        "--resume-anyway", is_flag=True,
        help="Resume although results were made with other options or another model.",
    ),
    click.option(
        "--record", type=click.Path(dir_okay=False), metavar="FILE",
        help="The manifest; default: .pyhades-manifest.jsonl in OUT.",
    ),
    click.option(
        "--checksum", is_flag=True, help="Tell pictures by their content, not by size and time."
    ),
    click.option(
        "--fsync", type=click.Choice(["none", "file", "full"]), default="file", show_default=True,
        help="What is on the disk before a picture counts as done; full: names and manifest, too.",
    ),
    click.option(
        "--review", type=click.Path(file_okay=False), metavar="DIR",
        help="Collect previews of doubtful masks there.",
    ),
)  # fmt: skip

_machine = together(
    click.option(
        "--workers", type=click.IntRange(min=1), help="Default: one for each core."
    ),
    click.option(
        "--decoders", type=click.IntRange(min=0), default=0, help="Threads that only decode."
    ),
    click.option(
        "--encoders", type=click.IntRange(min=0), default=0, help="Threads that only encode."
    ),
    click.option(
        "--calibrate/--no-calibrate", default=None,
        help="Measure which workers are fastest, for some seconds; default: for many pictures.",
    ),
    click.option("--max-memory", metavar="SIZE", help="Of a process, such as 2G."),
    click.option(
        "--processes", metavar="N|node|l3", help="Several, each with CPUs of its own, or one per "
        "node or L3 cache; the result is the same.",
    ),
    click.option("--as-part", is_flag=True, hidden=True),
    click.option("--take-up", is_flag=True, hidden=True),
    click.option("--cpus", hidden=True),
)  # fmt: skip

bulk_options = together(_inputs, _records, _machine)
"""Of runs through many pictures."""


@dataclass(frozen=True)
class Request:
    """What is to be done, beside the model.

    Attributes
    ----------
    inputs, out
        As they were given.
    rendering
        Keywords of what is made of pictures.
    others
        All other options, by name.
    """

    inputs: tuple[str, ...]
    out: str
    output: Output
    background: str | None
    suffix: str
    png: Compression
    others: dict[str, Any]

    @classmethod
    def of(cls, inputs: tuple[str, ...], out: str, given: dict[str, Any]) -> Request:
        """Take out of ``given`` all that is not about the model."""
        output: Output = "mask" if given.pop("only_mask") else "rgba"
        others = {name: given.pop(name) for name in _OTHERS}
        others["threads"] = given["prepared"].options.threads
        return cls(
            inputs,
            out,
            output,
            given.pop("background"),
            given.pop("suffix"),
            given.pop("png"),
            others,
        )

    def __getattr__(self, name: str) -> Any:
        try:
            return self.others[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def streams(self) -> bool:
        """Whether the picture comes from, or the result goes to, a pipe."""
        return STANDARD in self.inputs or self.out == STANDARD

    @property
    def lists(self) -> list[tuple[str, str]]:
        """Lists of pictures: the form and the file of each."""
        named = [("paths", self.others["list_"]), ("json", self.others["jsonl"])]
        return [(form, name) for form, name in named if name is not None]

    @property
    def is_bulk(self) -> bool:
        """Whether something was asked for that only runs through many pictures have."""
        return any(self.others[name] != value for name, value in _DEFAULTS.items())

    def check(self, model: str | None) -> None:
        """Refuse what makes no sense."""
        if not self.inputs and not self.lists:
            raise click.UsageError("Missing argument '[INPUT]...', or --list, or --jsonl.")
        if self.output == "mask" and self.background is not None:
            raise click.UsageError("--only-mask has no colours to put on a --background")
        if self.suffix == "jpg" and self.output == "rgba" and self.background is None:
            raise click.UsageError(
                "--format jpg has no transparency; add --background or --only-mask"
            )
        if self.streams and (len(self.inputs) > 1 or self.is_bulk):
            raise click.UsageError("standard input and output take a single image")
        if [name for _, name in self.lists].count(STANDARD) > 1:
            raise click.UsageError("standard input holds one list")
        if self.others["processes"] is not None and STANDARD in dict(self.lists).values():
            raise click.UsageError("--processes read the list themselves; put it into a file")
        Shard.parse(self.others["shard"])
        if self.others["max_memory"] is not None:
            parse_size(self.others["max_memory"])
        check_apart(self.out, self.background, model)


_DEFAULTS: dict[str, Any] = {
    "list_": None, "jsonl": None, "unpack": False, "column": None, "watch": False,
    "shard": "1/1", "resume": False, "retry_failed": False, "resume_anyway": False,
    "record": None, "checksum": False, "review": None, "decoders": 0, "encoders": 0,
    "max_memory": None, "processes": None, "as_part": False, "take_up": False, "cpus": None,
}  # fmt: skip
_OTHERS = [
    *_DEFAULTS,
    "workers",
    "calibrate",
    "fsync",
    "recursive",
    "overwrite",
    "quiet",
    "interval",
]
