"""The cache as users of a model see it: what survives, what is told, and what is never found."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

import pyhades
from pyhades import LLM
from pyhades.errors import ArgumentError, ClosedError
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from pyhades.llm.text.level_counts import LevelCounts

ROOM = 1 << 28
CONFIG = tiny_config()
PROMPT = [(7 * number) % CONFIG.vocab_size for number in range(600)]
SAME = {"cache_bytes": ROOM, "threads": 1, "max_sequences": 2}


def opened(folder, config=CONFIG, *, seed: int = 0, **options) -> LLM:
    weights = random_weights(config, seed=seed)
    return LLM.from_weights(config, weights, cache_dir=folder, **{**SAME, **options})


def read(llm: LLM, prompt=PROMPT) -> tuple[int, tuple[int, ...]]:
    """Cached tokens, and what is written."""
    answer = llm.generate(prompt, max_tokens=6, temperature=0).completions[0]
    return answer.timing.cached_tokens, answer.token_ids


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder in which the prompt is kept, and what was written after it."""
    folder = tmp_path_factory.mktemp("kept")
    with opened(folder) as llm:
        cached, tokens = read(llm)
    assert cached == 0
    return folder, tokens


def test_what_was_read_survives(kept):
    folder, tokens = kept
    with opened(folder) as llm:
        cached, again = read(llm)
        assert cached > len(PROMPT) - 32 and again == tokens
        assert llm.cache_info().fetched_tokens >= cached - 16
        assert llm.stats().levels[0].hits > 0


@pytest.mark.parametrize(
    "others",
    [
        {"seed": 1},
        {"kv_format": "int8"},
        {"isa": "scalar"},
        {"config": replace(CONFIG, rope_theta=CONFIG.rope_theta / 2)},
        {"config": replace(CONFIG, rope_scaling=None)},
        {"config": replace(CONFIG, rms_norm_eps=1e-4)},
    ],
    ids=["weights", "kv_format", "tier", "rope", "scaling", "eps"],
)
def test_another_model_finds_nothing(kept, others):
    with opened(kept[0], **others) as llm:
        assert read(llm)[0] == 0
    with opened(kept[0], threads=2) as llm:  # which changes nothing that is computed
        assert read(llm)[0] > 0


def test_clients_find_their_own(tmp_path):
    for is_again in (False, True):
        with opened(tmp_path) as llm:
            for client in ("alice", "bob")[: 2 if is_again else 1]:
                answer = llm.generate(PROMPT, max_tokens=1, client=client).completions[0]
                assert (answer.timing.cached_tokens > 0) == (is_again and client == "alice")


def test_compressed_memory_holds_what_the_pool_gives_up():
    options = {"context_length": 1024, "kv_memory": 1, "cache_memory": 1 << 26}
    with LLM.from_weights(CONFIG, random_weights(CONFIG), threads=1, **options) as llm:
        read(llm)
        for start in range(1, 6):
            read(llm, PROMPT[start:] + PROMPT[:start])
        assert llm.cache_info().evicted_tokens > 0
        assert read(llm)[0] > len(PROMPT) - 32
        assert [level.name for level in llm.stats().levels] == ["memory"]


def test_a_model_with_a_cache_can_be_pickled(tmp_path):
    options = {"cache_dir": tmp_path, "cache_bytes": ROOM, "cache_memory": 1 << 20,
               "cache_policy": "lru", "speculation": False, "threads": 1}  # fmt: skip
    with LLM(**options) as llm:
        llm.generate("def main():\n    return 0\n" * 20, max_tokens=1)
        data, told = pickle.dumps(llm), repr(llm)
    with pickle.loads(data) as again:
        assert repr(again) == told
        assert again.speculation is False and again.stats().speculation is None
        answer = again.generate("def main():\n    return 0\n" * 20, max_tokens=1)
        assert answer.completions[0].timing.cached_tokens > 0


def test_what_was_chosen_is_told(tmp_path):
    with opened(tmp_path, cache_bytes=3_000_000_000, cache_memory=250_000_000) as llm:
        levels = f"250.0 MB of memory, 3.0 GB of disk in {tmp_path}"
        assert f", cache: {levels}, codec planes)" in repr(llm)
        for told in (llm.stats(), llm.cache_info()):
            assert "memory" in str(told) and "disk" in str(told)
            assert told._repr_html_().startswith("<table>") and "disk" in told._repr_html_()
    assert repr(llm).endswith(", closed)")
    with LLM.from_weights(CONFIG, random_weights(CONFIG), threads=1) as llm:
        assert "disk" not in repr(llm) and llm.stats().levels == ()


def test_closing_and_flushing(tmp_path):
    llm = opened(tmp_path)
    assert llm.flush_cache(seconds=0) is True  # there is nothing to write
    read(llm)
    assert llm.flush_cache()
    written = llm.stats().levels[0].written
    assert written > 0
    llm.close()
    llm.close()
    with pytest.raises(ClosedError):
        llm.flush_cache()
    with opened(tmp_path) as llm:
        assert llm.stats().levels[0].records >= written


def test_a_model_without_layers_that_see_everything_keeps_nothing(tmp_path):
    kinds = ("sliding_attention",) * CONFIG.num_hidden_layers
    config = replace(CONFIG, layer_types=kinds)
    with pytest.raises(ArgumentError, match="sees everything"):
        opened(tmp_path, config)


def test_two_models_share_a_folder(kept, tmp_path):
    with opened(tmp_path) as one, opened(tmp_path) as another:
        tokens = read(one)[1]
        assert one.flush_cache() and read(another)[1] == tokens


def test_lines_about_levels():
    troubled = LevelCounts("disk", misses=1, evicted=2, damaged=3, skipped=4)
    assert troubled.summary.endswith("1 gone, 2 given up, 3 damaged, 4 skipped")


def test_speculation_changes_no_token():
    text = "def add(a, b):\n    return a + b\n\n\ndef add(a, b):\n"
    answers = set()
    for speculation in (None, True, False):
        with pyhades.LLM(threads=1, speculation=speculation) as llm:
            answers.add(llm.generate(text, prediction=text, max_tokens=24, seed=3).token_ids)
            assert (llm.stats().speculation is None) == (speculation is False)
    assert len(answers) == 1
