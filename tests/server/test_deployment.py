"""What is said in deployment files is what the server knows."""

from __future__ import annotations

import configparser
import json
import re
import urllib.request
from pathlib import Path

from click.testing import CliRunner

from pyhades.cli import main

DEPLOY = Path(__file__).parents[2] / "deploy"
PAGE = DEPLOY.parent / "docs" / "reference" / "command_line.md"
NAMES = re.compile(r"(?:vllm:|pyhades_)\w+")


def options() -> set[str]:
    return set(re.findall(r"--[a-z-]+", CliRunner().invoke(main, ["serve", "--help"]).output))


def test_files_use_options_that_there_are():
    unit = (DEPLOY / "pyhades.service").read_text(encoding="utf-8")
    compose = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    image = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    for text in (
        *re.findall(r"^ExecStart=(?:.*\\\n)*.*$", unit, re.MULTILINE),
        *re.findall(r"^ +command: (.*)$", compose, re.MULTILINE),
        *re.findall(r"^ENTRYPOINT (.*)$", image, re.MULTILINE),
    ):
        used = set(re.findall(r"--[a-z-]+", text))
        assert used and used <= options()


def test_the_page_lists_all_options():
    section = PAGE.read_text(encoding="utf-8").split("## `pyhades serve")[1].split("\n## ")[0]
    of_engines = {"--threads", "--isa", "--precision", "--help"}
    assert set(re.findall(r"`(--[a-z-]+)", section)) == options() - of_engines


def test_the_unit_is_one():
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string((DEPLOY / "pyhades.service").read_text(encoding="utf-8"))
    service = parser["Service"]
    drain = int(re.search(r"--drain-seconds (\d+)", service["ExecStart"]).group(1))
    assert int(service["TimeoutStopSec"]) > drain


def test_the_board_shows_metrics_that_there_are(toy_server):
    body = json.dumps({"prompt": "import", "max_tokens": 4}).encode()
    urllib.request.urlopen(f"{toy_server.url}/v1/completions", body).close()
    with urllib.request.urlopen(f"{toy_server.url}/metrics") as response:
        given = set(NAMES.findall(response.read().decode()))
    board = json.loads((DEPLOY / "grafana/dashboards/pyhades.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    shown = {name for query in queries for name in NAMES.findall(query)}
    assert len(shown) > 10 and shown <= given
