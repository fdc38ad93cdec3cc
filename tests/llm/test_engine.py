"""The language model as users see it, on random weights and a small tokenizer."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref

import numpy as np
import pytest

from pyhades.errors import (
    ArgumentError,
    ArgumentTypeError,
    CancelledError,
    CapacityError,
    ClosedError,
    ConfigurationError,
)
from pyhades.llm import LLM, ChatAnswer, Conversation, SamplingParams
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from tests.support.toy_tokenizer import toy_tokenizer

SPECIALS = toy_tokenizer().specials
CONFIG = tiny_config(
    vocab_size=toy_tokenizer().vocab_size,
    eos_token_ids=(SPECIALS["<|return|>"], SPECIALS["<|call|>"]),
)
TEXTS = ["What is the weather", "def main():", "It is 21 degrees and sunny in Paris, and the"]
GREEDY = {"temperature": 0, "max_tokens": 12, "ignore_eos": True}


@pytest.fixture(scope="module")
def weights():
    return random_weights(CONFIG, "balanced", threads=1)


@pytest.fixture
def llm(weights):
    with LLM.from_weights(
        CONFIG, weights, toy_tokenizer(), threads=1, context_length=256, max_sequences=4
    ) as opened:
        yield opened


def becomes_true(condition, seconds=60.0) -> bool:
    """Whether it does within some time: the engine works on a thread of its own."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)
    return condition()


def greedy_by_logits(llm: LLM, prompt: list[int], count: int) -> list[int]:
    tokens = list(prompt)
    for _ in range(count):
        tokens.append(int(llm.logits(tokens)[-1].argmax()))
    return tokens[len(prompt) :]


def test_greedy_takes_the_largest_logit(llm):
    prompt = llm.tokenize(TEXTS[0])
    answer = llm.generate(TEXTS[0], **GREEDY)
    assert list(answer.token_ids) == greedy_by_logits(llm, prompt, 12)
    assert answer.text == llm.detokenize(answer.token_ids)
    assert answer.finish_reason == "length"
    assert answer.prompt_token_ids == tuple(prompt)


@pytest.mark.parametrize("params", [GREEDY, GREEDY | {"temperature": 1, "seed": 5, "top_p": 0.9}])
def test_prompts_together_are_prompts_alone(llm, params):
    """More of them than are written at once."""
    texts = [*TEXTS, *(text.upper() for text in TEXTS)]
    together = llm.generate(texts, **params)
    alone = [llm.generate(text, **params) for text in texts]
    assert [g.token_ids for g in together] == [g.token_ids for g in alone]


def test_token_ids_are_a_prompt_and_lists_of_them_several(llm):
    ids = llm.tokenize(TEXTS[1])
    expected = llm.generate(TEXTS[1], **GREEDY).token_ids
    assert llm.generate(ids, **GREEDY).token_ids == expected
    assert llm.generate(np.array(ids), **GREEDY).token_ids == expected
    assert [g.token_ids for g in llm.generate([ids], **GREEDY)] == [expected]


def test_the_same_seed_gives_the_same_tokens_on_any_threads(llm, weights):
    params = SamplingParams(seed=3, max_tokens=20, ignore_eos=True)
    expected = llm.generate(TEXTS[0], params).token_ids
    assert llm.generate(TEXTS[0], params, seed=4).token_ids != expected
    with LLM.from_weights(CONFIG, weights, threads=2, context_length=64) as other:
        assert other.generate(llm.tokenize(TEXTS[0]), params).token_ids == expected


def test_n_answers_differ_and_share_the_prompt(llm):
    answer = llm.generate(TEXTS[2], n=3, seed=1, max_tokens=10, ignore_eos=True)
    assert len({completion.token_ids for completion in answer.completions}) == 3
    assert answer.completions[0].token_ids == llm.generate(
        TEXTS[2], seed=1, max_tokens=10, ignore_eos=True
    ).token_ids  # fmt: skip
    with pytest.raises(ArgumentError, match="n=5"):
        llm.generate(TEXTS[0], n=5)


def test_a_stop_string_ends_the_answer_before_it(llm):
    text = llm.generate(TEXTS[0], **GREEDY).text
    stop = text[5:8]
    answer = llm.generate(TEXTS[0], stop=stop, **GREEDY)
    assert answer.text == text[: text.index(stop)]
    assert answer.finish_reason == "stop"


def test_a_stop_token_ends_the_answer_without_its_text(llm):
    bias = {SPECIALS["<|return|>"]: 1000.0}
    answer = llm.generate(TEXTS[0], logit_bias=bias, max_tokens=9)
    assert (answer.text, answer.finish_reason) == ("", "stop")
    assert answer.token_ids == (SPECIALS["<|return|>"],)
    end = {SPECIALS["<|end|>"]: 1000.0}
    assert len(llm.generate(TEXTS[0], logit_bias=end, max_tokens=9).token_ids) == 9


def test_logprobs_are_those_of_the_logits(llm):
    answer = llm.generate(TEXTS[0], logprobs=2, **GREEDY).completions[0]
    tokens = [*llm.tokenize(TEXTS[0]), *answer.token_ids]
    logits = llm.logits(tokens).astype(np.float64)[-13:-1]
    shares = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    for entry, row in zip(answer.logprobs, shares, strict=True):
        assert entry.logprob == pytest.approx(row[entry.token], abs=1e-4)
        assert [token for token, _ in entry.top] == np.argsort(-row)[:2].tolist()


def test_streamed_pieces_make_the_answer(llm):
    whole = llm.generate(TEXTS, **GREEDY)
    texts, tokens = [""] * 3, [()] * 3
    for delta in llm.stream(TEXTS, **GREEDY):
        texts[delta.prompt] += delta.text
        tokens[delta.prompt] += delta.token_ids
    assert texts == [g.text for g in whole]
    assert tokens == [g.token_ids for g in whole]


def test_closing_a_stream_stops_the_work_and_frees_the_cache(llm):
    deltas = llm.stream(TEXTS[0], **GREEDY)
    next(deltas)
    deltas.close()
    pools = llm.engine.runner.cache.pools.values()
    assert becomes_true(lambda: all(pool.free_blocks == pool.blocks for pool in pools))
    assert llm.generate(TEXTS[0], **GREEDY).finish_reason == "length"


def test_async_is_like_the_rest(llm):
    async def run():
        text = "".join([delta.text async for delta in llm.astream(TEXTS[0], **GREEDY)])
        return text, await llm.agenerate(TEXTS[0], **GREEDY)

    text, answer = asyncio.run(run())
    assert text == answer.text == llm.generate(TEXTS[0], **GREEDY).text


def test_max_tokens_is_what_the_context_leaves(llm):
    prompt = llm.tokenize(TEXTS[0]) * 20
    answer = llm.generate(prompt, ignore_eos=True)
    assert len(prompt) + len(answer.token_ids) == llm.context_length
    with pytest.raises(CapacityError, match="257 tokens, the context 256"):
        llm.generate(list(range(257)))


@pytest.mark.parametrize(
    ("prompt", "complaint"), [([], "empty"), ("", "empty"), ([10**6], "vocabulary")]
)
def test_bad_prompts(llm, prompt, complaint):
    with pytest.raises(ArgumentError, match=complaint):
        llm.generate(prompt, max_tokens=2)


def test_unknown_parameters_are_named(llm):
    with pytest.raises(ArgumentTypeError, match="no sampling parameter max_token;"):
        llm.generate(TEXTS[0], max_token=2)


def test_cancel_from_another_thread(llm):
    """Cancelled again and again, as between two calls there is nothing to cancel."""
    is_over = threading.Event()

    def cancel():
        while not is_over.wait(0.01):
            llm.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    try:
        with pytest.raises(CancelledError):
            for _ in range(1000):
                llm.generate(llm.tokenize(TEXTS[0]) * 30, max_tokens=100, ignore_eos=True)
    finally:
        is_over.set()
        canceller.join()
    assert llm.generate(TEXTS[0], **GREEDY).finish_reason == "length"


def test_a_closed_model_says_so_and_frees_its_weights():
    weights = random_weights(CONFIG, "fast", threads=1)
    data = weakref.ref(weights.layers[0].gate_up.weight.data.base)
    llm = LLM.from_weights(CONFIG, weights, threads=1, context_length=64)
    del weights
    llm.close()
    gc.collect()
    assert data() is None
    with pytest.raises(ClosedError):
        llm.logits([1, 2])
    assert "closed" in repr(llm)


def test_without_a_tokenizer_ids_still_work(weights):
    with LLM.from_weights(CONFIG, weights, threads=1, context_length=64) as llm:
        assert llm.generate([1, 2, 3], max_tokens=3, ignore_eos=True).text == ""
        with pytest.raises(ConfigurationError, match=r"tokenizer\.json"):
            llm.generate("text")


def forced(llm: LLM, text: str) -> SamplingParams:
    """Bias towards one token: enough to make a random model finish."""
    return SamplingParams(logit_bias={SPECIALS[text]: 1000.0}, max_tokens=20)


def test_chat_ends_and_gives_a_message_for_the_history(llm):
    question = [{"role": "user", "content": "What is the weather in Paris?"}]
    answer = llm.chat(question, forced(llm, "<|return|>"), date=None)
    assert isinstance(answer, ChatAnswer)
    assert answer.finish_reason == "stop"
    assert answer.message["role"] == "assistant"
    deltas = list(llm.chat(question, max_tokens=20, seed=2, temperature=0.7, stream=True))
    assert ChatAnswer.collect(deltas).finish_reason in ("stop", "length")
    assert isinstance(asyncio.run(llm.achat(question, max_tokens=3)), ChatAnswer)


def test_a_conversation_keeps_what_was_said(llm):
    talk = Conversation(llm, SamplingParams(max_tokens=5, seed=1), "Be brief.")
    talk.ask("First?")
    list(talk.answer())
    roles = [message["role"] for message in talk.messages]
    assert roles == ["system", "user", "assistant"]
    talk.take_back_answer()
    assert talk.has_question
    talk.ask("Second?")
    assert [m["content"] for m in talk.messages] == ["Be brief.", "Second?"]
    talk.reset()
    assert not talk.has_question


def test_repr_in_notebooks(llm):
    assert "4 layers" in repr(llm)
    html = llm.generate(TEXTS[0], **GREEDY)._repr_html_()
    assert "tokens/s" in html


@pytest.mark.parametrize("name", ["context_length", "max_sequences"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "8"])
def test_a_model_with_room_for_nothing_is_refused(weights, name, value):
    with pytest.raises((ArgumentError, ArgumentTypeError), match=name):
        LLM.from_weights(CONFIG, weights, **{name: value})


def test_an_answer_that_was_read_holds_nothing():
    with LLM(threads=1) as llm:
        for _ in range(20):
            for delta in llm.stream("def ", max_tokens=3, temperature=0):
                if delta.finish_reason is not None:
                    assert llm.stats().running == 0
