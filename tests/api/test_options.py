"""The options that both engines and the command line share."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError

import click
import numpy as np
import pytest
from click.testing import CliRunner

import pyhades
from pyhades import EngineOptions
from pyhades.cli import COMMANDS, LazyGroup, main
from pyhades.cli.options import HELP, engine_options
from pyhades.errors import ArgumentError, ArgumentTypeError, ConfigurationError, ModelError
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from pyhades.networks import u2net
from pyhades.segmentation import ModelManifest


class Instant:
    def __call__(self, planes):
        return np.ones((1, 1, *planes.shape[2:]), np.float32)

    def close(self):
        pass


def compiled(**options):
    return pyhades.compile(u2net(32, small=True), **options)


def from_network(**options):
    return pyhades.Remover.from_network(Instant(), ModelManifest("instant", (8, 8)), **options)


def from_weights(**options):
    config = tiny_config()
    return pyhades.LLM.from_weights(config, random_weights(config), context_length=64, **options)


ENGINES = {"compile": compiled, "from_network": from_network, "from_weights": from_weights}
MODELS = {"Remover": pyhades.Remover, "LLM": pyhades.LLM}


@pytest.mark.parametrize("make", [*ENGINES.values(), *MODELS.values()], ids=[*ENGINES, *MODELS])
def test_keywords_win_over_options(make):
    given = EngineOptions(threads=3, isa="scalar")
    with make(options=given) as engine:
        assert (engine.threads, engine.isa) == (3, "scalar")
    with make(threads=1, options=given) as engine:
        assert (engine.threads, engine.isa) == (1, "scalar")
    with make(options=EngineOptions(threads=3), isa="scalar", threads=2) as engine:
        assert (engine.threads, engine.isa) == (2, "scalar")
    with pytest.raises(ArgumentTypeError, match=r"options=\{'threads': 2\} is no EngineOptions"):
        make(options={"threads": 2})


@pytest.mark.parametrize("make", [*ENGINES.values(), *MODELS.values()], ids=[*ENGINES, *MODELS])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"threads": 0}, ArgumentError, "threads=0 must be an integer of at least 1"),
        ({"threads": 1.5}, ArgumentError, "threads=1.5"),
        ({"isa": "mmx"}, ConfigurationError, "isa='mmx' is none of scalar, "),
        ({"isa": 2}, ConfigurationError, "isa=2 must be a name"),
    ],
)
def test_bad_values_are_named(make, options, error, message):
    with pytest.raises(error, match=message):
        make(**options)
    with pytest.raises(error, match=message):
        make(options=EngineOptions(**options))


@pytest.mark.parametrize("name", MODELS)
def test_engines_tell_their_options(name):
    with MODELS[name](threads=2, isa="scalar") as engine:
        assert engine.options == EngineOptions(threads=2, isa="scalar")
        text = repr(engine)
        assert "scalar" in text and engine.precision in text and "2" in text
    assert "closed" in repr(engine)


def test_each_engine_knows_its_precisions():
    with pytest.raises(ArgumentError, match="precision='balanced' is none of 'fp32'"):
        pyhades.Remover(precision="balanced")
    with pytest.raises(ArgumentError, match="precision='balanced' is none of 'fp32'"):
        compiled(options=EngineOptions(precision="balanced"))
    with pytest.raises(ArgumentError, match="precision='fp32' is none of 'exact', 'balanced'"):
        pyhades.LLM(options=EngineOptions(precision="fp32"))
    with pyhades.LLM(precision="exact", options=EngineOptions(precision="fast")) as llm:
        assert llm.precision == "exact"
    with pytest.raises(ArgumentTypeError, match="precision=8 is no name"):
        EngineOptions(precision=8)


def test_what_is_made_has_its_precision():
    with pytest.raises(ArgumentError, match="the network has its precision already"):
        from_network(options=EngineOptions(precision="fp32"))
    with pytest.raises(ArgumentError, match=r"precision='fast': .* already, 'balanced'"):
        from_weights(options=EngineOptions(precision="fast"))
    with from_weights(options=EngineOptions(precision="balanced")) as llm:
        assert llm.precision == "balanced"


def test_options_are_values(monkeypatch):
    options = EngineOptions(threads=2)
    assert pickle.loads(pickle.dumps(options)) == options == EngineOptions().changed(threads=2)
    with pytest.raises(FrozenInstanceError):
        options.threads = 3
    monkeypatch.setenv("PYHADES_NUM_THREADS", "3")
    assert EngineOptions().threads_used == 3 and options.threads_used == 2


def test_path_is_the_old_name_of_model(tmp_path):
    with (
        pytest.warns(DeprecationWarning, match="path= is called model= now") as caught,
        pytest.raises(ModelError, match="there is no such file or folder"),
    ):
        pyhades.LLM(path=tmp_path / "nothing")
    assert caught[0].filename == __file__
    with pytest.raises(ArgumentError, match="path is the old name of model; give model alone"):
        pyhades.LLM("one", path="two")


def commands(group: click.Group, context: click.Context, prefix: str = ""):
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, context, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def test_the_command_line_has_one_text_per_option():
    """However many commands have the option, --help says the same of it."""
    assert isinstance(main, LazyGroup)
    texts: dict[str, set[str]] = {name: set() for name in HELP}
    having = {name: set() for name in HELP}
    for command_name, command in commands(main, click.Context(main)):
        for parameter in command.params:
            if parameter.name in HELP and isinstance(parameter, click.Option):
                texts[parameter.name].add(
                    parameter.help.removesuffix(" Several, separated by commas.")
                )
                having[parameter.name].add(command_name)
    assert texts == {name: {text} for name, text in HELP.items()}
    engines = set(COMMANDS) - {"info", "convert", "bench", "models", "cache"} | {
        "bench segmentation",
        "bench llm",
        "bench serve",
    }
    assert having["threads"] == having["isa"] == engines
    # What `quantize` writes is int8.
    assert having["precision"] == engines - {"quantize"} | {"convert"}


def test_options_of_a_command():
    @click.command()
    @engine_options(("low", "high"), several=["threads"], threads="1")
    def command(options, threads):
        click.echo(f"{options} {threads}")

    run = CliRunner().invoke
    assert run(command, []).output == f"{EngineOptions()} [1]\n"
    given = ["--threads", "1,2", "--isa", "scalar", "--precision", "high"]
    expected = EngineOptions(isa="scalar", precision="high")
    assert run(command, given).output == f"{expected} [1, 2]\n"
    for wrong in (["--threads", "0"], ["--precision", "middle"]):
        assert run(command, wrong).exit_code == 2
    result = CliRunner().invoke(main, ["generate", "x", "--isa", "mmx"])
    assert result.exit_code == 2 and "isa='mmx' is none of scalar" in result.output
