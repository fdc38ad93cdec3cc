"""Programs, contexts and teams: the native runtime by itself, on small programs of rms_norm."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

from pyhades import _native
from pyhades.errors import ArgumentError, CancelledError, ClosedError

ROWS, WIDTH = 301, 67


def build(steps: int = 3, isa: str | None = None, rows: int = ROWS):
    """A chain of ``steps`` rms_norms: io 1 -> arena -> ... -> io 2."""
    builder = _native.ProgramBuilder(isa)
    nbytes = rows * WIDTH * 4
    source, result = builder.io("x", nbytes), builder.io("y", nbytes)
    weight = np.linspace(0.5, 1.5, WIDTH, dtype=np.float32)
    weight_slot = builder.constant(weight, f"test weight {WIDTH}")
    shape, strides = (rows, WIDTH), (WIDTH, 1)
    places = [(source, 0)] + [(builder.ARENA, nbytes * (i % 2)) for i in range(steps - 1)]
    places.append((result, 0))
    for i in range(steps):
        builder.emit(
            "rms_norm",
            [
                (*places[i], "float32", shape, strides),
                (weight_slot, 0, "float32", (WIDTH,), (1,)),
                None,
            ],
            [(*places[i + 1], "float32", shape, strides)],
            {"epsilon": 1e-5},
            f"norm {i}",
        )
    return builder.build(2 * nbytes), source, result


def expected(x, steps=3):
    weight = np.linspace(0.5, 1.5, WIDTH, dtype=np.float32)
    for _ in range(steps):
        x = x / np.sqrt((x.astype(np.float64) ** 2).mean(-1, keepdims=True) + 1e-5) * weight
    return x


def test_results_and_thread_counts_are_bit_equal(isa):
    x = np.random.default_rng(0).standard_normal((ROWS, WIDTH)).astype(np.float32)
    program, source, result = build(isa=isa)
    results = []
    for threads in (1, 2, 3, 5):
        y = np.zeros_like(x)
        _native.Context(program, _native.Team(threads)).run({source: x, result: y})
        results.append(y)
    assert np.abs(results[0] - expected(x)).max() < 1e-5
    assert all(np.array_equal(results[0], other) for other in results[1:])


def test_listing_names_kernels_and_labels():
    program, _, _ = build(isa="scalar")
    assert [line.label for line in program.instructions] == ["norm 0", "norm 1", "norm 2"]
    assert {line.kernel for line in program.instructions} == {"rms_norm_f32_scalar"}
    assert program.constant_bytes == WIDTH * 4


def test_partial_runs_reach_the_same_result():
    x = np.random.default_rng(1).standard_normal((ROWS, WIDTH)).astype(np.float32)
    program, source, result = build()
    y = np.zeros_like(x)
    context = _native.Context(program, _native.Team(2))
    context.run({source: x, result: y}, 0, 1)
    assert not y.any()
    context.run(None, 1, 3)
    assert np.abs(y - expected(x)).max() < 1e-5


def test_trace_gives_time_and_cost_of_each_instruction():
    x = np.ones((ROWS, WIDTH), np.float32)
    program, source, result = build(steps=7)
    timings = _native.Context(program, _native.Team(2)).trace({source: x, result: x.copy()})
    assert len(timings) == 7 and all(0 < timing.seconds < 60 for timing in timings)
    costs = [(line.flops, line.bytes) for line in program.instructions]
    assert [timing[1:] for timing in timings] == costs and min(costs[0]) > 0


def test_contexts_run_concurrently():
    rng = np.random.default_rng(2)
    inputs = [rng.standard_normal((ROWS, WIDTH)).astype(np.float32) for _ in range(4)]
    program, source, result = build()
    errors = []

    def work(x):
        context = _native.Context(program, _native.Team(2))
        for _ in range(50):
            y = np.zeros_like(x)
            context.run({source: x, result: y})
            if np.abs(y - expected(x)).max() > 1e-5:
                errors.append("wrong result")

    threads = [threading.Thread(target=work, args=(x,)) for x in inputs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_one_context_serves_several_threads_in_turn():
    program, source, result = build()
    context = _native.Context(program, _native.Team(2))
    x = np.random.default_rng(3).standard_normal((ROWS, WIDTH)).astype(np.float32)
    outputs = [np.zeros_like(x) for _ in range(6)]
    threads = [
        threading.Thread(target=context.run, args=({source: x, result: y},)) for y in outputs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(outputs[0], y) for y in outputs) and outputs[0].any()


def test_survives_fork():
    x = np.random.default_rng(4).standard_normal((ROWS, WIDTH)).astype(np.float32)
    program, source, result = build()
    context = _native.Context(program, _native.Team(2))
    y = np.zeros_like(x)
    context.run({source: x, result: y})
    child = os.fork()
    if child == 0:
        again = np.zeros_like(x)
        context.run({source: x, result: again})
        os._exit(0 if np.array_equal(again, y) else 1)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.01)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the forked child hangs")
    assert os.waitstatus_to_exitcode(status) == 0
    context.run({source: x, result: y})


def long_program():
    return build(steps=6000, rows=2000)


def test_cancel_from_another_thread():
    program, source, result = long_program()
    context = _native.Context(program, _native.Team(2))
    x = np.ones((2000, WIDTH), np.float32)
    over = threading.Event()

    def cancel():
        while not over.wait(0.05):  # again and again: between two runs it means neither
            context.cancel()

    other = threading.Thread(target=cancel)
    other.start()
    with pytest.raises(CancelledError):
        for _ in range(100):
            context.run({source: x, result: x.copy()})
    over.set()
    other.join()
    context.run({source: x, result: x.copy()}, 0, 10)


def test_interrupt_on_the_main_thread(request):
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in shell jobs
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, handler))
    program, source, result = long_program()
    context = _native.Context(program, _native.Team(2))
    x = np.ones((2000, WIDTH), np.float32)
    timer = threading.Timer(0.1, signal.raise_signal, (signal.SIGINT,))
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        for _ in range(100):
            context.run({source: x, result: x.copy()})
    assert time.monotonic() - begin < 30


def test_shared_constants_are_stored_once():
    first, _, _ = build()
    second, _, _ = build()
    assert first.constant_bytes == second.constant_bytes == WIDTH * 4


def test_errors_name_what_is_wrong():
    builder = _native.ProgramBuilder()
    slot = builder.io("x", 16)
    operand = (slot, 0, "float32", (2, 2), (2, 1))
    beyond = (slot, 0, "float32", (2, 3), (3, 1))
    with pytest.raises(ArgumentError, match=r'layer 1: .*24.*"x".*16'):
        builder.emit("rms_norm", [beyond, None, None], [beyond], {}, "layer 1")
    with pytest.raises(ArgumentError, match=r'layer 2.*no kernel family.*"nonsense"'):
        builder.emit("nonsense", [operand], [operand], {}, "layer 2")
    with pytest.raises(ArgumentError, match="slot 9"):
        nowhere = (9, 0, "float32", (2, 2), (2, 1))
        builder.emit("rms_norm", [nowhere, None, None], [operand], {}, "l")
    with pytest.raises(ArgumentError, match="before its slot"):
        builder.emit(
            "rms_norm", [(slot, 0, "float32", (2, 2), (-2, 1)), None, None], [operand], {}, "l"
        )


def test_bindings_are_checked():
    program, source, result = build()
    context = _native.Context(program, _native.Team(1))
    x = np.ones((ROWS, WIDTH), np.float32)
    with pytest.raises(ArgumentError, match="first run needs bindings"):
        context.run()
    with pytest.raises(ArgumentError, match="x needs a buffer"):
        context.run({source: x[:1].copy(), result: x})
    frozen = x.copy()
    frozen.flags.writeable = False
    with pytest.raises((BufferError, ValueError)):
        context.run({source: x, result: frozen})
    context.run({source: frozen, result: x})
    context.close()
    with pytest.raises(ClosedError):
        context.run({source: frozen, result: x})
