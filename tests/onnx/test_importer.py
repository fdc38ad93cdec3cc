"""Reading models: what is accepted, and how everything else is refused."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pyhades import load_onnx
from pyhades.errors import (
    ArgumentTypeError,
    ModelError,
    PyhadesError,
    ShapeError,
    UnsupportedOperatorError,
)
from pyhades.ir.interpreter import interpret

WEIGHT = np.arange(12, dtype=np.float32).reshape(4, 3)


def model(
    nodes: list[onnx.NodeProto] | None = None,
    initializers: list[onnx.TensorProto] | None = None,
    shape: tuple[int | str | None, ...] = (2, 4),
    opset: int = 17,
    **rest: Any,
) -> onnx.ModelProto:
    """y = relu(x @ w) unless told otherwise."""
    if nodes is None:
        nodes = [
            helper.make_node("MatMul", ["x", "w"], ["h"], name="product"),
            helper.make_node("Relu", ["h"], ["y"], name="clamp"),
        ]
    if initializers is None:
        initializers = [numpy_helper.from_array(WEIGHT, "w")]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        initializers,
    )
    opsets = rest.pop("opset_imports", [helper.make_opsetid("", opset)])
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **rest)


def load(proto: onnx.ModelProto) -> Any:
    return load_onnx(proto.SerializeToString())


def test_path_bytes_and_file_give_the_same_graph(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    data = model().SerializeToString()
    path.write_bytes(data)
    by_path = load_onnx(path)
    graphs = [by_path, load_onnx(str(path)), load_onnx(data), load_onnx(io.BytesIO(data))]
    assert len({str(graph) for graph in graphs}) == 1
    assert by_path.source == str(path)
    assert graphs[2].source is None
    x = np.ones((2, 4), np.float32)
    for graph in graphs:
        np.testing.assert_allclose(interpret(graph, {"x": x})["y"], x @ WEIGHT)


def test_names_types_and_metadata_are_kept() -> None:
    proto = model()
    helper.set_model_props(proto, {"licence": "CC0", "size": "320"})
    graph = load(proto)
    assert [node.name for node in graph.nodes] == ["product", "clamp"]
    assert [value.name for value in graph.inputs] == ["x"]
    assert str(graph.outputs[0].type) == "float32[2,3]"
    assert graph.metadata == {"licence": "CC0", "size": "320"}
    assert graph.name == "small"


def test_symbolic_extents_stay_symbolic_and_any_size_runs() -> None:
    graph = load(model(shape=("batch", 4)))
    assert str(graph.outputs[0].type) == "float32[batch,3]"
    for batch in (1, 5):
        x = np.ones((batch, 4), np.float32)
        assert interpret(graph, {"x": x})["y"].shape == (batch, 3)


def test_unknown_extents_do_not_stop_the_import() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Reshape", ["x", "s"], ["y"]),
    ]
    graph = load(model(nodes, [], shape=(None, "n")))
    assert graph.outputs[0].type.shape == ("?", "?")


def test_an_initializer_that_is_also_an_input_is_a_constant() -> None:
    proto = model()
    proto.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, (4, 3)))
    assert [value.name for value in load(proto).inputs] == ["x"]


def test_omitted_outputs_in_the_middle() -> None:
    nodes = [helper.make_node("LayerNormalization", ["x", "w"], ["y", "", "d"])]
    graph = load(model(nodes, [numpy_helper.from_array(np.ones(4, np.float32), "w")]))
    assert [value.name for value in graph.nodes[0].outputs][::2] == ["y", "d"]
    assert graph.nodes[0].outputs[1].name not in ("", "y", "d")


DTYPES = ["f4", "f8", "f2", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_initializers_of_every_dtype(dtype: str, raw: bool) -> None:
    data = np.array([[0, 1, 3], [100, 7, 1]]).astype(dtype)
    number = helper.np_dtype_to_tensor_dtype(data.dtype)
    tensor = helper.make_tensor("w", number, data.shape, data.tobytes() if raw else data, raw=raw)
    nodes = [
        helper.make_node("Identity", ["w"], ["v"]),
        helper.make_node("Relu", ["x"], ["y"]),
    ]
    graph = load(model(nodes, [tensor]))
    loaded = graph.nodes[0].inputs[0].data
    np.testing.assert_array_equal(loaded, data)
    assert loaded.dtype == data.dtype


@pytest.mark.parametrize("raw", [True, False])
def test_bfloat16_is_widened(raw: bool) -> None:
    bits = np.array([0x3F80, 0xC000, 0x3F81], np.uint16)
    tensor = onnx.TensorProto(name="w", data_type=TensorProto.BFLOAT16, dims=[3])
    if raw:
        tensor.raw_data = bits.tobytes()
    else:
        tensor.int32_data.extend(int(b) for b in bits)
    nodes = [helper.make_node("Mul", ["x", "w"], ["y"])]
    graph = load(model(nodes, [tensor], shape=(3,)))
    np.testing.assert_array_equal(graph.nodes[0].inputs[1].data, np.float32([1, -2, 1.0078125]))


def test_constants_are_views_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    weight = np.zeros((4, 8_000_000), np.float32)
    path.write_bytes(model(initializers=[numpy_helper.from_array(weight, "w")]).SerializeToString())
    tracemalloc.start()
    graph = load_onnx(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
    assert graph.nodes[0].inputs[1].data.nbytes == weight.nbytes
    assert not graph.nodes[0].inputs[1].data.flags.writeable


def external(folder: Path) -> Path:
    path = folder / "model.onnx"
    onnx.save(model(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (folder / "weights.bin").exists()
    return path


def test_external_data(tmp_path: Path) -> None:
    path = external(tmp_path)
    np.testing.assert_array_equal(load_onnx(path).nodes[0].inputs[1].data, WEIGHT)


def test_external_data_needs_a_path(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"external file 'weights.bin'; load the model by its path"
    ):
        load_onnx(external(tmp_path).read_bytes())


def test_external_data_that_is_missing_or_short(tmp_path: Path) -> None:
    path = external(tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"short")
    with pytest.raises(ModelError, match="wants 48 bytes"):
        load_onnx(path)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelError, match="cannot read"):
        load_onnx(path)


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "", ".", "link/weights.bin"])
def test_external_data_does_not_escape(tmp_path: Path, location: str) -> None:
    (tmp_path / "weights.bin").write_bytes(WEIGHT.tobytes())
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path)
    proto = model()
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    (inside / "model.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match="is not inside"):
        load_onnx(inside / "model.onnx")


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.onnx: cannot read"):
        load_onnx(tmp_path / "absent.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(ModelError, match="empty"):
        load_onnx(tmp_path / "empty.onnx")
    with pytest.raises(ModelError, match="no graph"):
        load_onnx(b"\x08\x08")
    with pytest.raises(ModelError, match="malformed at byte 0"):
        load_onnx(b"\x0f\x0f")
    with pytest.raises(ArgumentTypeError, match="int"):
        load_onnx(3)  # type: ignore[arg-type]


def relu_then(op: str, **attributes: Any) -> list[onnx.NodeProto]:
    domain = attributes.pop("domain", "")
    return [helper.make_node(op, ["x"], ["y"], name="odd", domain=domain, **attributes)]


@pytest.mark.parametrize(
    ("proto", "error", "message"),
    [
        (model(relu_then("Rellu"), []), UnsupportedOperatorError, r"'odd' \(Rellu\).*mean Relu"),
        (model(relu_then("NonZero"), []), UnsupportedOperatorError, "size depends on data"),
        (model(relu_then("Loop"), []), UnsupportedOperatorError, "control flow"),
        *(
            (
                model(relu_then(op), []),
                UnsupportedOperatorError,
                rf"'odd' \({op}\).*no such operator.*export the model without it",
            )
            for op in ("ImageDecoder", "StringNormalizer", "TfIdfVectorizer")
        ),
        (model(relu_then("If"), []), UnsupportedOperatorError, "export the branch that is taken"),
        (
            model(relu_then("CropAndResize", domain="com.microsoft"), []),
            UnsupportedOperatorError,
            "domain 'com.microsoft'",
        ),
        (model(relu_then("Relu", slope=1.0), []), ModelError, "no attribute 'slope'"),
        (model(opset=6), ModelError, "opset 6 is outside of 7 to 28"),
        (model(opset=99), ModelError, "opset 99"),
        (model(opset_imports=[helper.make_opsetid("com.acme", 1)]), ModelError, "which ONNX opset"),
        (
            model(initializers=[numpy_helper.from_array(WEIGHT, "x")]),
            ModelError,
            "reads 'w', which nothing makes",
        ),
        (model(shape=(2, 5)), ShapeError, r"'product' \(MatMul\).*inner extents differ: 5 and 4"),
        (
            model(initializers=[numpy_helper.from_array(WEIGHT.astype("f8"), "w")]),
            ShapeError,
            "dtype float64, expected float32",
        ),
    ],
)
def test_refusals_name_node_and_remedy(
    proto: onnx.ModelProto, error: type[PyhadesError], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "refused.onnx"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(error, match=message) as caught:
        load_onnx(path)
    assert str(path) in str(caught.value)


def test_functions_are_inlined() -> None:
    function = helper.make_function(
        "local",
        "F",
        ["a"],
        ["b"],
        [helper.make_node("Relu", ["a"], ["b"])],
        [helper.make_opsetid("", 17)],
    )
    proto = model(
        [
            helper.make_node("F", ["x"], ["h"], domain="local"),
            helper.make_node("F", ["h"], ["y"], domain="local"),
        ],
        [],
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("local", 1)],
    )
    proto.functions.append(function)
    assert [node.op for node in load(proto).nodes] == ["Relu", "Relu"]


def test_an_output_declared_with_another_dtype_is_refused() -> None:
    proto = model()
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    with pytest.raises(ShapeError, match=r"declared int64.*computed float32"):
        load(proto)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dims": [4, 4]}, "has 12 elements"),
        ({"dims": [-4, 3]}, "negative"),
        ({"raw_data": WEIGHT.tobytes()[:-1]}, "no multiple"),
        ({"data_type": 77}, "number 77"),
        ({"data_type": TensorProto.STRING}, "string"),
    ],
)
def test_tensors_that_contradict_themselves(change: dict[str, Any], message: str) -> None:
    proto = model()
    tensor = proto.graph.initializer[0]
    for name, value in change.items():
        tensor.ClearField(name)
        if isinstance(value, list):
            getattr(tensor, name).extend(value)
        else:
            setattr(tensor, name, value)
    with pytest.raises(ModelError, match=message) as caught:
        load(proto)
    assert "initializer 'w'" in str(caught.value)


def busy_model() -> bytes:
    """A small file with every kind of field in it."""
    initializers = [
        numpy_helper.from_array(np.ones((2, 3, 1, 1), np.float32), "w"),
        helper.make_tensor("typed", TensorProto.FLOAT, [2], [0.5, 1.5]),
        helper.make_tensor("doubles", TensorProto.DOUBLE, [2], [0.5, 1.5]),
        helper.make_tensor("shape", TensorProto.INT64, [2], [2, -1]),
    ]
    value = numpy_helper.from_array(np.float32([1, 2]))
    nodes = [
        helper.make_node("Constant", [], ["c"], value=value),
        helper.make_node("Constant", [], ["f"], value_floats=[1.0, 2.0]),
        helper.make_node("Conv", ["x", "w", "typed"], ["h"], pads=[1, 1, 0, 0], name="conv"),
        helper.make_node("LeakyRelu", ["h"], ["r"], alpha=0.125),
        helper.make_node("Reshape", ["r", "shape"], ["m"]),
        helper.make_node("Transpose", ["m"], ["t"], perm=[1, 0]),
        helper.make_node("Add", ["t", "c"], ["a"]),
        helper.make_node("Mul", ["a", "f"], ["y"]),
    ]
    proto = model(nodes, initializers, shape=(1, 3, 2, 2), producer_name="tests")
    helper.set_model_props(proto, {"key": "value"})
    return proto.SerializeToString()


def test_every_prefix_of_a_file_loads_or_raises_ours() -> None:
    data = busy_model()
    load_onnx(data)
    refused = 0
    for length in range(len(data)):
        try:
            load_onnx(data[:length])
        except PyhadesError:
            refused += 1
    assert refused > 0.9 * len(data)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_load_or_raise_ours(seed: int) -> None:
    data, random = busy_model(), np.random.default_rng(seed)
    for _ in range(1000):
        damaged = bytearray(data)
        for position in random.integers(len(data), size=random.integers(1, 4)):
            damaged[position] = random.integers(256)
        try:
            load_onnx(bytes(damaged))
        except PyhadesError:
            continue
