"""Answers that come back as history are read as they were written, wherever they mean the same."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.llm.conversation import Conversation
from pyhades.llm.text.chat import ChatAnswer
from pyhades.llm.text.prediction import predicted_text
from pyhades.llm.text.recall import Recall, same_arguments
from pyhades.llm.text.written import Written, WrittenMessage
from tests.support.dictated_llm import DictatedLLM, letter_by_letter
from tests.support.toy_tokenizer import tokens_of, toy_tokenizer

TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
ASK = {"role": "user", "content": "Is it warm in Paris, and in München, and in Cairo? " * 4}
THOUGHT = "<|channel|>analysis<|message|>I have to look that up, one by one.<|end|>"
CALL = (
    "<|start|>assistant<|channel|>commentary to=functions.weather <|constrain|>json<|message|>"
    '{"city":  "Paris", "unit": "celsius", "days": [1, 2, 3], "reason": "the user asks for it"}'
    "<|call|>"
)
FINAL = "<|channel|>final<|message|>It is warm in all of these places, and sunny.<|return|>"
BLOCK = 16


@pytest.fixture(scope="module")
def llm():
    with DictatedLLM.opened(letter_by_letter(THOUGHT + CALL)) as llm:
        yield llm


def respelled(answer: ChatAnswer) -> dict:
    """As a client may send it: through JSON, with arguments in another order and spelling."""
    message = json.loads(json.dumps(answer.message))
    for call in message["tool_calls"]:
        arguments = json.loads(call["function"]["arguments"])
        call["function"]["arguments"] = json.dumps(dict(reversed(arguments.items())), indent=1)
    return message


def asked_of(llm, messages, **options):
    return llm.chat(messages, tools=TOOLS, date=None, temperature=0, **options)


def loop(llm, steps: int, said) -> list[int]:
    """The tokens that each step of a loop of calls has to read; the first reads everything."""
    messages = [ASK]
    read = []
    for step in range(steps):
        answer = asked_of(llm, messages)
        read.append(answer.usage.prompt_tokens - answer.usage.cached_tokens)
        result = {"role": "tool", "tool_call_id": answer.tool_calls[0].id, "content": f"{step}"}
        messages = [*messages, said(answer), result]
    return read


@pytest.mark.parametrize(
    "said",
    [
        lambda answer: answer.message,
        lambda answer: answer,
        lambda answer: json.loads(json.dumps(answer.message)),
        respelled,
        lambda answer: copy.deepcopy(answer.message),
        lambda answer: pickle.loads(pickle.dumps(answer.message)),
    ],
    ids=["message", "answer", "json", "respelled", "copied", "pickled"],
)
def test_each_step_of_a_loop_reads_what_is_new(llm, said):
    llm.dictate(letter_by_letter(THOUGHT + CALL))
    result = len(tokens_of("<|start|>functions.weather to=assistant<|channel|>commentary"
                           "<|message|>0<|end|><|start|>assistant"))  # fmt: skip
    assert max(loop(llm, 4, said)[1:]) <= result + 2 * BLOCK


def test_without_its_tokens_an_answer_is_read_again(llm):
    """The test above can fail."""
    llm.dictate(letter_by_letter(THOUGHT + CALL))

    def forgotten(answer):
        message = json.loads(json.dumps(answer.message))
        message["tool_calls"][0]["id"] = "call_other"
        return message

    messages = [ASK]
    answer = asked_of(llm, messages)
    messages += [forgotten(answer), {"role": "tool", "tool_call_id": "call_other", "content": "0"}]
    usage = asked_of(llm, messages).usage
    assert usage.prompt_tokens - usage.cached_tokens > len(tokens_of(THOUGHT))


def changed(**others):
    def change(message):
        return {**message, **others}

    return change


def recalled(llm, change) -> bool:
    """Whether the tokens of an answer are used after its message was changed."""
    llm.dictate(letter_by_letter(THOUGHT + CALL))
    answer = asked_of(llm, [ASK])
    message = change(json.loads(json.dumps(answer.message)))
    result = {"role": "tool", "tool_call_id": answer.tool_calls[0].id, "content": "0"}
    prompt = llm.prepare_chat([ASK, message, result], tools=TOOLS, date=None).prompt_token_ids
    turn = (*tokens_of("<|start|>assistant"), *letter_by_letter(THOUGHT + CALL))
    return any(prompt[at : at + len(turn)] == turn for at in range(len(prompt)))


def with_arguments(arguments: str):
    def change(message):
        message["tool_calls"][0]["function"]["arguments"] = arguments
        return message

    return change


def with_name(name: str):
    def change(message):
        message["tool_calls"][0]["function"]["name"] = name
        return message

    return change


@pytest.mark.parametrize(
    "change",
    [
        changed(content="And I say more."),
        changed(reasoning="I have thought otherwise."),
        changed(reasoning=None),
        with_arguments('{"city": "Paris"}'),
        with_arguments("no JSON"),
        with_name("weather_of_another_day"),
    ],
    ids=["content", "reasoning", "no reasoning", "arguments", "no JSON", "name"],
)
def test_what_says_something_else_is_rendered(llm, change):
    assert recalled(llm, lambda message: message)
    assert not recalled(llm, change)


def test_clients_do_not_find_each_others_answers(llm):
    llm.dictate(letter_by_letter(THOUGHT + CALL))
    answer = asked_of(llm, [ASK], client="alice")
    message = json.loads(json.dumps(answer.message))
    result = {"role": "tool", "tool_call_id": answer.tool_calls[0].id, "content": "0"}
    prompts = [
        llm.prepare_chat([ASK, message, result], tools=TOOLS, date=None, client=client)
        for client in ("alice", "bob")
    ]
    assert prompts[0].prompt_tokens > prompts[1].prompt_tokens


def test_reasoning_that_is_told_no_more_is_not_told_by_its_tokens(llm):
    llm.dictate(letter_by_letter(THOUGHT + CALL), tokens_of(FINAL))
    first = asked_of(llm, [ASK])
    result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "0"}
    second = asked_of(llm, [ASK, first.message, result])
    again = [ASK, first.message, result, second.message, ASK]
    prompt = llm.prepare_chat(again, tools=TOOLS, date=None).prompt_token_ids
    assert "one by one" not in toy_tokenizer().decode(prompt)


@pytest.mark.parametrize(
    "said", [lambda answer: answer.message, lambda answer: dict(answer.message)]
)
def test_an_answer_without_reasoning_is_found_as_it_was_written(llm, said):
    written = letter_by_letter(FINAL)
    llm.dictate(written)
    answer = llm.chat([ASK], date=None, temperature=0)
    prompt = llm.prepare_chat([ASK, said(answer), ASK], date=None).prompt_token_ids
    is_exact = tuple(written[:-1]) == prompt[answer.usage.prompt_tokens :][: len(written) - 1]
    assert is_exact == isinstance(said(answer), WrittenMessage)


def test_several_calls_of_a_turn_are_one(llm):
    several = THOUGHT + CALL + CALL.replace("Paris", "Cairo")
    tail = "<|start|>assistant<|channel|>final"  # which ends what is asked for more calls
    llm.dictate([*letter_by_letter(several), *tokens_of(tail)])
    answer = asked_of(llm, [ASK], parallel_tool_calls=True)
    assert len(answer.tool_calls) == 2
    assert answer.written.tokens == tuple(letter_by_letter(several))
    results = [{"role": "tool", "tool_call_id": call.id, "content": "0"}
               for call in answer.tool_calls]  # fmt: skip
    usage = asked_of(llm, [ASK, respelled(answer), *results]).usage
    assert usage.prompt_tokens - usage.cached_tokens <= 5 * BLOCK


@pytest.mark.parametrize(
    "text",
    [
        "<|channel|>final<|message|>It is cut off",
        "<|channel|>final<|message|>Warm.<|end|><|start|>user<|message|>And now?<|return|>",
    ],
    ids=["cut off", "for somebody else"],
)
def test_what_is_no_whole_answer_has_no_tokens(llm, text):
    llm.dictate(letter_by_letter(text))
    answer = llm.chat([ASK], date=None, temperature=0)
    assert answer.written is None and type(answer.message) is dict


def test_a_stop_string_leaves_no_whole_answer(llm):
    llm.dictate(letter_by_letter(FINAL))
    answer = llm.chat([ASK], date=None, temperature=0, stop="places")
    assert answer.content == "It is warm in all of these " and answer.written is None


def test_what_is_recalled_is_bounded():
    recall = Recall(most=2)
    written = Written((1, 2), {"content": "Hi"})
    recall.remember("", ["a", "b", "c"], written)
    recall.remember("", ["d"], None)
    assert len(recall) == 2 and recall.knows("", "c") and not recall.knows("", "a")
    recall = Recall(most_bytes=3 * written.nbytes)
    recall.remember("", "abcde", written)
    assert len(recall) == 3


def test_messages_that_are_none_are_left_alone():
    recall = Recall()
    recall.remember("", ["a"], Written((1,), {}))
    for messages in (None, "Hi", 7, [None], [{"tool_calls": "a"}], [{"tool_calls": [None]}]):
        assert recall.recalled("", messages) == messages


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1}', {"a": 1.0}), ("", None), ("{}", None), ('{"a": {"b": []}}', '{"a":{"b":[]}}'),
        ("print(1)", "print(1)"),
    ],
)  # fmt: skip
def test_arguments_that_are_equal(one, other):
    assert same_arguments(one, other) and same_arguments(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a": 1}', '{"a": true}'), ('{"a": 1}', '{"a": "1"}'), ("{}", "[]"), ("[1]", "[1, 2]"),
        ("print(1)", "print(2)"), ("[" * 100_000, "{}"), ('{"a": null}', "{}"),
    ],
)  # fmt: skip
def test_arguments_that_differ(one, other):
    assert not same_arguments(one, other) and not same_arguments(other, one)


def test_regenerated_and_edited_turns_are_read_from_where_they_part(llm):
    llm.dictate(letter_by_letter(FINAL))
    told = Conversation(llm, system="Be brief, and right. " * 20)
    for turn in range(4):
        told.ask(f"What about day {turn}? " * 8)
        list(told.answer())
    told.take_back_answer()
    again = list(told.answer())[-1].usage
    assert again.prompt_tokens - again.cached_tokens <= BLOCK + 2
    told.edit(2, "Which of these is the warmest? " * 8)
    edited = list(told.answer())[-1].usage
    question = len(toy_tokenizer().encode("Which of these is the warmest? " * 8))
    assert edited.prompt_tokens - edited.cached_tokens <= question + 2 * BLOCK + 8
    assert [message["role"] for message in told.messages].count("user") == 3


def test_only_turns_that_there_are_can_be_edited(llm):
    told = Conversation(llm)
    told.ask("Hi")
    with pytest.raises(ArgumentError, match="turn=1"):
        told.edit(1, "Hello")
    with pytest.raises(ArgumentTypeError):
        told.edit(0, 7)
    told.edit(-1, "Hello")
    assert told.messages == [{"role": "user", "content": "Hello"}]


def test_a_prompt_tells_where_others_go_on(llm):
    text = toy_tokenizer()
    messages = [{"role": "system", "content": "Be brief."}, ASK,
                {"role": "assistant", "content": "No."}, ASK]  # fmt: skip
    llm.dictate(tokens_of(FINAL))
    list(llm.prepare_chat(messages, date=None))
    request = llm.asked[-1]
    told, asked, end = request.points
    assert text.decode(request.tokens[:told]).endswith("Be brief.<|end|>")
    assert text.decode(request.tokens[asked:]).startswith("<|start|>user")
    assert text.decode(request.tokens[told:asked]).count("Cairo") == 4 and end == len(
        request.tokens
    )
    assert request.opens == {text.specials["<|call|>"]}


def test_predictions_are_drafts(llm):
    llm.dictate(tokens_of(FINAL))
    told = {"type": "content", "content": "It is warm."}
    asked_of(llm, [ASK], prediction=told)
    llm.generate("def", prediction="It is warm.", max_tokens=1)
    llm.generate("def", prediction=[1, 2], max_tokens=1)
    llm.generate("def", max_tokens=1)
    text = tuple(llm.tokenize("It is warm."))
    assert [request.drafts for request in llm.asked] == [(text,), (text,), ((1, 2),), ()]
    with pytest.raises(ArgumentError, match="prediction"):
        llm.generate("def", prediction=[10**6])


@pytest.mark.parametrize(
    ("given", "text"),
    [(None, ""), ("a", "a"), ({"content": "a"}, "a"), ({"type": "content", "content": None}, ""),
     ({"type": "content", "content": [{"type": "text", "text": "a"}, {"text": "b"}]}, "ab")],
)  # fmt: skip
def test_texts_of_predictions(given, text):
    assert predicted_text(given) == text


@pytest.mark.parametrize(
    ("given", "error"),
    [(7, ArgumentTypeError), ({"type": "diff"}, ArgumentError), ({"content": 7}, ArgumentTypeError),
     ([{"type": "image_url"}], ArgumentError), (b"a", ArgumentTypeError)],
)  # fmt: skip
def test_what_is_no_prediction(given, error):
    with pytest.raises(error, match="prediction"):
        predicted_text(given)
