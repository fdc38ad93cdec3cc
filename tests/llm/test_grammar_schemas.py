"""Which documents a schema's grammar makes, and where a schema that has none is wrong."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pyhades.errors import ArgumentError, ArgumentTypeError
from pyhades.llm.grammar import choice, json_schema, lark, regex
from pyhades.llm.grammar.compiled import Grammar, Grammars
from pyhades.llm.text.tokenizer import Tokenizer
from tests.support.json_schemas import random_schema
from tests.support.toy_tokenizer import tokenizer_json, toy_tokenizer

jsonschema = pytest.importorskip("jsonschema")
pytest.importorskip("llguidance")

TOKENIZER = toy_tokenizer()
END = TOKENIZER.specials["<|return|>"]


@pytest.fixture(scope="module")
def grammars():
    return Grammars(TOKENIZER, TOKENIZER.vocab_size, [END])


def compiled(grammars, constraint):
    return grammars.compiled(Grammar.of(constraint, [END]))


def allowed(token_filter) -> np.ndarray:
    words = np.full((TOKENIZER.vocab_size + 31) // 32, 0xDEADBEEF, np.uint32)
    assert token_filter.fill(words)
    return np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little"))


def random_text(compiled_grammar, seed: int, most: int = 2000) -> str | None:
    """What a model writes that finds all tokens equally likely; None where it finds no end."""
    dice = np.random.default_rng(seed)
    token_filter = compiled_grammar.filters()()
    tokens: list[int] = []
    while not token_filter.finished:
        if len(tokens) == most:
            return None
        tokens.append(int(dice.choice(allowed(token_filter))))
        token_filter.accept(tokens[-1])
    assert tokens.pop() == END
    return TOKENIZER.decode_bytes(tokens).decode()


@pytest.mark.parametrize("hundred", range(2))
def test_every_document_follows_its_schema(grammars, hundred):
    ended = 0
    for seed in range(100 * hundred, 100 * hundred + 100):
        schema = random_schema(seed)
        validator = jsonschema.Draft202012Validator(schema)
        grammar = compiled(grammars, json_schema(schema, compact=seed % 2 == 0))
        for text in (random_text(grammar, 2 * seed), random_text(grammar, 2 * seed + 1)):
            if text is not None:
                validator.validate(json.loads(text))
                ended += 1
    assert ended >= 195


def test_every_document_of_a_schema_is_allowed(grammars):
    """A few, written as models write them."""
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "number"}},
              "b": {"type": "string"}}, "required": ["a"]}  # fmt: skip
    documents = [{"a": []}, {"a": [1, -2.5, 1e9], "b": 'x\n"\\ é'}, {"a": [0], "b": "", "c": None}]
    for document in documents:
        for style in ({}, {"indent": 2}, {"indent": 4}, {"separators": (",", ":")}):
            text = json.dumps(document, ensure_ascii=False, **style)
            token_filter = compiled(grammars, json_schema(schema)).filters()()
            for token in [*TOKENIZER.encode(text), END]:
                assert token in allowed(token_filter), text
                token_filter.accept(token)
            assert token_filter.finished


UNIQUE = {"type": "array", "uniqueItems": True}
NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]}


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        ({"type": "integer", "minimum": 5, "maximum": 3}, "at the top: Unsatisfiable"),
        ({"properties": {"a/b": {"type": "array", "items": UNIQUE}}},
         r"at /properties/a~1b/items: Unimplemented keys: \[\"uniqueItems\"\]"),
        ({"$defs": {"x": UNIQUE}, "type": "array", "items": {"$ref": "#/$defs/x"}},
         "at /\\$defs/x: "),
        ({"anyOf": [{"type": "null"}, {"type": "string", "format": "postcode"}]},
         "at /anyOf/1: Unknown format: postcode"),
        ({"type": "object", "properties": {"a": {"type": "strin"}}}, "at /properties/a: Invalid"),
        ({"$ref": "https://example.com/schema"}, "at the top: .*example"),
        ({"$ref": "#/$defs/none"}, "at the top: Pointer '/\\$defs/none' does not exist"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "at the top: oneOf is only"),
        ({"items": {"type": "integer", "minimum": 0, "exclusiveMinimum": True}},
         "at /items/exclusiveMinimum: it is a number"),
        ({"type": "string", "pattern": "(?=a)b"}, "look-around"),
        ({"enum": []}, "at the top: Unsatisfiable"),
        ({"$ref": "#"}, "without end"),
        ({"$defs": {"node": NODE}, "$ref": "#/$defs/node"}, "without end"),
        ({"type": "array", "minItems": 1, "items": {"$ref": "#"}}, "without end"),
        ({"type": "object", "minProperties": 2}, "at /minProperties: .*the same"),
        ({"items": {"type": "integer", "multipleOf": 1e9}}, "at /items/multipleOf: .*100000"),
    ],
)  # fmt: skip
def test_faults_are_found_and_located(grammars, schema, complaint):
    with pytest.raises(ArgumentError, match=complaint):
        compiled(grammars, json_schema(schema))


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"$defs": {"n": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref":
          "#/$defs/n"}}]}}, "$ref": "#/$defs/n"}, "[null,[]]"),
        ({"type": ["object", "null"], "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
         '{"a":null}'),
        ({"type": "object", "minProperties": 1, "additionalProperties": {"type": "null"}},
         '{"x":null}'),
        ({"type": "object", "required": ["a", "b"], "minProperties": 2}, '{"a":1,"b":2}'),
        ({"type": "object", "properties": {"items": {"type": "integer"}}}, '{"items":3}'),
        ({"$schema": "https://example.com/mine", "type": "null", "title": "T", "x-y": 1}, "null"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {"const": 1}},
          "$ref": "#/definitions/a"}, "1"),
        ({"oneOf": [{"properties": {"kind": {"const": kind}}, "required": ["kind"],
          "type": "object"} for kind in "ab"], "discriminator": {"propertyName": "kind"}},
         '{"kind":"b"}'),
        (True, "[1]"),
        ({}, '"x"'),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_fault(grammars, schema, text):
    token_filter = compiled(grammars, json_schema(schema)).filters()()
    for token in [*TOKENIZER.encode(text), END]:
        token_filter.accept(token)
    assert token_filter.finished


def looped() -> dict:
    schema: dict = {"type": "object"}
    schema["properties"] = {"a": schema}
    return schema


def nested(levels: int) -> dict:
    schema: dict = {"type": "null"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "error", "complaint"),
    [
        (looped(), ArgumentError, "more than 100 levels"),
        (nested(100), ArgumentError, "more than 100 levels"),
        ({"description": "x" * 300_000}, ArgumentError, "characters"),
        ({"enum": list(range(300_000))}, ArgumentError, "values"),
        ({"default": float("nan")}, ArgumentError, "not JSON"),
        ({"default": "\ud800"}, ArgumentError, "not JSON"),
        ({"default": {1, 2}}, ArgumentTypeError, "not JSON"),
        ("{}", ArgumentTypeError, "a JSON schema is a dict"),
        (False, ArgumentError, "nothing follows"),
    ],
)  # fmt: skip
def test_schemas_that_are_not_looked_into(schema, error, complaint):
    with pytest.raises(error, match=complaint):
        json_schema(schema)


@pytest.mark.parametrize(
    ("constraint", "complaint"),
    [
        (lambda: regex("[a"), "unclosed"),
        (lambda: regex(3), "not text"),
        (lambda: regex("\ud800"), "Unicode"),
        (lambda: lark("start: nothing"), 'unknown name: "nothing"'),
        (lambda: lark("start: start"), "cannot be followed"),
        (lambda: lark("start: <|nope|>"), "unknown special token"),
        (lambda: lark('begin: "a"'), "start"),
        (lambda: lark("start: %json {\"type\": \"strin\"}"), "Invalid type"),
        (lambda: choice([]), "no texts"),
        (lambda: choice("yes"), "list of texts"),
        (lambda: choice(["a", 3]), "not text"),
    ],
)  # fmt: skip
def test_faults_of_other_constraints(grammars, constraint, complaint):
    with pytest.raises((ArgumentError, ArgumentTypeError), match=complaint):
        compiled(grammars, constraint())


def chain(wrapped, length: int) -> dict:
    links = {f"a{at}": wrapped({"$ref": f"#/$defs/a{at + 1}"}) for at in range(length)}
    return {"$ref": "#/$defs/a0", "$defs": {**links, f"a{length}": {"type": "null"}}}


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda inner: inner,
        lambda inner: {"type": "array", "items": inner},
        lambda inner: {"anyOf": [inner, {"type": "string"}]},
        lambda inner: {"type": "object", "properties": {"a": inner}, "required": ["a"]},
    ],
)
def test_long_ways_through_a_schema_do_not_overflow_a_stack(grammars, wrapped):
    """Eight megabytes were not enough for these, and the process ended."""
    length = 240_000 // len(json.dumps(wrapped({"$ref": "#/$defs/a9999"})) + '"a9999":')
    schema = chain(wrapped, min(length, 4000))
    try:
        token_filter = compiled(grammars, json_schema(schema)).filters()()
        token_filter.accept(int(allowed(token_filter)[0]))
    except ArgumentError as error:
        assert "cannot be followed" in str(error) or "too large" in str(error)
    text = "start: %json " + json.dumps(schema)
    compiled(grammars, lark(text))


@pytest.mark.parametrize(
    "rules",
    [
        'start: "c" / +/ "b"\n%ignore / +/',
        'start: x | y\nx: "a" y{2,3}\ny: / / /b/ x?\n%ignore / +/',
        '%llguidance { "no_forcing": false }\nstart: "c" / +/ "b"\n%ignore / +/',
    ],
)
def test_rules_that_only_white_space_follows_hang_nobody(grammars, rules):
    """The library looked for the end of the text that it is forced to write, and found none."""
    code = (
        "import sys\nfrom tests.llm.test_grammar_schemas import *\n"
        "random_text(compiled(Grammars(TOKENIZER, TOKENIZER.vocab_size, [END]), "
        "lark(sys.argv[1])), 0, most=20)"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, rules], check=True, timeout=60, cwd=root)


@pytest.mark.parametrize(
    "schema",
    [{"required": [{}]}, {"$ref": {}}, {"type": {"a": 1}}, {"anyOf": {}}, {"multipleOf": "2"},
     {"minProperties": []}, {"prefixItems": 3, "minItems": "x"}, {"properties": [1]}],
)  # fmt: skip
def test_values_of_the_wrong_type_are_no_faults_of_ours(grammars, schema):
    with contextlib.suppress(ArgumentError):
        compiled(grammars, json_schema({"type": "object", **schema}))
        compiled(grammars, json_schema({"items": schema}))


def test_grammars_are_compiled_once(grammars):
    constraint = json_schema(random_schema(1))
    assert compiled(grammars, constraint) is compiled(grammars, json_schema(random_schema(1)))


def test_variants_that_a_tag_with_a_default_tells_apart(grammars):
    """As pydantic writes unions of classes."""
    variants = {
        kind: {"type": "object", "properties": {"kind": {"const": kind, "default": kind},
               "n": {"enum": [1, 2]}}, "additionalProperties": False}
        for kind in ("cat", "dog")
    }  # fmt: skip
    told = {"propertyName": "kind", "mapping": {kind: f"#/$defs/{kind}" for kind in variants}}
    references = [{"$ref": f"#/$defs/{kind}"} for kind in variants]
    schema = {"type": "array", "items": {"oneOf": references, "discriminator": told},
              "$defs": variants, "minItems": 2, "maxItems": 3}  # fmt: skip
    before = json.dumps(schema)
    for seed in range(8):
        text = random_text(compiled(grammars, json_schema(schema)), seed)
        jsonschema.validate(json.loads(text), schema)
    assert json.dumps(schema) == before


def test_grammars_that_were_not_used_for_long_are_let_go(monkeypatch):
    monkeypatch.setattr("pyhades.llm.grammar.compiled.KEPT", 2)
    grammars = Grammars(TOKENIZER, TOKENIZER.vocab_size, [END])
    one, two = (compiled(grammars, choice([text])) for text in ("one", "two"))
    assert compiled(grammars, choice(["one"])) is one
    compiled(grammars, choice(["three"]))
    assert compiled(grammars, choice(["one"])) is one
    assert compiled(grammars, choice(["two"])) is not two
    monkeypatch.setattr("pyhades.llm.grammar.compiled.KEPT_CHARACTERS", 10)
    last = compiled(grammars, choice(["four"]))
    assert compiled(grammars, choice(["four"])) is last
    assert compiled(grammars, choice(["one"])) is not one


def test_many_threads_may_ask_at_once():
    """One vocabulary is made for all of them; what each gets is its own."""
    tokenizer = Tokenizer.from_json(tokenizer_json())
    grammars = Grammars(tokenizer, tokenizer.vocab_size, [END])

    def ask(number: int) -> str | None:
        return random_text(compiled(grammars, choice([f"answer {number % 5}"])), number)

    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(ask, range(40)))
    assert texts == [f"answer {number % 5}" for number in range(40)]


def test_answers_of_one_grammar_know_nothing_of_each_other(grammars):
    begin = compiled(grammars, choice(["ab", "cd"])).filters()
    one, two = begin(), begin()
    one.accept(TOKENIZER.encode("a")[0])
    other = TOKENIZER.encode("c")[0]
    assert other in allowed(two)
    assert other not in allowed(one)
    with pytest.raises(ArgumentError, match="cannot be followed"):
        two.accept(TOKENIZER.encode("x")[0])
    one.accept(TOKENIZER.encode("b")[0])
    one.accept(END)
    assert one.finished


def test_an_answer_may_have_begun(grammars):
    grammar = compiled(grammars, choice(["abc", "axx"]))
    token_filter = grammar.filters(TOKENIZER.encode("a"))()
    for token in [*TOKENIZER.encode("xx"), END]:
        token_filter.accept(token)
    assert token_filter.finished
    with pytest.raises(ArgumentError, match="of which the constraint allows 0"):
        grammar.filters(TOKENIZER.encode("b"))


def test_ids_without_a_token_and_words_too_many_are_never_set():
    grammars = Grammars(TOKENIZER, TOKENIZER.vocab_size + 100, [END])
    token_filter = compiled(grammars, regex("(?s:.*)")).filters()()
    words = np.full((TOKENIZER.vocab_size + 100 + 31) // 32 + 5, 0xFFFFFFFF, np.uint32)
    token_filter.fill(words)
    bits = np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little"))
    assert bits.max() < TOKENIZER.vocab_size
    others = set(TOKENIZER.specials.values()) - {END}
    assert not others & set(bits.tolist())


def test_the_library_is_not_imported_before_it_is_needed():
    code = "import sys, pyhades, pyhades.llm.grammar; assert 'llguidance' not in sys.modules"
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    assert time.perf_counter() - started < 60
