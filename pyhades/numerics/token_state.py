"""States that are carried from token to token."""

from __future__ import annotations

import numpy as np

from pyhades.numerics.array import Array


def linear_attention(
    q: Array, k: Array, v: Array, state: Array, decay: Array | None, beta: Array | None
) -> tuple[Array, Array]:
    """What queries read of a state to which keys and values are added, and the last state.

    Per token the state S [b, h, dk, dv] is multiplied by exp(decay), then the product of key and
    value is added. With ``beta`` it is a delta rule (Yang et al. 2024): the value is replaced by
    ``beta * (value - key @ S)``.

    Parameters
    ----------
    q
        [b, hq, tokens, dk]; query heads share the states of h heads in order.
    k, v
        [b, h, tokens, dk] and [b, h, tokens, dv].
    decay
        [b, h, tokens, dk or 1].
    beta
        [b, h or 1, tokens, 1].
    """
    b, heads, tokens, dk = q.shape
    h, dv = v.shape[1], v.shape[3]
    y = np.empty((b, heads, tokens, dv), q.dtype)
    for t in range(tokens):
        value = v[:, :, t, None]
        key = k[:, :, t, None]
        if decay is not None:
            state = state * np.exp(decay[:, :, t, :, None])
        if beta is not None:
            value = beta[:, :, t, None] * (value - key @ state)
        state = state + key.swapaxes(2, 3) * value
        queries = q[:, :, t].reshape(b, h, heads // h, dk)
        y[:, :, t] = (queries @ state).reshape(b, heads, dv)
    return y, state


def causal_convolution(x: Array, weight: Array, tokens: int) -> Array:
    """Sums over windows of x [b, c, tokens + k - 1] by weight [c, 1, k], each channel by itself."""
    taps = (x[:, :, i : i + tokens] * weight[:, 0, i, None] for i in range(weight.shape[2]))
    return np.asarray(sum(taps, np.zeros((), x.dtype)))
