"""The turn of an assistant as one grammar: headers, thoughts, answers, calls."""

from __future__ import annotations

import json

import numpy as np
import pytest

import pyhades
from pyhades.errors import ArgumentError, ConfigurationError
from pyhades.llm.grammar import choice, turn
from pyhades.llm.grammar.compiled import Grammars
from pyhades.llm.grammar.harmony import harmony_turn
from pyhades.llm.grammar.turn import turn_constraint
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss import ARCHITECTURE as GPT_OSS
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from pyhades.llm.models.qwen3_moe import ARCHITECTURE as OTHER
from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.tokenizer import Tokenizer
from tests.support import o200k
from tests.support.toy_tokenizer import tokenizer_json, tokens_of, toy_tokenizer

jsonschema = pytest.importorskip("jsonschema")
pytest.importorskip("llguidance")

PLACE = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
         "additionalProperties": False}  # fmt: skip
FORM = {"type": "json_schema", "json_schema": {"name": "place", "schema": PLACE}}
DOCUMENT = '{"city": "Rome"}'
GET = {"name": "get", "strict": True, "parameters": PLACE}
GET_MORE = {"name": "get_more", "strict": True}
FREE = {"name": "free", "parameters": {"type": "object", "properties": {"n": {"enum": [1, 2]}},
        "not": {"required": ["x"]}}}  # fmt: skip
THOUGHT = "<|channel|>analysis<|message|>Hm, {why}.\n<|end|><|start|>assistant"
FINAL = "<|channel|>final<|message|>"
SAID = "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant"
ASK = [{"role": "user", "content": "Where is it?"}]


def call(name: str, arguments: str = DOCUMENT, kind: str = " <|constrain|>json") -> str:
    return f"<|channel|>commentary to=functions.{name}{kind}<|message|>{arguments}<|call|>"


def tools_of(*functions) -> list:
    return [{"type": "function", "function": function} for function in functions]


class Reader:
    """Says whether a turn may be what is written, token by token."""

    def __init__(self, tokenizer: Tokenizer, ends: list[int], chat=GPT_OSS.chat):
        self.tokenizer = tokenizer
        self.grammars = Grammars(tokenizer, tokenizer.vocab_size, ends)
        self.chat = chat

    def allows(self, text: str, constraint=None, **options) -> bool:
        chosen = ChatOptions(**options)
        grammar = turn_constraint(chosen, constraint, self.chat, self.tokenizer)
        token_filter = self.grammars.compiled(grammar).filters()()
        words = np.empty((self.tokenizer.vocab_size + 31) // 32, np.uint32)
        for token in tokens_of(text, self.tokenizer):
            if token_filter.finished:
                return False
            token_filter.fill(words)
            if not words[token // 32] >> token % 32 & 1:
                return False
            token_filter.accept(token)
        return token_filter.finished


@pytest.fixture(scope="module", params=["toy", "o200k"])
def harmony(request):
    if request.param == "o200k":
        if o200k.FOLDER is None:
            pytest.skip("PYHADES_O200K names no folder with o200k_base.tiktoken")
        tokenizer = o200k.tokenizer()
    else:
        tokenizer = toy_tokenizer()
    return Reader(tokenizer, [tokenizer.specials["<|return|>"]])


FREE_TURNS = {"tools": tools_of(FREE)}
JSON = {"response_format": FORM}
STRICT = {"tools": tools_of(GET, GET_MORE)}
REQUIRED = {"tools": tools_of(GET, FREE), "tool_choice": "required"}
NAMED = {"tools": tools_of(GET, FREE), "tool_choice": {"type": "function",
         "function": {"name": "free"}}}  # fmt: skip
AGAIN = {"tools": tools_of(GET), "parallel_tool_calls": True}
BOTH = {"tools": tools_of(GET), "response_format": FORM}
BUILT_IN = {"tools": tools_of(GET), "builtin_tools": ["browser", "python"]}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (JSON, FINAL + DOCUMENT + "<|return|>"),
        (JSON, THOUGHT * 2 + FINAL + DOCUMENT + "<|return|>"),
        (JSON, "<|channel|>final <|constrain|>json<|message|>" + DOCUMENT + "<|return|>"),
        (JSON, FINAL + '{\n  "city": "Rome"\n}<|return|>'),
        (STRICT, call("get")),
        (STRICT, call("get", kind="")),
        (STRICT, call("get", kind=" json")),
        (STRICT, THOUGHT + SAID + THOUGHT + call("get_more", "{}")),
        (STRICT, " to=functions.get<|channel|>commentary <|constrain|>json<|message|>" + DOCUMENT
         + "<|call|>"),
        (STRICT, THOUGHT + FINAL + "Rome, I think.<|return|>"),
        (STRICT, FINAL + "<|return|>"),
        (REQUIRED, THOUGHT + call("get")),
        (REQUIRED, call("free", '{"n": 1}')),
        (REQUIRED, call("free", '{"n": 2, "x": [1]}')),
        (NAMED, call("free", '{"n": 1}')),
        (BOTH, FINAL + DOCUMENT + "<|return|>"),
        (BOTH, SAID + call("get")),
        (BUILT_IN, "<|channel|>analysis to=python code<|message|>print(1)<|call|>"),
        (BUILT_IN, "<|channel|>analysis to=browser.search <|constrain|>json<|message|>{}<|call|>"),
        (AGAIN, call("get") + "<|start|>assistant" + call("get") + "<|start|>assistant"
         "<|channel|>final"),
    ],
)  # fmt: skip
def test_turns_that_are_allowed(harmony, options, text):
    assert harmony.allows(text, **options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (JSON, FINAL + "Rome<|return|>"),
        (JSON, FINAL + DOCUMENT + "<|end|>"),
        (JSON, FINAL + DOCUMENT[:-1] + "<|return|>"),
        (JSON, FINAL + DOCUMENT + "\n\n<|return|>"),
        (JSON, DOCUMENT + "<|return|>"),
        (JSON, SAID + FINAL + DOCUMENT + "<|return|>"),
        (JSON, "<|channel|>analysis<|message|>Hm<|return|>"),
        (JSON, call("get")),
        (JSON, FINAL + '{"city":' + " \n" * 3 + '"Rome"}<|return|>'),
        (STRICT, call("got")),
        (STRICT, call("get", '{"town": "Rome"}')),
        (STRICT, call("get_more", DOCUMENT)),
        (STRICT, call("get", DOCUMENT[:-1])),
        (STRICT, "<|channel|>commentary<|message|> \n<|end|><|start|>assistant" + call("get")),
        (STRICT, SAID + FINAL + "Rome<|return|>"),
        (REQUIRED, FINAL + "Rome<|return|>"),
        (REQUIRED, THOUGHT + FINAL + "Rome<|return|>"),
        (REQUIRED, call("free", '{"n": 3}')),
        (REQUIRED, call("free", "no")),
        (NAMED, call("get")),
        (STRICT, call("get") + "<|start|>assistant" + call("get")),
        (BUILT_IN, "<|channel|>analysis to=shell<|message|>ls<|call|>"),
    ],
)  # fmt: skip
def test_turns_that_are_not(harmony, options, text):
    assert not harmony.allows(text, **options)


def test_the_content_may_be_any_constraint(harmony):
    yes_or_no = choice(["yes", "no"])
    assert harmony.allows(THOUGHT + FINAL + "no<|return|>", yes_or_no)
    assert not harmony.allows(THOUGHT + FINAL + "maybe<|return|>", yes_or_no)


def test_thoughts_are_free_of_all_but_special_tokens(harmony):
    for thought in ("日本 🌦️\0\x7f", '{"a": }}}', "<|end|".replace("|", "I") * 50):
        text = f"<|channel|>analysis<|message|>{thought}<|end|><|start|>assistant"
        assert harmony.allows(text + FINAL + DOCUMENT + "<|return|>", **JSON)
    bad = "<|channel|>analysis<|message|>a<|channel|>b<|end|><|start|>assistant"
    assert not harmony.allows(bad + FINAL + DOCUMENT + "<|return|>", **JSON)


@pytest.mark.parametrize(
    "options",
    [
        {},
        FREE_TURNS,
        {"response_format": {"type": "text"}},
        {"response_format": {"type": "json_schema", "json_schema": {**FORM["json_schema"],
         "strict": False}}},
        {"tools": tools_of(GET), "tool_choice": "none"},
        {"tools": tools_of(GET, FREE), "tool_choice": {"type": "allowed_tools", "mode": "auto",
         "tools": [{"type": "function", "name": "free"}]}},
    ],
)  # fmt: skip
def test_where_nothing_has_to_be_kept_to_there_is_no_grammar(options):
    chosen = ChatOptions(**options)
    assert turn_constraint(chosen, None, GPT_OSS.chat, toy_tokenizer()) is None


def test_a_schema_that_is_not_strict_is_kept_to_as_far_as_it_can_be(harmony):
    odd = {"name": "odd", "parameters": {"$ref": "https://example.com/schema"}}
    options = {"tools": tools_of(odd, GET), "tool_choice": "required"}
    assert harmony.allows(call("odd", '{"anything": [1]}'), **options)
    assert not harmony.allows(call("odd", "[1]"), **options)
    strict = {"tools": tools_of({**odd, "strict": True})}
    with pytest.raises(ArgumentError, match=r"the tool odd, at the top: .*example"):
        harmony.allows("", **strict)


def test_names_that_begin_alike_and_have_dots(harmony):
    tools = tools_of(*({"name": name, "strict": True, "parameters": {"const": {"n": number}}}
                       for number, name in enumerate(["a", "a.b", "a.b-c", "aa"])))  # fmt: skip
    for number, name in enumerate(["a", "a.b", "a.b-c", "aa"]):
        assert harmony.allows(call(name, f'{{"n":{number}}}'), tools=tools)
        assert not harmony.allows(call(name, f'{{"n":{number + 1}}}'), tools=tools)


def test_every_turn_that_a_random_model_writes_can_be_read():
    """Whatever is drawn of what is allowed: a header, thoughts, and a document or a call."""
    tokenizer = toy_tokenizer()
    specials = tokenizer.specials
    options = ChatOptions(tools=tools_of(GET, FREE), response_format=FORM)
    grammar = turn_constraint(options, None, GPT_OSS.chat, tokenizer)
    grammars = Grammars(tokenizer, tokenizer.vocab_size, [specials["<|return|>"]])
    compiled = grammars.compiled(grammar)
    words = np.empty((tokenizer.vocab_size + 31) // 32, np.uint32)
    kinds = set()
    for seed in range(40):
        dice = np.random.default_rng(seed)
        token_filter = compiled.filters()()
        parser = pyhades.llm.text.harmony.HarmonyParser(tokenizer)
        deltas = []
        for _ in range(3000):
            token_filter.fill(words)
            bits = np.unpackbits(words.view(np.uint8), bitorder="little")
            allowed = np.flatnonzero(bits)
            ends = [specials["<|end|>"], *tokenizer.encode('"')]
            if dice.random() < 0.2 and (found := [end for end in ends if bits[end]]):
                allowed = found
            token = int(dice.choice(allowed))
            token_filter.accept(token)
            deltas += parser.push(token)
            if token_filter.finished:
                break
        answer = pyhades.llm.ChatAnswer.collect([*deltas, *parser.finish()])
        assert answer.finish_reason in ("stop", "tool_calls")
        kinds.add(answer.finish_reason)
        document = answer.content if answer.finish_reason == "stop" else answer.tool_calls[0]
        if isinstance(document, str):
            jsonschema.validate(json.loads(document), PLACE)
        elif document.name == "get":
            jsonschema.validate(json.loads(document.arguments), PLACE)
    assert kinds == {"stop", "tool_calls"}


@pytest.fixture(scope="module")
def llm():
    tokenizer = toy_tokenizer()
    ends = tuple(tokenizer.specials[f"<|{name}|>"] for name in ("return", "call"))
    config = tiny_config(vocab_size=tokenizer.vocab_size, eos_token_ids=ends)
    weights = random_weights(config, "balanced", threads=1)
    with pyhades.LLM.from_weights(
        config, weights, tokenizer, threads=1, context_length=512
    ) as opened:
        yield opened


SHORT = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 99}},
         "required": ["n"], "additionalProperties": False}  # fmt: skip
SHORT_TOOLS = tools_of({"name": "one", "parameters": SHORT}, {"name": "two", "parameters": SHORT})
ENDS_THOUGHTS = {toy_tokenizer().specials["<|end|>"]: 9.0}


@pytest.mark.parametrize("choice_", ["required", {"type": "function", "name": "two"}])
def test_a_call_that_is_required_comes_after_thoughts(llm, choice_):
    for seed in range(3):
        answer = llm.chat(ASK, tools=SHORT_TOOLS, tool_choice=choice_, seed=seed, date=None,
                          logit_bias=ENDS_THOUGHTS)  # fmt: skip
        assert answer.finish_reason == "tool_calls"
        (made,) = answer.tool_calls
        assert made.name in (("one", "two") if choice_ == "required" else ("two",))
        jsonschema.validate(json.loads(made.arguments), SHORT)


@pytest.mark.parametrize("budget", [0, 3])
@pytest.mark.parametrize("options", [
    {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SHORT}}},
    {"tools": SHORT_TOOLS, "tool_choice": "required"},
])  # fmt: skip
def test_a_budget_of_reasoning_agrees_with_a_grammar(llm, budget, options):
    answer = llm.chat(ASK, reasoning_budget=budget, date=None, seed=1, **options)
    assert answer.finish_reason in ("stop", "tool_calls")
    document = answer.tool_calls[0].arguments if answer.tool_calls else answer.content
    jsonschema.validate(json.loads(document), SHORT)


def test_parallel_calls_all_follow_their_schemas(llm):
    counts = set()
    for seed in range(4):
        answer = llm.chat(ASK, tools=SHORT_TOOLS, tool_choice="required", seed=seed, date=None,
                          parallel_tool_calls=True, logit_bias=ENDS_THOUGHTS)  # fmt: skip
        for made in answer.tool_calls:
            jsonschema.validate(json.loads(made.arguments), SHORT)
        counts.add(len(answer.tool_calls))
    assert max(counts) > 1


def test_a_document_that_was_begun_goes_on(llm):
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": SHORT}}
    begun = {"role": "assistant", "content": '{"n":'}
    answer = llm.chat([*ASK, begun], continue_final_message=True, response_format=form, date=None)
    jsonschema.validate(json.loads(begun["content"] + answer.content), SHORT)
    with pytest.raises(ArgumentError, match="of which the constraint allows"):
        llm.chat([*ASK, {"role": "assistant", "content": "No"}], continue_final_message=True,
                 response_format=form)  # fmt: skip


def test_without_the_library_a_required_call_is_begun_and_strictness_refused(llm, monkeypatch):
    monkeypatch.setattr(turn, "is_installed", lambda: False)
    monkeypatch.setitem(__import__("sys").modules, "llguidance", None)
    answer = llm.chat(ASK, tools=SHORT_TOOLS[:1], tool_choice="required", max_tokens=3)
    assert answer.tool_calls[0].name == "one"
    with pytest.raises(ConfigurationError, match=r'pip install "pyhades\[grammar\]"'):
        llm.chat(ASK, tools=tools_of(GET))


MARKERS = ("<|im_start|>", "<|im_end|>", "<think>", "</think>")


def test_a_format_with_thoughts_between_markers():
    tokenizer = Tokenizer.from_json(tokenizer_json(MARKERS))
    reader = Reader(tokenizer, [tokenizer.specials["<|im_end|>"]], OTHER.chat)
    for text in ("<think>\nHm}\n</think>\n\n", ""):
        assert reader.allows(text + DOCUMENT + "<|im_end|>", **JSON)
        assert not reader.allows(text + "Rome<|im_end|>", **JSON)
    assert not reader.allows("<think>" + DOCUMENT + "<|im_end|>", **JSON)
    chosen = ChatOptions(response_format=FORM, reasoning_effort="low")
    prompt = OTHER.chat.prompt(ASK, tokenizer, chosen)
    assert json.dumps(PLACE, separators=(",", ":")) in tokenizer.decode(prompt.tokens)
    grammar = turn_constraint(chosen, None, OTHER.chat, tokenizer)
    token_filter = reader.grammars.compiled(grammar).filters(prompt.begun)()
    for token in tokens_of(DOCUMENT + "<|im_end|>", tokenizer):
        token_filter.accept(token)
    assert token_filter.finished


def test_the_rules_are_few_and_name_tokens_by_number():
    options = ChatOptions(tools=tools_of(GET), response_format=FORM)
    grammar = turn_constraint(options, None, GPT_OSS.chat, toy_tokenizer())
    assert "<|" not in grammar.rules
    assert grammar == harmony_turn(
        turn.Turn(grammar.parts[0][1], (turn.Tool("get", grammar.parts[1][1]),)), toy_tokenizer()
    )
