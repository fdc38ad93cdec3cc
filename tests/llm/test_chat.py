"""What a chat gives besides its text, and what it does with several answers."""

from __future__ import annotations

import asyncio
import functools

import pytest

import pyhades
from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.llm import ChatAnswer
from pyhades.llm.grammar import turn
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.harmony import HarmonyParser, harmony_prompt, render_chat
from pyhades.llm.text.outputs import Delta, TokenLogprob
from tests.support.toy_tokenizer import tokens_of, toy_tokenizer

ASK = [{"role": "user", "content": "Is it warm?"}]
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("weather", "time")]
FINAL = "<|channel|>final<|message|>"
THOUGHT = "<|channel|>analysis<|message|>Hm, warm.<|end|><|start|>assistant"
CALL = '<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{"city": 1}<|call|>'


@pytest.fixture(scope="module")
def llm():
    tokenizer = toy_tokenizer()
    config = tiny_config(
        vocab_size=tokenizer.vocab_size,
        eos_token_ids=tuple(tokenizer.specials[f"<|{n}|>"] for n in ("return", "call")),
    )
    weights = random_weights(config)
    with pyhades.LLM.from_weights(config, weights, tokenizer, threads=1) as opened:
        yield opened


@pytest.fixture
def told(llm, monkeypatch):
    """Makes the model say texts, one per answer; gives the requests that it was asked for."""

    def tell(*texts: str, reason: str = "stop"):
        asked = []

        def stream(requests):
            asked.extend(requests)
            pieces = [
                Delta(0, index, "", (token,), None, (TokenLogprob(token, -0.5, ((token, -0.5),)),))
                for index, text in enumerate(texts)
                for token in tokens_of(text)
            ]
            for number, piece in enumerate(pieces):
                is_last = number + 1 == len(pieces) or pieces[number + 1].index != piece.index
                yield Delta(
                    0, piece.index, "", piece.token_ids, reason if is_last else None, piece.logprobs
                )

        monkeypatch.setattr(llm, "_stream", stream)
        return asked

    return tell


def test_tokens_are_counted(llm, told):
    text = THOUGHT + FINAL + "It is.<|return|>"
    told(text)
    answer = llm.chat(ASK, date=None)
    assert answer.token_ids == tuple(tokens_of(text))
    usage = answer.usage
    assert usage.prompt_tokens == len(render_chat(ASK, toy_tokenizer(), date=None))
    assert usage.completion_tokens == len(tokens_of(text))
    assert usage.reasoning_tokens == len(tokens_of("Hm, warm."))
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    deltas = list(llm.chat(ASK, date=None, stream=True))
    assert [delta.usage for delta in deltas if delta.usage] == [usage]
    assert deltas[-1].usage == usage and deltas[-1].finish_reason == "stop"
    assert [t for delta in deltas for t in delta.token_ids] == tokens_of(text)


def test_logprobs_are_those_of_what_is_said(llm, told):
    text = THOUGHT + FINAL + "It is 日.<|return|>"
    told(text)
    answer = llm.chat(ASK, logprobs=1)
    assert [entry.token for entry in answer.logprobs] == tokens_of("It is 日.")
    assert [entry.token for entry in answer.all_logprobs] == tokens_of(text)
    for delta in llm.chat(ASK, logprobs=1, stream=True):
        assert tuple(entry.token for entry in delta.logprobs) == delta.token_ids


@pytest.mark.parametrize(("stop", "shown"), [("is", "It "), ("nowhere", "It is. It was.")])
def test_logprobs_come_with_the_text_that_is_held_back(llm, told, stop, shown):
    told(FINAL + "It is. It was.<|return|>")
    answer = llm.chat(ASK, logprobs=0, stop=[stop, "was. No"])
    assert answer.content == shown
    text = "".join(toy_tokenizer().decode([entry.token]) for entry in answer.logprobs)
    assert text.startswith(shown)
    assert len(answer.all_logprobs) == len(answer.token_ids) == answer.usage.completion_tokens


def test_a_model_gives_its_own_logprobs(llm):
    answer = llm.chat(ASK, date=None, logprobs=2, temperature=0, max_tokens=6)
    plain = llm.generate(
        render_chat(ASK, toy_tokenizer(), date=None), logprobs=2, temperature=0, max_tokens=6
    )
    assert answer.all_logprobs == plain.completions[0].logprobs
    assert answer.token_ids == plain.token_ids


# Several answers.


def test_several_answers(llm, told):
    told(FINAL + "One<|return|>", THOUGHT + FINAL + "Two<|return|>")
    answer = llm.chat(ASK, n=2)
    assert [choice.content for choice in answer.choices] == ["One", "Two"]
    assert answer.content == "One" and answer.choices[1].reasoning == "Hm, warm."
    assert answer.choices[1].choices == (answer.choices[1],)
    deltas = list(llm.chat(ASK, n=2, stream=True))
    assert {delta.choice for delta in deltas} == {0, 1}
    assert [delta.finish_reason for delta in deltas].count("stop") == 2
    assert ChatAnswer.collect(deltas) == answer
    assert answer._repr_html_().count("<hr>") == 1


def test_several_answers_of_a_model_are_those_of_generate(llm):
    keywords = {"n": 3, "seed": 5, "max_tokens": 12}
    answer = llm.chat(ASK, date=None, **keywords)
    plain = llm.generate(render_chat(ASK, toy_tokenizer(), date=None), **keywords)
    assert [choice.token_ids for choice in answer.choices] == [
        completion.token_ids for completion in plain.completions
    ]

    async def asked():
        return await llm.achat(ASK, date=None, **keywords)

    assert asyncio.run(asked()) == answer


def test_a_stop_string_ends_its_own_answer(llm):
    """Each ends where it would alone, and the model is free when all have ended."""
    keywords = {"n": 3, "seed": 5, "max_tokens": 40, "ignore_eos": True, "date": None}
    whole = [choice.content for choice in llm.chat(ASK, **keywords).choices]
    stop = next(text[8:10] for text in whole if len(text) > 10)
    answer = llm.chat(ASK, stop=stop, **keywords)
    assert [choice.content for choice in answer.choices] == [text.split(stop)[0] for text in whole]
    assert llm.generate("a", max_tokens=1).finish_reason
    assert not llm._engine.scheduler.has_work


# What may be called.


def test_a_glued_name_is_the_function_that_was_declared(llm, told):
    told('<|channel|>commentary to=functions.weatherjson<|message|>{"city": 1}<|call|>')
    answer = llm.chat(ASK, tools=TOOLS)
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [
        ("weather", '{"city": 1}')
    ]
    assert answer.finish_reason == "tool_calls"


def test_a_named_function_is_called(llm, told, monkeypatch):
    """Without the library of grammars, which leaves the model to reason before."""
    monkeypatch.setattr(turn, "is_installed", lambda: False)
    asked = told('{"city": 1}<|call|>')
    choice = {"type": "function", "function": {"name": "weather"}}
    answer = llm.chat(ASK, tools=TOOLS, tool_choice=choice)
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [
        ("weather", '{"city": 1}')
    ]
    assert answer.messages[0].content_type == "json" and answer.finish_reason == "tool_calls"
    assert toy_tokenizer().decode(asked[0].tokens).endswith("<|constrain|>json<|message|>")
    deltas = list(llm.chat(ASK, tools=TOOLS, tool_choice=choice, stream=True))
    assert (deltas[0].recipient, deltas[0].text) == ("functions.weather", "")


def test_the_model_chooses_among_functions_when_a_call_is_required():
    """Without a grammar: the answer begins with what the headers of all calls have in common."""
    prompt = harmony_prompt(
        ASK, toy_tokenizer(), ChatOptions(tools=TOOLS, tool_choice="required", date=None)
    )
    header = CALL.partition("{")[0]
    begun = toy_tokenizer().decode(prompt.begun)
    assert begun and header.startswith(begun)
    parser = prompt.parser()
    tokens = [*prompt.begun, *tokens_of(CALL.removeprefix(begun))]
    deltas = [delta for token in tokens for delta in parser.push(token)]
    answer = ChatAnswer.collect([*deltas, *parser.finish()])
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [
        ("weather", '{"city": 1}')
    ]
    assert answer.finish_reason == "tool_calls"


def test_what_was_begun_is_no_part_of_the_answer(llm, told):
    told(" Rome.<|return|>")
    begun = {"role": "assistant", "reasoning": "Hm.", "content": "The capital is"}
    answer = llm.chat([*ASK, begun], continue_final_message=True)
    assert (answer.content, answer.reasoning) == (" Rome.", "")
    told(" so.<|end|><|start|>assistant" + FINAL + "Yes<|return|>")
    begun = {"role": "assistant", "reasoning": "Hm,", "content": None}
    answer = llm.chat([*ASK, begun], continue_final_message=True)
    assert (answer.content, answer.reasoning) == ("Yes", " so.")
    assert answer.usage.reasoning_tokens == len(tokens_of(" so."))


# Guides. `model` says what the model would say, token by token; the guide may put in others.


def guided(model: str, **options) -> str:
    prompt = harmony_prompt(ASK, toy_tokenizer(), ChatOptions(date=None, **options))
    guide, parser = prompt.guide(), prompt.parser()
    stops = set(tokens_of("<|return|><|call|>")) - prompt.goes_on
    wanted, forced, written = tokens_of(model), [], []
    while wanted or forced:
        token = forced.pop(0) if forced else wanted.pop(0)
        written.append(token)
        parser.push(token)
        forced.extend(guide.after(token))
        if token in stops or guide.is_over:
            break
    guided.reason = parser.finish()[-1].finish_reason
    return toy_tokenizer().decode(written)


def test_reasoning_ends_with_its_budget():
    thought = "Hm, it is warm, and warm, and warm, and so on, and so on."
    count = len(tokens_of(thought))
    header = "<|channel|>analysis<|message|>"
    end = "<|end|><|start|>assistant" + FINAL
    for most in (1, 5, count):
        text = guided(header + thought + " Yes.<|return|>", reasoning_budget=most)
        reasoning = toy_tokenizer().decode(tokens_of(thought)[:most])
        assert text.startswith(header + reasoning + end)
        assert text.endswith("Yes.<|return|>")
    enough = header + thought + "<|end|><|start|>assistant" + FINAL + "Yes.<|return|>"
    assert guided(enough, reasoning_budget=count + 1) == enough


def test_a_character_is_not_cut_by_the_end_of_the_budget():
    text = guided("<|channel|>analysis<|message|>日本日本" + FINAL, reasoning_budget=1)
    assert text.startswith("<|channel|>analysis<|message|>日<|end|><|start|>assistant" + FINAL)


def test_who_may_call_a_function_may_call_it_after_the_budget():
    header = "<|channel|>analysis<|message|>"
    exit_ = "<|end|><|start|>assistant<|channel|>"
    call = CALL.removeprefix("<|channel|>")
    text = guided(header + "1" + call, reasoning_budget=1, tools=TOOLS)
    assert text == header + "1" + exit_ + call
    assert guided.reason == "tool_calls"
    again = header.removeprefix("<|channel|>")
    text = guided(header + "1" + again + "Yes<|return|>", reasoning_budget=1, tools=TOOLS)
    assert text == header + "1" + exit_ + again + exit_ + "final<|message|>Yes<|return|>"


def test_further_calls_where_they_are_asked_for():
    another = "<|start|>assistant<|channel|>"
    options = {"tools": TOOLS, "parallel_tool_calls": True}
    second = CALL.removeprefix("<|channel|>")
    text = guided(CALL + second + "final<|message|>It is", **options)
    assert text == CALL + another + second + another + toy_tokenizer().decode(
        tokens_of("final")[:1]
    )
    # In the vocabulary of the models, the names of the other channels are one token.
    parser = HarmonyParser(toy_tokenizer())
    for token in tokens_of(CALL + another + "final"):
        parser.push(token)
    assert parser.finish()[-1].finish_reason == "tool_calls"
    assert len(parser.messages) == 1


def test_calls_are_parallel_only_where_asked_for():
    for options in ({}, {"parallel_tool_calls": False}):
        prompt = harmony_prompt(ASK, toy_tokenizer(), ChatOptions(tools=TOOLS, **options))
        assert prompt.guide is None and not prompt.goes_on


def test_a_budget_through_the_model(llm):
    """Whatever it thinks, it says something after five tokens."""
    begun = [*ASK, {"role": "assistant", "reasoning": "Hm", "content": None}]
    ask = functools.partial(llm.chat, begun, continue_final_message=True, seed=1, date=None)
    answer = ask(reasoning_budget=5, max_tokens=30, ignore_eos=True, logprobs=0)
    assert answer.usage.reasoning_tokens in range(5, 9)
    text = toy_tokenizer().decode(answer.token_ids)
    assert "<|end|><|start|>assistant" + FINAL in text
    assert answer.content
    assert all(entry.logprob < 0 for entry in answer.all_logprobs)
    free = ask(max_tokens=5, ignore_eos=True)
    assert answer.token_ids[:5] == free.token_ids
    assert len(llm.chat(ASK, reasoning_budget=0, max_tokens=4, date=None).token_ids) <= 4


@pytest.mark.parametrize("messages", [None, 5, "Hi", {"role": "user", "content": "Hi"}, ["Hi"]])
def test_what_is_no_conversation(llm, messages):
    with pytest.raises(ArgumentTypeError, match="messages"):
        llm.chat(messages)
    with pytest.raises(ArgumentError, match="messages are empty"):
        llm.chat([])


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"role": "user"}, r"messages\[1\] has no 'content', and role 'user' .* is ''"),
        ({"role": "user", "contnet": "Hi"}, r"messages\[1\] has no 'content'.*'contnet'\?"),
        ({"role": "user", "content": None}, r"messages\[1\] has content None, and role 'user'"),
        ({"role": "system", "text": "Hi"}, "role 'system'"),
        ({"role": "developer"}, "role 'developer'"),
        ({"role": "tool", "tool_call_id": "call_1", "contents": "21"}, "'contents'"),
        ({"role": "assistant"}, "neither content nor tool_calls"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value) + f"-{value['role']}",
)
def test_messages_that_say_nothing(llm, message, said):
    with pytest.raises(ArgumentError, match=said):
        llm.chat([*ASK, message])


def test_messages_that_say_something(llm, told):
    told("Yes<|return|>")
    calls = [{"id": "call_1", "function": {"name": "weather", "arguments": "{}"}}]
    result = {"role": "tool", "tool_call_id": "call_1", "content": ""}
    answer = llm.chat([*ASK, {"role": "assistant", "tool_calls": calls}, result])
    assert answer.finish_reason == "stop"
