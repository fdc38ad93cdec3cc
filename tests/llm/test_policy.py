"""Decisions of the scheduler, on numbers alone."""

from __future__ import annotations

import pytest

from pyhades.llm.engine.policy import (
    AGEING,
    LEAST_CHUNK,
    Holder,
    Shares,
    Unread,
    chunks,
    reading_order,
    unfair_holder,
    victim,
)


def test_the_shortest_prompt_is_read_first():
    prompts = [Unread(0, "a", 3.0, 0.0), Unread(1, "a", 1.0, 0.0), Unread(2, "a", 2.0, 0.0)]
    assert reading_order(prompts, {}) == [1, 2, 0]


def test_no_prompt_is_overtaken_for_ever():
    """By ever new ones of a tenth of a second."""
    seconds, waited = 20.0, 0.0
    while reading_order([Unread(0, "a", seconds, waited), Unread(1, "a", 0.1, 0.0)], {})[0] != 0:
        waited += 1.0
        assert waited < 100
    assert waited == pytest.approx((seconds - 0.1) / AGEING, abs=1.0)


def test_equal_prompts_keep_their_order():
    prompts = [Unread(key, "a", 1.0, 0.0) for key in (4, 2, 9)]
    assert reading_order(prompts, {}) == [2, 4, 9]


def test_clients_take_turns_whatever_they_bring():
    """One with a hundred prompts, and one with three."""
    many = [Unread(key, "many", 1.0, 0.0) for key in range(100)]
    few = [Unread(1000 + key, "few", 1.0, 0.0) for key in range(3)]
    order = reading_order([*many, *few], {})
    assert [key >= 1000 for key in order[:6]] == [False, True] * 3


def test_who_was_served_less_comes_first():
    prompts = [Unread(0, "a", 1.0, 0.0), Unread(1, "b", 5.0, 0.0)]
    assert reading_order(prompts, {"a": 2.0, "b": 0.0}) == [1, 0]
    assert reading_order(prompts, {"a": 0.0, "b": 2.0}) == [0, 1]


def test_who_comes_back_has_saved_nothing_up():
    shares = Shares()
    shares.enter("a")
    shares.serve("a", 100.0)
    shares.enter("b")
    assert shares.served["b"] == 100.0
    shares.leave("b")
    shares.serve("b", 1.0)
    assert "b" not in shares.served


def test_unread_answers_give_way_before_the_youngest():
    holders = [Holder(0, "a", 0, True), Holder(1, "a", 1, False), Holder(2, "b", 2, False)]
    assert victim(holders) == 0
    assert victim(holders[1:]) == 2


def test_room_is_made_only_for_clients_without_any():
    mine = [Holder(key, "mine", key, False) for key in range(6)]
    yours = [Holder(10 + key, "yours", 10 + key, False) for key in range(2)]
    assert unfair_holder([*mine, *yours], "new") == 5
    assert unfair_holder([*mine, *yours], "yours") is None
    assert unfair_holder([mine[0], yours[0]], "new") is None, "nobody has more than a share"
    assert unfair_holder([], "new") is None


def test_room_may_be_blocks():
    """One with few long answers, and one with many short ones."""
    long = [Holder(key, "long", key, False, room=40) for key in range(2)]
    short = [Holder(10 + key, "short", 10 + key, False, room=2) for key in range(6)]
    assert unfair_holder([*long, *short], "new") == 1
    assert unfair_holder([*long[:1], *short], "new") is None, "nobody loses all that he has"


@pytest.mark.parametrize("room", [1, 10, 1000])
@pytest.mark.parametrize("fitting", [0, 5, 40, 10_000])
@pytest.mark.parametrize("unread", [[3], [100], [3, 100, 7], [1] * 50, []])
def test_chunks_fill_the_step_and_no_more(unread, room, fitting):
    counts = chunks([(left, 0) for left in unread], room, lambda tokens, looks: tokens <= fitting)
    total = sum(counts)
    allowed = max(fitting, LEAST_CHUNK)
    assert total <= min(room, allowed)
    assert counts[:-1] == unread[: max(len(counts) - 1, 0)], "one after the other"
    assert all(0 < count <= left for count, left in zip(counts, unread, strict=False))
    assert total == min(room, allowed, sum(unread)) or len(counts) == len(unread)


def test_what_lies_before_a_piece_makes_it_shorter():
    """Of a step that has time for 100 looks back per token it could take otherwise."""
    near, far = ([(1000, depth)] for depth in (0, 10_000))

    def fits(tokens, looks):
        return tokens + looks / 1000 <= 200

    [short], [long] = chunks(far, 512, fits), chunks(near, 512, fits)
    assert short * (1 + (10_000 + short / 2) / 1000) == pytest.approx(200, rel=0.1)
    assert long > 5 * short
