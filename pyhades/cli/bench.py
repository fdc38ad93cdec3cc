"""``pyhades bench``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from pyhades.bench import llm as llm_bench
from pyhades.bench import llm_batch, llm_load
from pyhades.bench.llm_plot import plot
from pyhades.bench.llm_subject import open_subject
from pyhades.bench.rivals import llama_cpp
from pyhades.cli import bench_segmentation
from pyhades.cli.bench_segmentation import DISTURB
from pyhades.cli.groups import CommandGroup
from pyhades.cli.options import Number, engine_options, parse_counts
from pyhades.cli.targets import check_apart, write_atomically
from pyhades.errors import ConfigurationError
from pyhades.kernels.paged_attention import KV_FORMATS, KvFormat
from pyhades.llm.precision.recipe import PRECISIONS
from pyhades.options import EngineOptions


def parse_sizes(
    context: click.Context, option: click.Parameter, text: str | None
) -> tuple[int, ...] | None:
    """Read ``"0,2048"`` as ``(0, 2048)``."""
    if text is None:
        return None
    sizes = [part.strip() for part in text.split(",")]
    if not all(size.isdecimal() for size in sizes):
        raise click.BadParameter(f"{text!r} is not a list of numbers of tokens like 0,2048")
    return tuple(int(size) for size in sizes)


def parse_some(
    context: click.Context, option: click.Parameter, text: str | None
) -> tuple[int, ...] | None:
    """Read ``"1,8"`` as ``(1, 8)``: numbers of what there has to be one of at least."""
    return None if text is None else tuple(parse_counts(context, option, text))


def _serve() -> click.Command:
    """The command that needs an extra; without it, one that says so."""
    try:
        from pyhades.cli import bench_serve
    except ModuleNotFoundError as error:
        missing = f"{error.name} is not installed; pip install 'pyhades[server]'"

        @click.command("serve", short_help=f"Not here: {missing}", add_help_option=False)
        @click.argument("anything", nargs=-1, type=click.UNPROCESSED)
        def lacking(anything: tuple[str, ...]) -> None:
            raise ConfigurationError(missing)

        lacking.ignore_unknown_options = True
        return lacking
    return bench_serve.command


@click.group("bench", cls=CommandGroup)
def command() -> None:
    """Measure pyhades, alone or against a rival."""


command.add_command(bench_segmentation.command)
command.add_command(_serve())


@command.command("llm")
@click.argument("prompt", required=False)
@click.option("--model", help="Checkpoint; the toy model that ships with pyhades if left out.")
@click.option("--synthetic", metavar="NAME", help="Random weights of a real size: gpt-oss-20b.")
@engine_options(PRECISIONS, several=["threads"], threads="1")
@click.option("--kv-format", type=click.Choice(KV_FORMATS), default="bf16", show_default=True)
@click.option("--rival", type=click.Choice([llama_cpp.NAME]), help="Reads the same GGUF file.")
@click.option("--depths", callback=parse_sizes, help="Tokens in the cache, such as 0,2048.")
@click.option("--prefills", callback=parse_some, help="Tokens of the prompts, such as 512.")
@click.option("--batch", callback=parse_some, help="Answers at once, such as 1,8: nothing else.")
@click.option(
    "--load",
    type=Number(min=0.1),
    metavar="SECONDS",
    help="Requests that come and leave at random for so long: nothing else.",
)
@DISTURB
@click.option("--quick", is_flag=True, help="Small depths and prompts, to see that it works.")
@click.option("--json", "json_file", metavar="FILE", help="Write the results there.")
@click.option("--plot", "plot_file", metavar="FILE", help="Draw speed over depth there.")
def llm(
    prompt: str | None,
    model: str | None,
    synthetic: str | None,
    options: EngineOptions,
    threads: list[int],
    kv_format: KvFormat,
    rival: str | None,
    depths: tuple[int, ...] | None,
    prefills: tuple[int, ...] | None,
    batch: tuple[int, ...] | None,
    load: float | None,
    disturb: bool,
    quick: bool,
    json_file: str | None,
    plot_file: str | None,
) -> None:
    """Time how a language model reads and writes, against the speed of the memory.

    Measures decoding with an empty and a full cache, reading of prompts, and ten standard prompts
    (or PROMPT); random tokens where there is no tokenizer.
    """
    for target in (json_file, plot_file):
        check_apart(target, model)
    effort = llm_bench.QUICK if quick else llm_bench.Effort()
    effort = dataclasses.replace(
        effort, depths=depths or effort.depths, prefills=prefills or effort.prefills
    )
    if rival is not None and load is not None:
        raise click.UsageError(f"--load measures pyhades alone, without --rival {rival}")
    # The rival comes first and is gone when our weights take their memory.
    rows = [] if rival is None else _measure_llama_cpp(model, threads, effort, batch, quick)
    subject = open_subject(model, synthetic, options, kv_format=kv_format)
    click.echo(
        f"{subject.name}, {subject.weights.precision}, {subject.weights.nbytes / 1e9:.2f} GB"
    )
    if batch is not None or load is not None:
        measured = _many_answers(subject, threads, batch, load, quick)
    else:
        measured = llm_bench.measure(
            subject, threads, prompt, effort, disturb=disturb, report=_print_llm_row
        )
    if rival is not None:
        measured["machine"][rival] = llama_cpp.version()
        measured["results"] += rows
    click.echo("  ".join(f"{key}: {value}" for key, value in measured["machine"].items()))
    if "routing" in measured:
        routing = measured["routing"].items()
        click.echo("routing: " + "  ".join(f"{name}: {value:.3g}" for name, value in routing))
    if json_file is not None:
        write_atomically(Path(json_file), (json.dumps(measured, indent=2) + "\n").encode())
    if plot_file is not None:
        plot(measured, Path(plot_file))


def _many_answers(
    subject: llm_bench.Subject,
    threads: list[int],
    batch: tuple[int, ...] | None,
    load: float | None,
    quick: bool,
) -> dict[str, Any]:
    """Batches, or requests that come and leave."""
    if load is not None:
        return llm_load.measure(subject, threads, load, report=_print_line)
    assert batch is not None
    nbytes = 64 << 20 if quick else llm_batch.BANDWIDTH_BYTES
    return llm_batch.measure(
        subject, threads, batch, _steps(quick), bandwidth_bytes=nbytes, report=_print_line
    )


def _steps(quick: bool) -> int:
    """Of a batch."""
    return 3 if quick else llm_batch.STEPS


def _print_line(row: object) -> None:
    tqdm.write(str(row))


def _measure_llama_cpp(
    model: str | None,
    threads: list[int],
    effort: llm_bench.Effort,
    batch: tuple[int, ...] | None,
    quick: bool,
) -> list[dict[str, Any]]:
    if model is None:
        raise click.UsageError(f"--rival {llama_cpp.NAME} needs --model, a GGUF file")
    rows: Sequence[llm_bench.Measurement | llm_batch.BatchMeasurement]
    if batch is None:
        rows = llama_cpp.measure(Path(model), threads, effort, report=_print_llm_row)
    else:
        rows = llama_cpp.measure_batches(
            Path(model), threads, batch, _steps(quick), report=_print_line
        )
    return [dataclasses.asdict(row) for row in rows]


def _print_llm_row(row: llm_bench.Measurement) -> None:
    parts = [f"{row.engine:<10}{row.workload:<8}{row.threads} threads"]
    if row.workload == "decode":
        parts.append(f"depth {row.depth:>5}")
    if row.prefill_tok_s is not None:
        parts.append(f"{row.prefill_tokens:>5} tokens read at {row.prefill_tok_s:.1f}/s")
    if row.ttft_ms is not None:
        parts.append(f"first after {row.ttft_ms:.0f} ms")
    if row.decode_tok_s is not None:
        parts.append(
            f"{row.decode_tok_s:.2f} tokens/s ({row.decode_tok_s_min:.2f} to "
            f"{row.decode_tok_s_max:.2f})"
        )
    if row.share_of_bandwidth is not None:
        parts.append(f"{row.share_of_bandwidth:.0%} of {row.bandwidth_gb_s:.1f} GB/s")
    if row.share_of_int8_peak is not None:
        parts.append(f"{row.share_of_int8_peak:.0%} of {row.int8_gops:.0f} int8 GOP/s")
    if row.energy_j_per_token is not None:
        parts.append(f"{row.energy_j_per_token:.1f} J per token")
    parts.append(f"peak {row.peak_rss_gb:.2f} GB")
    if row.disturbed:
        parts.append("disturbed")
    tqdm.write("  ".join(parts))
