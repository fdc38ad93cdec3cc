"""Tools in the chat format of Qwen3: how they are told, called, answered, and kept to a grammar."""

from __future__ import annotations

import json

import pytest

import pyhades
from pyhades.llm import ChatAnswer
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.qwen3_moe.chat import ChatmlParser, chatml_prompt, render_chat
from pyhades.llm.models.qwen3_moe.config import Qwen3MoeConfig
from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.tokenizer import Tokenizer
from pyhades.llm.text.turn import Turn
from pyhades.llm.text.written import WrittenMessage
from tests.support.toy_tokenizer import tokenizer_json

SPECIALS = (
    "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>", "</tool_call>",
    "<tool_response>", "</tool_response>",
)  # fmt: skip
TOKENIZER = Tokenizer.from_json(tokenizer_json(SPECIALS))
WEATHER = {
    "name": "get_weather",
    "description": "Weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 5}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
TIME = {"name": "get_time", "parameters": NOTHING}
ASK = {"role": "user", "content": "Weather in Paris, <tool_call>?"}
CALL = {
    "role": "assistant",
    "content": "Let me see.",
    "reasoning": "Paris, then.",
    "tool_calls": [
        {"id": "1", "type": "function",
         "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}},
        {"id": "2", "type": "function",
         "function": {"name": "get_weather", "arguments": {"city": "Orléans"}}},
    ],
}  # fmt: skip
RESULTS = [
    {"role": "tool", "tool_call_id": "1", "content": "rain"},
    {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "sun"}]},
]
SPOKEN = (
    "<think>\nParis, then.\n</think>\n\n",
    'Let me see.\n<tool_call>\n{"name": "get_weather", "arguments": {"city":"Paris"}}\n'
    '</tool_call>\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Orléans"}}\n'
    "</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\nrain\n</tool_response>\n<tool_response>\nsun\n"
    "</tool_response><|im_end|>\n",
)
"""Reasoning, and what stands behind it, as the template of the models has it."""


def text(tokens) -> str:
    names = {index: name for name, index in TOKENIZER.specials.items()}
    pieces = [names[t].encode() if t in names else TOKENIZER.pieces()[t] for t in tokens]
    return b"".join(pieces).decode()


def rendered(messages, **options) -> str:
    return text(render_chat(messages, TOKENIZER, **options))


def test_tools_are_told_in_the_system_message():
    system = {"role": "system", "content": "Be brief."}
    prompt = render_chat([system, ASK], TOKENIZER, tools=[WEATHER])
    tool = json.dumps({"type": "function", "function": WEATHER}, ensure_ascii=False)
    assert text(prompt) == (
        "<|im_start|>system\nBe brief.\n\n# Tools\n\nYou may call one or more functions to assist "
        "with the user query.\n\nYou are provided with function signatures within <tools></tools> "
        f"XML tags:\n<tools>\n{tool}\n</tools>\n\nFor each function call, return a json object "
        "with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n"
        '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\nWeather in Paris, <tool_call>?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert prompt.count(TOKENIZER.specials["<tool_call>"]) == 2, "what users write is text"
    assert "# Tools" not in rendered([ASK], tools=[WEATHER], tool_choice="none")


def test_calls_and_results_with_reasoning_until_the_user_speaks_again():
    start = "<|im_start|>assistant\n"
    told = rendered([ASK, CALL, *RESULTS], tools=[WEATHER])
    assert told.endswith(start + "".join(SPOKEN) + start)
    told = rendered([ASK, CALL, *RESULTS, {"role": "assistant", "content": "Rain."}, ASK])
    assert f"{start}{SPOKEN[1]}{start}Rain.<|im_end|>" in told


def answer(*pieces: str, reason=None) -> ChatAnswer:
    parser, deltas = ChatmlParser(TOKENIZER), []
    for piece in pieces:
        special = TOKENIZER.specials.get(piece)
        for token in [special] if special is not None else TOKENIZER.encode(piece):
            deltas += parser.push(token)
    return ChatAnswer.collect([*deltas, *parser.finish(reason)])


def call(arguments: str, name: str = "get_weather", ends: bool = True) -> list[str]:
    written = f'\n{{"name": "{name}", "arguments": {arguments}'
    return ["<tool_call>", written + "}\n", "</tool_call>"] if ends else ["<tool_call>", written]


def test_an_answer_with_calls():
    given = answer(
        "<think>", "\nHm.\n", "</think>", "\n\nLet me see.\n", *call('{"city": {"é": "}"}}'), "\n",
        *call("{}", "get_time"), "<|im_end|>",
    )  # fmt: skip
    assert (given.reasoning, given.content) == ("Hm.", "Let me see.")
    assert [(c.name, c.arguments) for c in given.tool_calls] == [
        ("get_weather", '{"city": {"é": "}"}}'), ("get_time", "{}"),
    ]  # fmt: skip
    assert given.finish_reason == "tool_calls"
    again = rendered([ASK, given.message, *RESULTS], tools=[WEATHER])
    assert "<think>\nHm.\n</think>\n\nLet me see.\n<tool_call>" in again


def test_names_come_before_arguments_in_a_stream():
    parser, deltas = ChatmlParser(TOKENIZER), []
    parser.push(TOKENIZER.specials["<tool_call>"])
    for token in TOKENIZER.encode(call('{"city": "Paris"}')[1]):
        deltas += parser.push(token)
    assert deltas[0].recipient == "functions.get_weather" and deltas[0].text == ""
    assert len(deltas) > 3
    assert "".join(delta.text for delta in deltas) == '{"city": "Paris"}'


@pytest.mark.parametrize(
    ("pieces", "calls", "content"),
    [
        (call('{"city": "Pa', ends=False), [('get_weather', '{"city": "Pa')], ""),
        (call('{"city": {}}', ends=False), [("get_weather", '{"city": {}}')], ""),
        (["<tool_call>", '{"arguments": {"a": 1}, "name": "f"}', "</tool_call>"],
         [("f", '{"a": 1}')], ""),
        (["<tool_call>", '{"name": "f"}', "</tool_call>"], [("f", "{}")], ""),
        (["<tool_call>", "get_weather(Paris)", "</tool_call>", "So."], [],
         "<tool_call>get_weather(Paris)</tool_call>\n\nSo."),
        (["<tool_call>", "</tool_call>", "So."], [], "So."),
        (["Four", " \n"], [], "Four \n"),
    ],
)  # fmt: skip
def test_calls_that_are_cut_off_or_malformed(pieces, calls, content):
    given = answer(*pieces)
    assert [(c.name, c.arguments) for c in given.tool_calls] == calls
    assert (given.content, given.finish_reason) == (content, "length")


def test_a_required_call_is_begun_without_a_grammar():
    options = {"tool_choice": "required"}
    [one] = [chatml_prompt([ASK], TOKENIZER, ChatOptions(tools=[WEATHER], **options))]
    begun = '<think>\n\n</think>\n\n<tool_call>\n{"name": "get_weather", "arguments": '
    assert text(one.begun) == begun
    two = chatml_prompt([ASK], TOKENIZER, ChatOptions(tools=[WEATHER, TIME], **options))
    assert begun.startswith(text(two.begun)) and text(two.begun).endswith('{"name": "get')


def test_one_call_where_more_are_not_wanted():
    prompt = chatml_prompt([ASK], TOKENIZER, ChatOptions(tools=[TIME], parallel_tool_calls=False))
    guide = prompt.guide()
    specials = TOKENIZER.specials
    assert [guide.after(specials[name]) for name in ("<tool_call>", "</tool_call>")] == [
        (), (specials["<|im_end|>"],),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def llm():
    pytest.importorskip("llguidance")
    config = Qwen3MoeConfig(
        2, 64, 64, 4, 2, 32, TOKENIZER.vocab_size, 4, 2, 0, ("full_attention",) * 2, 1024, 1e4,
        None, eos_token_ids=(TOKENIZER.specials["<|im_end|>"],),
    )  # fmt: skip
    with pyhades.LLM.from_weights(config, random_weights(config), TOKENIZER, threads=1) as opened:
        yield opened


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": WEATHER}])
def test_a_grammar_leaves_nothing_but_a_call(llm, choice):
    ends = {TOKENIZER.specials[name]: 9.0 for name in ("</think>", "<tool_call>")}
    for seed in range(4):
        given = llm.chat(
            [ASK], tools=[{**WEATHER, "strict": True}, TIME], tool_choice=choice, seed=seed,
            reasoning_budget=8, logit_bias=ends, max_tokens=120,
        )  # fmt: skip
        assert len(given.tool_calls) == 1
        [called] = given.tool_calls
        assert given.finish_reason == "tool_calls"
        if called.name == "get_weather":
            assert set(json.loads(called.arguments)) == {"city"}
        if choice != "required":
            assert called.name == "get_weather"


def test_strict_tools_may_be_left_alone(llm):
    strict = [{**WEATHER, "strict": True}]
    for seed in range(4):
        given = llm.chat([ASK], tools=strict, seed=seed, max_tokens=60, reasoning_effort="none")
        for called in given.tool_calls:
            if given.finish_reason == "tool_calls":
                assert set(json.loads(called.arguments)) == {"city"}


def written_turn(prompt, *pieces: str):
    """A turn cut into letters, as no tokenizer would cut it."""
    turn = Turn(prompt, [])
    parser = prompt.parser()
    for token in (t for piece in pieces for t in letters(piece)):
        turn.add(token, parser.push(token))
    return turn.written(parser.finish())


def letters(piece: str) -> list[int]:
    special = TOKENIZER.specials.get(piece)
    return [t for c in piece for t in TOKENIZER.encode(c)] if special is None else [special]


def test_a_chain_of_calls_is_told_as_it_was_written():
    options = ChatOptions(tools=[WEATHER])
    prompt = chatml_prompt([ASK], TOKENIZER, options)
    pieces = ("<think>", "\nParis, then.\n", "</think>", "\n\nLet me see.\n",
              *call('{"city":  "Paris"}'), "<|im_end|>")  # fmt: skip
    written = written_turn(prompt, *pieces)
    told = dict(written.message)
    (made,) = told["tool_calls"]
    told["tool_calls"] = [
        {**made, "function": {**made["function"], "arguments": {"city": "Paris"}}}
    ]
    result = {"role": "tool", "tool_call_id": made["id"], "content": "rain"}
    history = [ASK, WrittenMessage(told, written), result]
    tokens = chatml_prompt(history, TOKENIZER, options).tokens
    assert tokens[: len(prompt.tokens) + len(written.tokens)] == prompt.tokens + written.tokens
    again = [*history, {"role": "assistant", "content": "Rain."}, ASK]
    assert "Paris, then." not in text(chatml_prompt(again, TOKENIZER, options).tokens)


def test_where_others_go_on():
    system = {"role": "system", "content": "Be brief."}
    history = [system, ASK, {"role": "assistant", "content": "No."}, ASK]
    prompt = chatml_prompt(history, TOKENIZER, ChatOptions(tools=[WEATHER]))
    told, asked, end = prompt.points
    assert text(prompt.tokens[told:]).startswith("<|im_start|>user") and end == len(prompt.tokens)
    assert text(prompt.tokens[asked:]).count("<|im_start|>user") == 1
    assert prompt.opens == {TOKENIZER.specials["</tool_call>"]}
