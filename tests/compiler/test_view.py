"""Views do what NumPy does with strides."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades.compiler.iteration import coalesced
from pyhades.compiler.view import Buffer, View, dense_strides


def dense(*shape):
    nbytes = int(np.prod(shape)) * 4
    buffer = Buffer("arena", "x", nbytes)
    return View(buffer, np.dtype(np.float32), shape, dense_strides(shape))


def read(view, memory):
    strides = tuple(stride * 4 for stride in view.strides)
    return np.ndarray(view.shape, np.float32, memory, view.offset * 4, strides)


@pytest.mark.parametrize("seed", range(200))
def test_random_views_agree_with_numpy(seed):
    random = np.random.default_rng(seed)
    shape = tuple(int(e) for e in random.integers(1, 5, random.integers(1, 5)))
    memory = np.arange(np.prod(shape), dtype=np.float32)
    view, array = dense(*shape), memory.reshape(shape)
    for _ in range(5):
        match random.integers(4):
            case 0:
                perm = [int(axis) for axis in random.permutation(view.rank)]
                view, array = view.transpose(perm), array.transpose(perm)
            case 1:
                axis = int(random.integers(view.rank))
                step = int(random.integers(1, 3))
                start = int(random.integers(view.shape[axis]))
                count = (view.shape[axis] - start + step - 1) // step
                view = view.slice(axis, start, count, step)
                index = [slice(None)] * array.ndim
                index[axis] = slice(start, None, step)
                array = array[tuple(index)]
            case 2:
                view, array = (
                    view.expand((2, *view.shape)),
                    np.broadcast_to(array, (2, *array.shape)),
                )
            case _:
                target = random_factors(random, view.size)
                reshaped = view.reshape(target)
                assert (reshaped is None) == needs_copy(array, target)
                if reshaped is not None:
                    view, array = reshaped, array.reshape(target)
        assert np.array_equal(read(view, memory), array)


def random_factors(random, size):
    factors = []
    while size > 1 and len(factors) < 3:
        divisors = [d for d in range(1, size + 1) if size % d == 0]
        factors.append(int(random.choice(divisors)))
        size //= factors[-1]
    return (*factors, size)


def needs_copy(array, target):
    return not np.may_share_memory(array.reshape(target), array)


def test_coalescing_keeps_the_pairs_of_elements():
    random = np.random.default_rng(1)
    for _ in range(100):
        shape = tuple(int(e) for e in random.integers(1, 4, 4))
        perm = [int(axis) for axis in random.permutation(4)]
        inverse = [perm.index(axis) for axis in range(4)]
        source = dense(*(shape[axis] for axis in perm)).transpose(inverse)
        target = dense(*shape)
        (a,), (b,) = coalesced([source], [target])
        memory = np.arange(np.prod(shape), dtype=np.float32)
        pairs = dict(zip(read(target, memory).ravel(), read(source, memory).ravel(), strict=True))
        found = dict(zip(read(b, memory).ravel(), read(a, memory).ravel(), strict=True))
        assert pairs == found
        assert a.rank <= 4
