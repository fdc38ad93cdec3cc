"""Options of ``pyhades remove``, in groups, and what they say together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pyhades.cli.options import POSITIVE, Number, together
from pyhades.cli.remove_finish import finish_of
from pyhades.cli.remove_writing import writing_of, writing_options
from pyhades.cli.streams import STANDARD, is_device, standard_input, standard_output
from pyhades.cli.targets import check_apart
from pyhades.segmentation.bulk.memory import parse_size
from pyhades.segmentation.bulk.shards import Shard
from pyhades.segmentation.bulk.sources.opening import check_exists
from pyhades.segmentation.bulk.sources.patterns import PLAIN, check_name_pattern
from pyhades.segmentation.cutout import Output
from pyhades.segmentation.finish import Finish
from pyhades.segmentation.image.write import WriteOptions, check_output

result_options = together(
    click.option("--only-mask", is_flag=True, help="Write the matte in grey."),
    click.option("--background", help="Colour, image file or 'blur' to put the foreground on."),
    click.option("--overwrite", is_flag=True, help="Replace results that exist."),
    click.option(
        "--skip-existing", is_flag=True, help="Leave out pictures whose results are there."
    ),
    click.option(
        "--name-pattern", default=PLAIN, show_default=True, metavar="PATTERN",
        help="Of results in a folder, such as {stem}-cut{suffix}; {name} has the picture's suffix.",
    ),
    writing_options,
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
    click.option(
        "--include", multiple=True, metavar="PATTERN",
        help="Take pictures that fit this only, such as *.jpg or cats/**; repeatable.",
    ),
    click.option(
        "--exclude", multiple=True, metavar="PATTERN",
        help="Leave out pictures, or folders, that fit this; repeatable.",
    ),
    click.option("--list", "list_", metavar="FILE", help="Paths, one a line; - is standard input."),
    click.option(
        "-0", "--null", is_flag=True, help="Paths of --list end in zeros, as of find -print0."
    ),
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
        "--interval", type=Number(min=0.01), default=2.0, show_default=True,
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
        help="The manifest; default: .OUT.pyhades-manifest.jsonl beside OUT.",
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
        "-j", "--jobs", "--workers", "workers", type=click.IntRange(min=1),
        help="Pictures at a time; default: one for each core.",
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
    click.option(
        "--engine-timeout", type=POSITIVE, metavar="SECONDS",
        help="Of a picture in an engine of --engine, which then loses it to others; default: "
        "20 times the slowest run, and a minute at least.",
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
    output, background, suffix, writing
        What is made of pictures, and how it is written.
    others
        All other options, by name.
    """

    inputs: tuple[str, ...]
    out: str
    output: Output
    background: str | None
    suffix: str
    writing: WriteOptions
    finish: Finish | None
    others: dict[str, Any]

    @classmethod
    def of(cls, inputs: tuple[str, ...], out: str, given: dict[str, Any]) -> Request:
        """Take out of ``given`` all that is not about the model."""
        output: Output = "mask" if given.pop("only_mask") else "rgba"
        others = {name: given.pop(name) for name in _OTHERS}
        others["threads"] = given["prepared"].options.threads
        return cls(
            tuple(map(standard_input, inputs)),
            standard_output(out),
            output,
            given.pop("background"),
            given.pop("suffix"),
            writing_of(given),
            finish_of(given),
            others,
        )

    def __getattr__(self, name: str) -> Any:
        try:
            return self.others[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def shows_matte(self) -> bool:
        """Whether the matte alone is wanted."""
        return self.output == "mask" or (self.finish is not None and self.finish.only is not None)

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
        return bool(self._of_runs())

    def _of_runs(self) -> list[str]:
        """Options that only runs have, and that were given."""
        changed = (name for name, value in _DEFAULTS.items() if self.others[name] != value)
        return [f"--{name.rstrip('_').replace('_', '-')}" for name in changed]

    def suffix_of(self, out: str) -> str:
        """Of the one result; ``out`` is its file, a device, or ``-``."""
        suffix = "" if out == STANDARD or is_device(out) else Path(out).suffix.lower()
        return suffix or f".{self.suffix}"

    def check(self, model: str | None) -> None:
        """Refuse what makes no sense."""
        if not self.inputs and not self.lists:
            raise click.UsageError("Missing argument '[INPUT]...', or --list, or --jsonl.")
        for name in self.inputs:
            if name != STANDARD:
                check_exists(name)
        self._check_streams()
        if self.overwrite and self.skip_existing:
            raise click.UsageError("--overwrite replaces what exists, --skip-existing leaves it")
        if self.shows_matte and self.background is not None:
            raise click.UsageError("--only-mask and --only have no colours for a --background")
        check_name_pattern(self.name_pattern)
        Shard.parse(self.shard)
        if self.max_memory is not None:
            parse_size(self.max_memory)
        check_apart(self.out, self.background, model)

    def check_writing(self) -> None:
        """Refuse what files of ``--format`` cannot hold."""
        output = "mask" if self.shows_matte else "rgba"
        check_output(f".{self.suffix}", output, self.background, self.writing)

    def _check_streams(self) -> None:
        if self.streams and (len(self.inputs) > 1 or self.is_bulk):
            raise click.UsageError("standard input and output take a single image")
        if self.streams and any(Path(name).is_dir() for name in self.inputs if name != STANDARD):
            raise click.UsageError("standard output takes a single image, and not a folder")
        if [name for _, name in self.lists].count(STANDARD) > 1:
            raise click.UsageError("standard input holds one list")
        if self.processes is not None and STANDARD in dict(self.lists).values():
            raise click.UsageError("--processes read the list themselves; put it into a file")
        if self.null and self.list_ is None:
            raise click.UsageError("--null says how paths of a --list end, and there is none")

    def why_many(self) -> str:
        """Why a file is not enough for what comes out."""
        if len(self.inputs) > 1 or self.lists:
            return "there are several pictures"
        if self.is_bulk:
            return f"{self._of_runs()[0]} is of runs that write to a folder"
        return f"there may be many pictures in {self.inputs[0]}"


_DEFAULTS: dict[str, Any] = {
    "include": (), "exclude": (), "list_": None, "null": False, "jsonl": None, "unpack": False,
    "column": None, "watch": False, "shard": "1/1", "resume": False, "retry_failed": False,
    "resume_anyway": False, "record": None, "checksum": False, "review": None,
    "decoders": 0, "encoders": 0, "engine_timeout": None,
    "max_memory": None, "processes": None, "as_part": False, "take_up": False, "cpus": None,
}  # fmt: skip
_OTHERS = [
    *_DEFAULTS,
    "workers",
    "calibrate",
    "fsync",
    "recursive",
    "overwrite",
    "skip_existing",
    "name_pattern",
    "first_frame",
    "quiet",
    "interval",
]
