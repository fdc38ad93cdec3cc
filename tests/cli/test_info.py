"""``pyhades info`` says what there is, as text and as JSON."""

from __future__ import annotations

import json

from click.testing import CliRunner

import pyhades
from pyhades.cli import main
from pyhades.topology import read_machine, survey


def info(*arguments):
    result = CliRunner().invoke(main, ["info", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_machine_alone():
    assert info() == f"{pyhades.show_config()}\n"


def test_topology_shows_machine_limits_and_plan():
    text = info("--topology")
    assert text == f"{pyhades.show_config()}\n\n{survey()}\n"
    found = survey()
    for said in (read_machine().line(), found.plan.line(), "limits", "policy", "free siblings"):
        assert said in text


def test_everything_as_json():
    assert "topology" not in json.loads(info("--json"))
    found = json.loads(info("--topology", "--json"))
    assert found["threads"] >= 1 and found["topology"] == survey().to_dict()
    assert set(found["topology"]) == {"machine", "limits", "policy", "plan"}


def test_notebooks_show_the_same():
    assert survey().plan.line() in survey()._repr_html_()
