"""Traces of steps count the tokens of the step, not those that it could take."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest

from pyhades import _native
from pyhades.llm.engine.runner import Piece, Runner
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.measure.traffic import bytes_per_token, operations_per_token
from pyhades.llm.models.gpt_oss.sizes import tiny_config

CONFIG = tiny_config()
WEIGHTS = random_weights(CONFIG, "balanced", threads=1)
HEAD = 2 * CONFIG.hidden_size * CONFIG.vocab_size


def traced(tokens: int, depth: int, kv_format: str = "bf16"):
    """The trace of a step, and which experts its tokens went to."""
    runner = Runner(CONFIG, WEIGHTS, 256, 2, 1, kv_format=kv_format)
    with closing(runner):
        text = runner.cache.sequence()
        if depth:
            runner.run([Piece(text, list(range(depth)), 0)])
        piece = Piece(text, list(range(tokens)), 1)
        return runner.trace([piece]), np.asarray(runner.chosen_experts)


def total(trace, what: str, *ops: str) -> float:
    return sum(getattr(line, what) for line in trace.lines if not ops or line.line.op in ops)


@pytest.mark.parametrize(("tokens", "depth"), [(1, 0), (1, 70), (9, 40)])
def test_operations_are_those_of_the_tokens(tokens, depth):
    trace, _ = traced(tokens, depth)
    products = tokens * operations_per_token(CONFIG) + HEAD
    assert total(trace, "flops", "qgemm", "moe") == products
    seen = {"full_attention": 256, "sliding_attention": CONFIG.sliding_window}
    pairs = sum(
        min(position + 1, seen[kind])
        for kind in CONFIG.layer_types
        for position in range(depth, depth + tokens)
    )
    attention = total(trace, "flops", "paged_attention")
    assert attention == 4 * CONFIG.query_size * pairs
    # Norms, rotations and roundings are the rest.
    assert products + attention < trace.flops < 1.2 * (products + attention)


def test_no_faster_than_the_machine():
    trace, _ = traced(1, 0)
    peak = max(_native.measure_peak_gflops(), _native.measure_peak_int8_gops())
    assert 0 < trace.flops / trace.seconds / 1e9 < peak


def test_bytes_of_one_token_are_those_of_the_traffic():
    trace, _ = traced(1, 0)
    linears = [WEIGHTS.head]
    for layer in WEIGHTS.layers:
        linears += [layer.qkv, layer.attention_output, layer.router]
    # The traffic leaves out what is small: biases, and rows that come and go.
    biases = sum(4 * linear.weight.shape[0] for linear in linears if linear.bias is not None)
    biases += sum(
        4 * CONFIG.num_experts_per_tok * (layer.gate_up.bias.shape[1] + layer.down.bias.shape[1])
        for layer in WEIGHTS.layers
    )
    needed = bytes_per_token(CONFIG, WEIGHTS) + biases
    moved = total(trace, "bytes", "qgemm", "moe", "paged_attention")
    assert needed < moved < 1.1 * needed


@pytest.mark.parametrize("kv_format", ["bf16", "int8"])
def test_the_cache_is_read_with_its_scales(kv_format):
    depth = 70
    read = [total(traced(1, d, kv_format)[0], "bytes", "paged_attention") for d in (0, depth)]
    needed = [bytes_per_token(CONFIG, WEIGHTS, d, kv_format) for d in (0, depth)]
    assert read[1] - read[0] == needed[1] - needed[0]
    value_bytes = 2 if kv_format == "bf16" else 1 + 4 / CONFIG.head_dim
    positions = 2 * depth + 2 * (CONFIG.sliding_window - 1)
    assert read[1] - read[0] == positions * 2 * CONFIG.key_value_size * value_bytes


def test_experts_are_read_once_for_all_tokens():
    (one, _), (many, chosen) = traced(1, 0), traced(6, 0)
    layer = WEIGHTS.layers[0]
    of_expert = sum(
        part.weight.nbytes // CONFIG.num_local_experts + 4 * part.bias.shape[1]
        for part in (layer.gate_up, layer.down)
    )
    used = sum(len(np.unique(experts)) for experts in chosen)
    first = CONFIG.num_hidden_layers * CONFIG.num_experts_per_tok
    rows = [total(one, "bytes", "moe") - first * of_expert]
    rows.append(total(many, "bytes", "moe") - used * of_expert)
    assert rows[1] == 6 * rows[0] > 0
