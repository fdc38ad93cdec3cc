"""Operators that are compositions, interpreted and compiled, against onnxruntime and NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pyhades
from pyhades import load_onnx
from pyhades.errors import ShapeError
from pyhades.ir.interpreter import interpret
from tests.support.onnx_models import make_model, run_rival

Array = np.ndarray[Any, Any]
RANDOM = np.random.default_rng(5)


def noise(*shape: int, dtype: Any = np.float32) -> Array:
    return RANDOM.normal(size=shape).astype(dtype)


def ours(model: bytes, feeds: dict[str, Array]) -> list[list[Array]]:
    """The outputs of the interpreter, and of the compiled program."""
    graph = load_onnx(model)
    shapes = {name: x.shape for name, x in feeds.items()}
    with pyhades.compile(graph, input_shapes=shapes) as program:
        compiled = list(program.run(feeds).values())
    return [list(interpret(graph, feeds).values()), compiled]


def check(
    op: str, opset: int, feeds: dict[str, Array], *rest: Any, tolerance: float = 1e-5, **more: Any
) -> None:
    model = make_model(op, opset, feeds, *rest, **more)
    for results in ours(model, feeds):
        for actual, expected in zip(results, run_rival(model, feeds), strict=True):
            assert actual.dtype == expected.dtype
            np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


EQUATIONS = [
    ("bqc,bchw->bqhw", [(2, 5, 4), (2, 4, 3, 6)]),
    ("bchw,bqc->bqhw", [(2, 4, 3, 6), (2, 5, 4)]),
    ("bhid,bhjd->bhij", [(2, 3, 4, 5), (2, 3, 6, 5)]),
    ("ij,jk,kl->il", [(3, 4), (4, 5), (5, 2)]),
    ("ij,kj,lj->ikl", [(3, 4), (5, 4), (2, 4)]),
    ("i,j->ij", [(3,), (4,)]),
    ("ij,ij->", [(3, 4), (3, 4)]),
    ("ij->ji", [(3, 4)]),
    ("ij->", [(3, 4)]),
    ("bii->bi", [(2, 4, 4)]),
    ("iji->j", [(4, 3, 4)]),
    ("iij,jk->ik", [(3, 3, 4), (4, 2)]),
    ("...ij,...jk->...ik", [(2, 3, 4, 5), (2, 3, 5, 6)]),
    ("...ij,...jk", [(1, 3, 4, 5), (2, 1, 5, 6)]),
    ("b...d,d->b...", [(2, 3, 4, 5), (5,)]),
    ("bn,anm,bm->ba", [(2, 5), (3, 5, 7), (2, 7)]),
    ("ab,bc", [(3, 4), (4, 5)]),
    ("i j , j k -> i k", [(3, 4), (4, 5)]),
    ("bhwc,hkc->bhwk", [(2, 3, 4, 5), (3, 6, 5)]),
    ("a,b,c->cba", [(2,), (3,), (4,)]),
    ("ab,cd->abcd", [(2, 3), (4, 5)]),
    ("abc,abd->acd", [(2, 3, 4), (2, 3, 5)]),
    ("zii,zii->z", [(2, 3, 3), (2, 3, 3)]),
]


@pytest.mark.parametrize(("equation", "shapes"), EQUATIONS, ids=[e for e, _ in EQUATIONS])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_einsum(equation: str, shapes: list[tuple[int, ...]], dtype: Any) -> None:
    feeds = {f"x{i}": (4 * noise(*shape)).astype(dtype) for i, shape in enumerate(shapes)}
    model = make_model("Einsum", 12, feeds, equation=equation)
    expected = np.einsum(equation.replace(" ", ""), *feeds.values())
    for (actual,) in ours(model, feeds):
        assert actual.dtype == dtype
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-4)


def test_random_einsums() -> None:
    """Equations of up to three operands with repeated, summed and broadcast labels."""
    for seed in range(60):
        random = np.random.default_rng(seed)
        extents = dict(zip("abcde", random.integers(1, 5, 5).tolist(), strict=True))
        terms = [
            "".join(random.choice(list("abcde"), random.integers(1, 4)))
            for _ in range(random.integers(1, 4))
        ]
        used = sorted(set("".join(terms)))
        kept = "".join(random.permutation([label for label in used if random.random() < 0.5]))
        equation = f"{','.join(terms)}->{kept}"
        feeds = {
            f"x{i}": random.normal(size=[extents[label] for label in term]).astype(np.float32)
            for i, term in enumerate(terms)
        }
        expected = np.einsum(equation, *feeds.values())
        for (actual,) in ours(make_model("Einsum", 12, feeds, equation=equation), feeds):
            np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4, err_msg=equation)


ATTENTION: list[tuple[str, dict[str, tuple[int, ...]], dict[str, Any]]] = [
    ("self", {"q": (2, 4, 9, 16), "k": (2, 4, 9, 16), "v": (2, 4, 9, 16)}, {}),
    ("cross", {"q": (1, 4, 5, 16), "k": (1, 4, 11, 16), "v": (1, 4, 11, 24)}, {"scale": 0.3}),
    ("grouped", {"q": (1, 6, 5, 16), "k": (1, 2, 7, 16), "v": (1, 2, 7, 16)}, {"is_causal": 1}),
    (
        "flat",
        {"q": (2, 7, 64), "k": (2, 5, 32), "v": (2, 5, 24)},
        {"q_num_heads": 4, "kv_num_heads": 2},
    ),
    (
        "flat_causal_capped",
        {"q": (2, 7, 64), "k": (2, 7, 64), "v": (2, 7, 64)},
        {"q_num_heads": 4, "kv_num_heads": 4, "is_causal": 1, "softcap": 2.0},
    ),
]


@pytest.mark.parametrize(("name", "shapes", "attributes"), ATTENTION, ids=[a[0] for a in ATTENTION])
@pytest.mark.parametrize("mask", ["none", "matrix", "heads", "bool"])
def test_attention(
    name: str, shapes: dict[str, tuple[int, ...]], attributes: dict[str, Any], mask: str
) -> None:
    feeds = {key: noise(*shape) for key, shape in shapes.items()}
    q, k = shapes["q"], shapes["k"]
    flat = len(q) == 3
    m, n, heads = (q[1], k[1], attributes["q_num_heads"]) if flat else (q[2], k[2], q[1])
    extents = {"matrix": (m, n), "heads": (heads, m, n), "bool": (q[0], 1, m, n)}
    if mask != "none":
        feeds["mask"] = noise(*extents[mask])
        if mask == "bool":
            feeds["mask"] = feeds["mask"] > -1
    check("Attention", 23, feeds, **attributes)


def test_attention_with_a_cache() -> None:
    feeds = {"q": noise(1, 4, 3, 16), "k": noise(1, 2, 3, 16), "v": noise(1, 2, 3, 16)}
    feeds |= {"past_k": noise(1, 2, 6, 16), "past_v": noise(1, 2, 6, 16)}
    names = ["q", "k", "v", "", "past_k", "past_v"]
    check("Attention", 23, feeds, inputs=names, outputs=3, is_causal=1)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_attention_of_other_dtypes(dtype: Any) -> None:
    feeds = {name: noise(2, 3, 9, 8, dtype=dtype) for name in "qkv"}
    wide = {name: x.astype(np.float32) for name, x in feeds.items()}
    (expected,) = run_rival(make_model("Attention", 23, wide), wide)
    for (actual,) in ours(make_model("Attention", 23, feeds), feeds):
        assert actual.dtype == dtype
        tolerance = 2e-3 if dtype == np.float16 else 1e-5
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def test_attention_refuses_heads_that_do_not_fit() -> None:
    feeds = {"q": noise(1, 3, 4, 8), "k": noise(1, 2, 4, 8), "v": noise(1, 2, 4, 8)}
    with pytest.raises(ShapeError, match="no multiple of the 2 heads"):
        load_onnx(make_model("Attention", 23, feeds))


@pytest.mark.parametrize("n", [1, 2, 7, 30, 300, 512, 1000, 1024, 1009])
@pytest.mark.parametrize("kind", ["forward", "inverse", "onesided", "back"])
def test_fourier(n: int, kind: str) -> None:
    """Lengths of one matrix, of several factors, and a prime."""
    inverse, onesided = kind in ("inverse", "back"), kind in ("onesided", "back")
    x = noise(2, n // 2 + 1 if kind == "back" else n, 1 if kind == "onesided" else 2)
    feeds, axis = {"x": x}, np.array(1)
    constants = {"length": np.array(n), "axis": axis}
    model = make_model("DFT", 20, feeds, constants, inverse=int(inverse), onesided=int(onesided))
    z = x[..., 0].astype(np.complex128)
    z = z if kind == "onesided" else z + 1j * x[..., 1]
    if kind == "back":
        expected = np.fft.irfft(z, n, 1)[..., None]
    else:
        full = np.fft.ifft(z, n, 1) if inverse else np.fft.fft(z, n, 1)
        full = full[:, : n // 2 + 1] if onesided else full
        expected = np.stack([full.real, full.imag], -1)
    for (actual,) in ours(model, feeds):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=2e-5 * max(1, np.sqrt(n)))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 12])
def test_determinant(n: int) -> None:
    check("Det", 11, {"x": noise(3, n, n)}, tolerance=2e-4)


def test_determinant_of_singular_matrices() -> None:
    feeds = {"x": np.stack([np.zeros((3, 3)), np.ones((3, 3)), np.eye(3)[::-1]]).astype(np.float32)}
    for (actual,) in ours(make_model("Det", 11, feeds), feeds):
        np.testing.assert_allclose(actual, [0, 0, -1], atol=1e-6)


@pytest.mark.parametrize("k", [-2, 0, 1, 9])
@pytest.mark.parametrize("upper", [0, 1])
def test_triangles_below_a_diagonal_that_is_computed(k: int, upper: int) -> None:
    check("Trilu", 14, {"x": noise(2, 4, 5), "k": np.array(k)}, upper=upper)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_shrink(dtype: Any) -> None:
    x = np.arange(-4, 5).astype(dtype)
    for attributes in ({}, {"lambd": 1.5, "bias": 1.0}, {"lambd": 2.0}):
        check("Shrink", 9, {"x": x}, **attributes)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_global_lp_pool(p: int) -> None:
    check("GlobalLpPool", 13, {"x": noise(2, 3, 5, 4)}, p=p)


@pytest.mark.parametrize("op", ["HannWindow", "HammingWindow", "BlackmanWindow"])
@pytest.mark.parametrize("size", [1, 2, 9])
def test_windows(op: str, size: int) -> None:
    check_constant(op, {"size": np.array(size)}, periodic=1)


def check_constant(op: str, constants: dict[str, Array], **attributes: Any) -> None:
    """An operator of constants alone, beside an input that keeps the graph from being empty."""
    model = make_model(op, 17, {}, constants, **attributes)
    (expected,) = run_rival(model, {})
    (actual,) = interpret(load_onnx(model), {}).values()
    np.testing.assert_allclose(actual, expected, atol=1e-6)


@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_one_hot(axis: int, dtype: Any) -> None:
    indices = np.array([[0, 3, -1], [5, -6, 2]]).astype(dtype)
    feeds = {"indices": indices, "values": np.array([-1, 7], np.float32)}
    constants = {"depth": np.array(5, dtype)}
    check("OneHot", 11, feeds, constants, inputs=["indices", "depth", "values"], axis=axis)


@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("extent", [1, 2, 7, 64])
def test_running_product(exclusive: int, reverse: int, extent: int) -> None:
    x = RANDOM.uniform(0.8, 1.2, (3, extent, 2)).astype(np.float32)
    attributes = {"exclusive": exclusive, "reverse": reverse}
    model = make_model("CumProd", 26, {"x": x}, {"axis": np.array(1)}, **attributes)
    expected = np.flip(x, 1) if reverse else x
    if exclusive:
        expected = np.concatenate([np.ones_like(x[:, :1]), expected[:, :-1]], 1)
    expected = np.cumprod(expected, 1)
    expected = np.flip(expected, 1) if reverse else expected
    for (actual,) in ours(model, {"x": x}):
        np.testing.assert_allclose(actual, expected, rtol=1e-5)
