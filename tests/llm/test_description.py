"""What a model says of itself."""

from __future__ import annotations

import re
from html import escape, unescape

import pytest

import pyhades
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config


@pytest.fixture
def llm(tmp_path):
    config = tiny_config()
    with pyhades.LLM.from_weights(
        config, random_weights(config), threads=1, name="<tiny> & new", cache_dir=tmp_path
    ) as opened:
        yield opened


def rows(html: str) -> dict[str, str]:
    found = re.findall(r"<tr><th[^>]*>(.*?)</th><td>(.*?)</td></tr>", html)
    return {unescape(name): unescape(value) for name, value in found}


def test_the_table_says_what_the_line_says(llm, tmp_path):
    html, line = llm._repr_html_(), repr(llm)
    told = rows(html)
    assert "<caption>pyhades.LLM</caption>" in html and escape(llm.name) in html
    assert list(told) == [
        "model", "layers", "experts", "precision", "weights", "context", "threads", "isa", "cache"
    ]  # fmt: skip
    assert told["model"] == llm.name and str(tmp_path) in told["cache"]
    for value in told.values():
        assert value.removesuffix(" tokens") in line


def test_a_closed_model_says_so(llm):
    llm.close()
    told = rows(llm._repr_html_())
    assert told["state"] == "closed" and "cache" not in told
    assert repr(llm).endswith(", closed)")
