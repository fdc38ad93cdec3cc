"""What calls cost whose operands say how much there is to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import pyhades
from pyhades import quant
from pyhades.compiler.assembly import Assembly
from tests.support.graphs import Builder, feeds_for

MOST, N, K, HEAD_DIM = 24, 48, 64, 16
F32, BF16, I32, U8 = np.float32, np.uint16, np.int32, np.uint8
Q8 = quant.q8_row_bytes(K)
PACKED = quant.format_named("int8_g32").packed_bytes(N, K)


@dataclass
class Case:
    """An operator, its operands as (shape, dtype), and the cost of a row and of all together."""

    inputs: list
    outputs: list
    flops: float
    bytes: float
    once: float = 0
    attributes: dict[str, Any] = field(default_factory=dict)


ROWS, PLACES, X = ((1,), I32), ((MOST,), I32), ((MOST, K), F32)
QGEMM = {"format": "int8_g32", "n": N, "k": K}
STORE = {"heads": 2, "kv_heads": 1, "head_dim": HEAD_DIM}
POOL = ((2 * 16 * HEAD_DIM * 2 * 2,), U8)
# Bytes as sums of operands, in their order.
CASES = {
    "embed": Case([ROWS, PLACES, ((9, K), BF16), None], [X], 0, 4 + 2 * K + 4 * K),
    "embed int8": Case(
        [ROWS, PLACES, ((9, K), np.int8), ((9, K // 32), np.float16)], [X], K, 4 + K + 4 + 4 * K
    ),
    "gather_rows": Case([ROWS, X, PLACES], [X], 0, 4 * K + 4 + 4 * K),
    "quantize_rows": Case([ROWS, X], [((MOST, Q8), U8)], 6 * K, 4 * K + Q8),
    "rms_norm_quantize": Case(
        [ROWS, X, ((K,), F32)], [((MOST, Q8), U8), ((MOST, K), BF16)],
        6 * K, 4 * K + Q8 + 2 * K, once=4 * K,
    ),
    "rope_table": Case(
        [ROWS, PLACES, ((K // 2,), F32)], [X], 40 * K, 4 + 4 * K, once=4 * K // 2
    ),
    "rope_store": Case(
        [ROWS, ((MOST, 4 * HEAD_DIM), F32), ((MOST, HEAD_DIM), F32), PLACES],
        [((MOST, 2 * HEAD_DIM), F32), POOL],
        3 * 4 * HEAD_DIM, (16 + 4 + 8) * HEAD_DIM + 4 + 2 * 2 * HEAD_DIM, attributes=STORE,
    ),
    "top_k": Case([ROWS, X], [((MOST, 4), I32), ((MOST, 4), F32)], K, 4 * K + 8 * 4),
    "qgemm": Case(
        [ROWS, ((MOST, Q8), U8), ((PACKED,), U8), None, None], [((MOST, N), F32)],
        2 * N * K, Q8 + 4 * N, once=PACKED, attributes=QGEMM,
    ),
    "qgemm residual": Case(
        [ROWS, ((MOST, K), BF16), ((PACKED,), U8), ((N,), F32), ((MOST, N), F32)],
        [((MOST, N), F32)], 2 * N * K, 2 * K + 8 * N, once=PACKED + 4 * N, attributes=QGEMM,
    ),
}  # fmt: skip


def routine_of(op: str, inputs: list, outputs: list, attributes: dict[str, Any]):
    """One operator whose operands are all bound, by number; and zeros for them."""
    assembly, feeds = Assembly(op), {}
    views = []
    for index, operand in enumerate([*inputs, *outputs]):
        if operand is None:
            views.append(None)
            continue
        shape, dtype = operand
        feeds[str(index)] = np.zeros(shape, dtype)
        views.append(assembly.bound(str(index), shape, dtype))
    assembly.emit(op, views[: len(inputs)], views[len(inputs) :], "it", **attributes)
    return assembly.build(threads=2), feeds


@pytest.mark.parametrize("name", CASES)
def test_rows_in_use_are_what_counts(name):
    case = CASES[name]
    routine, feeds = routine_of(name.split()[0], case.inputs, case.outputs, case.attributes)
    for rows in (0, 1, 7, MOST):
        feeds["0"][0] = rows
        trace = routine.trace(feeds)
        assert trace.flops == rows * case.flops
        assert trace.bytes == (rows * case.bytes + case.once if rows else 0)
    line = routine.lines[0]
    assert line.is_most and (line.flops, line.bytes) == (trace.flops, trace.bytes)
    assert f"up to {line.flops / 1e6:.2f}" in str(routine) and "up to 0.0" in repr(routine)


@pytest.mark.parametrize("ids", [[[3, 1]], [[3, 1], [1, 3]], [[3, 1], [0, 2], [2, 4]]])
def test_experts_are_read_that_tokens_go_to(ids):
    hidden, width, experts, most = 64, 96, 6, 8
    matrix = quant.format_named("int4_g32")
    sizes = matrix.packed_bytes(2 * width, hidden), matrix.packed_bytes(hidden, width)
    row = quant.q8_row_bytes(hidden)
    routine, feeds = routine_of(
        "moe",
        [ROWS, ((most, row), U8), ((most, 2), I32), ((most, 2), F32),
         ((experts * sizes[0],), U8), ((experts, 2 * width), F32),
         ((experts * sizes[1],), U8), ((experts, hidden), F32), ((most, hidden), F32)],
        [((most, hidden), F32)],
        {"experts": experts, "hidden_size": hidden, "intermediate_size": width,
         "gate_up_format": "int4_g32", "down_format": "int4_g32"},
    )  # fmt: skip
    tokens = feeds["0"][0] = len(ids)
    feeds["2"][:tokens] = ids
    feeds["2"][tokens:] = 5  # rows that are not in use
    trace = routine.trace(feeds)
    used = len(np.unique(ids))
    of_expert = sum(sizes) + 4 * (2 * width + hidden)
    assert trace.flops == tokens * 2 * (2 * 3 * hidden * width)
    assert trace.bytes == used * of_expert + tokens * (row + 2 * 8 + 8 * hidden)
    line = routine.lines[0]
    assert line.flops == most * 2 * (2 * 3 * hidden * width)
    assert line.bytes == experts * of_expert + most * (row + 2 * 8 + 8 * hidden)


@pytest.mark.parametrize("kv_format", ["bf16", "int8"])
@pytest.mark.parametrize("window", [0, 20])
@pytest.mark.parametrize(
    ("new", "lengths"), [([1], [1]), ([1], [60]), ([5], [5]), ([30, 0, 2], [50, 7, 3])]
)
def test_attention_counts_what_tokens_see(kv_format, window, new, lengths):
    heads, kv_heads, blocks, most = 6, 2, 4, 40
    of_position = kv_heads * 2 * (2 * HEAD_DIM if kv_format == "bf16" else HEAD_DIM + 4)
    width = heads * HEAD_DIM
    routine, feeds = routine_of(
        "paged_attention",
        [((4,), I32), ((most, width), F32), ((3 * blocks * 16 * of_position,), U8),
         ((3, blocks), I32), ((4,), I32), ((3,), I32), None],
        [((most, width), F32)],
        {"kv_heads": kv_heads, "head_dim": HEAD_DIM, "window": window, "kv_format": kv_format},
    )  # fmt: skip
    feeds["0"][:2] = sum(new), len(new)
    feeds["4"][1 : len(new) + 1] = np.cumsum(new)
    feeds["5"][: len(lengths)] = lengths
    seen = [
        [set(range(max(0, p + 1 - window) if window else 0, p + 1)) for p in range(end - n, end)]
        for n, end in zip(new, lengths, strict=True)
    ]
    pairs = sum(len(positions) for tokens in seen for positions in tokens)
    read = sum(len(set().union(*tokens)) for tokens in seen)
    trace = routine.trace(feeds)
    assert trace.flops == 4 * width * pairs
    assert trace.bytes == read * of_position + sum(new) * 8 * width
    line = routine.lines[0]
    assert line.is_most and line.flops == 4 * width * most * (window or 16 * blocks)
    most_read = 3 * 20 + most - 3 if window else 3 * 16 * blocks
    assert line.bytes == most_read * of_position + most * 8 * width


def test_graphs_cost_the_same_in_every_run():
    b = Builder()
    graph = b.graph(b.op("Conv", b.input(1, 3, 9, 9), b.weight(4, 3, 3, 3)))
    program = pyhades.compile(graph)
    assert "up to" not in str(program) and not any(line.is_most for line in program.lines)
    trace = program.trace(feeds_for(graph))
    assert trace.flops == program.flops > 0
    assert trace.bytes == sum(line.bytes for line in program.lines) > 0
