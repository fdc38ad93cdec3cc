"""Every pass keeps the meaning of a graph, and does what it is for."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pyhades.errors import ArgumentError, ShapeError
from pyhades.ir.interpreter import interpret
from pyhades.passes import (
    PASSES,
    decompose,
    eliminate,
    fold_batch_norm,
    fold_constants,
    fuse_attention,
    fuse_epilogue,
    fuse_pad,
    fuse_pointwise,
    fuse_roll,
    merge_products,
    optimise,
    recognise,
    recompute,
    regroup_matmul,
    specialise,
)
from tests.support.graphs import Builder, feeds_for


def kinds(graph):
    return Counter(node.op for node in graph.nodes)


def check(graph, transform, seed=0, bound=2e-5):
    """The transformed graph, after comparing both by the interpreter."""
    before = str(graph)
    feeds = feeds_for(graph, seed)
    expected = list(interpret(graph, feeds).values())
    result = transform(graph)
    assert str(graph) == before, "the pass changed its argument"
    actual = list(interpret(result, feeds).values())
    assert len(actual) == len(expected)
    for have, want in zip(actual, expected, strict=True):
        assert have.dtype == want.dtype and have.shape == want.shape
        if want.dtype.kind == "f":
            assert np.abs(have - want).max(initial=0) <= bound * max(1, np.abs(want).max(initial=0))
        else:
            assert np.array_equal(have, want)
    return result


def test_specialise_binds_symbols_and_names_mistakes():
    b = Builder()
    x = b.input("batch", 3, "h", "w")
    graph = b.graph(b.op("Relu", x))
    assert specialise(graph, {"x0": (2, 3, 4, 5)}).inputs[0].type.static_shape == (2, 3, 4, 5)
    with pytest.raises(ShapeError, match=r"x0.*input_shapes"):
        specialise(graph)
    with pytest.raises(ArgumentError, match="'y'"):
        specialise(graph, {"y": (1,), "x0": (1, 3, 2, 2)})
    with pytest.raises(ShapeError, match="rank 2"):
        specialise(graph, {"x0": (1, 3)})


def test_shape_arithmetic_is_folded():
    b = Builder()
    x = b.input(1, 4, 6, 10)
    shape = b.op("Shape", x)
    tail = b.op("Slice", shape, b.ints(2), b.ints(4), b.ints(0))
    doubled = b.op("Mul", tail, b.ints(2))
    sizes = b.op("Concat", b.op("Slice", shape, b.ints(0), b.ints(2)), doubled, axis=0)
    y = b.op("Resize", x, None, None, sizes, mode="linear")
    graph = check(b.graph(y), fold_constants)
    assert kinds(graph) == {"Resize": 1}


def test_a_shape_that_depends_on_data_is_refused():
    b = Builder()
    x, shape = b.input(4, 6), b.input(2, dtype=np.int64)
    graph = b.graph(b.op("Reshape", x, shape))
    with pytest.raises(ShapeError, match="node0"):
        fold_constants(graph)


def test_eliminate_drops_what_changes_nothing():
    b = Builder()
    x = b.input(2, 3, 4)
    y = b.op("Identity", x)
    y = b.op("Reshape", y, b.ints(2, 3, 4))
    y = b.op("Transpose", y, perm=[0, 1, 2])
    y = b.op("Cast", y, to=np.dtype(np.float32))
    y = b.op("Slice", y, b.ints(0), b.ints(99), b.ints(1))
    y = b.op("Pad", y, b.ints(0, 0, 0, 0, 0, 0))
    y = b.op("Transpose", b.op("Transpose", y, perm=[2, 0, 1]), perm=[1, 2, 0])
    b.op("Exp", x)
    graph = check(b.graph(b.op("Relu", y)), lambda g: eliminate(eliminate(g)))
    assert kinds(graph) == {"Relu": 1}


def test_eliminate_keeps_a_reversing_slice_and_a_real_transpose():
    b = Builder()
    x = b.input(4, 4)
    y = b.op("Slice", x, b.ints(-1), b.ints(-99), b.ints(0), b.ints(-1))
    graph = check(b.graph(b.op("Transpose", y, perm=[1, 0])), eliminate)
    assert kinds(graph) == {"Slice": 1, "Transpose": 1}


def test_common_subexpressions_are_computed_once():
    b = Builder()
    x = b.input(3, 5)
    left, right = b.op("Exp", x), b.op("Exp", x)
    third = b.op("LeakyRelu", x, alpha=0.1)
    fourth = b.op("LeakyRelu", x, alpha=0.2)
    total = b.op("Add", b.op("Add", left, right), b.op("Add", third, fourth))
    assert kinds(check(b.graph(total), eliminate))["Exp"] == 1


def test_resize_to_the_same_size_disappears():
    b = Builder()
    x = b.input(1, 2, 5, 5)
    y = b.op("Resize", x, None, None, b.ints(1, 2, 5, 5), mode="linear")
    assert kinds(check(b.graph(b.op("Relu", y)), eliminate)) == {"Relu": 1}


@pytest.mark.parametrize(
    ("op", "shape", "attributes", "extra"),
    [
        ("Flatten", (2, 3, 4), {"axis": 2}, ()),
        ("Squeeze", (2, 1, 3), {}, ((1,),)),
        ("Unsqueeze", (2, 3), {}, ((0, 2),)),
        ("Gather", (4, 3, 2), {"axis": 1}, (2,)),
        ("DepthToSpace", (2, 8, 3, 5), {"blocksize": 2, "mode": "DCR"}, ()),
        ("DepthToSpace", (2, 8, 3, 5), {"blocksize": 2, "mode": "CRD"}, ()),
        ("SpaceToDepth", (2, 3, 4, 6), {"blocksize": 2, "mode": "DCR"}, ()),
        ("SpaceToDepth", (2, 3, 4, 6), {"blocksize": 2, "mode": "CRD"}, ()),
        ("Tile", (2, 3), {}, ((3, 2),)),
        ("GlobalAveragePool", (2, 3, 4, 5), {}, ()),
        ("GlobalMaxPool", (2, 3, 4, 5), {}, ()),
        ("LpNormalization", (2, 3, 4), {"axis": 1, "p": 2}, ()),
        ("LpNormalization", (2, 3, 4), {"axis": -1, "p": 1}, ()),
    ],
)
def test_decompose_keeps_the_meaning(op, shape, attributes, extra):
    b = Builder()
    inputs = [b.const(data, np.int64) for data in extra]
    graph = check(b.graph(b.op(op, b.input(*shape), *inputs, **attributes)), decompose)
    assert op not in kinds(graph)


def test_decompose_split_and_variadic_arithmetic():
    b = Builder()
    x = b.input(2, 7, 3)
    parts = b.op("Split", x, b.ints(2, 4, 1), axis=1, outputs=3)
    mean = b.op("Mean", x, b.op("Exp", x), b.op("Relu", x))
    top = b.op("Max", x, mean, b.op("Abs", x))
    graph = check(b.graph(parts[0], parts[2], mean, top, b.op("Sum", x)), decompose)
    assert not {"Split", "Mean", "Sum"} & set(kinds(graph))


@pytest.mark.parametrize("c_shape", [(5,), (1, 5), (4, 1), (4, 5), ()])
@pytest.mark.parametrize(("trans_a", "trans_b"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_decompose_gemm(trans_a, trans_b, c_shape):
    b = Builder()
    a = b.input(*((3, 4) if trans_a else (4, 3)))
    w = b.weight(*((5, 3) if trans_b else (3, 5)))
    attributes = {"alpha": 0.5, "beta": 2.0, "transA": trans_a, "transB": trans_b}
    graph = b.graph(b.op("Gemm", a, w, b.weight(*c_shape), **attributes))
    assert kinds(check(graph, decompose))["FusedMatMul"] == 1


def test_positions_of_single_elements_are_constant():
    b = Builder()
    x = b.input(2, 3, 4, 5)
    pooled, positions = b.op("MaxPool", x, outputs=2, kernel_shape=[1, 1])
    first = b.op("Slice", positions, b.ints(0), b.ints(1), b.ints(1))
    graph = decompose(b.graph(pooled, positions, b.op("Cast", first, to=np.dtype(np.float32))))
    assert kinds(check(graph, fold_constants)) == {"MaxPool": 1}


def test_batch_norm_folds_into_convolutions():
    b = Builder(3)
    x = b.input(2, 4, 6, 6)
    y = b.op("Conv", x, b.weight(6, 2, 3, 3), group=2)
    y = b.op("BatchNormalization", y, *batch_norm(b, 6))
    y = b.op("ConvTranspose", y, b.weight(6, 2, 2, 2), b.weight(4), group=2, strides=[2, 2])
    y = b.op("BatchNormalization", y, *batch_norm(b, 4))
    graph = check(b.graph(y), lambda g: fold_batch_norm(fold_constants(decompose(g))))
    assert kinds(graph) == {"Conv": 1, "ConvTranspose": 1}


def batch_norm(b, channels):
    variance = b.const(np.abs(b.weight(channels).data) + 0.5)
    return b.weight(channels), b.weight(channels), b.weight(channels), variance


@pytest.mark.parametrize("biased", [False, True])
def test_batch_norm_folds_into_a_deformable_convolution(biased):
    b = Builder()
    x, offset, mask = b.input(1, 4, 6, 5), b.input(1, 18, 6, 5), b.input(1, 9, 6, 5)
    bias = b.weight(6) if biased else None
    y = b.op("DeformConv", x, b.weight(6, 4, 3, 3), offset, bias, mask, pads=[1] * 4)
    graph = check(b.graph(b.op("BatchNormalization", y, *batch_norm(b, 6))), fold_batch_norm)
    assert kinds(graph) == {"DeformConv": 1}


def test_batch_norm_elsewhere_becomes_scale_shift():
    b = Builder(3)
    x = b.input(2, 4, 6, 6)
    y = b.op("Conv", x, b.weight(5, 4, 1, 1))
    shared = b.op("BatchNormalization", y, *batch_norm(b, 5))
    graph = check(b.graph(b.op("Add", shared, y)), fold_batch_norm)
    assert kinds(graph) == {"Conv": 1, "ScaleShift": 1, "Add": 1}


def test_zero_pad_becomes_the_pads_of_the_convolution():
    b = Builder()
    x = b.input(1, 3, 5, 6)
    zeros = b.op("Pad", x, b.ints(0, 0, 1, 2, 0, 0, 0, 3))
    ones = b.op("Pad", x, b.ints(0, 0, 1, 1, 0, 0, 1, 1), b.const(1.0))
    y = b.op("Conv", zeros, b.weight(4, 3, 3, 3), pads=[1, 0, 1, 0])
    z = b.op("Conv", ones, b.weight(4, 3, 3, 3))
    graph = check(b.graph(y, z), fuse_pad)
    assert kinds(graph) == {"Conv": 2, "Pad": 1}


def spelled_gelu(b, x, order=0):
    gate = b.op("Add", b.op("Erf", b.op("Div", x, b.const(2**0.5))), b.const(1.0))
    if order == 0:
        return b.op("Mul", x, b.op("Mul", b.const(0.5), gate))
    if order == 1:
        return b.op("Mul", b.op("Mul", x, gate), b.const(0.5))
    return b.op("Mul", b.op("Mul", b.const(0.5), x), gate)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_gelu_by_erf_is_recognised(order):
    b = Builder()
    graph = check(b.graph(spelled_gelu(b, b.input(3, 7), order)), recognise)
    assert kinds(graph) == {"Gelu": 1}


@pytest.mark.parametrize("power", [True, False])
def test_gelu_by_tanh_is_recognised(power):
    b = Builder()
    x = b.input(3, 7)
    cube = b.op("Pow", x, b.const(3.0)) if power else b.op("Mul", b.op("Mul", x, x), x)
    inner = b.op("Add", x, b.op("Mul", b.const(0.044715), cube))
    gate = b.op("Tanh", b.op("Mul", inner, b.const((2 / np.pi) ** 0.5)))
    y = b.op("Mul", b.op("Mul", x, b.const(0.5)), b.op("Add", gate, b.const(1.0)))
    assert kinds(check(b.graph(y), recognise)) == {"Gelu": 1}


def test_almost_gelu_is_left_alone():
    b = Builder()
    x = b.input(3, 7)
    gate = b.op("Add", b.op("Erf", b.op("Div", x, b.const(1.5))), b.const(1.0))
    y = b.op("Mul", x, b.op("Mul", b.const(0.5), gate))
    assert "Gelu" not in kinds(check(b.graph(y), recognise))


def test_silu_and_hard_swish_are_recognised():
    b = Builder()
    x = b.input(3, 7)
    y = b.op("Mul", x, b.op("Sigmoid", x))
    z = b.op("Mul", b.op("HardSigmoid", y, alpha=1 / 6, beta=0.5), y)
    assert kinds(check(b.graph(z), recognise)) == {"Swish": 1, "HardSwish": 1}


def test_spelled_layer_norm_is_recognised_with_its_parameters():
    b = Builder()
    x = b.input(2, 5, 8)
    centred = b.op("Sub", x, b.op("ReduceMean", x, b.ints(-1), keepdims=1))
    squares = b.op("Pow", centred, b.const(2.0))
    variance = b.op("ReduceMean", squares, b.ints(2), keepdims=1)
    deviation = b.op("Sqrt", b.op("Add", variance, b.const(1e-5)))
    y = b.op("Add", b.op("Mul", b.op("Div", centred, deviation), b.weight(8)), b.weight(8))
    assert kinds(check(b.graph(y), recognise)) == {"LayerNormalization": 1}


def spelled_group_norm(b, x, groups, instance_weights):
    """What exporters make of GroupNormalization, of which InstanceNormalization is a part."""
    n, c, *spatial = x.type.static_shape
    y = b.op("Reshape", x, b.ints(0, groups, -1))
    y = b.op("InstanceNormalization", y, *instance_weights, epsilon=1e-3)
    return b.op("Reshape", y, b.ints(n, c, *spatial))


def test_spelled_group_norm_is_recognised_with_its_parameters():
    b = Builder()
    y = spelled_group_norm(b, b.input(2, 6, 4, 3), 3, [b.weight(3), b.weight(3)])
    y = b.op("Add", b.weight(6, 1, 1), b.op("Mul", y, b.weight(1, 6, 1, 1)))
    z = spelled_group_norm(b, b.input(2, 4, 5), 1, [b.weight(1), b.weight(1)])
    z = b.op("Mul", b.op("Add", z, b.const(0.5)), b.weight(4, 1))
    graph = decompose(b.graph(y, z))
    assert kinds(check(graph, recognise)) == {"GroupNormalization": 2}


def test_an_instance_norm_of_other_groups_is_left_alone():
    b = Builder()
    x = b.input(2, 6, 4, 3)
    y = b.op("Reshape", x, b.ints(4, 3, -1))  # groups across the batch
    y = b.op("InstanceNormalization", y, b.weight(3), b.weight(3))
    y = b.op("Reshape", y, b.ints(2, 6, 4, 3))
    z = spelled_group_norm(b, x, 3, [b.weight(3), b.weight(3)])
    z = b.op("Mul", z, b.weight(4, 3))  # differs from pixel to pixel
    graph = check(decompose(b.graph(y, z)), recognise)
    assert kinds(graph) == {"Reshape": 2, "GroupNormalization": 2, "Mul": 1}


def test_an_activation_moves_into_the_normalisation_before_it():
    b = Builder()
    x = b.input(2, 6, 4, 3)
    y = b.op("GroupNormalization", x, b.weight(6), b.weight(6), num_groups=2)
    z = b.op("InstanceNormalization", x, b.weight(6), b.weight(6), epsilon=1e-3)
    graph = decompose(b.graph(b.op("LeakyRelu", y, alpha=0.1), b.op("Relu", z)))
    assert kinds(check(graph, fuse_epilogue)) == {"FusedGroupNorm": 2}


def test_two_activations_in_a_row_take_both_places_of_an_epilogue():
    b = Builder()
    y = b.op("Conv", b.input(1, 3, 5, 5), b.weight(4, 3, 3, 3))
    y = b.op("Sigmoid", b.op("Tanh", b.op("LeakyRelu", y)))
    graph = check(b.graph(y), fuse_epilogue)
    assert kinds(graph) == {"FusedConv": 1, "Sigmoid": 1}
    attributes = graph.nodes[0].attributes
    assert (attributes["activation"], attributes["after"]) == ("leaky_relu", "tanh")


def test_two_rolls_become_one():
    b = Builder()
    x = b.input(1, 6, 8, 3)
    y = x
    for axis, cut in ((1, 2), (2, 5)):
        head = b.op("Slice", y, b.ints(0), b.ints(cut), b.ints(axis))
        tail = b.op("Slice", y, b.ints(cut), b.ints(1 << 40), b.ints(axis))
        y = b.op("Concat", tail, head, axis=axis)
    assert kinds(check(b.graph(b.op("Relu", y)), fuse_roll)) == {"Roll": 1, "Relu": 1}


def attention(b, q, k, v, bias=None, mask=None):
    perm = [*range(len(q.type.shape) - 2), len(q.type.shape) - 1, len(q.type.shape) - 2]
    scaled = b.op("Mul", q, b.const(0.25))
    scores = b.op("MatMul", scaled, b.op("Transpose", k, perm=perm))
    if bias is not None:
        scores = b.op("Add", scores, bias)
    if mask is not None:
        batch, heads, m, n = 6, 2, 5, 7
        scores = b.op("Reshape", scores, b.ints(2, 3, heads, m, n))
        scores = b.op("Reshape", b.op("Add", scores, mask), b.ints(batch, heads, m, n))
    return b.op("MatMul", b.op("Softmax", scores, axis=-1), v)


def test_attention_with_bias_and_window_mask_is_fused():
    b = Builder()
    q, k, v = b.input(6, 2, 5, 4), b.input(6, 2, 7, 4), b.input(6, 2, 7, 3)
    mask = b.const(np.where(b.weight(1, 3, 1, 5, 7).data > 0, 0, -100))
    y = attention(b, q, k, v, b.weight(1, 2, 5, 7), mask)
    graph = check(b.graph(y), lambda g: eliminate(fuse_attention(g)))
    assert kinds(graph) == {"FusedAttention": 1}


def test_attention_of_rank_three_is_fused():
    b = Builder()
    q, k, v = b.input(6, 5, 4), b.input(6, 7, 4), b.input(6, 7, 3)
    graph = check(b.graph(attention(b, q, k, v)), lambda g: eliminate(fuse_attention(g)))
    assert kinds(graph)["FusedAttention"] == 1 and "Softmax" not in kinds(graph)


def test_attention_whose_weights_are_read_elsewhere_is_left_alone():
    b = Builder()
    q, k, v = b.input(6, 5, 4), b.input(6, 7, 4), b.input(6, 7, 3)
    y = attention(b, q, k, v)
    graph = check(b.graph(y, b.nodes[-1].inputs[0]), fuse_attention)
    assert "FusedAttention" not in kinds(graph)


def test_attention_with_zeros_for_rows_that_are_all_masked():
    b = Builder()
    q, k, v = (b.input(1, 2, 5, 4) for _ in range(3))
    scores = b.op("MatMul", q, b.op("Transpose", k, perm=[0, 1, 3, 2]))
    mask = b.const(np.where(np.arange(5)[:, None] < 2, -np.inf, np.zeros((5, 5))))
    weights = b.op("Softmax", b.op("Add", scores, mask), axis=-1)
    weights = b.op("Where", b.op("IsNaN", weights), b.const(0.0), weights)
    graph = b.graph(b.op("MatMul", weights, v))
    kept = b.op("Where", b.op("IsNaN", weights), b.const(1.0), weights)
    assert kinds(check(b.graph(kept), recognise))["Where"] == 1
    assert kinds(check(graph, lambda g: fuse_attention(recognise(g))))["FusedAttention"] == 1


def test_image_rows_times_a_matrix_are_regrouped():
    b = Builder()
    image, matrix = b.input(2, 3, 4, 5), b.input(2, 5, 5)
    rows = b.op("Reshape", image, b.ints(2, 12, 5))
    y = b.op("Reshape", b.op("MatMul", rows, matrix), b.ints(2, 3, 4, 5))
    graph = check(b.graph(y), regroup_matmul)
    assert kinds(graph) == {"Transpose": 3, "Reshape": 1, "MatMul": 1}


def projections(b, x, biased=(True, True, False)):
    for size, bias in zip((8, 8, 4), biased, strict=True):
        y = b.op("MatMul", x, b.weight(6, size))
        yield b.op("Add", y, b.weight(size)) if bias else y


def test_projections_of_one_input_are_one_product():
    b = Builder()
    x = b.input(2, 5, 6)
    q, k, v = projections(b, x)
    scores = b.op("MatMul", q, b.op("Transpose", k, perm=[0, 2, 1]))
    graph = check(
        b.graph(b.op("MatMul", scores, b.op("Reshape", v, b.ints(2, 5, 4)))), merge_products
    )
    assert kinds(graph) == {"MatMul": 3, "Add": 1, "Slice": 3, "Transpose": 1, "Reshape": 1}


def test_projections_without_a_bias_need_none():
    b = Builder()
    x = b.input(5, 6)
    q, k, _ = projections(b, x, biased=(False, False, False))
    graph = check(b.graph(b.op("MatMul", q, b.op("Transpose", k))), merge_products)
    assert kinds(graph) == {"MatMul": 2, "Slice": 2, "Transpose": 1}


@pytest.mark.parametrize("reader", ["Relu", "Add", "output"])
def test_a_product_with_an_epilogue_stays_alone(reader):
    b = Builder()
    x = b.input(5, 6)
    q, k, _ = projections(b, x)
    other = (
        q if reader == "output" else b.op(reader, *([q, b.input(5, 8)][: 1 + (reader == "Add")]))
    )
    graph = b.graph(other, b.op("MatMul", q, b.op("Transpose", k)))
    assert "Slice" not in kinds(check(graph, merge_products))


@pytest.mark.parametrize(
    ("activation", "attributes", "name"),
    [
        ("Relu", {}, "relu"),
        ("LeakyRelu", {"alpha": 0.2}, "leaky_relu"),
        ("Sigmoid", {}, "sigmoid"),
        ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}, "hard_sigmoid"),
        ("HardSwish", {}, "hard_swish"),
        ("Swish", {}, "silu"),
        ("Gelu", {}, "gelu_erf"),
        ("Gelu", {"approximate": "tanh"}, "gelu_tanh"),
        ("Tanh", {}, "tanh"),
    ],
)
def test_bias_and_activation_are_fused(activation, attributes, name):
    b = Builder()
    y = b.op("Conv", b.input(1, 3, 5, 5), b.weight(4, 3, 3, 3))
    y = b.op(activation, b.op("Add", y, b.weight(4, 1, 1)), **attributes)
    z = b.op("MatMul", b.input(2, 5, 3), b.weight(3, 4))
    z = b.op(activation, b.op("Add", b.weight(4), z), **attributes)
    graph = check(b.graph(y, z), fuse_epilogue)
    assert kinds(graph) == {"FusedConv": 1, "FusedMatMul": 1}
    assert {node.attributes["activation"] for node in graph.nodes} == {name}


def test_residual_and_what_follows_are_fused_in_the_order_of_the_epilogue():
    b = Builder()
    x = b.input(1, 4, 5, 5)
    first = b.op("Relu", b.op("Conv", x, b.weight(4, 4, 1, 1), b.weight(4)))
    second = b.op("Relu", b.op("Conv", first, b.weight(4, 4, 1, 1), b.weight(4)))
    y = b.op("Clip", b.op("Add", second, first), b.const(0.1), b.const(1.0))
    graph = check(b.graph(y), fuse_epilogue)
    assert kinds(graph) == {"FusedConv": 2}
    attributes = graph.nodes[-1].attributes
    assert (attributes["activation"], attributes["after"]) == ("relu", "clip")


def test_values_that_others_read_are_not_fused_away():
    b = Builder()
    y = b.op("Conv", b.input(1, 4, 5, 5), b.weight(4, 4, 1, 1))
    z = b.op("Relu", y)
    graph = check(b.graph(z, y), fuse_epilogue)
    assert kinds(graph) == {"FusedConv": 1, "Relu": 1}


def test_pointwise_chains_become_one_program():
    b = Builder()
    x, y = b.input(3, 4, 5), b.input(4, 1)
    s = b.op("Sub", b.op("Sigmoid", x), b.const(0.5))
    z = b.op("Add", b.op("Abs", s), b.op("Mul", b.op("Neg", s), y))
    z = b.op("Clip", z, b.const(-0.2), None)
    graph = check(b.graph(z), fuse_pointwise)
    assert kinds(graph) == {"Pointwise": 1}


def test_pointwise_stays_within_the_limits_of_the_kernel():
    b = Builder()
    values = [b.input(6) for _ in range(12)]
    total = values[0]
    for value in values[1:]:
        total = b.op("Add", b.op("Exp", b.op("Neg", value)), total)
    graph = check(b.graph(total), fuse_pointwise)
    for node in graph.nodes:
        registers = {r for _, d, sources in node.attributes["steps"] for r in (d, *sources)}
        assert len(node.inputs) <= 8 and max(registers) < 16


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs_keep_their_meaning_through_every_pass(seed):
    graph = random_graph(seed)
    transforms = [lambda g: specialise(g), *PASSES]
    for transform in transforms:
        graph = check(graph, transform, seed)


@pytest.mark.parametrize("seed", range(20, 30))
def test_optimise_of_random_graphs(seed):
    check(random_graph(seed), optimise, seed)


def random_graph(seed):
    """Convolutions, products, views and element-wise operators wired at random."""
    b = Builder(seed)
    images = [b.input(1, 4, 6, 6), b.input(1, 4, 6, 6)]
    for _ in range(14):
        x, y = (images[b.random.integers(len(images))] for _ in range(2))
        match b.random.integers(11):
            case 0:
                z = b.op("Conv", x, b.weight(4, 4, 3, 3, scale=0.2), pads=[1, 1, 1, 1])
            case 1:
                z = b.op("Relu", x)
            case 2:
                z = b.op("Add", x, y)
            case 3:
                z = b.op("Mul", x, b.op("Sigmoid", x))
            case 4:
                z = spelled_gelu(b, x, int(b.random.integers(3)))
            case 5:
                rows = b.op("Reshape", x, b.ints(1, 24, 6))
                z = b.op("Reshape", b.op("MatMul", rows, b.weight(6, 6)), b.ints(1, 4, 6, 6))
            case 6:
                z = b.op("Transpose", b.op("Transpose", x, perm=[0, 2, 3, 1]), perm=[0, 3, 1, 2])
            case 7:
                z = b.op("BatchNormalization", x, *batch_norm(b, 4))
            case 8:
                joined = b.op("Concat", x, y, axis=1)
                z = b.op("Slice", joined, b.ints(1), b.ints(8), b.ints(1), b.ints(2))
                z = b.op(
                    "Concat", z, b.op("Slice", joined, b.ints(7), b.ints(8), b.ints(1)), axis=1
                )
                z = b.op("Slice", z, b.ints(0), b.ints(4), b.ints(1))
            case 9:
                z = b.op("Add", x, b.weight(4, 1, 1))
            case _:
                z = b.op("Softmax", x, axis=-1)
        # Graphs grow deep: keep the numbers in a range where float32 comparisons mean something.
        images.append(b.op("Tanh", z) if b.random.random() < 0.4 else z)
    return b.graph(images[-1], images[-3])


def test_a_large_enlargement_is_computed_again_for_a_concat():
    b = Builder()
    small = b.op("Relu", b.input(1, 16, 256, 256))
    large = b.op("Resize", small, None, b.const([1, 1, 2, 2]), None, mode="nearest")
    y = b.op("Concat", large, b.op("Exp", large), axis=1)
    before = b.graph(y)
    graph = check(before, recompute)
    assert kinds(before)["Resize"] == 1 and kinds(graph)["Resize"] == 2
