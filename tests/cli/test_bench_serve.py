"""`pyhades bench serve` against a server that does what a test wants, and against the toy."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pyhades.cli import main
from tests.support.stub_server import RESTING, stub_server

ROOT = Path(__file__).parents[2]
SMALL = ["--prompt-tokens", 20, "--output-tokens", 6, "--patience", 10]


@pytest.fixture(scope="module", autouse=True)
def importable():
    """Processes that are started find the package, wherever tests run."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), before]))
    yield
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.fixture
def stub():
    with stub_server() as (url, behaviour):
        yield url, behaviour


@pytest.fixture
def invoke(tmp_path):
    """Run the command; its result, and what it wrote as JSON if it did."""

    def call(*arguments):
        out = tmp_path / "out.json"
        given = ["bench", "serve", "--json", out, *SMALL, *arguments]
        result = CliRunner().invoke(main, [str(argument) for argument in given])
        return result, json.loads(out.read_text()) if out.exists() else None

    return call


def failed(measured) -> list[str]:
    """Names of the checks that must hold and do not."""
    return [check["name"] for check in measured["checks"] if check["must"] and not check["holds"]]


@pytest.mark.parametrize("path", [[], ["--chat"]], ids=["completions", "chat"])
def test_throughput_by_clients(stub, invoke, tmp_path, path):
    url, behaviour = stub
    behaviour.seconds_per_token = 0.005
    picture = tmp_path / "plot.svg"
    result, measured = invoke(
        "--url", url, "--pid", os.getpid(), "--clients", "1,3", *path, "--plot", picture
    )
    assert result.exit_code == 0, result.output
    assert failed(measured) == [] and picture.read_bytes().startswith(b"<?xml")
    rows = measured["results"]
    assert [(row["clients"], row["requests"], row["failed"]) for row in rows] == [
        (1, 2, 0),
        (3, 6, 0),
    ]
    for row in rows:
        assert row["output_tokens"] == 6 and abs(row["prompt_tokens"] - 20) <= 1
        # A token that is read late has the next one close behind it: most gaps may be short.
        assert row["ttft_ms"]["p50"] >= 5 and row["itl_ms"]["p99"] >= 5
        assert row["tok_s"] < row["clients"] / 0.005 and row["tokens_per_piece"] == 1
        assert row["client_cpu"] > 0 and row["rss_gb"] > 0.01
    assert rows[0]["times_one"] == 1
    assert rows[1]["times_one"] == pytest.approx(rows[1]["tok_s"] / rows[0]["tok_s"])
    assert "| 127.0.0.1" in result.output and "3 clients" in result.output
    asked = behaviour.asked[2:]  # the first find out how many tokens a word is
    assert len({str(body.get("prompt") or body["messages"]) for body in asked}) == 8
    assert all(body["ignore_eos"] and body["max_tokens"] == 6 for body in asked)


def test_requests_at_random_times(stub, invoke):
    url, _ = stub
    result, measured = invoke("--url", url, "--rate", 20, "--seconds", 1)
    assert result.exit_code == 0, result.output
    (row,) = measured["results"]
    assert row["clients"] is None and row["rate"] == 20 and row["failed"] == 0
    # The same seed, the same times.
    assert (
        row["requests"]
        == invoke("--url", url, "--rate", 20, "--seconds", 1)[1]["results"][0]["requests"]
    )
    assert 5 < row["requests"] < 40


@pytest.mark.parametrize("status", [500, 400, 429])
def test_requests_that_fail_are_told(stub, invoke, status):
    url, behaviour = stub
    behaviour.refuse, behaviour.refuse_after = status, 4
    result, measured = invoke("--url", url, "--clients", "2")
    assert result.exit_code == 1 and "FAILED" in result.output
    assert f'{status} {{"error"' in result.output
    assert measured["results"][0]["failed"] == 2 and len(failed(measured)) == 1


def test_a_stream_without_its_end_has_failed(stub, invoke):
    url, behaviour = stub
    behaviour.ends = False
    result, _ = invoke("--url", url)
    assert result.exit_code == 2 and "cut off" in result.output


def test_arrivals(stub, invoke):
    url, behaviour = stub
    behaviour.seconds_per_token = 0.003
    result, measured = invoke(
        "--url", url, "--scenario", "arrivals", "--seconds", 1, "--arrival-rate", 10, "--writers",
        2, "--writer-tokens", 40, "--arrival-tokens", 300,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (row,) = measured["results"]
    assert row["writers"] == 2 and row["arrivals"] >= 1 and row["failed"] == 0
    assert row["arrival_tokens"] == pytest.approx(300, rel=0.02)
    assert row["ratio"] == pytest.approx(row["during_ms"]["p99"] / row["during_ms"]["p50"])


OVERLOAD = ["--scenario", "overload", "--seconds", 0.6, "--interval", 0.02, "--rate", 5]
HEALTHY = RESTING + "process_resident_memory_bytes 1e9\n"


def test_overload(stub, invoke):
    url, behaviour = stub
    behaviour.metrics = HEALTHY
    result, measured = invoke("--url", url, *OVERLOAD)
    assert result.exit_code == 0, result.output
    (row,) = measured["results"]
    assert row["rate"] == 50 and 10 < row["requests"] < 60
    assert row["statuses"] == {"200": row["requests"]}
    assert row["rss_drift"] == 0 and row["health_ms"]["p50"] > 0


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"refuse": 500}, "answers but 200 and 429"),
        ({"refuse": 429, "retry_after": None}, "refusals without Retry-After"),
        ({"metrics": RESTING}, "growth of its memory"),
    ],
)
def test_an_overload_that_goes_wrong(stub, invoke, wrong, name):
    url, behaviour = stub
    behaviour.metrics, behaviour.refuse_after = HEALTHY, 10
    for field, value in wrong.items():
        setattr(behaviour, field, value)
    result, measured = invoke("--url", url, *OVERLOAD)
    assert result.exit_code == 1
    # The last request is refused, too, where all are.
    assert failed(measured)[0].endswith(name), result.output


CHURN = ["--scenario", "churn", "--churn-clients", 20, "--seconds", 0.5]


def test_churn(stub, invoke):
    url, behaviour = stub
    behaviour.seconds_per_token = 0.01
    result, measured = invoke("--url", url, *CHURN)
    assert result.exit_code == 0, result.output
    (row,) = measured["results"]
    assert sum(row["planned"].values()) == row["whole"] + row["left"] == 20
    assert row["left"] >= 5 and row["whole"] >= 1


@pytest.mark.parametrize(
    ("metrics", "name"),
    [
        (RESTING.replace("running 0", "running 1"), "still run"),
        (RESTING.replace("waiting 0", "waiting 2"), "still wait"),
        (RESTING.replace("held 0", "held 3"), "gave back"),
        ("", "still run"),
    ],
    ids=["running", "waiting", "held", "not told"],
)
def test_what_clients_leave_behind_is_told(stub, invoke, metrics, name):
    url, behaviour = stub
    behaviour.metrics = metrics
    result, measured = invoke("--url", url, *CHURN, "--patience", 0.3)
    assert result.exit_code == 1 and name in failed(measured)[0], result.output


FUZZ = ["--scenario", "fuzz", "--cases", 400]


def test_fuzz(stub, invoke):
    url, _ = stub
    result, measured = invoke("--url", url, *FUZZ)
    assert result.exit_code == 0, result.output
    (row,) = measured["results"]
    counts = [count for path in row["counts"].values() for count in path.values()]
    assert sum(counts) == 400 and row["bad"] == 0
    assert row["counts"]["/v1/completions"]["400"] > 5
    assert invoke("--url", url, *FUZZ)[1]["results"] == [row]


def test_fuzz_finds_a_server_that_fails(stub, invoke):
    url, behaviour = stub
    behaviour.spoilt = 500
    result, measured = invoke("--url", url, *FUZZ)
    assert result.exit_code == 1 and "case " in result.output
    assert measured["results"][0]["bad"] > 10 and failed(measured)


@pytest.fixture
def llama_server(tmp_path):
    """A program in the place of llama.cpp's, and a file in the place of its model."""
    program, model = tmp_path / "llama-server", tmp_path / "model.gguf"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.support.stub_server import main\nmain()\n"
    )
    program.chmod(0o755)
    model.write_bytes(b"GGUF")
    return program, model


@pytest.mark.slow
def test_a_rival_in_turn(llama_server, invoke):
    """Theirs is measured, then ours is told that the file is none."""
    program, model = llama_server
    result, _ = invoke(
        "--model", model, "--rival", "llama.cpp", "--llama-server", program, "--clients", "1,2"
    )
    assert result.exit_code == 2 and "engine llama.cpp  load 2 clients" in result.output
    assert "pyhades ended: " in result.output and "model.gguf" in result.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--url", "http://127.0.0.1:9", "--model", "x"], "--url"),
        (["--url", "http://127.0.0.1:9"], "nobody answers"),
        (["--url", "http://127.0.0.1:9", "--", "--port", "1"], "--url"),
        (["--rival", "llama.cpp"], "needs --model"),
        (["--rival", "llama.cpp", "--model", "x", "--llama-server", "/none"], "no such program"),
        (["--scenario", "nothing"], "overload"),
        (["--scenario", "overhead", "--", "--port", "1"], "SERVER_OPTIONS"),
        (["--clients", "0"], "list of"),
        (["--client-cpus", "a"], "list of CPUs"),
        (["--rate", "-1"], "--rate"),
        (["--rounds", "0"], "--rounds"),
        (["--url", "127.0.0.1:9"], "'127.0.0.1:9' is no URL like http://"),
    ],
)
def test_wrong_usage(invoke, arguments, complaint):
    result, _ = invoke(*arguments)
    assert result.exit_code == 2 and complaint in result.output


# The toy, served by us.

TOY = ["--threads", 1]


@pytest.mark.slow
def test_an_option_that_our_server_does_not_know(invoke):
    result, _ = invoke("--", "--no-such-option")
    assert result.exit_code == 2 and "--no-such-option" in result.output


@pytest.mark.slow
@pytest.mark.parametrize("path", [[], ["--chat"]], ids=["completions", "chat"])
def test_the_toy_answers_all(invoke, path):
    result, measured = invoke(*TOY, "--clients", "1,4", *path)
    assert result.exit_code == 0, result.output
    assert [row["output_tokens"] for row in measured["results"]] == [6, 6]
    assert all(row["rss_gb"] > 0.01 for row in measured["results"])


@pytest.mark.slow
def test_the_toy_forgets_those_who_left(invoke):
    result, measured = invoke(*TOY, "--scenario", "churn", "--churn-clients", 60, "--seconds", 1)
    assert result.exit_code == 0, result.output
    afterwards = measured["results"][0]["afterwards"]
    assert afterwards == {"running": 0, "waiting": 0, "held_blocks": 0}


@pytest.mark.slow
def test_the_toy_takes_no_offence(invoke):
    result, _ = invoke(*TOY, "--scenario", "fuzz", "--cases", 600, "--patience", 30)
    assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_the_toy_refuses_what_is_too_much(invoke):
    """Its growth is not looked at: a second is no time for that."""
    result, measured = invoke(
        *TOY, "--scenario", "overload", "--seconds", 2, "--rate", 8, "--clients", 2, "--",
        "--max-requests", 2,
    )  # fmt: skip
    assert failed(measured) == ["pyhades: growth of its memory"], result.output
    assert measured["results"][0]["statuses"].keys() <= {"200", "429"}


@pytest.mark.slow
def test_the_server_beside_the_engine(invoke):
    """Both write the same; which of them is faster, no test knows."""
    result, measured = invoke(
        *TOY, "--scenario", "overhead", "--clients", "1,2", "--rounds", 1, "--output-tokens", 100
    )
    assert result.exit_code == 0, result.output
    assert [row["same_text"] for row in measured["results"]] == [True, True]
