"""A few layers of gpt-oss-20b with its head: reading a prompt, and decoding against the bandwidth.

``pyhades bench llm --synthetic gpt-oss-20b`` measures the whole model.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pyhades import _native
from pyhades.llm.engine.runner import Piece, Runner
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.measure.traffic import bytes_per_token
from pyhades.llm.models.gpt_oss.sizes import gpt_oss_config

LAYERS = 4
BANDWIDTH_BYTES = 1 << 30


@pytest.fixture(scope="module")
def model():
    full = gpt_oss_config("gpt-oss-20b")
    config = replace(full, num_hidden_layers=LAYERS, layer_types=full.layer_types[:LAYERS])
    return config, random_weights(config, "balanced")


@pytest.fixture(params=[1, 2])
def threads(request) -> int:
    return int(request.param)


@pytest.fixture
def runner(model, threads) -> Iterator[Runner]:
    opened = Runner(*model, context_length=1024, max_sequences=1, threads=threads)
    yield opened
    opened.close()


def bench_decode(benchmark, model, runner, threads):
    text = runner.cache.sequence()
    runner.run([Piece(text, [1])])
    before = _native.measure_bandwidth_gbs(None, threads, BANDWIDTH_BYTES)
    benchmark.pedantic(runner.run, args=([Piece(text, [2])],), rounds=20)
    if benchmark.disabled:
        return
    after = _native.measure_bandwidth_gbs(None, threads, BANDWIDTH_BYTES)
    gbs = bytes_per_token(*model) / benchmark.stats.stats.median / 1e9
    benchmark.extra_info["gbs"] = round(gbs, 1)
    benchmark.extra_info["share_of_bandwidth"] = round(gbs / statistics.mean([before, after]), 2)


def bench_prefill(benchmark, runner):
    tokens = list(range(512))

    def read():
        text = runner.cache.sequence()
        runner.run([Piece(text, tokens)])
        runner.cache.free(text)

    benchmark.pedantic(read, rounds=3)
    if benchmark.disabled:
        return
    benchmark.extra_info["tokens_per_s"] = round(512 / benchmark.stats.stats.median, 1)
