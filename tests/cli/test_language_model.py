"""``pyhades generate``, ``chat`` and ``bench llm`` on a tiny checkpoint."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
from dataclasses import fields

import pytest
from click.testing import CliRunner, Result

import pyhades
from pyhades import _native
from pyhades.bench.llm import Measurement
from pyhades.bench.llm_batch import BatchMeasurement
from pyhades.cli import main
from pyhades.llm import Conversation
from tests.support.tiny_checkpoints import random_model, tiny_config, write_huggingface


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    model = random_model(tiny_config(num_hidden_layers=2, max_position_embeddings=512))
    return str(write_huggingface(model, tmp_path_factory.mktemp("tiny") / "model"))


def run(*arguments: str, typed: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), input=typed)


def test_generate_writes_the_text_only_to_stdout(checkpoint):
    options = ["--model", checkpoint, "--max-tokens", "9", "--seed", "1", "--threads", "1"]
    result = run("generate", "Hello", *options)
    assert result.exit_code == 0, result.output
    assert "tokens/s" in result.stderr and "tokens/s" not in result.stdout
    again = run("generate", "-", *options, typed="Hello")
    assert again.stdout == result.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--model", "nowhere"], "nowhere"),
        (["--temperature", "-1"], "temperature"),
        (["--context-length", "3"], "3"),
    ],
)
def test_generate_says_what_is_wrong(checkpoint, arguments, complaint):
    result = run("generate", "Hello there", "--model", checkpoint, *arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_chat_answers_and_obeys(checkpoint):
    typed = "\n".join(
        ["/help", "/system Be brief.", "Hello?", "/reasoning high", "/nope", "/retry", "/history",
         "/reset", "/quit"]
    )  # fmt: skip
    options = ["--model", checkpoint, "--max-tokens", "5", "--seed", "1", "--threads", "1"]
    result = run("chat", *options, typed=typed)
    assert result.exit_code == 0, result.output
    assert "/reasoning LEVEL" in result.stdout
    assert "system: Be brief." in result.stdout and "user: Hello?" in result.stdout
    assert "/nope: no such command" in result.stderr


def test_a_chat_in_a_pipe_writes_answers_only(checkpoint):
    options = ["--model", checkpoint, "--max-tokens", "5", "--seed", "1", "--threads", "1"]
    with pyhades.LLM(checkpoint, threads=1) as llm:
        conversation = Conversation(llm, pyhades.SamplingParams(max_tokens=5, seed=1))
        expected = ""
        for question in ("Hello?", "Again?"):
            conversation.ask(question)
            pieces = list(conversation.answer())
            expected += "".join(p.text for p in pieces if p.kind == "content") + "\n"
    result = run("chat", *options, typed="Hello?\r\n\nAgain?\n")
    assert result.exit_code == 0, result.output
    assert result.stdout == expected
    assert "> " not in result.stdout and "Ctrl-D" not in result.output


def test_a_chat_in_a_pipe_fails_as_a_whole(checkpoint):
    options = ["--model", checkpoint, "--context-length", "40"]
    result = run("chat", *options, typed="x" * 200 + "\nHello\n")
    assert result.exit_code == 2 and "shorten" in result.stderr


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"Gr\xf6\xdfe", "is not UTF-8: byte 2 is 0xf6"),
        ("\ufeffgr".encode() + b"\xff", "is not UTF-8: byte 5 is 0xff"),
        ("Größe".encode("utf-16"), "it is UTF-16, which `iconv -f UTF-16"),
        ("Größe".encode("utf-32"), "it is UTF-32"),
    ],
)
def test_text_that_is_not_utf8(checkpoint, tmp_path, data, complaint):
    file = tmp_path / "text.txt"
    file.write_bytes(data)
    short = ["--model", checkpoint, "--max-tokens", "2"]
    for name, result in (
        (str(file), run("evaluate", "--model", checkpoint, "--text", str(file))),
        ("standard input", run("generate", "-", *short, typed=data)),
        ("standard input", run("chat", *short, typed=data)),
    ):
        assert result.exit_code == 2 and not isinstance(result.exception, UnicodeError)
        assert name in result.stderr and complaint in result.stderr
    late = run("chat", *short, typed=b"Hello\n" + data)
    assert late.exit_code == 2 and "is not UTF-8" in late.stderr


def test_results_replace_nothing_that_is_read(checkpoint, tmp_path):
    text, link = tmp_path / "text.txt", tmp_path / "link.json"
    text.write_text("Hello there")
    link.symlink_to(text)
    weights = f"{checkpoint}/model.safetensors"
    for arguments in (
        ["evaluate", "--model", checkpoint, "--text", str(text), "--json", str(link)],
        ["evaluate", "--model", weights, "--json", weights],
        ["bench", "llm", "--model", weights, "--quick", "--json", weights],
        ["bench", "llm", "--model", weights, "--quick", "--plot", weights],
        ["bench", "segmentation", "--model", str(text), "--json", str(text)],
    ):
        result = run(*arguments)
        assert result.exit_code == 2 and "which is read" in result.stderr, result.output
    assert text.read_text() == "Hello there"


def test_a_file_that_cannot_be_written(checkpoint):
    result = run("evaluate", "--model", checkpoint, "--json", "/dev/null/results.json", "-q")
    assert result.exit_code == 2 and "/dev/null" in result.stderr


def test_characters_that_the_output_does_not_know(checkpoint):
    command = [sys.executable, "-m", "pyhades", "chat", "--model", checkpoint, "--max-tokens", "2"]
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    typed = "/system Größe 日\n/history\n"
    ran = subprocess.run(command, input=typed.encode(), capture_output=True, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "system: Größe ?\n".encode("latin-1")


def test_arguments_that_are_not_utf8(checkpoint):
    result = run("generate", "Gr\udcf6\udcdfe", "--model", checkpoint)
    assert result.exit_code == 2
    assert "character 2 is the surrogate U+DCF6" in result.stderr


def test_text_has_one_kind_of_line_end_and_no_mark(checkpoint, tmp_path):
    file = tmp_path / "text.txt"
    outputs = set()
    for data in (b"one\ntwo\n", b"one\r\ntwo\r\n", b"\xef\xbb\xbfone\rtwo\r"):
        file.write_bytes(data)
        compared = ["--precision", "fast", "--context-length", "64"]
        outputs.add(run("evaluate", "--model", checkpoint, "--text", str(file), *compared).stdout)
    assert len(outputs) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "has_colour"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colours_on_a_terminal(environment, has_colour):
    """The toy reasons, which is shown dim."""
    ours, theirs = pty.openpty()
    kept = {key: value for key, value in os.environ.items() if key not in ("TERM", "NO_COLOR")}
    command = [sys.executable, "-m", "pyhades", "chat", "--max-tokens", "4", "--threads", "1"]
    talk = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=kept | environment
    )
    os.close(theirs)
    os.write(ours, b"hello\n/quit\n")
    seen = b""
    with contextlib.suppress(OSError):  # Linux's way to say that the other end has gone
        while piece := os.read(ours, 65536):
            seen += piece
    os.close(ours)
    assert talk.wait(timeout=60) == 0, seen
    assert b"> " in seen
    assert (b"\x1b[2m" in seen) == has_colour


def test_chat_ends_with_its_input(checkpoint):
    assert run("chat", "--model", checkpoint, typed="").exit_code == 0


@pytest.mark.slow
def test_bench_reports_every_field(checkpoint, tmp_path):
    report, picture = tmp_path / "report.json", tmp_path / "plot.png"
    arguments = ["--model", checkpoint, "--threads", "1,2", "--quick", "--json", str(report)]
    result = run("bench", "llm", *arguments, "--plot", str(picture))
    assert result.exit_code == 0, result.output
    measured = json.loads(report.read_text())
    names = {field.name for field in fields(Measurement)}
    assert all(row.keys() == names for row in measured["results"])
    workloads = [row["workload"] for row in measured["results"]]
    assert workloads == sorted(workloads, key=lambda name: name == "prompt")
    decode = [row for row in measured["results"] if row["workload"] == "decode"]
    assert [(row["threads"], row["depth"]) for row in decode] == [(1, 0), (1, 64), (2, 0), (2, 64)]
    assert all(row["decode_tok_s"] > 0 and row["share_of_bandwidth"] > 0 for row in decode)
    prefill = [row for row in measured["results"] if row["workload"] == "prefill"]
    if _native.measure_peak_int8_gops() > 0:
        assert all(0 < row["share_of_int8_peak"] < 1 for row in prefill)
    else:  # no vectors of integers
        assert all(row["share_of_int8_peak"] is None for row in prefill)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_bench_of_many_answers(checkpoint, tmp_path):
    report = tmp_path / "report.json"
    arguments = ["bench", "llm", "--model", checkpoint, "--threads", "1", "--json", str(report)]
    result = run(*arguments, "--batch", "1,5", "--quick")
    assert result.exit_code == 0, result.output
    rows = json.loads(report.read_text())["results"]
    assert [row["batch"] for row in rows] == [1, 5]
    for row in rows:
        assert row.keys() == {field.name for field in fields(BatchMeasurement)}
        assert row["tok_s"] * row["step_ms_p50"] == pytest.approx(row["batch"] * 1e3)
        assert 0 < row["outside_kernels"] < 1
    assert rows[1]["experts_per_layer"] > rows[0]["experts_per_layer"]
    assert rows[1]["bytes_per_step"] > rows[0]["bytes_per_step"]


def test_bench_under_load_finds_nothing_wrong(checkpoint, tmp_path):
    report = tmp_path / "report.json"
    arguments = ["bench", "llm", "--model", checkpoint, "--threads", "1", "--json", str(report)]
    result = run(*arguments, "--load", "1")
    assert result.exit_code == 0, result.output
    [row] = json.loads(report.read_text())["results"]
    assert (row["wrong"], row["stuck"], row["lost_blocks"]) == (0, 0, 0)
    assert row["requests"] > row["aborted"] and row["tok_s"] > 0


def test_bench_refuses_two_models(checkpoint):
    result = run("bench", "llm", "--model", checkpoint, "--synthetic", "gpt-oss-20b")
    assert result.exit_code == 2 and "not both" in result.stderr
    assert "gpt-oss-20b" in run("bench", "llm", "--synthetic", "gpt-5").stderr


def test_evaluate_compares_precisions(checkpoint, tmp_path):
    report = tmp_path / "report.json"
    arguments = ["--model", checkpoint, "--threads", "1", "--json", str(report)]
    result = run("evaluate", *arguments)
    assert result.exit_code == 0, result.output
    header, names, *rows = result.stdout.splitlines()
    assert "tokens against exact" in header and "KL mean" in names
    assert [row.split()[0] for row in rows] == ["exact", "balanced", "fast", "auto"]
    results = json.loads(report.read_text())["results"]
    assert [row["other"] for row in results] == ["balanced", "fast", "auto"]
    assert results[0]["kl_mean"] < results[1]["kl_mean"]
    assert {"perplexity_change", "top1_agreement", "other_bytes_per_token"} <= results[0].keys()


def test_evaluate_cuts_a_text_into_pieces(checkpoint, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("größe the other thing " * 20, encoding="utf-8")
    arguments = ["--model", checkpoint, "--text", str(text), "--precision", "exact"]
    short = run("evaluate", *arguments, "--context-length", "64", "--against", "fast")
    assert short.exit_code == 0, short.output
    whole = run("evaluate", *arguments, "--against", "exact")
    assert whole.stdout.splitlines()[0].split(":")[1] == short.stdout.splitlines()[0].split(":")[
        1
    ].replace("fast", "exact")
    assert "100.00%" in whole.stdout and "100.00%" not in short.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--precision", "half"], "'half' is not one of exact, balanced, fast, auto"),
        (["--text", "nowhere"], "nowhere"),
        (["--precision", "auto", "--error-budget", "-1"], "error_budget=-1.0"),
    ],
)
def test_evaluate_says_what_is_wrong(checkpoint, arguments, complaint):
    result = run("evaluate", "--model", checkpoint, *arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_evaluate_refuses_an_empty_text(checkpoint, tmp_path):
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    result = run("evaluate", "--model", checkpoint, "--text", str(empty))
    assert result.exit_code == 2 and "two tokens" in result.stderr


def test_evaluate_without_a_tokenizer(tmp_path):
    model = random_model(tiny_config(num_hidden_layers=1))
    path = write_huggingface(model, tmp_path / "model", tokenizer=False)
    result = run("evaluate", "--model", str(path), "--precision", "balanced")
    assert result.exit_code == 0, result.output
    assert "random tokens" in result.stderr and "512 tokens against exact" in result.stdout


def test_generate_with_chosen_formats(checkpoint):
    options = ["--model", checkpoint, "--max-tokens", "3", "--precision", "auto"]
    result = run("generate", "Hello", *options)
    assert result.exit_code == 0, result.output
    assert "auto" in result.stderr


def test_evaluate_refuses_a_packed_model(checkpoint, tmp_path):
    packed = str(tmp_path / "m.safetensors")
    assert run("convert", checkpoint, packed, "--precision", "fast", "-q").exit_code == 0
    result = run("evaluate", "--model", packed)
    assert result.exit_code == 2
    assert "packed with precision='fast', not 'exact'" in result.stderr


def test_what_was_read_outlives_the_command(checkpoint, tmp_path):
    options = ["--model", checkpoint, "--max-tokens", "1", "--threads", "1",
               "--cache-policy", "lru", "--cache-dir", str(tmp_path / "kept"), "--no-speculation",
               "--cache-bytes", "64MiB", "--cache-memory", "1MB", "--kv-memory", "2MB",
               "--kv-format", "int8"]  # fmt: skip
    first, second = (run("generate", "Hello there. " * 30, *options) for _ in range(2))
    assert first.exit_code == second.exit_code == 0, second.output
    assert "of them before" not in first.stderr and " of them before" in second.stderr
    assert f"67.1 MB of disk in {tmp_path / 'kept'}" in first.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--cache-bytes", "1GB"], "cache_dir"),
        (["--cache-dir", "kept", "--cache-bytes", "much"], "much"),
        (["--cache-policy", "fifo"], "fifo"),
        (["--kv-memory", "0"], "kv_memory=0"),
    ],
)
def test_what_is_said_wrongly_about_the_cache(checkpoint, arguments, complaint):
    for command in (["generate", "Hello"], ["chat"]):
        result = run(*command, "--model", checkpoint, *arguments)
        assert result.exit_code == 2 and complaint in result.stderr


def test_questions_are_edited(checkpoint):
    lines = [
        "One?",
        "Two?",
        "/edit 2 Three?",
        "/edit 1 Four?",
        "/edit 7 Five?",
        "/edit x",
        "/history",
    ]
    result = run("chat", "--model", checkpoint, "--max-tokens", "2", typed="\n".join(lines))
    assert result.exit_code == 0, result.output
    told = [line for line in result.stdout.splitlines() if line.startswith("user: ")]
    assert told == ["user: Four?"]
    assert "/edit 7" in result.stderr and "/edit x" in result.stderr
