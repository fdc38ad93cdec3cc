"""Answers keep to what was asked for, whatever the model, its temperature and its company."""

from __future__ import annotations

import asyncio
import json
import re
import threading

import numpy as np
import pytest

from pyhades.errors import ArgumentError, ArgumentTypeError, ConfigurationError
from pyhades.llm import LLM
from pyhades.llm.grammar import choice, json_schema, lark, regex
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from tests.support.json_schemas import random_schema
from tests.support.toy_tokenizer import toy_tokenizer

jsonschema = pytest.importorskip("jsonschema")
pytest.importorskip("llguidance")

SPECIALS = toy_tokenizer().specials
CONFIG = tiny_config(
    vocab_size=toy_tokenizer().vocab_size + 13,  # rows without a token, as models have
    eos_token_ids=(SPECIALS["<|return|>"], SPECIALS["<|call|>"]),
)
CONTEXT = 512
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "tags": {"type": "array", "items": {"enum": ["red", "green"]}, "maxItems": 3},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON, "strict": True}}
ENDS_THOUGHTS = {SPECIALS["<|end|>"]: 9.0}
QUESTION = [{"role": "user", "content": "Who is it?"}]


def follows(text: str, schema) -> bool:
    jsonschema.Draft202012Validator(schema).validate(json.loads(text))
    return True


@pytest.fixture(scope="module")
def weights():
    return random_weights(CONFIG, "balanced", threads=1)


@pytest.fixture(scope="module")
def llm(weights):
    with LLM.from_weights(
        CONFIG, weights, toy_tokenizer(), threads=1, context_length=CONTEXT, max_sequences=8
    ) as opened:
        yield opened


@pytest.mark.parametrize("temperature", [0, 0.5, 1, 5])
def test_documents_follow_random_schemas(llm, temperature):
    """The fuzz of many more is in test_grammar_schemas.py, without a model."""
    ends = {SPECIALS["<|return|>"]: 4.0}
    for seed in range(6):
        schema = random_schema(1000 * int(10 * temperature) + seed)
        answer = llm.generate(
            "a", temperature=temperature, seed=seed, constraint=json_schema(schema), n=2,
            logit_bias=ends,
        )  # fmt: skip
        for completion in answer.completions:
            if completion.finish_reason == "stop":
                assert follows(completion.text, schema)
            else:
                assert len(completion.token_ids) > CONTEXT - 4


def test_a_regular_expression_is_matched_as_a_whole(llm):
    pattern = r"[a-f]{2,4}/\d{2}(\n|é|日)"
    for seed in range(8):
        answer = llm.generate("x", seed=seed, constraint=regex(pattern))
        assert re.fullmatch(pattern, answer.text)
        assert answer.finish_reason == "stop"
        assert answer.token_ids[-1] in CONFIG.eos_token_ids


@pytest.mark.parametrize("pattern", ["", "a?", "*"])
def test_patterns_at_the_edge(llm, pattern):
    if pattern == "*":
        with pytest.raises(ArgumentError, match=r"constraint: .*regex"):
            llm.generate("x", constraint=regex(pattern))
    else:
        assert llm.generate("x", constraint=regex(pattern)).text in ("", "a")


def test_one_of_some_texts(llm):
    texts = ["positive", "negative", 'not "sure"\\\n', "日本", "posit"]
    given = llm.generate("x", seed=3, n=8, constraint=choice(texts)).completions
    assert {completion.text for completion in given} <= set(texts)
    assert len({completion.text for completion in given}) > 1


def test_a_grammar(llm):
    sums = lark('start: NUMBER ("+" NUMBER){1,3}\nNUMBER: /[1-9][0-9]{0,2}/')
    for seed in range(5):
        text = llm.generate("x", seed=seed, constraint=sums).text
        assert re.fullmatch(r"[1-9]\d{0,2}(\+[1-9]\d{0,2}){1,3}", text)


def test_compact_json_has_no_white_space_and_other_json_little(llm):
    for seed in range(4):
        compact = llm.generate("x", seed=seed, constraint=json_schema(PERSON, compact=True)).text
        assert compact == json.dumps(
            json.loads(compact), separators=(",", ":"), ensure_ascii=False
        ) or "\\" in compact  # fmt: skip
        loose = llm.generate("x", seed=seed, constraint=json_schema(PERSON)).text
        outside = re.sub(r'"(\\.|[^"\\])*"', "TEXT", loose)
        assert all(re.fullmatch(r" |\n {0,32}", space) for space in re.findall(r"\s+", outside)), (
            loose
        )


def test_company_and_preemption_change_nothing(weights):
    """Blocks for one context and a half, and six answers that take turns in them."""
    prompts = [f"prompt {number} " * 20 for number in range(6)]
    params = {"seed": 4, "max_tokens": 120}
    constraint = json_schema({"type": "array", "items": PERSON, "minItems": 4, "maxItems": 4})
    with LLM.from_weights(
        CONFIG, weights, toy_tokenizer(), threads=1, context_length=CONTEXT, max_sequences=6
    ) as plenty:
        alone = [plenty.generate(p, constraint=constraint, **params).token_ids for p in prompts]
    with LLM.from_weights(
        CONFIG, weights, toy_tokenizer(), threads=1, context_length=CONTEXT, max_sequences=6,
        kv_memory=1,
    ) as scarce:  # fmt: skip
        together = scarce.generate(prompts, constraint=constraint, **params)
        assert [generation.token_ids for generation in together] == alone
        assert scarce._engine.scheduler.preemptions > 0


def test_a_chat_answers_with_the_document_after_thoughts(llm):
    for seed in range(4):
        answer = llm.chat(
            QUESTION, response_format=FORMAT, seed=seed, logit_bias=ENDS_THOUGHTS, date=None
        )
        if answer.finish_reason == "stop":
            assert follows(answer.content, PERSON)
        assert {message.channel for message in answer.messages} <= {"analysis", "final"}


def test_an_answer_that_is_cut_off_begins_a_document(llm):
    whole = llm.generate("x", seed=1, constraint=json_schema(PERSON, compact=True))
    cut = llm.generate("x", seed=1, constraint=json_schema(PERSON, compact=True), max_tokens=5)
    assert cut.finish_reason == "length"
    assert whole.token_ids[:5] == cut.token_ids


def test_any_json_object(llm):
    """Random models find no end of names, so what comes is looked at as it is."""
    bias = {llm.tokenize(piece)[0]: 30.0 for piece in "}"}
    bias |= {SPECIALS["<|end|>"]: 60.0}
    answer = llm.chat(
        QUESTION, response_format={"type": "json_object"}, seed=1, logit_bias=bias, date=None
    )
    assert isinstance(json.loads(answer.content), dict)


def test_a_schema_that_is_only_told_is_not_kept_to(llm):
    told = {"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON, "strict": False}}
    answer = llm.chat(QUESTION, response_format=told, seed=1, max_tokens=20, date=None)
    free = [message for message in answer.messages if message.channel != "analysis"]
    assert answer.finish_reason == "length" or free


def test_the_content_of_a_chat_may_be_any_constraint(llm):
    answer = llm.chat(
        QUESTION, constraint=choice(["yes", "no"]), seed=2, logit_bias=ENDS_THOUGHTS, date=None
    )
    assert answer.content in ("yes", "no")
    with pytest.raises(ArgumentError, match="both constraint and response_format"):
        llm.chat(QUESTION, constraint=choice(["yes"]), response_format=FORMAT)


def test_arguments_of_strict_tools_follow_their_schema(llm):
    tools = [
        {"type": "function", "function": {"name": "get", "strict": True, "parameters": PERSON}},
        {"type": "function", "function": {"name": "get_more", "strict": True}},
    ]
    names = set()
    for seed in range(6):
        answer = llm.chat(QUESTION, tools=tools, seed=seed, max_tokens=150,
                          logit_bias=ENDS_THOUGHTS, date=None)  # fmt: skip
        for call in answer.tool_calls if answer.finish_reason == "tool_calls" else ():
            names.add(call.name)
            assert follows(call.arguments, PERSON if call.name == "get" else {"maxProperties": 0})
    assert names <= {"get", "get_more"}


def test_async_faces_compile_in_another_thread(llm, monkeypatch):
    from pyhades.llm.grammar.compiled import Grammars

    threads = set()
    compiled = Grammars.compiled

    def watched(self, grammar):
        threads.add(threading.current_thread())
        return compiled(self, grammar)

    monkeypatch.setattr(Grammars, "compiled", watched)
    constraint = regex("[0-9]{3}")

    async def run():
        text = "".join([d.text async for d in llm.astream("x", constraint=constraint)])
        answer = await llm.agenerate("x", constraint=constraint)
        chat = await llm.achat(QUESTION, constraint=constraint, logit_bias=ENDS_THOUGHTS)
        return [text, answer.text, chat.content]

    assert all(re.fullmatch("[0-9]{3}", text) for text in asyncio.run(run()))
    assert threads
    assert threading.main_thread() not in threads


def test_logprobs_stay_those_of_the_model(llm):
    answer = llm.generate("x", constraint=choice(["a", "b"]), temperature=0, logprobs=1, seed=1)
    tokens = [*llm.tokenize("x"), *answer.token_ids]
    logits = llm.logits(tokens).astype(np.float64)
    shares = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    start = len(llm.tokenize("x")) - 1
    for at, entry in enumerate(answer.completions[0].logprobs):
        assert entry.logprob == pytest.approx(shares[start + at, entry.token], abs=1e-4)


def test_penalties_and_bias_choose_among_what_is_allowed(llm):
    a, b = (llm.tokenize(letter)[0] for letter in "ab")
    for wanted, token in (("a", a), ("b", b)):
        answer = llm.generate("x", constraint=choice(["a", "b"]), logit_bias={token: 50})
        assert answer.text == wanted
    with pytest.raises(Exception, match="forbids every token"):
        llm.generate("x", constraint=choice(["a"]), logit_bias={a: -np.inf})
    assert llm.generate("x", constraint=choice(["a"])).text == "a"


def test_nothing_follows_a_document_even_where_ends_are_ignored(llm):
    answer = llm.generate("x", constraint=choice(["a", "b"]), ignore_eos=True)
    assert answer.text in ("a", "b")
    assert answer.finish_reason == "stop"


@pytest.mark.parametrize("wrong", ["[0-9]", {"type": "string"}, 3])
def test_what_is_no_constraint_is_refused(llm, wrong):
    with pytest.raises(ArgumentTypeError, match="make one with json_schema, regex, lark or choice"):
        llm.generate("x", constraint=wrong)
    with pytest.raises(ArgumentTypeError, match="make one with"):
        llm.chat(QUESTION, constraint=wrong)


def test_a_fault_of_one_request_is_not_that_of_others(llm):
    with pytest.raises(ArgumentError, match="/properties/a: Unsatisfiable schema: minimum"):
        llm.generate("x", constraint=json_schema({
            "type": "object", "required": ["a"],
            "properties": {"a": {"type": "integer", "minimum": 5, "maximum": 3}},
        }))  # fmt: skip
    with pytest.raises(ArgumentError, match="schema of response_format, at /items: "):
        llm.chat(QUESTION, response_format={"type": "json_schema", "json_schema": {
            "name": "x", "schema": {"type": "array", "items": {"not": {}}}}})  # fmt: skip
    assert llm.generate("x", constraint=choice(["a"])).text == "a"


def test_without_the_library_the_error_says_what_to_install(llm, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "llguidance", None)
    with pytest.raises(ConfigurationError, match=r'pip install "pyhades\[grammar\]"'):
        llm.generate("x", constraint=regex("a{7}"))


def test_a_model_without_a_tokenizer_says_so(weights):
    with (
        LLM.from_weights(CONFIG, weights, threads=1, context_length=64) as bare,
        pytest.raises(ConfigurationError, match=r"tokenizer\.json"),
    ):
        bare.generate([1, 2], constraint=regex("a"))
