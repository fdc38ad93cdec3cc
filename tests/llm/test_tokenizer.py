"""Text to tokens and back, from every container, and in a stream."""

from __future__ import annotations

import builtins
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyhades.errors import ArgumentError, ArgumentTypeError, ConfigurationError, ModelError
from pyhades.llm.text.cutting import O200K_PATTERN
from pyhades.llm.text.tokenizer import REPLACEMENT, StreamDecoder, Tokenizer
from tests.support.toy_tokenizer import (
    SPECIALS,
    TEXT,
    library_tokenizer,
    tokenizer_json,
    tokens_of,
    toy_tokenizer,
)


def gguf_vocabulary(**changes) -> dict:
    document = json.loads(tokenizer_json())
    ids = {**document["model"]["vocab"], **toy_tokenizer().specials}
    tokens = sorted(ids, key=ids.__getitem__)
    vocabulary = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-4o",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.merges": [" ".join(merge) for merge in document["model"]["merges"]],
        "tokenizer.ggml.token_type": [3 if token in SPECIALS else 1 for token in tokens],
    }
    vocabulary |= {f"tokenizer.ggml.{key}": value for key, value in changes.items()}
    return {key: value for key, value in vocabulary.items() if value is not None}


def changed(**changes) -> bytes:
    return json.dumps(json.loads(tokenizer_json()) | changes).encode()


def test_a_text_is_encoded_as_by_the_library():
    tokenizer = toy_tokenizer()
    assert tokenizer.encode(TEXT) == library_tokenizer().encode(TEXT).ids
    assert len(tokenizer.encode(TEXT)) < len(TEXT.encode()) / 2


@given(st.text())
@example("<|end|><|start|>system<|message|>")
@example("\x00\ufffd\U0001f469\u200d\U0001f692 ")
def test_every_text_comes_back(text):
    tokenizer = toy_tokenizer()
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode_bytes(ids) == text.encode()


@pytest.mark.parametrize("name", SPECIALS)
@pytest.mark.parametrize("text", ["{}", "a{}b", " {} ", "{0}{0}"])
def test_text_never_becomes_a_special_token(name, text):
    special = set(toy_tokenizer().specials.values())
    for tokenizer in (toy_tokenizer(), Tokenizer.from_gguf(gguf_vocabulary())):
        assert not special & set(tokenizer.encode(text.format(name)))
    assert library_tokenizer().token_to_id(name) in library_tokenizer().encode(name).ids


def test_added_tokens_that_are_not_called_special_are_kept_apart_too():
    document = json.loads(tokenizer_json())
    for token in document["added_tokens"]:
        token["special"] = False
        document["model"]["vocab"][token["content"]] = token["id"]
    document["model"]["ignore_merges"] = True  # a piece that is a token is not looked into
    document["pre_tokenizer"] = document["pre_tokenizer"]["pretokenizers"][1]  # nothing is cut
    tokenizer = Tokenizer.from_json(json.dumps(document).encode())
    assert tokenizer.specials == toy_tokenizer().specials
    assert tokenizer.specials["<|end|>"] not in tokenizer.encode("<|end|>")


def test_specials_and_size():
    tokenizer = toy_tokenizer()
    assert set(tokenizer.specials) == set(SPECIALS)
    assert tokenizer.specials["<|end|>"] == library_tokenizer().token_to_id("<|end|>")
    assert tokenizer.vocab_size == library_tokenizer().get_vocab_size() == 510
    assert "510 tokens, 10 special" in repr(tokenizer)


def test_specials_decode_to_their_text():
    text = "<|start|>user<|message|>日本<|end|>"
    assert toy_tokenizer().decode(tokens_of(text)) == text


def test_an_id_without_a_token_is_seen():
    assert toy_tokenizer().decode([*tokens_of("a"), 5000, *tokens_of("b")]) == f"a{REPLACEMENT}b"


def test_a_path_is_read(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(tokenizer_json())
    for source in (path, str(path)):
        tokenizer = Tokenizer.from_json(source)
        assert tokenizer.encode(TEXT) == toy_tokenizer().encode(TEXT)
        assert tokenizer.name == str(path)


def test_merges_in_the_older_spelling_are_read():
    model = json.loads(tokenizer_json())["model"]
    model["merges"] = [" ".join(merge) for merge in model["merges"]]
    assert Tokenizer.from_json(changed(model=model)).encode(TEXT) == toy_tokenizer().encode(TEXT)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("I don't, WE'RE", ["I", " don't", ",", " WE'RE"]),
        ("HELLOworld helloWORLD", ["HELLOworld", " hello", "WORLD"]),
        ("1234567 12", ["123", "456", "7", " ", "12"]),
        ("a  b\n\n  c \n", ["a", " ", " b", "\n\n", " ", " c", " \n"]),
        ("https://x.y//\n", ["https", "://", "x", ".y", "//\n"]),
        ("日本語です。 \tx", ["日本語です", "。", " ", "\tx"]),
        ("e\u0301té (été)", ["e\u0301té", " (", "été", ")"]),
        ("end   ", ["end", "   "]),
    ],
)
def test_text_is_cut_as_by_o200k(text, pieces):
    from tokenizers import Regex, pre_tokenizers

    split = pre_tokenizers.Split(Regex(O200K_PATTERN), "isolated")
    assert [piece for piece, _ in split.pre_tokenize_str(text)] == pieces


# GGUF.


@pytest.mark.parametrize("changes", [{}, {"token_type": None}, {"pre": "default"}, {"pre": None}])
def test_gguf_gives_the_same_tokens(changes):
    tokenizer = Tokenizer.from_gguf(gguf_vocabulary(**changes))
    assert tokenizer.encode(TEXT) == toy_tokenizer().encode(TEXT)
    assert tokenizer.specials == toy_tokenizer().specials
    assert tokenizer.vocab_size == toy_tokenizer().vocab_size
    assert tokenizer.decode(tokenizer.encode(TEXT)) == TEXT


def test_gguf_keys_without_their_prefix():
    fields = {key.rsplit(".")[-1]: value for key, value in gguf_vocabulary().items()}
    assert Tokenizer.from_gguf(fields).encode(TEXT) == toy_tokenizer().encode(TEXT)


def test_gguf_tokens_of_other_kinds():
    tokens = [*gguf_vocabulary()["tokenizer.ggml.tokens"], "[PAD510]", "custom"]
    types = [*gguf_vocabulary()["tokenizer.ggml.token_type"], 5, 4]
    tokenizer = Tokenizer.from_gguf(gguf_vocabulary(tokens=tokens, token_type=types))
    assert tokenizer.specials["custom"] == 511
    assert "[PAD510]" not in tokenizer.specials
    assert tokenizer.decode([510, 511]) == f"{REPLACEMENT}custom"


@pytest.mark.parametrize("key", ["tokens", "merges"])
def test_gguf_without_its_vocabulary_is_refused(key):
    with pytest.raises(ModelError, match=rf"weights.gguf has no tokenizer.ggml.{key}"):
        Tokenizer.from_gguf(gguf_vocabulary(**{key: None}), "weights.gguf")


@pytest.mark.parametrize(
    "changes",
    [
        {"tokens": 5}, {"tokens": [5, 6]}, {"tokens": ["\ud800"]},
        {"tokens": [None], "token_type": [3]},
        {"token_type": "x"}, {"token_type": ["x"] * 3, "tokens": ["a"] * 3}, {"token_type": 5},
        {"merges": 5}, {"merges": [5]}, {"merges": {"a": 1}}, {"merges": ["a"]},
    ],
    ids=str,
)  # fmt: skip
def test_gguf_whose_vocabulary_is_none_is_refused(changes):
    with pytest.raises(ModelError, match=r"weights\.gguf"):
        Tokenizer.from_gguf(gguf_vocabulary(**changes), "weights.gguf")


@pytest.mark.parametrize("text", [5, None, ["<|end|>"], "\ud800"])
def test_a_special_token_is_text(text):
    document = json.loads(tokenizer_json())
    document["added_tokens"][0]["content"] = text
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        Tokenizer.from_json(json.dumps(document).encode())


def test_gguf_that_cuts_text_in_an_unknown_way_is_refused():
    plain = [f"x{i}" if t in SPECIALS else t for i, t in
             enumerate(gguf_vocabulary()["tokenizer.ggml.tokens"])]  # fmt: skip
    with pytest.raises(ModelError, match=r"pre 'llama-bpe'; known are gpt-4o"):
        Tokenizer.from_gguf(gguf_vocabulary(pre="llama-bpe", tokens=plain))
    with pytest.raises(ModelError, match=r"pre \['gpt-4o'\]; known are gpt-4o"):
        Tokenizer.from_gguf(gguf_vocabulary(pre=["gpt-4o"], tokens=plain))


def test_gguf_with_a_list_of_another_length_is_refused():
    with pytest.raises(ModelError, match="510 tokens, but 3 types"):
        Tokenizer.from_gguf(gguf_vocabulary(token_type=[1, 1, 1]))


# Bad files.


@pytest.mark.parametrize("contents", [b"", b"{}", b"[]", b'{"model": {}}', b"\xff\xfe", b"null"])
def test_what_is_no_tokenizer_is_refused(tmp_path, contents):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(contents)
    with pytest.raises(ModelError, match=r"tokenizer\.json is no tokenizer\.json"):
        Tokenizer.from_json(path)


def test_other_kinds_of_tokenizer_are_refused():
    model = json.loads(tokenizer_json())["model"]
    for changes in ({"decoder": None}, {"model": model | {"type": "Unigram"}}):
        with pytest.raises(ModelError, match="not a byte-level BPE"):
            Tokenizer.from_json(changed(**changes))


def test_a_vocabulary_that_would_lose_text_is_refused():
    model = json.loads(tokenizer_json())["model"]
    del model["vocab"]["Ġ"]
    with pytest.raises(ModelError, match="no token for byte 32"):
        Tokenizer.from_json(changed(model=model))


def test_merges_that_do_not_fit_are_refused():
    model = json.loads(tokenizer_json())["model"]
    model["merges"].append(["日", "月"])
    with pytest.raises(ModelError, match=r"tokenizer\.json: .*日"):
        Tokenizer.from_json(changed(model=model))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"missing\.json: .*No such file"):
        Tokenizer.from_json(tmp_path / "missing.json")


@pytest.mark.parametrize(
    "changes",
    [
        {"truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst",
                        "stride": 0}},
        {"padding": {"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": None,
                     "pad_id": 1, "pad_type_id": 0, "pad_token": "a"}},
        {"padding": {"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": 8,
                     "pad_id": 1, "pad_type_id": 0, "pad_token": "a"}},
    ],
    ids=["truncation", "fixed", "multiple"],
)  # fmt: skip
def test_what_training_cut_and_filled_up_is_left_alone(changes):
    text = "What is the weather like in Rome?"
    assert Tokenizer.from_json(changed(**changes)).encode(text) == toy_tokenizer().encode(text)


def test_text_is_cut_alike_each_time():
    model = {**json.loads(tokenizer_json())["model"], "dropout": 0.9}
    text = "What is the weather like in Rome?"
    read = Tokenizer.from_json(changed(model=model))
    assert all(read.encode(text) == toy_tokenizer().encode(text) for _ in range(5))


class TestFilesBeside:
    """Special tokens that ``tokenizer.json`` does not list."""

    def read(self, folder, names, **files):
        document = json.loads(tokenizer_json())
        added = {token["content"]: token["id"] for token in document["added_tokens"]}
        document["added_tokens"] = [
            token for token in document["added_tokens"] if token["content"] not in names
        ]
        (folder / "tokenizer.json").write_text(json.dumps(document))
        for name, value in files.items():
            (folder / f"{name}.json").write_text(json.dumps(value(added)))
        return Tokenizer.from_json(folder / "tokenizer.json")

    def test_a_decoder_of_added_tokens(self, tmp_path):
        names = toy_tokenizer().specials.keys()
        read = self.read(tmp_path, names, tokenizer_config=lambda added: {
            "added_tokens_decoder": {
                str(index): {"content": name, "special": True} for name, index in added.items()
            }
        })  # fmt: skip
        assert read.specials == toy_tokenizer().specials
        assert read.vocab_size == toy_tokenizer().vocab_size
        assert read.decode([read.specials["<|call|>"]]) == "<|call|>"

    def test_a_table_of_added_tokens(self, tmp_path):
        read = self.read(tmp_path, ["<|call|>"], added_tokens=lambda added: added)
        assert read.specials == toy_tokenizer().specials

    @pytest.mark.parametrize(
        "named",
        [{"eos_token": "<|call|>"}, {"eos_token": {"content": "<|call|>"}},
         {"additional_special_tokens": ["<|call|>"]},
         {"extra_special_tokens": {"call_token": "<|call|>"}}],
    )  # fmt: skip
    def test_names_of_tokens_of_the_vocabulary(self, tmp_path, named):
        """They have ids already, and are taken out of what text may become."""
        document = json.loads(tokenizer_json())
        index = toy_tokenizer().specials["<|call|>"]
        document["added_tokens"] = [t for t in document["added_tokens"] if t["id"] != index]
        document["model"]["vocab"]["<|call|>"] = index
        (tmp_path / "tokenizer.json").write_text(json.dumps(document))
        (tmp_path / "special_tokens_map.json").write_text(json.dumps(named))
        read = Tokenizer.from_json(tmp_path / "tokenizer.json")
        assert read.specials == toy_tokenizer().specials
        assert index not in read.encode("<|call|>")

    def test_what_tokenizer_json_says_counts(self, tmp_path):
        wrong = {"added_tokens_decoder": {"5": {"content": "<|call|>"}}}
        read = self.read(tmp_path, [], tokenizer_config=lambda _: wrong)
        assert read.specials == toy_tokenizer().specials

    @pytest.mark.parametrize(
        "config", [[], {"added_tokens_decoder": []}, {"added_tokens_decoder": {"x": 1}},
                   {"eos_token": 5, "additional_special_tokens": None}]
    )  # fmt: skip
    def test_what_means_nothing_is_passed_over(self, tmp_path, config):
        read = self.read(tmp_path, [], tokenizer_config=lambda _: config)
        assert read.specials == toy_tokenizer().specials

    def test_damage_is_named(self, tmp_path):
        (tmp_path / "tokenizer.json").write_bytes(tokenizer_json())
        (tmp_path / "tokenizer_config.json").write_text("{")
        with pytest.raises(ModelError, match=r"tokenizer_config\.json is no JSON"):
            Tokenizer.from_json(tmp_path / "tokenizer.json")


def test_text_that_is_none_is_refused():
    with pytest.raises(ArgumentTypeError, match="text is bytes"):
        toy_tokenizer().encode(b"text")
    with pytest.raises(ArgumentError, match="not valid Unicode"):
        toy_tokenizer().encode("a\ud800")


def test_without_the_library_the_remedy_is_named(monkeypatch):
    original = builtins.__import__

    def refuse(name, *arguments, **keywords):
        if name == "tokenizers":
            raise ImportError(name)
        return original(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigurationError, match=r'pip install "pyhades\[llm\]"'):
        Tokenizer.from_json(b"{}")


# Streams.


@given(st.text())
@example("🌦️ 日本語 naïve")
def test_a_stream_gives_whole_characters(text):
    tokenizer = toy_tokenizer()
    decoder = StreamDecoder(tokenizer)
    pieces = [decoder.push(token) for token in tokenizer.encode(text)]
    assert decoder.flush() == ""
    assert "".join(pieces) == text
    if REPLACEMENT not in text:
        assert not any(REPLACEMENT in piece for piece in pieces)


def test_a_character_comes_with_its_last_byte():
    tokenizer = toy_tokenizer()
    letters = json.loads(tokenizer_json())["model"]["vocab"]
    ids = [letters[letter] for letter in "ðŁĮ¦"]  # the four bytes of 🌦
    decoder = StreamDecoder(tokenizer)
    assert [decoder.push(index) for index in ids] == ["", "", "", "🌦"]
    assert [decoder.push(index) for index in ids[:2]] == ["", ""]
    assert decoder.flush() == REPLACEMENT
    assert decoder.flush() == ""
    assert decoder.push(tokenizer.encode("a")[0]) == "a"


def test_bytes_that_are_no_text_do_not_hold_the_stream_up():
    letters = json.loads(tokenizer_json())["model"]["vocab"]
    decoder = StreamDecoder(toy_tokenizer())
    assert decoder.push(letters["ð"]) == ""
    assert decoder.push(letters["a"]) == f"{REPLACEMENT}a"
