"""``pyhades serve``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from pyhades.cli.cache_options import cache_options
from pyhades.cli.options import Number, engine_options
from pyhades.llm.precision.recipe import PRECISIONS
from pyhades.options import EngineOptions
from pyhades.server import Settings, serve
from pyhades.server.beginnings import read_beginning
from pyhades.server.secret import NAME as SECRET
from pyhades.server.secret import lasting_secret
from pyhades.server.settings import read_api_keys


@click.command("serve")
@click.argument("model", required=False)
@engine_options(PRECISIONS)
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 for everybody.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option("--name", "names", multiple=True, help="Under which the model answers; repeatable.")
@click.option("--context-length", type=click.IntRange(min=1), help="Most tokens in all.")
@click.option("--max-sequences", type=click.IntRange(min=1), help="Most answers written at once.")
@cache_options
@click.option(
    "--api-key-file", type=click.Path(path_type=Path, dir_okay=False), help="NAME KEY a line."
)
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Tells clients apart, also after a restart; by default in --cache-dir.",
)
@click.option(
    "--shared-prefix",
    "shared_prefixes",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A system message, or JSON with messages and tools, that all clients share; repeatable.",
)
@click.option("--allow-origin", "allow_origins", multiple=True, help="Web pages that may ask.")
@click.option("--max-requests", type=click.IntRange(min=1), help="At a time; more get status 429.")
@click.option("--max-requests-per-key", type=click.IntRange(min=1))
@click.option("--max-queued-seconds", type=Number(min=1), help="Of reading; more get status 429.")
@click.option("--max-stored", type=click.IntRange(min=0), help="Responses that are kept.")
@click.option("--drain-seconds", type=Number(min=1), help="For answers at the end.")
@click.option("--tls-certificate", type=click.Path(exists=True, dir_okay=False), help="PEM.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="PEM.")
@click.option("--no-page", is_flag=True, help="Without the page at /.")
@click.option("--log-text", is_flag=True, help="Log what is asked and answered, too.")
def command(
    model: str | None,
    options: EngineOptions,
    host: str,
    port: int,
    names: tuple[str, ...],
    context_length: int | None,
    max_sequences: int | None,
    cache: Mapping[str, Any],
    api_key_file: Path | None,
    secret_file: Path | None,
    shared_prefixes: tuple[Path, ...],
    tls_certificate: str | None,
    tls_key: str | None,
    no_page: bool,
    log_text: bool,
    **limits: Any,
) -> None:
    """Serve MODEL to clients of OpenAI's API; without it the toy that ships here.

    Point clients at http://127.0.0.1:8000/v1; a page to chat is at http://127.0.0.1:8000. SIGTERM
    and Ctrl-C let answers finish, a second Ctrl-C does not.
    """
    if (tls_certificate is None) != (tls_key is None):
        raise click.UsageError("--tls-certificate and --tls-key come together")
    given = {name: value for name, value in limits.items() if value is not None}
    shared = [read_beginning(path) for path in shared_prefixes]
    settings = Settings(
        names=names, page=not no_page, log_text=log_text, shared_beginnings=shared, **given
    )
    if secret_file is None and cache["cache_dir"] is not None:
        secret_file = cache["cache_dir"].expanduser() / SECRET
    if secret_file is not None:
        settings = settings.changed(secret=lasting_secret(secret_file))
    if api_key_file is not None:
        keys = read_api_keys(api_key_file, settings.secret)
        settings = settings.changed(api_keys=keys)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    engine: dict[str, Any] = {"max_sequences": max_sequences} if max_sequences else {}
    serve(
        model, settings, host=host, port=port, certificate=tls_certificate,
        certificate_key=tls_key, options=options, context_length=context_length,
        on_listening=_tell, **cache, **engine,
    )  # fmt: skip


def _tell(url: str) -> None:
    click.echo(f"listening at {url}; the model is being loaded", err=True)
