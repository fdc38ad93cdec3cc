"""Runs lowered programs by NumPy, in a real arena: the oracle of lowering and of the memory plan.

Every native operator is evaluated on strided views of one byte array per buffer, by the reference
of the IR operator that it comes from. The arena starts full of NaN, so that reading memory that was
never written, or was handed to another value too early, shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pyhades import _native
from pyhades.compiler.instruction import Instruction, Lowered
from pyhades.compiler.memory import plan_memory
from pyhades.compiler.view import View
from pyhades.ir.graph import Node, Value
from pyhades.ir.inference import type_of
from pyhades.ir.registry import operator
from pyhades.numerics import epilogue
from pyhades.numerics.epilogue import Stage
from pyhades.numerics.functions import FUNCTIONS

Array = np.ndarray[Any, Any]


def execute(lowered: Lowered, feeds: Mapping[str, Array], keep_all: bool = False) -> list[Array]:
    """The outputs of ``lowered``, in order."""
    plan = plan_memory(lowered, keep_all)
    arena = np.full(plan.arena_bytes + 8, 0xFF, np.uint8)
    io = {
        view.buffer: np.full(max(view.buffer.nbytes, 1), 0xFF, np.uint8)
        for view in (*lowered.inputs.values(), *lowered.outputs)
    }

    def window(view: View | None) -> Array | None:
        if view is None:
            return None
        if view.buffer.kind == "constant":
            memory, base = view.buffer.data.reshape(-1).view(np.uint8), 0
        elif view.buffer.kind == "io":
            memory, base = io[view.buffer], 0
        else:
            memory, base = arena, plan.offsets[view.buffer]
        size = view.dtype.itemsize
        check_extent(view)
        if 0 in view.shape:
            return np.empty(view.shape, view.dtype)
        strides = tuple(stride * size for stride in view.strides)
        return np.ndarray(view.shape, view.dtype, memory, base + view.offset * size, strides)

    for name, view in lowered.inputs.items():
        window(view)[...] = feeds[name]
    for instruction in lowered.instructions:
        inputs = [window(view) for view in instruction.inputs]
        outputs = [window(view) for view in instruction.outputs]
        with np.errstate(all="ignore"):
            results = OPERATORS[instruction.op](instruction, *inputs)
        for output, result in zip(outputs, results, strict=False):
            if output is not None:
                output[...] = np.asarray(result).reshape(output.shape)
    return [window(view).copy() for view in lowered.outputs]


def check_extent(view: View) -> None:
    """Fail if ``view`` reaches outside of its buffer."""
    if 0 in view.shape:
        return
    reach = [(e - 1) * s for e, s in zip(view.shape, view.strides, strict=True)]
    first = view.offset + sum(r for r in reach if r < 0)
    last = view.offset + sum(r for r in reach if r > 0)
    assert first >= 0 and (last + 1) * view.dtype.itemsize <= view.buffer.nbytes, f"{view}"


def ir(op: str, outputs: int = 1, /, *arrays: Array | None, **attributes: Any) -> list[Array]:
    """Evaluate an IR operator."""
    values = [None if a is None else Value(f"v{i}", type_of(a), a) for i, a in enumerate(arrays)]
    node = Node(op, values, [Value(f"y{i}") for i in range(outputs)], attributes)
    return operator(op).reference(node, *arrays)


def finish(i: Instruction, x: Array, residual: Array | None = None) -> list[Array]:
    a = i.attributes

    def stage(name: str) -> Stage:
        numbers = (a[key] for key in (f"{name}_alpha", f"{name}_beta") if key in a)
        return a.get(name, "none"), tuple(numbers)

    return [epilogue.finish(x, stage("activation"), residual, stage("after"))]


def conv2d(i: Instruction, x, w, bias=None, residual=None):
    a = i.attributes
    attributes = {
        "strides": a["strides"],
        "pads": a["pads"],
        "dilations": a["dilations"],
        "group": a["groups"],
    }
    return finish(i, ir("Conv", 1, x, w, bias, **attributes)[0], residual)


def gemm(i: Instruction, a, b, bias=None, residual=None):
    y = a @ b
    return finish(i, y if bias is None else y + bias, residual)


def matmul(i: Instruction, a, b, bias=None, residual=None):
    y = np.matmul(a, b) * np.float32(i.attributes.get("alpha", 1.0))
    return finish(i, y if bias is None else y + bias, residual)


def attention(i: Instruction, q, k, v, bias=None, sinks=None, lengths=None, mask=None):
    assert sinks is None and lengths is None
    return ir("FusedAttention", 1, q, k, v, bias, mask, scale=i.attributes["scale"])


def layer_norm(i: Instruction, x, weight=None, bias=None, residual=None):
    assert residual is None
    weight = np.ones(x.shape[1], x.dtype) if weight is None else weight
    outputs = len(i.outputs)
    return ir("LayerNormalization", outputs, x, weight, bias, epsilon=i.attributes["epsilon"])


def rms_norm(i: Instruction, x, weight=None, residual=None):
    assert residual is None
    return ir("RMSNormalization", 1, x, weight, epsilon=i.attributes["epsilon"])


def group_norm(i: Instruction, x, weight, bias):
    attributes = {"num_groups": i.attributes["groups"], "epsilon": i.attributes["epsilon"]}
    return finish(i, ir("GroupNormalization", 1, x, weight, bias, **attributes)[0], None)


def scale_shift(i: Instruction, x, scale, shift):
    return finish(i, x * scale[:, None] + shift[:, None])


def softmax(i: Instruction, x):
    return ir("LogSoftmax" if i.attributes["log"] else "Softmax", 1, x, axis=-1)


def pointwise(i: Instruction, *inputs):
    names = {row.number: name for name, row in _native.element_functions().items()}
    code, constants = i.attributes["code"], i.attributes["constants"]
    registers = {-1 - n: np.float32(c) for n, c in enumerate(constants)} | dict(enumerate(inputs))
    result = None
    for at in range(0, len(code), 5):
        row, destination = FUNCTIONS[names[code[at]]], code[at + 1]
        sources = code[at + 2 :][: row.arrays + len(row.parameters)]
        result = row.function(*(np.asarray(registers[source]) for source in sources))
        registers[destination] = np.asarray(result, np.float32)
    return [result]


def of_table(i: Instruction, *inputs):
    """``unary`` and ``binary``: the IR operator that the function comes from."""
    row = FUNCTIONS[i.attributes["function"]]
    if not row.onnx:
        assert row.name == "copy"
        return [inputs[0].copy()]
    return ir(row.onnx, 1, *inputs, **row.where)


def cast(i: Instruction, x):
    return ir("Cast", 1, x, to=i.outputs[0].dtype)


def reduce(i: Instruction, x):
    names = {"l1": "L1", "l2": "L2", "log_sum_exp": "LogSumExp", "sum_square": "SumSquare"}
    function = i.attributes["function"]
    name = names.get(function, function.title().replace("_", ""))
    axes = np.array(i.attributes["axes"], np.int64)
    return ir(f"Reduce{name}", 1, x, axes, keepdims=1, noop_with_empty_axes=1)


def arg_reduce(i: Instruction, x):
    name = {"argmax": "ArgMax", "argmin": "ArgMin"}[i.attributes["function"]]
    last = i.attributes["select_last_index"]
    return ir(name, 1, x, axis=i.attributes["axis"], keepdims=1, select_last_index=last)


def _pool_attributes(i: Instruction) -> dict[str, Any]:
    a = i.attributes
    # A window of ceil mode reaches past the input: pad the end for what the output needs.
    pads = list(a["pads"])
    for axis in range(2):
        extent = (a["kernel"][axis] - 1) * a["dilations"][axis] + 1
        covered = (i.outputs[0].shape[2 + axis] - 1) * a["strides"][axis] + extent
        pads[2 + axis] = max(pads[2 + axis], covered - i.inputs[0].shape[2 + axis] - pads[axis])
    return {
        "kernel_shape": a["kernel"],
        "strides": a["strides"],
        "dilations": a["dilations"],
        "pads": pads,
    }


def max_pool(i: Instruction, x):
    order = i.attributes["storage_order"]
    outputs = len(i.outputs)
    return ir("MaxPool", outputs, x, **_pool_attributes(i), storage_order=order)


def average_pool(i: Instruction, x):
    a, (_, _, h, w) = i.attributes, x.shape
    include = a["count_include_pad"]
    grown = _pool_attributes(i)
    before, after = a["pads"][:2], a["pads"][2:]
    ones = np.ones((1, 1, h, w), x.dtype)
    if include:
        x, ones = (
            np.pad(v, [(0, 0), (0, 0), *zip(before, after, strict=True)], constant_values=c)
            for v, c in ((x, 0), (ones, 1))
        )
        rest = [g - p for g, p in zip(grown["pads"], a["pads"], strict=True)]
        grown["pads"] = [0, 0, *rest[2:]]
    window = {**grown, "count_include_pad": 1}
    mean = ir("AveragePool", 1, x, **window)[0]
    return [mean / ir("AveragePool", 1, ones, **window)[0]]


def resize(i: Instruction, x):
    a, shape = i.attributes, i.outputs[0].shape
    from pyhades.numerics.interpolation import AxisResize, Sampling, axis_taps, resample

    sampling = Sampling(
        a["mode"],
        a["coordinates"],
        a["nearest_mode"],
        a["cubic_coeff_a"],
        bool(a["antialias"]),
        bool(a["exclude_outside"]),
    )
    y, outside = x, []
    for axis, (scale, extent, output) in enumerate(zip(a["scales"], x.shape, shape, strict=True)):
        if extent == output and scale == 1.0 and a["coordinates"] != "tf_crop_and_resize":
            continue
        taps = axis_taps(
            AxisResize(extent, output, scale, a["roi"][axis], a["roi"][axis + x.ndim]), sampling
        )
        if sampling.mode == "nearest":
            y = y.take(taps.indices[:, 0], axis=axis)
        else:
            y = resample(y, axis, taps)
        outside.append((axis, taps.outside))
    for axis, mask in outside:
        y[(slice(None),) * axis + (mask,)] = a["extrapolation_value"]
    return [y]


def pad(i: Instruction, x):
    pads = np.array(i.attributes["pads"], np.int64)
    value = np.asarray(i.attributes["value"]).astype(x.dtype)
    return ir("Pad", 1, x, pads, value, mode=i.attributes["mode"])


def cumsum(i: Instruction, x):
    a = i.attributes
    axis = np.array(a["axis"], np.int64)
    return ir("CumSum", 1, x, axis, exclusive=a["exclusive"], reverse=a["reverse"])


OPERATORS: dict[str, Callable[..., list[Array]]] = {
    "conv2d": conv2d,
    "gemm": gemm,
    "matmul": matmul,
    "attention": attention,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "group_norm": group_norm,
    "scale_shift": scale_shift,
    "softmax": softmax,
    "map": pointwise,
    "unary": of_table,
    "binary": of_table,
    "select": lambda i, c, a, b: [np.where(c, a, b)],
    "cast": cast,
    "copy": lambda i, x: [x.copy()],
    "fill": lambda i: [np.full(i.outputs[0].shape, i.attributes["value"], i.outputs[0].dtype)],
    "reduce": reduce,
    "arg_reduce": arg_reduce,
    "max_pool": max_pool,
    "average_pool": average_pool,
    "resize": resize,
    "pad": pad,
    "gather": lambda i, x, n: ir("Gather", 1, x, n, axis=i.attributes["axis"]),
    "gather_elements": lambda i, x, n: ir("GatherElements", 1, x, n, axis=i.attributes["axis"]),
    "gather_nd": lambda i, x, n: ir("GatherND", 1, x, n, batch_dims=i.attributes["batch_dims"]),
    "scatter_nd": lambda i, *x: ir("ScatterND", 1, *x, reduction=i.attributes["reduction"]),
    "scatter_elements": lambda i, *x: ir("ScatterElements", 1, *x, **i.attributes),
    "cumsum": cumsum,
}
