"""Sampling against the cumulated softmax in float64."""

from __future__ import annotations

import numpy as np
import pytest

from pyhades import _native, kernels
from pyhades.errors import ArgumentError
from pyhades.kernels import AdjustedTokens, SampledRows, reference
from pyhades.kernels.sampling import NUMBERS, RowOperands, run_rows
from pyhades.kernels.sampling import SETTINGS as COLUMNS
from pyhades.numerics.sampling import log_probabilities, may_be_drawn
from tests.support.guarded import guarded

SIZES = [1, 2, 15, 16, 17, 1023, 1024, 1025, 5000]


def random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def assert_within_rounding(token: int, row: np.ndarray, heat: float, uniform: float) -> None:
    """The share lies in the token's part of the unit interval, give or take rounding."""
    weights = np.exp((row.astype(np.float64) - row.max()) / heat)
    sums = weights.cumsum() / weights.sum()
    before = sums[token] - weights[token] / weights.sum()
    assert before - 1e-6 <= uniform <= sums[token] + 1e-6


@pytest.mark.covers("sample_f32")
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("heat", [0.3, 1.0, 2.5])
def test_the_share_lies_in_the_part_of_the_token(isa, n, heat):
    logits, uniforms = random(n, 40, n) * 3, np.random.default_rng(1).random(40)
    uniforms[:2] = 0, 1 - 2.0**-53
    tokens = kernels.sample(logits, heat, uniforms, isa=isa, threads=1)
    for token, row, uniform in zip(tokens, logits, uniforms, strict=True):
        assert_within_rounding(int(token), row, heat, uniform)
    agree = tokens == reference.sample(logits, heat, uniforms)
    assert agree.mean() >= 0.95  # a share next to the border of two parts may fall either way
    np.testing.assert_array_equal(
        kernels.sample(logits, heat, uniforms, isa=isa, threads=2), tokens
    )


def test_frequencies_follow_the_softmax(isa):
    logits = np.tile(np.float32([0, 1, -1, 2, -np.inf]), (20000, 1))
    tokens = kernels.sample(logits, 1.0, np.random.default_rng(3).random(20000), isa=isa)
    weights = np.exp(logits[0].astype(np.float64))
    expected = weights / weights.sum() * 20000
    counts = np.bincount(tokens, minlength=5)
    assert counts[4] == 0
    chi_square = ((counts[:4] - expected[:4]) ** 2 / expected[:4]).sum()
    assert chi_square < 21.1  # one in ten thousand, three degrees of freedom


def test_zero_temperature_takes_the_first_of_the_largest(isa):
    logits = np.float32([[1, 5, 5, np.nan], [np.nan, np.nan, -np.inf, 0], [-np.inf, 2, np.inf, 3]])
    np.testing.assert_array_equal(kernels.sample(logits, 0.0, isa=isa), [1, 3, 2])


def test_tokens_of_no_weight_are_never_taken(isa):
    logits = np.full((1, 3000), -np.inf, np.float32)
    logits[0, [7, 2900]] = 0
    for uniform, expected in [(0, 7), (0.49, 7), (0.51, 2900), (1 - 2.0**-53, 2900)]:
        assert kernels.sample(logits, 1.0, uniform, isa=isa)[0] == expected


@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("n", [5, 1029])
def test_touches_nothing_outside(isa, at, n):
    logits = random(0, 3, n)
    expected = kernels.sample(logits, 1.0, 0.7, isa=isa)
    out = guarded(np.zeros(3, np.int32), at=at)
    kernels.sample(guarded(logits, at=at), 1.0, 0.7, isa=isa, out=out)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"temperature": -1}, "temperature"),
        ({"temperature": np.nan}, "temperature"),
        ({"uniform": 1.0}, "uniform"),
        ({"logits": np.zeros((2, 0), np.float32)}, "no columns"),
    ],
)
def test_refuses_what_has_no_meaning(arguments, complaint):
    with pytest.raises(ArgumentError, match=complaint):
        kernels.sample(**{"logits": np.zeros((1, 3), np.float32)} | arguments)


# Rows with settings of their own.

SETTINGS = {
    "plain": {},
    "hot": {"temperature": 1.7},
    "top_k": {"top_k": 20},
    "top_k many": {"top_k": 700},
    "top_k nearly all": {"top_k": 4000},
    "top_p": {"top_p": 0.9},
    "top_p few": {"top_p": 0.05, "temperature": 0.5},
    "top_p all": {"top_p": 1 - 1e-9},
    "min_p": {"min_p": 0.05},
    "all": {"top_k": 50, "top_p": 0.8, "min_p": 0.1, "temperature": 0.8},
    "top_p, min_p": {"top_p": 0.7, "min_p": 0.3},
    "greedy": {"temperature": 0, "top_k": 5},
}


def weights_of(row: np.ndarray, settings: dict) -> np.ndarray:
    """What the specification leaves, in float64."""
    row = row.astype(np.float64)
    heat = settings.get("temperature", 1.0)
    limits = {k: v for k, v in settings.items() if k in ("top_k", "top_p", "min_p")}
    return np.where(may_be_drawn(row, heat, **limits), np.exp((row - row.max()) / heat), 0.0)


def assert_drawn(token: int, row: np.ndarray, settings: dict, uniform: float) -> None:
    weights = weights_of(row, settings)
    sums = weights.cumsum() / weights.sum()
    # Sums of float32 tell shares apart that differ by a millionth.
    widest = {**settings, "top_p": min(settings.get("top_p", 1) + 1e-6, 1)}
    assert weights_of(row, widest)[token] > 0
    before = sums[token] - weights[token] / weights.sum()
    assert before - 2e-6 <= uniform <= sums[token] + 2e-6


@pytest.mark.covers("sample_f32")
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("spread", [0.5, 6], ids=["flat", "peaked"])
def test_tokens_are_those_of_the_specification(isa, n, spread):
    logits, uniforms = random(n, 24, n) * spread, np.random.default_rng(2).random(24)
    uniforms[:2] = 0, 1 - 2.0**-53
    for settings in SETTINGS.values():
        sampled = kernels.sample_rows(logits, uniform=uniforms, **settings, threads=1, isa=isa)
        expected = reference.sample_rows(logits, uniform=uniforms, **settings)
        assert not sampled.status.any()
        if settings.get("temperature") == 0:
            np.testing.assert_array_equal(sampled.tokens, expected.tokens)
            continue
        assert (sampled.tokens == expected.tokens).mean() >= 0.9, settings
        for token, row, uniform in zip(sampled.tokens, logits, uniforms, strict=True):
            assert_drawn(int(token), row, settings, uniform)


@pytest.mark.parametrize("spread", [1, 6], ids=["flat", "peaked"])
def test_a_large_vocabulary(isa, spread):
    logits = random(10, 3, 201_088) * spread
    uniforms = np.float64([0.2, 0.6, 0.99])
    for settings in ({"top_p": 0.9}, {"top_p": 0.3}, {"top_k": 2000}, {"top_k": 5000},
                     {"top_k": 40, "top_p": 0.9}, {"min_p": 0.1}):  # fmt: skip
        sampled = kernels.sample_rows(logits, 1.0, uniforms, **settings, logprobs=20, isa=isa)
        for i in range(3):
            assert_drawn(int(sampled.tokens[i]), logits[i], settings, uniforms[i])
            order = np.argsort(-logits[i], kind="stable")[:20]
            np.testing.assert_array_equal(sampled.top_tokens[i], order)


@pytest.mark.parametrize("k", [1, 2, 23, 30, 900, 2000, 3500])
def test_of_equals_the_lower_goes_first(isa, k):
    """Logits of few values: the k-th is one of many equals."""
    row = (random(4, 3000) * 2).round() / 2
    row[::7] *= -0.0
    draws = round(1.3 * min(k, 3000)) + 1
    shares = (np.arange(draws) + 0.5) / draws
    sampled = kernels.sample_rows(row[None], 1e6, shares, np.zeros(draws, int), top_k=k, isa=isa)
    first = np.sort(np.argsort(-row, kind="stable")[:k])
    np.testing.assert_array_equal(np.unique(sampled.tokens), first)


@pytest.mark.parametrize("share", [0.001, 0.25, 0.5, 0.999])
def test_a_nucleus_of_equals(isa, share):
    logits = np.full((1, 4000), -3.5, np.float32)
    uniforms = np.append(np.linspace(0, 1, 300, endpoint=False), 1 - 2.0**-53)
    sampled = kernels.sample_rows(logits, 1.0, uniforms, np.zeros(301, int), top_p=share, isa=isa)
    assert sampled.tokens.max() == round(share * 4000) - 1
    assert np.all(np.diff(sampled.tokens) >= 0)


def test_the_edges_of_a_nucleus(isa):
    """Of weights 8, 4, 2, 1, 1: sums of exactly the share suffice."""
    logits = np.log(np.float32([[1, 8, 2, 1, 4]]))
    for share, kept in [(0.5, {1}), (0.51, {1, 4}), (0.75, {1, 4}), (0.875, {1, 2, 4}),
                        (0.93, {0, 1, 2, 4}), (0.94, {0, 1, 2, 3, 4})]:  # fmt: skip
        uniforms = np.linspace(0, 1, 400, endpoint=False)
        sampled = kernels.sample_rows(
            logits, 1.0, uniforms, np.zeros(400, int), top_p=share - 1e-6, isa=isa
        )
        assert set(sampled.tokens.tolist()) == kept


def test_min_p_of_one_leaves_the_equals_of_the_largest(isa):
    logits = np.float32([[1, 3, 2, 3, 2.99]])
    for uniform, token in [(0.1, 1), (0.49, 1), (0.51, 3), (0.99, 3)]:
        assert kernels.sample_rows(logits, 1.0, uniform, min_p=1, isa=isa).tokens == [token]


def random_words(seed: int, rows: int, n: int, part: float = 0.5) -> np.ndarray:
    bits = np.random.default_rng(seed).random((rows, -(-n // 32) * 32)) < part
    bits[:, n // 2] = True
    return np.packbits(bits, axis=1, bitorder="little").view(np.uint32)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(
    ("name", "part"), [("plain", 0.5), ("plain", 0.01), ("greedy", 0.5), ("top_p", 0.1), ("all", 1)]
)
def test_masks(isa, n, part, name):
    settings = SETTINGS[name]
    logits, words = random(n, 9, n) * 2, random_words(n, 4, n, part)
    of_mask = np.int32([0, 1, 2, 3, -1, 1, -1, 0, 2])
    uniforms = np.random.default_rng(5).random(9)
    settings = {**settings, "masks": words, "mask_rows": of_mask}
    sampled = kernels.sample_rows(logits, uniform=uniforms, **settings, isa=isa)
    expected = reference.sample_rows(logits, uniform=uniforms, **settings)
    assert not sampled.status.any()
    assert (sampled.tokens == expected.tokens).sum() >= 8
    for token, mask in zip(sampled.tokens, of_mask, strict=True):
        assert mask < 0 or words[mask, token // 32] >> (token % 32) & 1


def random_adjusted(seed: int, m: int, n: int) -> AdjustedTokens:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, min(n, 40), m) if n > 1 else np.ones(m, int)
    counts[-1] = 0
    first = np.concatenate([[0], counts.cumsum()]).astype(np.int32)
    ids = [rng.choice(n, count, replace=False) for count in counts]
    tokens = np.stack(
        [np.concatenate(ids), rng.integers(0, 4, first[-1]), rng.integers(0, 2, first[-1])], axis=1
    )
    biases = rng.choice(np.float32([0, 0, 1.5, -2, -np.inf]), first[-1])
    biases[first[:-1][counts > 0]] = 0
    return AdjustedTokens(first, tokens.astype(np.int32), biases.astype(np.float32))


@pytest.mark.parametrize("n", SIZES)
def test_bias_and_penalties(isa, n):
    m = 20
    adjusted = random_adjusted(n, m, n)
    settings = {
        "repetition_penalty": np.linspace(0.8, 1.8, m),
        "presence_penalty": np.linspace(-1, 1, m),
        "frequency_penalty": np.linspace(0.5, -0.5, m),
        "adjusted": adjusted,
    }
    logits, uniforms = random(n, m, n) * 2, np.random.default_rng(6).random(m)
    for heat in (0, 1):
        sampled = kernels.sample_rows(logits, heat, uniforms, **settings, isa=isa)
        expected = reference.sample_rows(logits, heat, uniforms, **settings)
        assert not sampled.status.any()
        assert (sampled.tokens == expected.tokens).mean() >= (1 if heat == 0 else 0.9)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(("heat", "spread"), [(0, 6), (1, 0.5), (1, 6), (0.6, 6)])
def test_logprobs_are_those_of_the_logits(isa, n, heat, spread):
    logits = random(n + 1, 7, n) * spread
    wanted = np.int32([-1, 0, 1, 5, 20, n, 0]).clip(-1, n)
    settings = {"top_k": 3, "adjusted": random_adjusted(n, 7, n)}
    uniforms = np.random.default_rng(7).random(7)
    sampled = kernels.sample_rows(logits, heat, uniforms, logprobs=wanted, **settings, isa=isa)
    for i, k in enumerate(wanted):
        if k < 0:
            continue
        logs = log_probabilities(logits[i].astype(np.float64))
        order = np.argsort(-logits[i], kind="stable")[:k]
        np.testing.assert_array_equal(sampled.top_tokens[i, :k], order)
        np.testing.assert_allclose(sampled.top_logprobs[i, :k], logs[order], rtol=3e-7, atol=3e-6)
        np.testing.assert_allclose(
            sampled.logprobs[i], logs[sampled.tokens[i]], rtol=3e-7, atol=3e-6
        )


def test_logprobs_of_ties_and_of_what_is_impossible(isa):
    row = (random(8, 2500) * 2).round()
    row[::3] = -np.inf
    sampled = kernels.sample_rows(np.stack([row, row]), 0, logprobs=[2500, 40], isa=isa)
    order = np.argsort(-row, kind="stable")
    np.testing.assert_array_equal(sampled.top_tokens[0], order)
    np.testing.assert_array_equal(sampled.top_tokens[1, :40], order[:40])
    assert np.all(sampled.top_logprobs[0, -800:] == -np.inf)


@pytest.mark.parametrize("name", ["plain", "greedy", "top_k", "top_p", "min_p"])
@pytest.mark.parametrize("logprobs", [-1, 3])
def test_the_status_of_rows_that_have_no_tokens(isa, name, logprobs):
    logits = random(9, 6, 1500)
    logits[1, 1400] = np.nan
    logits[2, 3] = np.inf
    logits[3] = -np.inf
    logits[4, ::2] = -np.inf
    words = np.zeros((1, 47), np.uint32)
    sampled = kernels.sample_rows(
        logits, uniform=0.5, masks=words, mask_rows=[-1, -1, -1, -1, -1, 0], logprobs=logprobs,
        isa=isa, **SETTINGS[name],
    )  # fmt: skip
    assert sampled.status.tolist() == [0, 1, 1, 2, 0, 2]
    assert sampled.tokens[2] == 3
    assert sampled.tokens[4] % 2 == 1


def everything(seed: int, m: int, n: int) -> dict:
    """Rows of every kind next to each other."""
    rng = np.random.default_rng(seed)
    return {
        "logits": random(seed, m, n) * 3,
        "temperature": rng.choice([0, 0.7, 1, 1.5], m),
        "uniform": rng.random(m),
        "rows": rng.integers(0, m, m),
        "top_k": rng.choice([0, 1, 5, 60], m),
        "top_p": rng.choice([1, 0.9, 0.3], m),
        "min_p": rng.choice([0, 0.1], m),
        "repetition_penalty": rng.choice([1, 1.2], m),
        "presence_penalty": rng.choice([0, 0.5], m),
        "frequency_penalty": rng.choice([0, 0.5], m),
        "adjusted": random_adjusted(seed, m, n),
        "masks": random_words(seed, 3, n),
        "mask_rows": rng.integers(-1, 3, m),
        "logprobs": rng.integers(-1, min(n, 6), m),
    }


def operands_of(logits, uniform, rows, logprobs, adjusted, masks, **settings) -> RowOperands:
    integers = {"row": rows, "likeliest": logprobs, "mask_row": settings["mask_rows"], **settings}
    return RowOperands(
        logits,
        np.stack([integers[name] for name in NUMBERS], axis=1).astype(np.int32),
        np.stack([settings[name] for name in COLUMNS], axis=1).astype(np.float64),
        uniform,
        adjusted,
        masks,
    )


def flat(operands: RowOperands) -> list:
    return [*operands[:4], *operands.adjusted, operands.masks]


def alone(arguments: dict, row: int) -> SampledRows:
    """One row of a call, in a call of its own."""
    adjusted = arguments["adjusted"]
    own = {
        name: value[row : row + 1] if name != "adjusted" and np.ndim(value) == 1 else value
        for name, value in arguments.items()
    }
    entries = slice(adjusted.first[row], adjusted.first[row + 1])
    size = np.int32([0, entries.stop - entries.start])
    own["adjusted"] = AdjustedTokens(size, adjusted.tokens[entries], adjusted.biases[entries])
    return kernels.sample_rows(**own)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_rows_depend_neither_on_each_other_nor_on_threads(isa, threads):
    arguments = everything(3, 23, 2100)
    together = kernels.sample_rows(**arguments, isa=isa, threads=threads)
    for row in range(23):
        single = alone({**arguments, "isa": isa, "threads": 1}, row)
        assert single.tokens[0] == together.tokens[row]
        assert single.status[0] == together.status[row]
        count = arguments["logprobs"][row]
        if count >= 0:
            assert single.logprobs[0] == together.logprobs[row]
            for ours, theirs in zip(single[3:], together[3:], strict=True):
                np.testing.assert_array_equal(ours[0, :count], theirs[row, :count])


@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("n", [1, 31, 33, 1029])
def test_rows_touch_nothing_outside(isa, at, n):
    arguments = everything(n, 9, n)
    expected = kernels.sample_rows(**arguments, isa=isa)
    adjusted = AdjustedTokens(*(guarded(a, at=at) for a in arguments.pop("adjusted")))
    arguments = {name: guarded(np.asarray(a), at=at) for name, a in arguments.items()}
    sampled = kernels.sample_rows(**arguments, adjusted=adjusted, isa=isa)
    np.testing.assert_array_equal(sampled.tokens, expected.tokens)
    operands = operands_of(**arguments, adjusted=adjusted)
    outputs = [guarded(np.zeros_like(a), at=at) for a in expected]
    before = operands.logits.copy()
    _native.call("sample", flat(operands), outputs, {}, isa=isa)
    np.testing.assert_array_equal(outputs[0], expected.tokens)
    np.testing.assert_array_equal(operands.logits, before)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"rows": [2]}, "rows"),
        ({"rows": [-1]}, "rows"),
        ({"rows": [[0]]}, "rows has 2 axes"),
        ({"top_k": -1}, "top_k"),
        ({"top_p": 0}, "top_p must be above 0"),
        ({"top_p": 1.5}, "top_p=1.5 must be finite, 0 to 1"),
        ({"min_p": np.nan}, "min_p"),
        ({"min_p": [0.5]}, r"min_p has shape \(1,\)"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"presence_penalty": np.inf}, "presence_penalty"),
        ({"temperature": -1}, "temperature"),
        ({"uniform": 1}, "uniform"),
        ({"logprobs": 41}, "logprobs"),
        ({"masks": np.zeros((1, 1), np.uint32)}, "masks has shape"),
        ({"mask_rows": [0, 0]}, "mask_rows"),
        ({"adjusted": AdjustedTokens(np.int32([0, 1]), np.int32([[0, 0, 0]]), np.float32([0]))},
         "adjusted.first has shape"),
        ({"adjusted": AdjustedTokens(np.int32([0, 2, 1]), np.int32([[0, 0, 0]]), np.float32([0]))},
         "adjusted.first must ascend"),
        ({"adjusted": AdjustedTokens(np.int32([0, 1, 1]), np.int32([[40, 0, 0]]), np.float32([0]))},
         "ids lie in 0 to 39"),
        ({"adjusted": AdjustedTokens(np.int32([0, 1, 1]), np.int32([[0, 0, 0]]),
                                     np.float32([np.inf]))}, "biases"),
        ({"logits": np.zeros((2, 0), np.float32)}, "no columns"),
    ],
)  # fmt: skip
def test_rows_refuse_what_has_no_meaning(arguments, complaint):
    with pytest.raises(ArgumentError, match=complaint):
        kernels.sample_rows(**{"logits": np.zeros((2, 40), np.float32)} | arguments)


def test_the_operator_refuses_operands_that_do_not_fit():
    operands = operands_of(**everything(1, 3, 40))
    results = list(run_rows(operands, 2))
    for index, name in enumerate(
        ["logits", "numbers", "settings", "uniforms", "first", "adjusted", "adjusted", "masks"]
    ):
        for wrong in (np.zeros((7, 7), np.float16), np.zeros(3, np.int64)):
            inputs = flat(operands)
            inputs[index] = wrong
            with pytest.raises(ArgumentError, match=name):
                _native.call("sample", inputs, results, {})
    for missing in (4, 5, 6):
        inputs = flat(operands)
        inputs[missing] = None
        with pytest.raises(ArgumentError, match="belong together"):
            _native.call("sample", inputs, results, {})
    for index, name in enumerate(["tokens", "status", "logprobs", "top tokens", "top logprobs"]):
        outputs = list(results)
        outputs[index] = np.zeros((4, 9), np.int64)
        with pytest.raises(ArgumentError, match=name):
            _native.call("sample", flat(operands), outputs, {})
