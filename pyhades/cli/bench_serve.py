"""``pyhades bench serve``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from pyhades import _native
from pyhades.bench.machine import describe_machine
from pyhades.bench.rivals import llama_server
from pyhades.bench.serve.findings import Findings, Row, line, markdown
from pyhades.bench.serve.plan import Plan
from pyhades.bench.serve.plot import plot
from pyhades.bench.serve.running import Cpus, Start, rivalling, run, running, starting
from pyhades.bench.serve.scenarios import SCENARIOS, overhead
from pyhades.cli.options import POSITIVE, Decorator, engine_options, parse_counts, together
from pyhades.cli.targets import check_apart, write_atomically
from pyhades.llm.precision.recipe import PRECISIONS
from pyhades.options import EngineOptions

OVERHEAD = "overhead"
SIZES = {
    "requests": "Of each client.",
    "prompt_tokens": "Of each prompt, about.",
    "output_tokens": "Of each answer.",
    "seconds": "For how long requests come at random times.",
    "patience": "Seconds after which an answer is not waited for any more.",
    "interval": "Seconds between two looks at the server's memory and health.",
    "seed": "Of prompts, times and spoilt requests.",
    "writers": "In arrivals: who write long answers.",
    "writer_tokens": "In arrivals: of each of these answers.",
    "arrival_tokens": "In arrivals: of each prompt that arrives.",
    "arrival_rate": "In arrivals: prompts per second.",
    "overload": "In overload: times the rate that the server keeps up with.",
    "churn_clients": "In churn: how many come and go.",
    "cases": "In fuzz: how many requests.",
    "rounds": "In overhead: how often each way is measured.",
}
"""Numbers of a plan that are options, with what --help says of them."""


def size_option(name: str) -> Decorator[Any]:
    """An option for a number of a plan, whose default is the plan's."""
    default = getattr(Plan(), name)
    whole = click.IntRange(min=0 if name == "seed" else 1)
    return click.option(
        f"--{name.replace('_', '-')}", type=whole if isinstance(default, int) else POSITIVE,
        default=default, show_default=True, help=SIZES[name],
    )  # fmt: skip


def parse_url(context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """Take the URL of a server, with the protocol that it speaks."""
    if text is not None and not text.startswith(("http://", "https://")):
        raise click.BadParameter(f"{text!r} is no URL like http://127.0.0.1:8000")
    return text


def parse_cpus(
    context: click.Context, option: click.Parameter, text: str | None
) -> tuple[int, ...]:
    """Read ``"0,1"`` as ``(0, 1)``."""
    parts = [] if text is None else [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{text!r} is not a list of CPUs like 0,1")
    return tuple(map(int, parts))


@click.command("serve")
@click.argument("server_options", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--url", callback=parse_url, help="A server that runs already, instead of one that is started."
)
@click.option("--api-key", envvar="PYHADES_BENCH_API_KEY", help="Of the server at --url.")
@click.option("--pid", type=int, help="Of its process, to look at its memory.")
@click.option("--model", help="Checkpoint; the toy model that ships with pyhades if left out.")
@engine_options(PRECISIONS)
@click.option("--rival", type=click.Choice([llama_server.NAME]), help="Its server, in turn.")
@click.option("--llama-server", "program", metavar="PATH", help="Program of the rival.")
@click.option(
    "--scenario",
    type=click.Choice([*SCENARIOS, OVERHEAD]),
    default="throughput",
    show_default=True,
    help="What happens.",
)
@click.option(
    "--clients",
    callback=parse_counts,
    default="1,2,4,8,16,32",
    show_default=True,
    metavar="LIST",
    help="At once, each with the next request when the last is answered.",
)
@click.option("--rate", type=POSITIVE, help="Requests per second, at random times instead.")
@click.option("--chat", is_flag=True, help="Ask /v1/chat/completions, not /v1/completions.")
@together(*map(size_option, SIZES))
@click.option("--client-cpus", callback=parse_cpus, metavar="LIST", help="Where the client runs.")
@click.option("--server-cpus", callback=parse_cpus, metavar="LIST", help="Where servers run.")
@click.option("--json", "json_file", metavar="FILE", help="Write the results there.")
@click.option("--plot", "plot_file", metavar="FILE", help="Draw throughput by clients there.")
def command(
    server_options: tuple[str, ...],
    url: str | None,
    api_key: str | None,
    pid: int | None,
    model: str | None,
    options: EngineOptions,
    rival: str | None,
    program: str | None,
    scenario: str,
    clients: list[int],
    chat: bool,
    client_cpus: tuple[int, ...],
    server_cpus: tuple[int, ...],
    json_file: str | None,
    plot_file: str | None,
    **sizes: Any,
) -> None:
    """Put a server of OpenAI's protocol under load, from a process of its own.

    The server is `pyhades serve` with SERVER_OPTIONS, which come after --, or what runs at --url.
    Exit code 1 says that something that must hold does not.
    """
    for target in (json_file, plot_file):
        check_apart(target, model)
    if url is not None and (model or rival or server_options or scenario == OVERHEAD):
        raise click.UsageError("--url is a server that runs: no model, rival, options or overhead")
    if rival is not None and (model is None or scenario == OVERHEAD):
        raise click.UsageError(f"--rival {rival} needs --model, a GGUF file, and is alone there")
    if scenario == OVERHEAD and server_options:
        raise click.UsageError(f"--scenario {OVERHEAD} opens the model itself: no SERVER_OPTIONS")
    plan = Plan(clients=tuple(clients), **sizes)
    cpus = Cpus(client_cpus, server_cpus)
    machine = _machine(options) | {"model": url or model or "the toy model", "scenario": scenario}
    if scenario == OVERHEAD:
        findings = overhead.measure(model, options, plan, _print, cpus=cpus.client)
    else:
        starts: list[Start] = []
        if rival is not None and model is not None:  # gone when our weights take their memory
            program = llama_server.find(program)
            machine[rival] = llama_server.version(program)
            starts.append(rivalling(program, model, options, plan, cpus))
        ours = starting(model, options, server_options, cpus)
        starts.append(ours if url is None else running(url, api_key, pid))
        endpoint = "chat" if chat else "completions"
        findings = run(starts, scenario, plan, _print, endpoint=endpoint, cpus=cpus)
    _tell(findings, machine)
    if json_file is not None:
        measured = {"machine": machine, **findings.for_json()}
        write_atomically(Path(json_file), (json.dumps(measured, indent=2) + "\n").encode())
    if plot_file is not None:
        plot(findings.rows, machine, Path(plot_file))
    if findings.broken:
        click.get_current_context().exit(1)


def _machine(options: EngineOptions) -> dict[str, Any]:
    threads = options.threads_used
    peaks = {threads: _native.measure_peak_gflops(options.isa, threads)}
    return describe_machine(options.isa, [threads], peaks)


def _tell(findings: Findings, machine: dict[str, Any]) -> None:
    """Everything once more as rows of Markdown, and what should be so."""
    click.echo("  ".join(f"{key}: {value}" for key, value in machine.items()))
    click.echo(markdown(findings.rows))
    for check in findings.checks:
        click.echo(str(check))


def _print(row: Row) -> None:
    tqdm.write(line(row))
