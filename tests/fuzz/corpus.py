"""Small model files that mutations begin with: made here, by our own writer of the wire format."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pyhades.errors import PyhadesError
from pyhades.ir.registry import operator
from pyhades.onnx import load_onnx
from pyhades.onnx.elements import onnx_dtype
from pyhades.onnx.schema import MODEL
from pyhades.onnx.translate import NEWEST_OPSET, supported_domains, supported_operators
from pyhades.onnx.wire import Record, encode
from pyhades.segmentation.manifest import METADATA_KEY, ModelManifest

Shape = Sequence[int | str]
_RANDOM = np.random.default_rng(0)
MANIFEST = ModelManifest("small", (8, 8), mean=0.5, range="minmax").to_json()


def encoded(model: Record) -> bytes:
    """The bytes of a ModelProto."""
    return b"".join(map(bytes, encode(model, MODEL)))


def attribute(name: str, value: Any) -> Record:
    """An AttributeProto."""
    if isinstance(value, dict):
        return {"name": name, "g": value, "type": 5}
    if isinstance(value, str):
        return {"name": name, "s": value.encode(), "type": 3}
    if isinstance(value, float):
        return {"name": name, "f": value, "type": 1}
    if isinstance(value, int):
        return {"name": name, "i": value, "type": 2}
    if isinstance(value, np.ndarray):
        return {"name": name, "t": tensor("", value), "type": 4}
    if value and isinstance(value[0], float):
        return {"name": name, "floats": list(value), "type": 6}
    return {"name": name, "ints": list(value), "type": 7}


def node(op: str, inputs: str, outputs: str, domain: str = "", **attributes: Any) -> Record:
    """A NodeProto; names are separated by blanks, and ``_`` leaves one out."""
    return {
        "op_type": op,
        "inputs": ["" if name == "_" else name for name in inputs.split()],
        "outputs": outputs.split(),
        "name": f"{op} {outputs}",
        "domain": domain,
        "attributes": [attribute(name, value) for name, value in attributes.items()],
    }


def tensor(name: str, data: Any) -> Record:
    """A TensorProto."""
    array = np.asarray(data)
    return {
        "name": name,
        "dims": list(array.shape),
        "data_type": onnx_dtype(array.dtype),
        "raw_data": array.tobytes(),
    }


def info(name: str, shape: Shape | None = None, element: int = 1) -> Record:
    """A ValueInfoProto."""
    kind: Record = {"element": element}
    if shape is not None:
        dims = [{"value": d} if isinstance(d, int) else {"parameter": d} for d in shape]
        kind["shape"] = {"dims": dims}
    return {"name": name, "type": {"tensor": kind}}


def model(
    nodes: list[Record],
    weights: dict[str, Any],
    shape: Shape = (1, 3, 8, 8),
    opset: int = 20,
    element: int = 1,
    **rest: Any,
) -> Record:
    """A ModelProto with input x and output y."""
    weights = {name: np.asarray(data) for name, data in weights.items()}
    return {
        "ir_version": 10,
        "opsets": [
            {"domain": "", "version": opset},
            {"domain": "com.microsoft", "version": 1},
            {"domain": "local", "version": 1},
        ],
        "graph": {
            "name": "small",
            "nodes": nodes,
            "initializers": [tensor(name, data) for name, data in weights.items()],
            "inputs": [info("x", shape, element)],
            "outputs": [info("y", None, element)],
        },
        "metadata": [{"key": METADATA_KEY, "value": MANIFEST}],
        **rest,
    }


def normal(*shape: int) -> Any:
    """Weights."""
    return _RANDOM.normal(size=shape).astype(np.float32)


def _convolutions() -> Record:
    nodes = [
        node("Conv", "x w b", "c", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("BatchNormalization", "c s s s v", "n", epsilon=1e-3),
        node("LeakyRelu", "n", "r", alpha=0.1),
        node("ConvTranspose", "r t", "u", strides=[2, 2], output_padding=[1, 1], pads=[1, 1, 1, 1]),
        node("Resize", "u _ scales", "z", mode="linear"),
        node("MaxPool", "z", "m", kernel_shape=[2, 2], strides=[2, 2]),
        node("AveragePool", "m", "a", kernel_shape=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1),
        node("Concat", "a x", "k", axis=1),
        node("Sigmoid", "k", "y"),
    ]
    weights = {"w": normal(4, 3, 3, 3), "b": normal(4), "s": normal(4), "v": np.abs(normal(4))}
    weights |= {"t": normal(4, 3, 3, 3), "scales": np.float32([1, 1, 2, 2])}
    return model(nodes, weights)


def _attention() -> Record:
    nodes = [
        node("LayerNormalization", "x g h", "n", axis=-1),
        node("MatMul", "n w", "p"),
        node("Reshape", "p four", "q"),
        node("Transpose", "q", "t", perm=[0, 2, 1, 3]),
        node("Transpose", "q", "k", perm=[0, 2, 3, 1]),
        node("MatMul", "t k", "s"),
        node("Softmax", "s", "a", axis=-1),
        node("MatMul", "a t", "v"),
        node("Transpose", "v", "o", perm=[0, 2, 1, 3]),
        node("Reshape", "o back", "f"),
        node("Squeeze", "f axes", "e"),
        node("Gelu", "e", "y", approximate="tanh"),
    ]
    weights: dict[str, Any] = {"w": normal(8, 8), "back": np.int64([1, 0, -1])}
    weights |= {"four": np.int64([1, 5, 2, 4]), "axes": np.int64([0])}
    return model(nodes, weights | {"g": normal(8), "h": normal(8)}, (1, 5, 8))


def _shapes() -> Record:
    """Sizes that are computed, as exporters write them."""
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s two", "h", axis=0),
        node("Unsqueeze", "h zero", "u"),
        node("Mul", "u pair", "d"),
        node("Concat", "ends d", "c", axis=0),
        node("Slice", "c start stop", "tail"),
        node("Pad", "x pads", "p", mode="reflect"),
        node("ConstantOfShape", "tail", "o", value=np.float32([2])),
        node("Expand", "o tail", "e"),
        node("ReduceMean", "p axes", "m", keepdims=0),
        node("Tile", "m repeats", "l"),
        node("Range", "zero0 lim step", "r"),
        node("Cast", "r", "f", to=1),
        node("Split", "x", "i j", axis=2, num_outputs=2),
        node("Where", "cond i j", "w"),
        node("ReduceMax", "w axes4", "z", keepdims=0),
        node("Add", "z l", "y"),
    ]
    weights = {"two": np.int64(2), "zero": np.int64([0]), "pair": np.int64([2])}
    weights |= {"ends": np.int64([1, 3]), "start": np.int64([1]), "stop": np.int64([9])}
    weights |= {"pads": np.int64([0, 0, 1, 1, 0, 0, 1, 1]), "axes": np.int64([1, 2, 3])}
    weights |= {"axes4": np.int64([0, 1, 2, 3]), "zero0": np.int64(0), "lim": np.int64(7)}
    weights |= {"repeats": np.int64([4]), "step": np.int64(2), "cond": np.array([True])}
    return model(nodes, weights, ("n", 3, 8, "w"))


def _control() -> Record:
    branch = {
        "name": "then",
        "nodes": [node("Mul", "x k", "o")],
        "initializers": [tensor("k", np.float32(2))],
        "outputs": [info("o")],
    }
    other = {"name": "else", "nodes": [node("Neg", "x", "o")], "outputs": [info("o")]}
    step = {
        "name": "body",
        "inputs": [info("i", (), 7), info("c", (), 9), info("a", (1, 3, 8, 8))],
        "nodes": [node("Identity", "c", "cc"), node("Add", "a x", "b")],
        "outputs": [info("cc", (), 9), info("b")],
    }
    nodes = [
        node("If", "yes", "b", then_branch=branch, else_branch=other),
        node("Loop", "three yes b", "y", body=step),
    ]
    return model(nodes, {"yes": np.array(True), "three": np.int64(3)})


def _functions() -> Record:
    scaled = node("LeakyRelu", "a", "t")
    scaled["attributes"] = [{"name": "alpha", "ref_attr_name": "slope", "type": 1}]
    opsets = [{"domain": "", "version": 20}, {"domain": "local", "version": 1}]
    inner = {"name": "Leak", "domain": "local", "inputs": ["a"], "outputs": ["b"]}
    inner |= {"nodes": [scaled, node("Add", "t a", "b")], "attributes": ["slope"]}
    outer = {"name": "Twice", "domain": "local", "inputs": ["a"], "outputs": ["b"]}
    calls = [node("Leak", "c", "b", "local", slope=0.5), node("Leak", "a", "c", "local")]
    outer |= {"nodes": calls, "defaults": [attribute("slope", 0.25)]}
    functions = [{**function, "opsets": opsets} for function in (inner, outer)]
    return model([node("Twice", "x", "y", "local")], {}, functions=functions)


def _quantised() -> Record:
    nodes = [
        node("QuantizeLinear", "x s z", "q"),
        node("DequantizeLinear", "q s z", "d"),
        node("DequantizeLinear", "w ws wz", "f", axis=0),
        node("Conv", "d f", "c"),
        node("DynamicQuantizeLinear", "c", "u us uz"),
        node("DequantizeLinear", "u us uz", "y"),
    ]
    weights = {
        "s": np.float32(0.1),
        "z": np.uint8(128),
        "w": np.int8(_RANDOM.integers(-9, 9, (4, 3, 1, 1))),
    }
    weights |= {"ws": np.abs(normal(4)), "wz": np.zeros(4, np.int8)}
    return model(nodes, weights)  # fmt: skip


def _narrow() -> Record:
    nodes = [node("Cast", "x", "h", to=10), node("Mul", "h w", "m"), node("Cast", "m", "y", to=16)]
    record = model(nodes, {"w": np.float16([2])}, element=16)
    sparse = {
        "values": tensor("sp", normal(2)),
        "indices": tensor("", np.int64([1, 5])),
        "dims": [8],
    }
    record["graph"]["sparse_initializers"] = [sparse]
    return record


def _one_node(op: str, domain: str) -> Iterator[Record]:
    """Graphs of one operator and its defaults, on inputs of several kinds."""
    try:
        known = operator(op)
    except Exception:
        known = None
    count = 2 if known is None else len(known.signature.inputs)
    defaults = {} if known is None else known.defaults
    given = {k: v for k, v in defaults.items() if isinstance(v, int | float | str)}
    for kinds in ([normal(1, 3, 8, 8)], [np.int64([1])], [normal(3, 3, 3, 3), np.int64([2, 1])]):
        weights = {f"i{i}": kinds[min(i, len(kinds) - 1)] for i in range(count - 1)}
        names = " ".join(["x", *weights])
        yield model([node(op, names, "y", domain, **given)], weights, opset=NEWEST_OPSET)


def _loads(record: Record) -> bool:
    try:
        load_onnx(encoded(record))
    except PyhadesError:
        return False
    return True


def corpus() -> list[Record]:
    """ModelProtos: composed ones, and one for each kind of input that an operator takes."""
    makers = (_convolutions, _attention, _shapes, _control, _functions, _quantised, _narrow)
    composed = [make() for make in makers]
    single = [
        record
        for domain in supported_domains()
        for op in supported_operators(domain)
        for record in _one_node(op, domain)
        if _loads(record)
    ]
    # As many mutations of the composed as of all the single ones together.
    return composed * max(1, len(single) // len(composed)) + single


def manifests() -> list[Any]:
    """Manifests as parsed JSON."""
    return [json.loads(MANIFEST)]
