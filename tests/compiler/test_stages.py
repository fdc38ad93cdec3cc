"""Programs in stages: networks whose sizes depend on data."""

from __future__ import annotations

import pickle
import resource
import threading
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import pyhades
from pyhades.compiler.lowering import has_kernel
from pyhades.compiler.stages import StagedProgram, cutting
from pyhades.compiler.stages.engine import STAGES_KEPT
from pyhades.debug import compare
from pyhades.errors import ArgumentError, ClosedError, ShapeError
from pyhades.ir.interpreter import interpret
from tests.support.graphs import Builder


def picked_pixels():
    """Features of the pixels that are brighter than a threshold, which is an input."""
    b = Builder()
    x, threshold = b.input(1, 3, 16, 16), b.input()
    features = b.op("Relu", b.op("Conv", x, b.weight(8, 3, 3, 3), pads=[1] * 4))
    chosen = b.op("Greater", b.op("ReduceMax", x, b.ints(1), keepdims=0), threshold)
    where = b.op("Transpose", b.op("NonZero", chosen), perm=[1, 0])
    rows = b.op("GatherND", b.op("Transpose", features, perm=[0, 2, 3, 1]), where)
    scores = b.op("Softmax", b.op("MatMul", rows, b.weight(8, 40)), axis=-1)
    return b.graph(scores, where, features)


def bright(count: int, seed: int = 0):
    """Feeds with so many bright pixels."""
    random = np.random.default_rng(seed)
    x = random.random((1, 3, 16, 16), np.float32)
    x.reshape(3, -1)[0, random.permutation(256)[:count]] += 2
    return {"x0": x, "x1": np.float32(1.5)}


def assert_right(results, expected):
    assert list(results) == list(expected)
    for name, want in expected.items():
        assert results[name].dtype == want.dtype and results[name].shape == want.shape
        np.testing.assert_allclose(results[name], want, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("count", [0, 1, 2, 100, 256])
def test_sizes_follow_the_data(isa, count):
    graph, feeds = picked_pixels(), bright(count)
    with pyhades.compile(graph, isa=isa) as program:
        assert isinstance(program, StagedProgram) and isinstance(program, pyhades.Program)
        assert program.isa == isa
        results = program.run(feeds)
        assert next(iter(results.values())).shape == (count, 40)
        assert_right(results, interpret(graph, feeds))


def test_outputs_name_extents_that_depend_on_data():
    program = pyhades.compile(picked_pixels())
    scores, where, features = program.outputs.values()
    assert scores.shape[1:] == (40,) and isinstance(scores.shape[0], str) and scores.shape[0] != "?"
    assert where.shape[1] == 3 and features.is_static
    assert program.inputs["x0"].shape == (1, 3, 16, 16)


def test_a_static_graph_is_one_program():
    b = Builder()
    program = pyhades.compile(b.graph(b.op("Relu", b.input(2, 3))))
    assert not isinstance(program, StagedProgram)


def test_stages_are_kept_and_bounded():
    program = pyhades.compile(picked_pixels())
    program.run(bright(40))
    first = [stage for stage in program._stages() if stage.place == "2"]
    program.run(bright(40, seed=1))
    assert [stage for stage in program._stages() if stage.place == "2"] == first
    for count in range(50, 50 + 3 * STAGES_KEPT):
        program.run(bright(count))
    assert len(program._stages()) == 1 + STAGES_KEPT
    assert first[0] not in program._stages()
    assert_right(program.run(bright(40)), interpret(picked_pixels(), bright(40)))


def resident_bytes() -> int:
    """What this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_memory_is_flat_over_many_sizes():
    """A leak shows in every pass; what other tests leave to be collected, in some."""
    program = pyhades.compile(picked_pixels(), threads=1)
    growth = []
    for _ in range(4):
        before = resident_bytes()
        for count in range(0, 120):
            program.run(bright(count))
        growth.append(resident_bytes() - before)
    assert min(growth) < 1 << 20


def test_constants_of_later_stages_are_packed_once():
    b = Builder()
    x = b.input(64, 512)
    rows = b.op(
        "Compress",
        x,
        b.op("Greater", b.op("ReduceMax", x, b.ints(1), keepdims=0), b.const(3.2)),
        axis=0,
    )
    program = pyhades.compile(b.graph(b.op("MatMul", rows, b.weight(512, 512))), threads=1)
    random = np.random.default_rng(0)
    natives = set()
    for _ in range(6):
        program.run({"x0": random.standard_normal((64, 512), np.float32)})
    for stage in program._stages():
        if stage.place == "2":
            natives.add(stage.part.memory.constants)
    assert len(natives) == 1 and natives.pop() >= 512 * 512 * 4


@pytest.mark.parametrize("threads", [1, 2])
def test_many_threads_may_call_one_program(threads):
    graph = picked_pixels()
    program = pyhades.compile(graph, threads=threads)
    feeds = [bright(count, seed=count) for count in (0, 3, 3, 50, 90, 200)]
    expected = [interpret(graph, feed) for feed in feeds]
    wrong = []

    def work(feed, want):
        try:
            for _ in range(10):
                assert_right(program.run(feed), want)
        except Exception as error:
            wrong.append(error)

    workers = [
        threading.Thread(target=work, args=pair) for pair in zip(feeds, expected, strict=True)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_results_are_bit_equal_for_any_number_of_threads():
    feeds = bright(77)
    runs = [pyhades.compile(picked_pixels(), threads=t).run(feeds) for t in (1, 2, 3)]
    for name in runs[0]:
        assert all(np.array_equal(runs[0][name], run[name]) for run in runs[1:])


def test_arrays_belong_to_the_caller():
    b = Builder()
    x, shape = b.input(2, 6), b.input(2, dtype=np.int64)
    y = b.op("Reshape", x, shape)
    program = pyhades.compile(b.graph(y, b.op("Identity", y)))
    array = np.ones((2, 6), np.float32)
    first, second = program(array, np.array([3, 4]))
    first[:] = 7
    assert (array == 1).all() and (second == 1).all() and second.shape == (3, 4)


def test_constants_cannot_be_written_to():
    b = Builder()
    shape = b.input(2, dtype=np.int64)
    program = pyhades.compile(b.graph(b.op("Reshape", b.const(np.arange(12)), shape)))
    for _ in range(2):
        array = program(np.array([3, 4]))
        assert array[0, 0] == 0
        array[:] = 7


def test_numbers_that_kernels_need_are_compiled_in():
    """Sizes of a Resize: Python looks at them, and a kernel does the work."""
    b = Builder()
    x, sizes = b.input(1, 4, 8, 8), b.input(4, dtype=np.int64)
    y = b.op("Resize", x, None, None, sizes, mode="linear")
    graph = b.graph(b.op("Conv", y, b.weight(4, 4, 3, 3)))
    program = pyhades.compile(graph)
    for size in (10, 31, 10):
        feeds = {
            "x0": np.random.default_rng(0).random((1, 4, 8, 8), np.float32),
            "x1": np.array([1, 4, size, size + 1]),
        }
        assert_right(program.run(feeds), interpret(graph, feeds))
    assert any(line.op.startswith("resize") for line in program.lines)
    assert len(program.stages) == 3


def test_operators_without_kernel_run_in_python():
    b = Builder()
    x = b.input(3, 4)
    graph = b.graph(b.op("Relu", b.op("Einsum", x, x, equation="ij,kj->ik")))
    feeds = {"x0": np.random.default_rng(0).random((3, 4), np.float32)}
    assert_right(pyhades.compile(graph).run(feeds), interpret(graph, feeds))


def test_listing_trace_and_dump_show_stages():
    graph, feeds = picked_pixels(), bright(33)
    program = pyhades.compile(graph, keep_all=True)
    before = len(program.lines)
    trace = program.trace(feeds)
    assert len(program.lines) > before
    assert [line.index for line in program.lines] == list(range(len(program.lines)))
    assert "stage 2" in str(program) and "nonzero" in str(program)
    assert "<table>" in program._repr_html_()
    assert repr(program).startswith("StagedProgram(test: ")
    assert program.flops > 0 and program.memory.arena > 0
    assert len(trace.lines) == len(program.lines) and trace.seconds > 0
    assert "nonzero" in trace.by_op()
    everything = interpret(graph, feeds, keep_all=True)
    values = program.dump(feeds)
    assert any(name.startswith("nonzero") for name in values)
    for name in values.keys() & everything.keys():
        np.testing.assert_allclose(values[name], everything[name], rtol=1e-4, atol=1e-4)
    with pytest.raises(ArgumentError, match="keep_all"):
        pyhades.compile(graph).dump(feeds)


def test_bad_feeds_are_named():
    program = pyhades.compile(picked_pixels())
    with pytest.raises(ArgumentError, match="'x1'"):
        program.run({"x0": bright(1)["x0"]})
    with pytest.raises(ShapeError, match=r"x0.*\(1, 3, 8, 8\)"):
        program.run({**bright(1), "x0": np.zeros((1, 3, 8, 8), np.float32)})


def test_data_that_do_not_fit_name_the_node():
    b = Builder()
    x, shape = b.input(2, 6), b.input(2, dtype=np.int64)
    program = pyhades.compile(b.graph(b.op("Reshape", x, shape)))
    with pytest.raises(ShapeError, match=r"Reshape 'node0'.*\[5, 5\]"):
        program(np.zeros((2, 6), np.float32), np.array([5, 5]))
    assert program(np.zeros((2, 6), np.float32), np.array([4, 3])).shape == (4, 3)


@pytest.mark.parametrize("op", ["ConstantOfShape", "Expand", "Tile", "Range"])
def test_sizes_that_no_machine_has_are_refused(op):
    b = Builder()
    x, size = b.input(1), b.input(*([] if op == "Range" else [1]), dtype=np.int64)
    one = b.const(1, np.int64)
    inputs = {"ConstantOfShape": [size], "Range": [b.const(0, np.int64), size, one]}
    program = pyhades.compile(b.graph(b.op(op, *inputs.get(op, [x, size]))))
    for huge in (1 << 40, 1 << 62):
        with pytest.raises(ShapeError, match=f"{op}.*memory"):
            program(np.ones(1, np.float32), np.full(size.type.shape, huge))


def test_compare_finds_no_difference():
    found = compare(picked_pixels(), bright(50))
    assert found.first is None and len(found.errors) > 3, str(found)


def test_close_frees_and_refuses():
    program = pyhades.compile(picked_pixels())
    with program:
        program.run(bright(3))
    with pytest.raises(ClosedError):
        program.run(bright(3))


# Against onnxruntime.


def onnx_model(nodes, inputs, outputs, initializers=(), opset=17):
    def info(name, dtype, shape):
        return helper.make_tensor_value_info(name, dtype, shape)

    graph = helper.make_graph(
        nodes,
        "detector",
        [info(*i) for i in inputs],
        [info(*o) for o in outputs],
        [numpy_helper.from_array(np.asarray(data), name) for name, data in initializers],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    return model.SerializeToString()


def detector(most: int, overlap: float, score: float) -> bytes:
    """The end of a YOLO-like network: boxes are decoded, suppressed and gathered."""
    n = helper.make_node
    nodes = [
        n("Split", ["predictions"], ["centres", "sizes", "raw"], axis=1),
        n("Mul", ["sizes", "half"], ["halves"]),
        n("Sub", ["centres", "halves"], ["low"]),
        n("Add", ["centres", "halves"], ["high"]),
        n("Concat", ["low", "high"], ["corners_t"], axis=1),
        n("Transpose", ["corners_t"], ["corners"], perm=[0, 2, 1]),
        n("Sigmoid", ["raw"], ["scores"]),
        n("NonMaxSuppression", ["corners", "scores", "most", "overlap", "score"], ["selected"]),
        n("Gather", ["selected", "zero"], ["entry"], axis=1),
        n("Gather", ["selected", "one"], ["class"], axis=1),
        n("Gather", ["selected", "two"], ["box"], axis=1),
        n("Concat", ["entry2", "box2"], ["at"], axis=1),
        n("GatherND", ["corners", "at"], ["boxes"]),
        n("GatherND", ["scores", "selected"], ["best"]),
        n("Unsqueeze", ["best", "axis1"], ["best2"]),
        n("Cast", ["class"], ["class_f"], to=TensorProto.FLOAT),
        n("Unsqueeze", ["class_f", "axis1"], ["class2"]),
        n("Concat", ["boxes", "best2", "class2"], ["detections"], axis=1),
    ]
    nodes[11:11] = [
        n("Unsqueeze", ["entry", "axis1"], ["entry2"]),
        n("Unsqueeze", ["box", "axis1"], ["box2"]),
    ]
    nodes[0].input.append("parts")
    constants = [
        ("parts", np.array([2, 2, 2])), ("half", np.float32(0.5)), ("axis1", np.array([1])),
        ("zero", np.array(0)), ("one", np.array(1)), ("two", np.array(2)),
        ("most", np.array([most])), ("overlap", np.float32([overlap])),
        ("score", np.float32([score])),
    ]  # fmt: skip
    return onnx_model(
        nodes,
        [("predictions", TensorProto.FLOAT, [2, 6, 300])],
        [("detections", TensorProto.FLOAT, ["found", 6])],
        constants,
    )


def predictions(seed: int, scale: float) -> np.ndarray:
    random = np.random.default_rng(seed)
    x = random.random((2, 6, 300), np.float32)
    x[:, 2:4] *= scale
    x[:, 4:] = random.standard_normal((2, 2, 300)).round(1)  # with ties
    return x


@pytest.mark.parametrize(
    ("most", "overlap", "score"), [(100, 0.5, 0.4), (3, 0.1, 0.5), (300, 0.9, 0.0), (50, 0.5, 0.99)]
)
def test_detections_are_those_of_onnxruntime(most, overlap, score):
    model = detector(most, overlap, score)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    program = pyhades.compile(pyhades.load_onnx(model))
    assert program.outputs["detections"].shape == ("found", 6)
    for seed in range(6):
        x = predictions(seed, scale=[0.02, 0.1, 0.5][seed % 3])
        (expected,) = session.run(None, {"predictions": x})
        found = program(x)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("centred", [0, 1])
@pytest.mark.parametrize("inputs", [2, 3, 4, 5])
def test_suppression_is_that_of_onnxruntime(centred, inputs):
    names = ["boxes", "scores", "most", "overlap", "score"][:inputs]
    kinds = [TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.INT64, *[TensorProto.FLOAT] * 2]
    shapes = [[2, 60, 4], [2, 3, 60], [1], [1], [1]]
    model = onnx_model(
        [helper.make_node("NonMaxSuppression", names, ["y"], center_point_box=centred)],
        list(zip(names, kinds, shapes, strict=False)),
        [("y", TensorProto.INT64, [None, 3])],
    )
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    program = pyhades.compile(pyhades.load_onnx(model))
    random = np.random.default_rng(0)
    for most, overlap, score in [(0, 0.5, 0.5), (60, 0.0, 0.2), (5, 1.0, 0.0), (7, 0.3, 2.0)]:
        boxes = random.random((2, 60, 4), np.float32).round(1)  # some without area, many alike
        scores = random.random((2, 3, 60), np.float32).round(1)
        numbers = np.array([most]), np.float32([overlap]), np.float32([score])
        feeds = dict(zip(names, [boxes, scores, *numbers], strict=False))
        (expected,) = session.run(None, feeds)
        assert np.array_equal(program.run(feeds)["y"], expected)


def test_a_staged_program_pickles_by_path(tmp_path):
    path = tmp_path / "detector.onnx"
    path.write_bytes(detector(100, 0.5, 0.4))
    program = pyhades.compile(pyhades.load_onnx(path), threads=1)
    x = predictions(0, 0.1)
    assert np.array_equal(pickle.loads(pickle.dumps(program))(x), program(x))


def test_what_numpy_runs_for_want_of_a_kernel_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "has_kernel", lambda op: op != "TopK" and has_kernel(op))
    build = Builder()
    values, indices = build.op("TopK", build.input(4), build.ints(2), outputs=2)
    program = pyhades.compile(build.graph(values, indices))
    assert "no native kernel for TopK; NumPy runs them" in caplog.text
    assert program.run({"x0": np.float32([3, 1, 4, 1])})[indices.name].tolist() == [2, 0]
