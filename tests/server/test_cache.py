"""What a server keeps outlives it, for whom it was kept; what is declared is for all."""

from __future__ import annotations

import json
import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

import pyhades
from pyhades.errors import ArgumentError
from pyhades.llm.models.layers import CACHE_BLOCK
from pyhades.server import Settings
from pyhades.server.beginnings import read_beginning
from pyhades.server.secret import lasting_secret
from pyhades.server.settings import api_key
from tests.support.child_server import child_server
from tests.support.served import served

KEYS = {"alice": "sk-alice-0123456789", "bob": "sk-bob-9876543210-"}
RULES = "You are a careful reviewer of Python code, and you say what is wrong with it. " * 8
SYSTEM = {"role": "system", "content": RULES}
ROOM = 1 << 28


def settings(folder, **others) -> Settings:
    secret = lasting_secret(folder / "secret")
    keys = [api_key(key, name, secret) for name, key in KEYS.items()]
    return Settings(secret=secret, api_keys=keys, **others)


def asked(url: str, name: str, question: str = "Is `except: pass` wrong?", **others):
    """Prompt and cached tokens of an answer to a client."""
    body = {"messages": [SYSTEM, {"role": "user", "content": question}], "date": None,
            "max_tokens": 4, **others}  # fmt: skip
    headers = {"authorization": f"Bearer {KEYS[name]}"}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=60)
    usage = answer.json()["usage"]
    return usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]


def test_each_key_finds_its_own_after_a_restart(tmp_path):
    for is_restarted in (False, True):
        with (
            pyhades.LLM(threads=1, cache_dir=tmp_path, cache_bytes=ROOM) as llm,
            served(llm, settings(tmp_path)) as server,
        ):
            prompt, cached = asked(server.url, "alice")
            assert (cached > prompt - 32) == is_restarted
            if is_restarted:
                assert asked(server.url, "bob")[1] == 0


def test_another_secret_finds_nothing(tmp_path):
    for place in ("one", "another"):
        with (
            pyhades.LLM(threads=1, cache_dir=tmp_path / "kept", cache_bytes=ROOM) as llm,
            served(llm, settings(tmp_path / place)) as server,
        ):
            assert asked(server.url, "alice")[1] == 0


@pytest.mark.slow
def test_kill_and_restart_of_a_real_server(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("".join(f"{name} {key}\n" for name, key in KEYS.items()))
    kept = tmp_path / "kept"
    options = ("--cache-dir", str(kept), "--cache-bytes", "256MiB", "--api-key-file", str(keys))
    with child_server(*options) as child:
        asked(child.url, "alice")
        prompt, cached = asked(child.url, "alice")
        assert cached > 0
        wait_for_written(child.url, prompt)
        child.process.kill()
        child.exit_code()
    assert (kept / "secret").stat().st_mode & 0o777 == 0o600
    with child_server(*options) as child:
        assert str(kept) in child.log()
        prompt, cached = asked(child.url, "alice")
        assert cached > prompt - 32
        assert asked(child.url, "bob")[1] == 0


def wait_for_written(url: str, tokens: int) -> None:
    """Until the blocks of so many tokens were written, and nothing more is."""
    written = [0.0]
    while written[-1] < tokens // CACHE_BLOCK or written[-1] != written[-2]:
        time.sleep(0.3)
        written.append(metrics(url)["pyhades_cache_written", "disk"])


@pytest.mark.slow
def test_files_of_a_real_server(tmp_path):
    """Of keys, of the secret, and of what all clients share."""
    keys, rules = tmp_path / "keys", tmp_path / "rules.txt"
    keys.write_text("".join(f"{name} {key}\n" for name, key in KEYS.items()))
    rules.write_text(RULES)
    shared = tmp_path / "shared.json"
    shared.write_text(json.dumps({"messages": [SYSTEM], "date": None}))
    secret = tmp_path / "secret"
    options = ("--api-key-file", str(keys), "--secret-file", str(secret))
    with child_server(*options, "--shared-prefix", str(rules), "--shared-prefix", str(shared)) as c:
        for others in ({}, {"date": "today"}):
            cached = [asked(c.url, name, **others)[1] for name in ("alice", "bob")]
            assert cached[0] < 40 < 200 < cached[1]
    assert secret.stat().st_mode & 0o777 == 0o600


def metrics(url: str) -> dict:
    headers = {"authorization": f"Bearer {KEYS['alice']}"}
    text = httpx.get(f"{url}/metrics", headers=headers).text
    return {
        (sample.name.removesuffix("_total"), sample.labels.get("level")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_numbers_of_every_level(tmp_path):
    with (
        pyhades.LLM(threads=1, cache_dir=tmp_path, cache_bytes=ROOM, cache_memory=1 << 20) as llm,
        served(llm, settings(tmp_path)) as server,
    ):
        prompt, _ = asked(server.url, "alice")
        assert llm.flush_cache()
        told = metrics(server.url)
        assert told["vllm:prefix_cache_queries", None] == prompt
        assert told["pyhades_cache_written", "disk"] == told["pyhades_cache_records", "disk"] > 0
        assert 0 < told["pyhades_cache_bytes", "disk"] < told["pyhades_cache_room", "disk"] == ROOM
        for name in ("hits", "misses", "evicted", "damaged", "skipped"):
            assert told[f"pyhades_cache_{name}", "disk"] == 0
            assert (f"pyhades_cache_{name}", "memory") in told
        assert told["pyhades_cache_rederived_tokens", None] == 0
        assert told["pyhades_cache_fetched_tokens", None] == 0
        assert told["vllm:spec_decode_num_draft_tokens", None] >= 0


def test_a_declared_beginning_is_found_by_everybody(tmp_path):
    shared = {"messages": [SYSTEM], "date": None}
    with (
        pyhades.LLM(threads=1) as llm,
        served(llm, settings(tmp_path, shared_beginnings=[shared])) as server,
    ):
        assert asked(server.url, "alice", "Mine is secret, and long enough for a block.")[1] == 0
        prompt, cached = asked(server.url, "bob", "Mine is another, and long enough, too.")
        rules = len(llm.tokenize(RULES))
        assert rules <= cached < prompt - 4
        # What follows the beginning is not shared.
        other = asked(server.url, "bob", "Mine is secret, and long enough for a block.")[1]
        assert other == cached


def test_beginnings_are_shared_for_every_effort(tmp_path):
    with (
        pyhades.LLM(threads=1) as llm,
        served(llm, settings(tmp_path, shared_beginnings=[{"messages": [SYSTEM]}])) as server,
    ):
        for effort in ("low", "medium", "high"):
            told = {"reasoning_effort": effort, "date": "today"}
            assert asked(server.url, "alice", **told)[1] < 40  # of what was read with less effort
            assert asked(server.url, "bob", **told)[1] > len(llm.tokenize(RULES))


def test_nothing_is_shared_that_is_not_declared(tmp_path):
    with pyhades.LLM(threads=1) as llm, served(llm, settings(tmp_path)) as server:
        asked(server.url, "alice")
        assert asked(server.url, "bob")[1] == 0


def test_files_of_beginnings(tmp_path):
    text = tmp_path / "rules.txt"
    text.write_text("Be brief.\n")
    assert read_beginning(text) == {"messages": [{"role": "system", "content": "Be brief.\n"}]}
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps([SYSTEM]))
    assert read_beginning(listed) == {"messages": [SYSTEM]}
    whole = tmp_path / "whole.json"
    whole.write_text(json.dumps({"messages": [SYSTEM], "tools": []}))
    assert read_beginning(str(whole)) == {"messages": [SYSTEM], "tools": []}


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        ("rules.txt", b" \n", "empty"),
        ("rules.txt", b"\xff", "cannot read"),
        ("rules.json", b"{", "no JSON"),
        ("rules.json", b"{}", "no messages"),
        ("rules.json", b'"Be brief."', "no messages"),
        ("rules.json", b"[" * 100_000, "no JSON"),
    ],
)
def test_files_that_are_no_beginnings(tmp_path, name, contents, message):
    path = tmp_path / name
    path.write_bytes(contents)
    with pytest.raises(ArgumentError, match=message):
        read_beginning(path)
    with pytest.raises(ArgumentError, match="missing"):
        read_beginning(tmp_path / "missing.txt")


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("stream", [False, True])
def test_usage_of_several_answers_and_streams(tmp_path, n, stream):
    body = {"messages": [SYSTEM, {"role": "user", "content": f"{n} {stream}?"}], "date": None,
            "max_tokens": 3, "n": n, "prediction": {"type": "content", "content": "def main():"},
            "stream": stream}  # fmt: skip
    if stream:
        body["stream_options"] = {"include_usage": True}
    with pyhades.LLM(threads=1) as llm, served(llm) as server:
        for is_known in (False, True):
            answer = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=60)
            if stream:
                told = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
                usage = json.loads(told[-1])["usage"]
            else:
                usage = answer.json()["usage"]
            cached = usage["prompt_tokens_details"]["cached_tokens"]
            prompt, written = usage["prompt_tokens"], usage["completion_tokens"]
            assert (prompt > cached > prompt - 32) == is_known and written <= 3 * n
            details = usage["completion_tokens_details"]
            assert details["accepted_prediction_tokens"] <= written
            assert details["rejected_prediction_tokens"] >= 0
