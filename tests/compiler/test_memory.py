"""Buffers that live at the same time never overlap."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from pyhades.compiler.instruction import Instruction, Lowered
from pyhades.compiler.memory import ALIGNMENT, Lifetime, place, plan_memory
from pyhades.compiler.view import Buffer, View


def vector(name, count=100):
    return View(Buffer("arena", name, count * 4), np.dtype(np.float32), (count,), (1,))


def chain(views, in_place=()):
    pairs = pairwise(views)
    return Lowered([Instruction("map", [a], [b], in_place=in_place) for a, b in pairs], {}, [], {})


def test_random_lifetimes_do_not_collide():
    random = np.random.default_rng(0)
    for _ in range(50):
        lifetimes = {}
        for index in range(40):
            first = int(random.integers(30))
            last = first + int(random.integers(10))
            nbytes = int(random.integers(1, 50)) * ALIGNMENT
            lifetimes[Buffer("arena", str(index), nbytes)] = Lifetime(first, last, nbytes)
        offsets = place(lifetimes)
        for a, mine in lifetimes.items():
            assert offsets[a] % ALIGNMENT == 0
            for b, other in lifetimes.items():
                if a is not b and mine.overlaps(other):
                    apart = offsets[a] + mine.nbytes <= offsets[b]
                    assert apart or offsets[b] + other.nbytes <= offsets[a]


def test_a_chain_needs_two_buffers_and_one_in_place():
    views = [vector(str(i)) for i in range(6)]
    assert plan_memory(chain(views)).arena_bytes == 2 * 448
    assert plan_memory(chain(views, in_place=(0,))).arena_bytes == 448
    assert plan_memory(chain(views, in_place=(0,)), keep_all=True).arena_bytes == 6 * 448


def test_an_input_that_is_read_later_is_not_overwritten():
    a, b, c = (vector(name) for name in "abc")
    instructions = [
        Instruction("fill", [], [a]),
        Instruction("map", [a], [b], in_place=(0,)),
        Instruction("map", [a, b], [c], in_place=(0, 1)),
    ]
    plan = plan_memory(Lowered(instructions, {}, [], {}))
    assert plan.offsets[a.buffer] != plan.offsets[b.buffer]
    assert plan.offsets[c.buffer] in (plan.offsets[a.buffer], plan.offsets[b.buffer])
