"""One model and many callers: threads, event loops, streams that are left, models that close."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

import pyhades
from pyhades.errors import ArgumentTypeError, CancelledError, ClosedError, ConfigurationError
from pyhades.llm import LLM
from pyhades.llm.engine import engine as engine_module
from pyhades.llm.engine.scheduler import Scheduler
from pyhades.llm.engine.work import Texts
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from tests.support.toy_tokenizer import toy_tokenizer

CONFIG = tiny_config(vocab_size=toy_tokenizer().vocab_size, max_position_embeddings=4096)
LONG = {"temperature": 0, "max_tokens": 3000, "ignore_eos": True}
SHORT = {"temperature": 0, "max_tokens": 8, "ignore_eos": True}
TEXTS = ["What is the weather", "def main():", "It is 21 degrees", "Paris", "import os", "a", "b"]


@pytest.fixture(scope="module")
def weights():
    return random_weights(CONFIG, "balanced", threads=1)


@pytest.fixture
def llm(weights):
    with LLM.from_weights(CONFIG, weights, toy_tokenizer(), threads=1, context_length=4096) as one:
        yield one


def becomes_true(condition, seconds=20.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)
    return condition()


def is_free(llm) -> bool:
    pools = llm.engine.runner.cache.pools.values()
    return all(pool.free_blocks == pool.blocks for pool in pools)


def test_a_call_while_a_stream_is_half_read(llm):
    expected = llm.generate(TEXTS[1], **SHORT).text
    stream = llm.stream(TEXTS[0], **LONG)
    first = next(stream)
    assert llm.generate(TEXTS[1], **SHORT).text == expected
    assert next(stream).index == first.index
    stream.close()
    assert becomes_true(lambda: is_free(llm))


def test_several_streams_of_one_thread_in_turn(llm):
    expected = [llm.generate(text, **SHORT).text for text in TEXTS]
    streams = [llm.stream(text, **SHORT) for text in TEXTS]
    texts = [""] * len(TEXTS)
    for _ in range(8):
        for number, stream in enumerate(streams):
            texts[number] += next(stream).text
    assert texts == expected


def test_a_callback_may_ask_the_same_model(llm):
    expected = llm.generate(TEXTS[1], **SHORT).text
    asked = []
    llm.generate(
        TEXTS[0], **SHORT, on_delta=lambda delta: asked.append(llm.generate(TEXTS[1], **SHORT).text)
    )
    assert asked == [expected] * 8


def test_an_exception_in_a_callback_aborts_that_call_alone(llm):
    other = llm.stream(TEXTS[1], **LONG)
    next(other)
    with pytest.raises(ZeroDivisionError):
        llm.generate(TEXTS[0], **LONG, on_delta=lambda delta: 1 / 0)
    assert becomes_true(lambda: llm.engine.scheduler.running == 1)
    next(other)
    other.close()
    assert becomes_true(lambda: is_free(llm))


def test_threads_and_a_loop_at_once(llm):
    expected = {text: llm.generate(text, **SHORT).text for text in TEXTS}
    wrong = []

    def ask(text):
        for _ in range(5):
            if llm.generate(text, **SHORT).text != expected[text]:
                wrong.append(text)

    async def loop():
        async def stream(text):
            return "".join([delta.text async for delta in llm.astream(text, **SHORT)])

        for _ in range(5):
            texts = await asyncio.gather(*map(stream, TEXTS))
            assert texts == [expected[text] for text in TEXTS]

    threads = [threading.Thread(target=ask, args=(text,)) for text in TEXTS]
    for thread in threads:
        thread.start()
    asyncio.run(loop())
    for thread in threads:
        thread.join()
    assert not wrong
    assert becomes_true(lambda: is_free(llm))


SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 6}},
          "required": ["city"], "additionalProperties": False}  # fmt: skip
TOOLS = [{"name": "weather", "strict": True, "parameters": SCHEMA}, {"name": "time"}]
CHATS = [
    {"n": 3, "logprobs": 2, "temperature": 1.5},
    {"stop": ["e", "th"], "logprobs": 0},
    {"reasoning_budget": 5, "n": 2},
    {"reasoning_effort": "none", "repetition_penalty": 1.3},
    {"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": True},
    {"tools": TOOLS, "n": 2, "top_k": 20},
    {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "time"}}},
    {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}, "n": 2},
    {"constraint": pyhades.llm.grammar.regex("[ab]{3,9}"), "logprobs": 1},
]


def test_every_kind_of_chat_is_the_same_in_company(weights):
    """Threads that ask at once, for answers that do not fit the cache together."""
    pytest.importorskip("llguidance", reason="grammars need llguidance")

    def said(llm, seed):
        answer = llm.chat(
            [{"role": "user", "content": TEXTS[seed % len(TEXTS)] * 3}], seed=seed, date=None,
            max_tokens=70, client=str(seed % 2), **CHATS[seed % len(CHATS)],
        )  # fmt: skip
        return [
            (choice.content, choice.reasoning, choice.token_ids, choice.all_logprobs,
             [(call.name, call.arguments) for call in choice.tool_calls], choice.finish_reason)
            for choice in answer.choices
        ]  # fmt: skip

    with LLM.from_weights(
        CONFIG,
        weights,
        toy_tokenizer(),
        threads=1,
        context_length=640,
        max_sequences=6,
        kv_memory=1,
    ) as llm:
        alone = [said(llm, seed) for seed in range(2 * len(CHATS))]
        with ThreadPoolExecutor(len(alone)) as pool:
            together = list(pool.map(lambda seed: said(llm, seed), range(len(alone))))
        assert together == alone
        assert llm.engine.scheduler.preemptions
        assert becomes_true(lambda: is_free(llm))


def test_a_cancelled_task_stops_its_work(llm):
    async def main():
        task = asyncio.ensure_future(llm.agenerate(TEXTS[0], **LONG))
        while not llm.engine.scheduler.running:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await asyncio.to_thread(becomes_true, lambda: is_free(llm))

    assert asyncio.run(main())


def test_leaving_an_async_stream_stops_its_work(llm):
    async def main():
        async for _ in llm.astream(TEXTS[0], **LONG):
            break
        async for piece in llm.astream_chat([{"role": "user", "content": "Hi"}], **LONG):
            assert piece is not None
            break
        return await asyncio.to_thread(becomes_true, lambda: is_free(llm))

    assert asyncio.run(main())


def test_a_stream_that_nobody_holds_stops(llm):
    stream = llm.stream(TEXTS[0], **LONG)
    next(stream)
    del stream
    gc.collect()
    assert becomes_true(lambda: is_free(llm))
    llm.stream(TEXTS[0], **LONG)  # not even begun
    gc.collect()
    assert becomes_true(lambda: is_free(llm))


def test_an_answer_waits_for_a_reader_who_does_not_read(llm, monkeypatch):
    monkeypatch.setattr(engine_module, "DELTAS", 20)
    stream = llm.stream(TEXTS[0], **LONG)
    assert becomes_true(lambda: llm.engine.scheduler.running and not llm.engine.scheduler.has_work)
    [answer] = llm.engine.scheduler.roster.holding
    written = answer.written
    assert 20 <= written <= 22
    assert llm.generate(TEXTS[1], **SHORT).token_ids
    assert answer.written == written
    tokens = [token for delta in stream for token in delta.token_ids]
    assert len(tokens) == 3000


def test_abort_ends_a_step_that_nobody_waits_for(llm):
    """Within a step of at most a second; here of a prompt that would take many."""
    handle = llm.prepare([[1] * 3000], max_tokens=1).begin()
    assert becomes_true(lambda: llm.engine.scheduler.running)
    handle.abort()
    assert becomes_true(lambda: is_free(llm))
    with pytest.raises(CancelledError):
        list(handle)


def test_abort_in_the_middle_of_a_step_ends_with_it(llm, monkeypatch):
    """In company, which goes on: what was aborted takes no part in the next step."""
    other = llm.stream(TEXTS[1], **LONG)
    handle = llm.prepare([TEXTS[0]], **LONG).begin()
    runner, taking_part = llm.engine.runner, []
    run_step = runner.run

    def run(pieces, *rest):
        taking_part.append(len(pieces))
        if taking_part.count(2) == 3 and taking_part[-1] == 2:
            handle.abort()
        return run_step(pieces, *rest)

    monkeypatch.setattr(runner, "run", run)
    assert becomes_true(lambda: taking_part[-3:] == [1, 1, 1] and 2 in taking_part)
    assert taking_part.count(2) == 3
    assert next(other).token_ids
    other.close()
    assert becomes_true(lambda: is_free(llm))


def test_a_failure_around_an_answer_ends_that_call_alone(llm, monkeypatch):
    """Where its text is made, and where it is taken in: nobody waits for ever."""
    expected = llm.generate(TEXTS[1], **SHORT).text
    other = llm.stream(TEXTS[2], **LONG)
    next(other)

    def fail(*_):
        raise ZeroDivisionError("on purpose")

    for place, name in ((Texts, "delta"), (Scheduler, "add")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, fail)
            with pytest.raises(ZeroDivisionError, match="on purpose"):
                llm.generate(TEXTS[0], **SHORT)
    assert llm.generate(TEXTS[1], **SHORT).text == expected
    next(other)
    other.close()
    assert becomes_true(lambda: is_free(llm))


def test_requests_are_made_for_clients(llm):
    """By every face: what was read for one of them is found by himself alone."""
    text = "What is the weather in Paris today? " * 8
    messages = [{"role": "user", "content": text}]
    how = {**SHORT, "max_tokens": 1}

    async def written(client):
        one = await llm.agenerate(text, client=client, **how)
        [other] = [delta async for delta in llm.astream(text, client=client, **how)]
        said = await llm.achat(messages, client=client, date=None, **how)
        again = llm.chat(messages, client=client, date=None, **how)
        return [one.completions[0].timing.cached_tokens, other.cached_tokens,
                said.usage.cached_tokens, again.usage.cached_tokens]  # fmt: skip

    for client in ("one", "other", "\ud800"):
        first = llm.generate(text, client=client, **how).completions[0].timing.cached_tokens
        [streamed] = llm.stream(text, client=client, **how)
        more = [streamed.cached_tokens, *asyncio.run(written(client))]
        assert first == 0
        assert [cached > 0 for cached in more] == [True, True, True, False, True]
    with pytest.raises(ArgumentTypeError, match="client=7"):
        llm.generate(text, client=7)


def test_closing_ends_open_streams(weights):
    llm = LLM.from_weights(CONFIG, weights, toy_tokenizer(), threads=1, context_length=4096)
    with llm:
        stream = llm.stream(TEXTS[0], **LONG)
        next(stream)
    with pytest.raises(ClosedError):
        list(stream)
    with pytest.raises(ClosedError):
        llm.stream(TEXTS[0])
    llm.close()


def test_closing_ends_waiting_threads(weights):
    llm = LLM.from_weights(CONFIG, weights, toy_tokenizer(), threads=1, context_length=4096)
    errors = []

    def ask():
        try:
            llm.generate(TEXTS[0], **LONG)
        except ClosedError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert becomes_true(lambda: llm.engine.scheduler.running == 4)
    llm.close()
    for thread in threads:
        thread.join(20)
    assert len(errors) == 4


def test_a_model_that_nobody_holds_takes_its_thread_along(weights):
    llm = LLM.from_weights(CONFIG, weights, toy_tokenizer(), threads=1, context_length=64)
    llm.generate(TEXTS[0], **SHORT)
    thread, engine = llm.engine._thread, weakref.ref(llm.engine)
    del llm
    gc.collect()
    thread.join(20)
    assert not thread.is_alive()
    assert engine() is None


def test_a_pickled_model_is_opened_again(weights, llm):
    with pytest.raises(ConfigurationError, match="pickled"):
        pickle.dumps(llm)
    with pyhades.LLM(threads=1, context_length=128, max_sequences=3) as toy:
        expected = toy.generate("def ", **SHORT).text
        with pickle.loads(pickle.dumps(toy)) as other:
            assert other.generate("def ", **SHORT).text == expected
            assert (other.threads, other.context_length, other.max_sequences) == (1, 128, 3)


def test_a_forked_child_begins_anew():
    done = run_script(
        """
        import os, pyhades, sys, threading
        llm = pyhades.LLM(threads=2)
        short = dict(max_tokens=6, temperature=0)
        expected = llm.generate("def ", **short).text
        stream = llm.stream("import ", max_tokens=2000, ignore_eos=True)
        next(stream)
        child = os.fork()
        if not child:
            try:
                ok = llm.generate("def ", **short).text == expected
                try:
                    list(stream)
                    ok = False
                except pyhades.errors.CancelledError:
                    pass
                llm.close()
                os._exit(0 if ok else 3)
            except BaseException as error:
                print(error, file=sys.stderr)
                os._exit(4)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0, status
        assert next(stream).token_ids
        assert llm.generate("def ", **short).text == expected
        print("done")
        """
    )
    assert done.stdout == "done\n", done.stderr


def test_an_interpreter_that_ends_while_the_model_writes_ends_well():
    done = run_script(
        """
        import pyhades
        llm = pyhades.LLM(threads=2)
        stream = llm.stream("import ", max_tokens=4000, ignore_eos=True)
        next(stream)
        print("done")
        """
    )
    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)


def test_ctrl_c_stops_a_call_and_leaves_the_model_usable():
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(
            """
            import pyhades, signal, threading, time

            def tell():
                while not llm.engine.scheduler.running:
                    time.sleep(0.001)
                print("begun", flush=True)

            signal.signal(signal.SIGINT, signal.default_int_handler)
            llm = pyhades.LLM(threads=1)
            threading.Thread(target=tell).start()
            try:
                llm.generate("import ", max_tokens=8000, ignore_eos=True)
            except KeyboardInterrupt:
                print("stopped", flush=True)
            print(len(llm.generate("def ", max_tokens=3, ignore_eos=True).token_ids))
            """
        )],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert rest == "stopped\n3\n"
    assert process.returncode == 0


def run_script(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
