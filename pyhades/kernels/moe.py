"""Mixtures of experts, and the small operators around them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyhades.arguments import one_of
from pyhades.errors import ArgumentError
from pyhades.kernels.arguments import Array, as_array, call, check_shape, output, rows_in_use
from pyhades.kernels.qgemm import Compute, activation_rows, check_activation_rows
from pyhades.quant import PackedWeight

GatedActivation = Literal["clamped_swiglu", "swiglu"]
"""What a gate does to its up."""


def top_k(
    logits: ArrayLike, k: int, *, threads: int | None = None, isa: str | None = None
) -> tuple[Array, Array]:
    """The largest of each row, and the softmax over them.

    Parameters
    ----------
    logits
        float32 ``[m, n]``.
    k
        How many, at most ``n``.
    threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ids : ndarray
        int32 ``[m, k]``, largest first; of equals, the one with the lower index.
    weights : ndarray
        float32 ``[m, k]``.

    Raises
    ------
    ArgumentError
        ``k`` is not in 1 to ``n``.

    Examples
    --------
    >>> ids, weights = top_k(np.float32([[0, 3, 1, 3]]), 2)
    >>> ids, weights
    (array([[1, 3]], dtype=int32), array([[0.5, 0.5]], dtype=float32))
    """
    rows = as_array("logits", logits, ndim=2)
    if not 1 <= k <= rows.shape[1]:
        raise ArgumentError(f"k={k}: there are {rows.shape[1]} to choose from")
    ids = np.empty((len(rows), k), np.int32)
    weights = np.empty((len(rows), k), np.float32)
    call("top_k", [rows_in_use(rows), rows], [ids, weights], {}, threads=threads, isa=isa)
    return ids, weights


def embed(
    tokens: ArrayLike,
    values: NDArray[np.uint16] | NDArray[np.int8],
    scales: NDArray[np.float16] | None = None,
    *,
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """Rows of an embedding table.

    Parameters
    ----------
    tokens
        int32 ``[m]``.
    values
        bfloat16 as uint16 ``[v, h]``, or int8 with ``scales``.
    scales
        float16 ``[v, h/32]``.
    out, threads, isa
        See :mod:`pyhades.kernels`.

    Returns
    -------
    ndarray
        float32 ``[m, h]``.

    Raises
    ------
    ArgumentError
        A token is not in the table, or shapes do not fit.

    Examples
    --------
    >>> from pyhades.quant import to_bf16
    >>> table = to_bf16(np.float32([[1, 2], [3, 4], [5, 6]]))
    >>> embed(np.int32([2, 0]), table)
    array([[5., 6.],
           [1., 2.]], dtype=float32)
    """
    ids = np.ascontiguousarray(as_array("tokens", tokens, ndim=1, dtype=np.int32))
    if values.ndim != 2:
        raise ArgumentError(f"values has shape {values.shape}, expected [v, h]")
    if ids.size and not 0 <= ids.min() <= ids.max() < len(values):
        raise ArgumentError(
            f"tokens must be at least 0 and below {len(values)}, "
            f"they go from {ids.min()} to {ids.max()}"
        )
    if (values.dtype == np.int8) != (scales is not None):
        raise ArgumentError("int8 values need scales, bfloat16 ones have none")
    result = output(out, (len(ids), values.shape[1]))
    factors = None if scales is None else np.ascontiguousarray(scales)
    inputs = [rows_in_use(ids), ids, np.ascontiguousarray(values), factors]
    call("embed", inputs, [result], {}, threads=threads, isa=isa)
    return result


def moe(
    a: ArrayLike,
    ids: ArrayLike,
    weights: ArrayLike,
    gate_up: PackedWeight,
    gate_up_bias: ArrayLike | None,
    down: PackedWeight,
    down_bias: ArrayLike | None = None,
    *,
    activation: GatedActivation = "clamped_swiglu",
    residual: ArrayLike | None = None,
    alpha: float = 1.702,
    limit: float = 7.0,
    compute: Compute = "int8",
    out: Array | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Array:
    """The gated networks of a few experts per token, weighted and added.

    Tokens are grouped by expert, so that each expert's weights are read once.

    Parameters
    ----------
    a
        float32 ``[m, h]``, or bfloat16 as uint16.
    ids, weights
        int32 and float32 ``[m, k]``, from :func:`top_k`.
    gate_up
        ``[experts, 2 i, h]``, packed with ``row_order="gate_up"``.
    gate_up_bias
        float32 ``[experts, 2 i]``, gates and ups alternating, or None for none.
    down
        ``[experts, h, i]``.
    down_bias
        float32 ``[experts, h]``, or None for none.
    activation
        ``"swiglu"``: ``up * gate * sigmoid(gate)``; ``"clamped_swiglu"``, that of gpt-oss:
        ``(up + 1) * gate * sigmoid(alpha * gate)`` of gates up to ``limit`` and ups within it.
    residual
        float32 ``[m, h]``.
    alpha, limit
        Of ``"clamped_swiglu"``.
    compute, out, threads, isa
        As for :func:`qgemm`.

    Returns
    -------
    ndarray
        float32 ``[m, h]``; a row does not depend on the others, nor on threads.

    Raises
    ------
    ArgumentError
        Shapes do not fit, an id is no expert, or there is no such activation.

    References
    ----------
    Shazeer et al., "Outrageously Large Neural Networks: The Sparsely-Gated Mixture-of-Experts
    Layer", 2017; Shazeer, "GLU Variants Improve Transformer", 2020.

    Examples
    --------
    Two experts without weights, so that the second answers with its bias alone.

    >>> from pyhades.kernels import pack_weight, quantize
    >>> gate_up = pack_weight(quantize(np.zeros((2, 64, 32), np.float32), "mxfp4"), "gate_up")
    >>> down = pack_weight(quantize(np.zeros((2, 32, 32), np.float32), "mxfp4"))
    >>> biases = np.zeros((2, 64), np.float32), np.float32([[0] * 32, [3] * 32])
    >>> ids, weights = top_k(np.float32([[0, 1]]), 1)
    >>> y = moe(np.ones((1, 32), np.float32), ids, weights, gate_up, biases[0], down, biases[1])
    >>> y[0, :3]
    array([3., 3., 3.], dtype=float32)
    """
    rows = activation_rows("a", a, gate_up.format, compute, threads, isa)
    experts, width, hidden = _check_experts(gate_up, down)
    check_activation_rows("a", rows, hidden)
    chosen = np.ascontiguousarray(as_array("ids", ids, ndim=2, dtype=np.int32))
    shares = np.ascontiguousarray(as_array("weights", weights, ndim=2))
    check_shape("weights", shares, chosen.shape)
    check_shape("ids", chosen, (len(rows), chosen.shape[1]))
    if chosen.size and not 0 <= chosen.min() <= chosen.max() < experts:
        raise ArgumentError(f"ids must be below {experts}, the number of experts")
    one_of("activation", activation, GatedActivation)
    biases = _bias("gate_up_bias", gate_up_bias, (experts, 2 * width))
    down_biases = _bias("down_bias", down_bias, (experts, hidden))
    result = output(out, (len(rows), hidden))
    added = None if residual is None else np.ascontiguousarray(as_array("residual", residual))
    if added is not None:
        check_shape("residual", added, result.shape)
    attributes = {
        "experts": experts, "hidden_size": hidden, "intermediate_size": width,
        "gate_up_format": gate_up.format, "down_format": down.format,
        "activation": activation, "alpha": float(alpha), "limit": float(limit),
    }  # fmt: skip
    inputs = [
        rows_in_use(rows), rows, chosen, shares, gate_up.data,
        None if biases is None else gate_up_order(biases), down.data, down_biases, added,
    ]  # fmt: skip
    call("moe", inputs, [result], attributes, threads=threads, isa=isa)
    return result


def gate_up_order(bias: Array) -> Array:
    """Biases ``[experts, 2 i]`` of alternating gates and ups, 16 gates and their 16 ups in turn."""
    experts, rows = bias.shape
    in_turn = bias.reshape(experts, rows // 32, 16, 2).swapaxes(2, 3)
    return np.ascontiguousarray(in_turn.reshape(experts, rows))


def _bias(name: str, bias: ArrayLike | None, shape: tuple[int, ...]) -> Array | None:
    if bias is None:
        return None
    values = np.ascontiguousarray(as_array(name, bias, ndim=2))
    check_shape(name, values, shape)
    return values


def _check_experts(gate_up: PackedWeight, down: PackedWeight) -> tuple[int, int, int]:
    if gate_up.row_order != "gate_up":
        raise ArgumentError('gate_up must be packed with row_order="gate_up"')
    if len(gate_up.shape) != 3 or len(down.shape) != 3:
        raise ArgumentError("gate_up and down must be stacks [experts, n, k]")
    experts, rows, hidden = gate_up.shape
    if down.shape != (experts, hidden, rows // 2):
        raise ArgumentError(
            f"gate_up {gate_up.shape} and down {down.shape} do not fit: "
            "expected [e, 2 i, h] and [e, h, i]"
        )
    return experts, rows // 2, hidden
