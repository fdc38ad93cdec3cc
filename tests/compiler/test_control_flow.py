"""If, Loop and Scan, compiled, against onnxruntime."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager

import numpy as np
import onnx.parser
import onnxruntime
import pytest

import pyhades
from pyhades.compiler.stages import StagedProgram
from pyhades.errors import CancelledError, ShapeError
from pyhades.ir.interpreter import interpret

RANDOM = np.random.default_rng(0)


def model_of(text: str, opset: int = 17) -> bytes:
    """A model in the text format of ONNX."""
    header = f'<ir_version: 8, opset_import: ["" : {opset}]>\n'
    return onnx.parser.parse_model(header + text).SerializeToString()


def check(text: str, *feeds: dict[str, np.ndarray], staged: bool = True, opset: int = 17) -> None:
    """Compiled and interpreted, a model gives what onnxruntime gives."""
    model = model_of(text, opset)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    graph = pyhades.load_onnx(model)
    shapes = {name: array.shape for name, array in feeds[0].items()}
    with pyhades.compile(graph, input_shapes=shapes) as program:
        assert isinstance(program, StagedProgram) == staged
        for feed in feeds:
            expected = dict(zip(names, session.run(None, feed), strict=True))
            for results in (program.run(feed), interpret(graph, feed)):
                assert list(results) == names
                for name, want in expected.items():
                    have = results[name]
                    assert have.dtype == want.dtype and have.shape == want.shape, name
                    np.testing.assert_allclose(have, want, rtol=1e-5, atol=1e-5, err_msg=name)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


IF = """
agraph (float[2,3] x, bool c) => (float[n,m] y)
<float[2] w = {1.5, -2}>
{
    doubled = Add(x, x)
    y = If (c) <
        then_branch = a () => (float[n,m] p) { p = Relu(doubled) },
        else_branch = b () => (float[n,m] q) { t = Transpose(x) q = Mul(t, w) }
    >
}
"""


def test_branches_of_different_shapes():
    x = floats(2, 3)
    check(IF, *({"x": x, "c": np.array(c)} for c in (True, False, True)))


def test_a_constant_condition_leaves_no_stage():
    text = """
    agraph (float[2,3] x) => (float[n,m] y)
    <bool c = {0}>
    {
        y = If (c) <
            then_branch = a () => (float[n,m] p) { p = Relu(x) },
            else_branch = b () => (float[n,m] q) { q = Neg(x) }
        >
    }
    """
    check(text, {"x": floats(2, 3)}, staged=False)


def test_a_condition_that_folds_leaves_no_stage():
    """What exporters write for squeeze: the branch that is not taken would not even fit."""
    text = """
    agraph (float[n,1,m] x) => (float[p,q] y)
    <int64 one = {1}, int64[1] axis = {1}>
    {
        shape = Shape(x)
        extent = Gather(shape, one)
        c = Equal(extent, one)
        y = If (c) <
            then_branch = a () => (float[p,q] s) { s = Squeeze(x, axis) },
            else_branch = b () => (float[p,q] i) { i = Identity(x) }
        >
    }
    """
    check(text, {"x": floats(2, 1, 3)}, staged=False)


def test_choices_within_choices():
    text = """
    agraph (float[4] x) => (float[n] y, float z)
    <float zero = {0}, float one = {1}>
    {
        total = ReduceSum <keepdims = 0> (x)
        c = Greater(total, zero)
        big = Exp(x)
        y, z = If (c) <
            then_branch = a () => (float[n] p, float pz) {
                d = Greater(total, one)
                p = If (d) <
                    then_branch = aa () => (float[n] r) { r = Mul(big, total) },
                    else_branch = ab () => (float[n] s) { s = Concat <axis = 0> (x, big) }
                >
                pz = Identity(one)
            },
            else_branch = b () => (float[n] q, float qz) { q = Identity(x) qz = Identity(total) }
        >
    }
    """
    x = np.float32([0.1, 0.2, 0.3, 0.1])
    check(text, {"x": x}, {"x": x * 9}, {"x": -x}, {"x": x})


LOOP = """
agraph (float[3] x, int64 most, float limit) => (float[3] last, float[k,3] steps, int64[k] numbers)
{
    yes = Constant <value = bool {1}> ()
    half = Constant <value = float {0.5}> ()
    scaled = Mul(x, half)
    last, steps, numbers = Loop (most, yes, x) <
        body = b (int64 i, bool c, float[3] v) => (bool go, float[3] w, float[3] s, int64 n) {
            w = Add(v, scaled)
            s = Neg(w)
            n = Identity(i)
            top = ReduceMax <keepdims = 0> (w)
            go = Less(top, limit)
        }
    >
}
"""


def test_loops_end_by_their_condition_or_their_count():
    x = np.float32([1, 2, -1])
    runs = [(5, 100.0), (100, 7.0), (1, 0.0), (0, 1.0), (7, 100.0)]
    check(LOOP, *({"x": x, "most": np.array(m), "limit": np.array(t, np.float32)} for m, t in runs))


def test_a_loop_of_known_length_is_written_out():
    text = """
    agraph (float[2,2] x) => (float[2,2] last, float[4,2,2] steps)
    <int64 most = {4}, bool yes = {1}>
    {
        last, steps = Loop (most, yes, x) <
            body = b (int64 i, bool c, float[2,2] v) => (bool go, float[2,2] w, float[2,2] s) {
                f = Cast <to = 1> (i)
                w = MatMul(v, x)
                s = Mul(w, f)
                go = Identity(c)
            }
        >
    }
    """
    check(text, {"x": floats(2, 2)}, staged=False)


def test_what_is_carried_may_grow():
    text = """
    agraph (float[2] x, int64 most) => (float[n] y, int64 count)
    {
        yes = Constant <value = bool {1}> ()
        y = Loop (most, yes, x) <
            body = b (int64 i, bool c, float[n] v) => (bool go, float[m] w) {
                w = Concat <axis = 0> (v, x)
                go = Identity(c)
            }
        >
        count = Size(y)
    }
    """
    check(text, *({"x": floats(2), "most": np.array(most)} for most in (3, 0, 8, 1)))


def test_a_loop_without_bounds_and_one_without_condition():
    text = """
    agraph (float x, int64 most) => (float y, float z)
    <float two = {2}, float ten = {10}>
    {
        below = Less(x, ten)
        y = Loop (, below, x) <
            body = b (int64 i, bool c, float v) => (bool go, float w) {
                w = Mul(v, two)
                go = Less(w, ten)
            }
        >
        z = Loop (most, , x) <
            body = d (int64 i, bool c, float v) => (bool go, float w) {
                w = Mul(v, two)
                go = Identity(c)
            }
        >
    }
    """
    numbers = [(1.0, 3), (20.0, 0), (9.0, 1)]
    check(text, *({"x": np.array(x, np.float32), "most": np.array(most)} for x, most in numbers))


def test_loops_within_loops_with_sizes_that_depend_on_data():
    text = """
    agraph (float[4] x, int64 most) => (float y, int64[k] counts)
    {
        yes = Constant <value = bool {1}> ()
        start = Constant <value = float {0}> ()
        y, counts = Loop (most, yes, start) <
            body = outer (int64 i, bool c, float v) => (bool go, float w, int64 n) {
                f = Cast <to = 1> (i)
                big = Greater(x, f)
                where = NonZero(big)
                n = Size(where)
                u = Loop (n, yes, v) <
                    body = inner (int64 j, bool d, float a) => (bool e, float b) {
                        b = Add(a, f)
                        e = Identity(d)
                    }
                >
                picked = Compress(x, big)
                sum = ReduceSum <keepdims = 0> (picked)
                w = Add(u, sum)
                go = Identity(c)
            }
        >
    }
    """
    x = np.float32([0.5, 1.5, 2.5, 3.5])
    check(text, *({"x": x, "most": np.array(most)} for most in (5, 2, 0)))


SCAN = """
agraph (float[{rows},3] x, float[3] start) => (float[3] last, float[n,3] sums, float[3,n] turned)
{{
    half = Constant <value = float {{0.5}}> ()
    last, sums, turned = Scan <num_scan_inputs = 1, scan_input_directions = [1],
        scan_output_directions = [0, 1], scan_output_axes = [0, 1],
        body = b (float[3] s, float[3] v) => (float[3] t, float[3] p, float[3] q) {{
            h = Mul(s, half)
            t = Add(h, v)
            p = Identity(t)
            q = Tanh(t)
        }}
    > (start, x)
}}
"""


@pytest.mark.parametrize(("rows", "staged"), [(1, False), (7, False), (200, True)])
def test_scans(rows, staged):
    feeds = {"x": floats(rows, 3), "start": floats(3)}
    check(SCAN.format(rows=rows), feeds, staged=staged)


def test_a_scan_along_another_axis_with_two_inputs():
    text = """
    agraph (float[2,100] x, float[100,2] z) => (float[100,2] y)
    {
        y = Scan <num_scan_inputs = 2, scan_input_axes = [-1, 0],
            body = b (float[2] v, float[2] w) => (float[2] p) { p = Mul(v, w) }
        > (x, z)
    }
    """
    check(text, {"x": floats(2, 100), "z": floats(100, 2)}, staged=False)


def test_a_scan_of_nothing():
    """Here onnxruntime fails."""
    program = pyhades.compile(pyhades.load_onnx(model_of(SCAN.format(rows=0))))
    start = floats(3)
    results = program.run({"x": floats(0, 3), "start": start})
    assert np.array_equal(results["last"], start)
    assert results["sums"].shape == (0, 3) and results["turned"].shape == (3, 0)


def test_convolutions_in_a_branch_and_behind_it():
    text = """
    agraph (float[1,3,16,16] x) => (float[n,c,h,w] y)
    <float[4,3,3,3] w, float[2,4,3,3] v, float limit = {0}>
    {
        mean = ReduceMean <keepdims = 0> (x)
        is_bright = Greater(mean, limit)
        f = If (is_bright) <
            then_branch = a () => (float[n,c,h,w] p) { p = Conv(x, w) },
            else_branch = b () => (float[n,c,h,w] q) {
                pooled = MaxPool <kernel_shape = [2,2], strides = [2,2]> (x)
                q = Conv(pooled, w)
            }
        >
        r = Relu(f)
        y = Conv(r, v)
    }
    """
    for name, shape in (("w", "4,3,3,3"), ("v", "2,4,3,3")):
        count = np.prod([int(extent) for extent in shape.split(",")])
        numbers = ", ".join(f"{number:.3f}" for number in RANDOM.standard_normal(count))
        text = text.replace(f"float[{shape}] {name}", f"float[{shape}] {name} = {{{numbers}}}")
    x = floats(1, 3, 16, 16)
    check(text, {"x": x + 1}, {"x": x - 1}, {"x": x + 1})


ENDLESS = """
agraph (float x) => (float y)
<bool yes = {1}>
{
    y = Loop (, yes, x) <
        body = b (int64 i, bool c, float v) => (bool go, float w) {
            w = Sin(v)
            go = Identity(c)
        }
    >
}
"""


@contextmanager
def ctrl_c():
    """Pressed a moment later; what is inside has to end by it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs of shells ignore it
    key = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    try:
        key.start()
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        key.join()
        signal.signal(signal.SIGINT, before)


def test_an_endless_loop_ends_with_ctrl_c():
    program = pyhades.compile(pyhades.load_onnx(model_of(ENDLESS)))
    watchdog = threading.Timer(20, program.cancel)
    watchdog.start()
    with ctrl_c():
        program.run({"x": np.float32(1)})
    watchdog.cancel()


def test_a_loop_of_constants_takes_as_many_steps_as_the_file_says():
    """Exporters write the largest number where a condition ends the loop: there is no limit."""
    text = ENDLESS.replace("(float x)", "(float z)").replace("{1}>", "{1}, float x = {1}>")
    text = text.replace("Loop (, yes", "Loop (most, yes").replace(
        "bool yes", "int64 most = {%d}, bool yes"
    )
    short = pyhades.compile(pyhades.load_onnx(model_of(text % 3)))
    want = np.sin(np.sin(np.sin(1.0)))
    assert short.run({"z": np.float32(0)})["y"] == pytest.approx(want, rel=1e-6)
    with ctrl_c():
        pyhades.compile(pyhades.load_onnx(model_of(text % np.iinfo(np.int64).max)))


def test_an_endless_loop_can_be_cancelled():
    program = pyhades.compile(pyhades.load_onnx(model_of(ENDLESS)))
    threading.Timer(0.3, program.cancel).start()
    with pytest.raises(CancelledError):
        program.run({"x": np.float32(1)})


def test_graphs_are_compiled_once_and_listed():
    program = pyhades.compile(pyhades.load_onnx(model_of(LOOP)))
    feeds = {"x": np.float32([1, 2, 3]), "most": np.array(9), "limit": np.float32(99)}
    program.run(feeds)
    bodies = [place for place, _ in program.stages if ".body" in place]
    assert len(bodies) == 1
    assert any(line.op == "loop" and line.kernel == "graphs" for line in program.lines)
    trace = program.trace(feeds)
    assert "loop" in trace.by_op() and len(trace.lines) > 9


def test_branches_with_constants_of_one_name_are_told_apart(tmp_path):
    text = """
    agraph (float[1,64] x, bool c) => (float[n,m] y)
    {
        y = If (c) <
            then_branch = a () => (float[n,m] p) <float[64,64] weight> { p = MatMul(x, weight) },
            else_branch = b () => (float[n,m] q) <float[64,64] weight> { q = MatMul(x, weight) }
        >
    }
    """
    for value in ("0.5", "2"):
        numbers = ", ".join([value] * 64 * 64)
        text = text.replace("weight>", f"weight = {{{numbers}}}>", 1)
    path = tmp_path / "model.onnx"
    path.write_bytes(model_of(text))
    program = pyhades.compile(pyhades.load_onnx(path))
    x = np.ones((1, 64), np.float32)
    assert program(x, np.array(True))[0, 0] == 32 and program(x, np.array(False))[0, 0] == 128


def test_loops_within_loops_are_not_written_out_without_bound():
    inner = "w = Add(v, x)"
    for depth in range(6):
        inner = f"""
            w{depth} = Loop (most, yes, v) <
                body = b{depth} (int64 i{depth}, bool c{depth}, float v) => (bool go, float w) {{
                    {inner}
                    go = Identity(c{depth})
                }}
            >
            w = Identity(w{depth})
        """
    text = f"""
    agraph (float x) => (float w) <int64 most = {{3}}, bool yes = {{1}}> {{ v = Neg(x) {inner} }}
    """
    text = text.replace("most = {3}", "most = {8}")
    graph = pyhades.load_onnx(model_of(text))
    assert isinstance(pyhades.compile(graph), StagedProgram)


def test_a_body_whose_steps_do_not_stack_is_refused():
    text = """
    agraph (float[1] x, int64 most) => (float[k,m] y)
    {
        yes = Constant <value = bool {1}> ()
        last, y = Loop (most, yes, x) <
            body = b (int64 i, bool c, float[n] v) => (bool go, float[m] w, float[m] s) {
                w = Concat <axis = 0> (v, x)
                s = Identity(w)
                go = Identity(c)
            }
        >
    }
    """
    program = pyhades.compile(pyhades.load_onnx(model_of(text)))
    with pytest.raises(ShapeError, match="steps of different shapes"):
        program.run({"x": floats(1), "most": np.array(3)})
