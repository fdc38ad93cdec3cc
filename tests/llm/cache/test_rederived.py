"""A window that was lost is computed again: to the bit, and with few tokens read twice."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pyhades.errors import ArgumentError, CancelledError
from pyhades.llm.cache.resuming import Place, best_place, reach_of
from pyhades.llm.engine.runner import Piece, Runner
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import gpt_oss_config, tiny_config
from pyhades.llm.models.layers import CACHE_BLOCK
from tests.support.tiny_texts import ids

CONTEXT = 1024
FULL, SLIDING = "full_attention", "sliding_attention"
ALTERNATING = (SLIDING, FULL) * 2
MODELS = {
    "window 16": tiny_config(sliding_window=16),
    "window 32": tiny_config(),
    "window 48, three in a row": tiny_config(
        num_hidden_layers=5, sliding_window=48, layer_types=(SLIDING,) * 3 + (FULL, SLIDING)
    ),
    "window 128": tiny_config(sliding_window=128, layer_types=ALTERNATING),
}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    config = MODELS[request.param]
    return config, random_weights(config, "balanced", threads=1)


@pytest.fixture
def open_runner(model):
    runners = []

    def open_one(threads=1, kv_format="bf16", **options):
        runner = Runner(*model, CONTEXT, 4, threads, kv_format=kv_format, step_tokens=256,
                        **options)  # fmt: skip
        runners.append(runner)
        return runner

    yield open_one
    for runner in runners:
        runner.close()


def resumed(runner: Runner, text: list[int]):
    address = runner.cache.address(text)
    runner.cache.prefixes.look_up(address)
    return runner.cache.begin(address)


def read(runner: Runner, sequence, text: list[int], step: int = 100) -> np.ndarray:
    """The logits after the last token."""
    while sequence.length < len(text):
        tokens = text[sequence.length : sequence.length + step]
        [rows] = runner.run([Piece(sequence, tokens, 1)])
    return rows[-1].copy()


def lose_windows(runner: Runner) -> None:
    """As if others had needed their room, which has their contents now."""
    kept = runner.cache.prefixes
    for digest in list(kept.windows.kept):
        kept.windows.give_up(digest)
    pool = runner.cache.pools[SLIDING]
    dice = np.random.default_rng(0)
    if runner.cache.kv_format == "bf16":
        noise = dice.normal(0, 100, pool.of_blocks[:, :-1].size // 2).astype(np.float32)
        stale = (noise.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    else:
        noise = dice.normal(0, 100, pool.of_blocks[:, :-1].size // 4).astype(np.float32)
        stale = noise.view(np.uint8)
    free = [b for b in range(pool.blocks) if pool.users(b) == (0, 0)]
    pool.of_blocks[:, free] = stale.reshape(pool.of_blocks[:, :-1].shape)[:, free]


def read_and_lose(runner: Runner, text: list[int]) -> np.ndarray:
    """The logits after the last token; after that only layers that see everything know it."""
    sequence = resumed(runner, text)
    row = read(runner, sequence, text)
    runner.cache.free(sequence)
    lose_windows(runner)
    return row


def test_reach():
    assert reach_of(gpt_oss_config()) == 1524
    assert reach_of(tiny_config(layer_types=(FULL,) * 4)) == 0
    assert reach_of(MODELS["window 48, three in a row"]) == 4 * 47


def test_the_place_with_least_to_read():
    assert best_place(10, 0, lambda depth: True) == Place(10, 160, 10)
    assert best_place(0, 62, lambda depth: False) == Place()
    assert best_place(3, 62, lambda depth: False) == Place(3, 0, 0), (
        "all of it: sound from its start"
    )
    assert best_place(5, 62, lambda depth: False) == Place(5, 18, 5)
    assert best_place(5, 62, lambda depth: depth < 2) == Place(5, 18, 5)
    assert best_place(5, 62, lambda depth: depth in (2, 3)) == Place(5, 48, 3)


@pytest.mark.parametrize("kv_format", ["bf16", "int8"])
@pytest.mark.parametrize(("threads", "step"), [(1, 256), (1, 7), (2, 33)])
def test_logits_are_as_if_the_window_had_never_been_lost(open_runner, kv_format, threads, step):
    runner = open_runner(threads, kv_format)
    text = ids(0, 700)
    expected = read_and_lose(runner, text)
    again = resumed(runner, text)
    known, reach = 688, reach_of(runner.config)
    assert again.length == max(known - reach, 0)
    assert np.array_equal(read(runner, again, text, step), expected)
    assert runner.cache.info().rederived_tokens == min(reach, known)
    expected = read(runner, again, text + ids(1, 60), step)
    runner.cache.free(again)
    fresh = open_runner(threads, kv_format, prefix_cache=False)
    assert np.array_equal(read(fresh, fresh.cache.sequence(), text + ids(1, 60)), expected)


@pytest.mark.slow
def test_as_many_layers_as_gpt_oss_has():
    """Of 12 windows of 128, at most 1524 tokens are read again; and those are needed, too."""
    config = tiny_config(
        num_hidden_layers=24, sliding_window=128, layer_types=gpt_oss_config().layer_types
    )
    runner = Runner(config, random_weights(config, "balanced", threads=1), 3072, 2, 1)
    text = ids(0, 2500)
    expected = read_and_lose(runner, text)
    again = resumed(runner, text)
    assert (again.known, again.length) == (2496, 2496 - 1524)
    assert np.array_equal(read(runner, again, text), expected)
    runner.cache.free(again)
    lose_windows(runner)
    runner.cache.prefixes._reach = 1524 - 200
    short = resumed(runner, text)
    assert not np.array_equal(read(runner, short, text), expected), "a check that can fail"
    runner.close()


def test_windows_that_were_computed_again_serve_others(open_runner):
    runner = open_runner()
    text = ids(0, 500)
    read_and_lose(runner, text)
    again = resumed(runner, text)
    read(runner, again, text)
    third = resumed(runner, text)
    assert third.length == 496, "there is a window where it was resumed"
    other = text[:496] + ids(3, 90)
    fresh = open_runner(prefix_cache=False)
    expected = read(fresh, fresh.cache.sequence(), other)
    assert np.array_equal(read(runner, third, other, 30), expected)


def test_company_does_not_matter(open_runner):
    """Two that compute windows again, one that reads and one that writes, in the same steps."""
    runner = open_runner()
    texts = [ids(0, 400), ids(0, 300) + ids(1, 90), ids(2, 350), ids(4, 200)]
    expected = [read_and_lose(runner, text) for text in texts]
    sequences = [resumed(runner, text) for text in texts]
    rows: list[np.ndarray] = [np.zeros(0)] * 4
    for step in itertools.count():
        pieces, who = [], []
        for number, (sequence, text) in enumerate(zip(sequences, texts, strict=True)):
            tokens = text[sequence.length :][: (13, 64, 40, 1 + step)[number]]
            if tokens:
                pieces.append(Piece(sequence, tokens, 1))
                who.append(number)
        if not pieces:
            break
        for number, row in zip(who, runner.run(pieces), strict=True):
            rows[number] = row[-1].copy()
    assert all(map(np.array_equal, rows, expected))


def test_who_gives_up_in_the_middle_leaves_no_wrong_window(open_runner):
    runner = open_runner()
    text = ids(0, 600)
    expected = read_and_lose(runner, text)
    for tokens in (5, 20, 50):
        begun = resumed(runner, text)
        is_whole = not begun.length  # then all of it is right
        begun.trail.points.update(range(38))
        runner.run([Piece(begun, text[begun.length :][:tokens], 0)])
        is_done = begun.length >= begun.known
        runner.cache.free(begun)
        assert is_whole or is_done or not runner.cache.prefixes.checkpoints
        lose_windows(runner)
    again = resumed(runner, text)
    assert np.array_equal(read(runner, again, text), expected)


def test_a_step_that_was_stopped_is_taken_again(open_runner, monkeypatch):
    runner = open_runner()

    def stop(feeds):
        raise CancelledError("stopped")

    text = ids(0, 600)
    expected = read_and_lose(runner, text)
    again = resumed(runner, text)
    for end in (again.length + 5, 595, 600):
        before = again.length
        with monkeypatch.context() as patch:
            patch.setattr(runner.step, "run", stop)
            with pytest.raises(CancelledError):
                runner.run([Piece(again, text[before:end][:256], 1)])
        assert again.length == before
        last = read(runner, again, text[:end])
    assert np.array_equal(last, expected)


def test_what_lies_before_lost_windows_cannot_be_gone_back_to(open_runner):
    runner = open_runner()
    text = ids(0, 600)
    read_and_lose(runner, text)
    again = resumed(runner, text)
    sound = again.known if again.length else 0
    read(runner, again, text)
    with pytest.raises(ArgumentError, match="window before token"):
        runner.cache.truncate(again, max(sound - 1, 500))
    runner.cache.truncate(again, max(sound, 592))
    assert again.length == 592


def test_a_checkpoint_on_the_way_is_used_where_that_is_less(open_runner):
    runner = open_runner()
    text = ids(0, 640)
    sequence = resumed(runner, text)
    sequence.trail.points |= {8, 38}
    read(runner, sequence, text)
    runner.cache.free(sequence)
    kept = runner.cache.prefixes
    for digest, checkpoint in list(kept.windows.kept.items()):
        if checkpoint.node.depth not in (8, 38):
            kept.windows.give_up(digest)
    reach = reach_of(runner.config)
    assert resumed(runner, text).length == max(608, 39 * CACHE_BLOCK - reach)
    assert resumed(runner, text[:300]).length == max(128, 18 * CACHE_BLOCK - reach)
