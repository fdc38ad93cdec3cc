"""Decisions on drafts, and the account of what they bring."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyhades.llm.speculation.acceptance import Acceptance, Rate, key_of
from pyhades.llm.speculation.draft_costs import DraftCosts
from pyhades.llm.speculation.gate import Stakes, choose, least_chance
from pyhades.llm.speculation.ledger import INCOME, MOST, OPENING, Ledger

STEP = Stakes(tokens=2, seconds=0.1, room=8, seconds_at_stake=1.0)
CHANCES = st.lists(
    st.lists(st.floats(0.0, 1.0), max_size=6).map(lambda c: sorted(c, reverse=True)), max_size=4
)


@given(CHANCES, st.floats(0.0, 0.2), st.integers(0, 20), st.floats(0.0, 0.5))
def test_a_choice_is_the_best_of_all_beginnings(chances, cost, room, at_stake):
    """Of those that fit, and none where none is better by enough."""
    stakes = Stakes(max(len(chances), 1), 0.1, room, at_stake)

    def rate(counts):
        right = sum(sum(c[:n]) for c, n in zip(chances, counts, strict=True))
        return (stakes.tokens + right) / (0.1 + cost * sum(counts))

    counts = choose(chances, stakes, lambda drafts: cost * drafts)
    assert len(counts) == len(chances)
    assert sum(counts) <= room and cost * sum(counts) <= at_stake + 1e-12
    assert all(n <= len(c) for c, n in zip(chances, counts, strict=True))
    if sum(counts):
        assert rate(counts) > 1.019 * stakes.tokens / 0.1
    ranked = sorted(((-p, j, i) for i, c in enumerate(chances) for j, p in enumerate(c)))
    best = [0] * len(chances)
    for _, _, answer in ranked[:room]:
        best[answer] += 1
        if cost * sum(best) <= at_stake:
            assert rate(best) <= max(rate(counts), 1.021 * stakes.tokens / 0.1) + 1e-9


@pytest.mark.parametrize(
    ("cost", "expected"), [(0.001, [3, 2]), (0.03, [2, 0]), (0.06, [0, 0])],
)  # fmt: skip
def test_the_dearer_drafts_are_the_fewer_are_tried(cost, expected):
    assert choose([[0.95, 0.9, 0.2], [0.5, 0.1]], STEP, lambda drafts: cost * drafts) == expected


def test_nothing_is_staked_beyond_the_account():
    poor = Stakes(tokens=1, seconds=0.1, room=8, seconds_at_stake=0.03)
    assert choose([[0.9] * 5], poor, lambda drafts: 0.01 * drafts) == [3]


def test_the_least_chance_is_what_a_draft_costs():
    assert least_chance(STEP, lambda drafts: 0.02 * drafts) == pytest.approx(0.4)
    assert least_chance(Stakes(2, 0.1, 0, 1.0), lambda drafts: 0.0) > 1


@given(st.lists(st.tuples(st.floats(0.01, 0.3), st.floats(-0.5, 0.5)), max_size=200))
def test_losses_are_paid_from_income_and_gains(steps):
    """Whatever is tried, as long as no step loses more than there is."""
    ledger, unit = Ledger(), 0.1
    gained = spent = most = 0.0
    for seconds, change in steps:
        change = 0.0 if ledger.is_paused else max(change, -ledger.balance)
        ledger.enter(seconds, change, unit)
        gained += change
        spent += seconds
        most = max(most, gained)
        assert -1e-9 <= ledger.balance <= MOST * unit + 1e-9
        assert gained >= -(INCOME * spent + OPENING * unit) - 1e-9


def test_pauses_grow_and_shrink_after_gains():
    ledger, lengths = Ledger(), []
    for _ in range(4):
        while ledger.is_paused:
            ledger.enter(0.1, 0.0, 0.1)
            lengths[-1] += 1
        ledger.enter(0.1, -max(ledger.balance, 0.1), 0.1)
        lengths.append(0)
    assert lengths[0] < lengths[1] < lengths[2]
    while ledger.is_paused:
        ledger.enter(0.1, 0.0, 0.1)
    ledger.enter(0.1, 0.3, 0.1)
    ledger.enter(0.1, -ledger.balance, 0.1)
    after = 0
    while ledger.is_paused:
        ledger.enter(0.1, 0.0, 0.1)
        after += 1
    assert ledger.pauses == 5 and after == lengths[0]


def test_costs_of_drafts_are_measured():
    costs = DraftCosts(lambda rows, looks: 0.05 + 0.01 * rows)
    assumed = costs.extra(1, 0, 1, 4)
    assert 0 < assumed < 0.04
    for _ in range(30):
        costs.learn(1, 0, 1, 0, 0.08)  # slower than its kernels
        costs.learn(1, 0, 1, 4, 0.10)
    assert costs.plain(1, 0, 1) == pytest.approx(0.08, rel=0.02)
    assert costs.extra(1, 0, 1, 4) == pytest.approx(0.02, rel=0.1)
    assert costs.extra(4, 0, 4, 4) == pytest.approx(0.8 * 0.04, rel=0.05)  # of others nothing


def test_chances_follow_what_came():
    acceptance = Acceptance()
    short, long = key_of("text", 1, 0.7), key_of("text", 12, 0.95)
    assert acceptance.chance(short) < acceptance.chance(long)
    for place in range(400):
        acceptance.learn(short, was_right=place % 4 != 0)
    assert acceptance.chance(short) == pytest.approx(0.75, abs=0.03)
    assert Acceptance(is_optimistic=True).chance(long) > Acceptance().chance(long)


def test_an_answer_may_differ_from_others():
    rate = Rate()
    for _ in range(30):
        rate.learn(0.8, was_right=False)
    assert rate.factor < 0.1
