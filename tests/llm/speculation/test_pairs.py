"""What pairs of runs say of a gain, and how sure they are."""

import numpy as np
import pytest

from bench.speculation.pairs import gain_of


def test_equal_pairs_are_sure():
    gain = gain_of([1.5] * 5)
    assert (gain.median, gain.low, gain.high) == (1.5, 1.5, 1.5)
    assert str(gain) == "+50.0 % (+50.0 to +50.0)"


@pytest.mark.parametrize("truth", [0.98, 1.0, 1.3])
def test_the_interval_holds_the_truth_nearly_always(truth):
    dice = np.random.default_rng(1)
    gains = [gain_of(truth * np.exp(dice.normal(0, 0.1, 25)), seed) for seed in range(60)]
    assert sum(gain.low <= truth <= gain.high for gain in gains) > 50
    assert all(gain.low <= gain.median <= gain.high for gain in gains)


def test_more_pairs_are_surer():
    ratios = np.exp(np.random.default_rng(2).normal(0, 0.1, 400))
    few, many = gain_of(ratios[:20]), gain_of(ratios)
    assert many.high - many.low < (few.high - few.low) / 2
