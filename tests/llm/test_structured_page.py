"""The page about structured output runs: its chats with random weights, the rest with the toy."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import pyhades
from pyhades.errors import ArgumentError
from pyhades.llm import LLM
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from tests.support.toy_tokenizer import toy_tokenizer

pytest.importorskip("llguidance")
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "structured_output.md"


def opened(path: str | None = None) -> LLM:
    if path is None:
        return LLM(threads=1, progress=False)
    tokenizer = toy_tokenizer()
    ends = tuple(tokenizer.specials[f"<|{name}|>"] for name in ("return", "call"))
    config = tiny_config(vocab_size=tokenizer.vocab_size, eos_token_ids=ends)
    weights = random_weights(config, "balanced", threads=1)
    return LLM.from_weights(config, weights, tokenizer, threads=1, context_length=1500)


def test_the_page(monkeypatch):
    monkeypatch.setattr(pyhades, "LLM", opened, raising=False)
    text = PAGE.read_text(encoding="utf-8")
    namespace: dict = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, PAGE.name, "exec"), namespace)
    assert namespace["mood"] in ("good", "bad")
    assert re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", namespace["day"])
    assert isinstance(namespace["found"], list)
    assert re.fullmatch(r"[1-9]\d?(\+[1-9]\d?){1,3}", namespace["total"])


def test_the_error_that_it_shows(monkeypatch):
    (shown,) = re.findall(r"```text\n(.*)\n```", PAGE.read_text(encoding="utf-8"))
    schema = {"type": "object", "properties": {"tags": {"type": "array", "uniqueItems": True}}}
    with opened("random") as llm, pytest.raises(ArgumentError) as caught:
        llm.chat(
            [{"role": "user", "content": "x"}],
            response_format={"type": "json_schema", "json_schema": {"schema": schema}},
        )
    assert str(caught.value) == shown


def test_the_refused_are_refused():
    """Every keyword that the page names, alone."""
    line = next(line for line in PAGE.read_text().splitlines() if line.startswith("Refused are"))
    keywords = re.findall(r"`(\w+)`", line)
    values = {"not": {}, "if": {}, "uniqueItems": True, "contains": {}, "dependentRequired": {}}
    assert set(keywords) == set(values)
    with opened("random") as llm:
        for keyword in keywords:
            schema = json.loads(json.dumps({"type": "array", keyword: values[keyword]}))
            with pytest.raises(ArgumentError, match=f"Unimplemented keys.*{keyword}"):
                llm.generate("x", constraint=pyhades.llm.grammar.json_schema(schema))
