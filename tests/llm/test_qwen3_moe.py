"""A second architecture: what it computes, what it refuses, and that it touches no other room."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import pyhades
from pyhades.errors import ArgumentError, ModelError
from pyhades.llm import ChatAnswer
from pyhades.llm.engine.runner import Piece, Runner
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models import open_checkpoint
from pyhades.llm.models.qwen3_moe.chat import ChatmlParser, chatml_prompt, render_chat
from pyhades.llm.models.qwen3_moe.config import Qwen3MoeConfig
from pyhades.llm.precision.convert import convert
from pyhades.llm.text.chat_options import ChatOptions
from pyhades.llm.text.tokenizer import Tokenizer
from tests.support.toy_tokenizer import tokenizer_json

PACKAGE = Path(pyhades.__file__).parent
FIXTURE = Path(__file__).parent / "golden_qwen3_moe" / "bf16"
SPECIALS = ("<|im_start|>", "<|im_end|>", "<think>", "</think>")


def expected() -> tuple[list[int], np.ndarray, np.ndarray]:
    with np.load(FIXTURE / "expected.npz") as arrays:
        return arrays["tokens"].tolist(), arrays["rows"], arrays["logits"]


def error(logits: np.ndarray, right: np.ndarray) -> float:
    """Largest error in deviations of the right logits."""
    return float(np.abs(logits - right).max() / right.std())


@pytest.mark.parametrize("precision", ["exact", "balanced"])
def test_logits_are_those_of_transformers(tier, precision):
    tokens, rows, right = expected()
    with pyhades.LLM(FIXTURE, precision=precision, isa=tier, progress=False) as llm:
        logits = llm.logits(tokens)[rows]
    if precision == "exact":
        assert error(logits, right) < 0.1
    else:
        assert (logits.argmax(1) == right.argmax(1)).mean() > 0.8


def test_results_do_not_depend_on_threads_or_company(tier):
    tokens, _, _ = expected()
    with pyhades.LLM(FIXTURE, precision="balanced", threads=1, isa=tier, progress=False) as llm:
        alone = llm.logits(tokens[:40])
        whole = llm.logits(tokens)
    with pyhades.LLM(FIXTURE, precision="balanced", threads=2, isa=tier, progress=False) as llm:
        np.testing.assert_array_equal(llm.logits(tokens), whole)
    np.testing.assert_array_equal(whole[:40], alone)


def test_a_packed_file_holds_the_same_model(tmp_path):
    tokens, _, _ = expected()
    packed = convert(FIXTURE, tmp_path / "packed.safetensors", "balanced", progress=False)
    assert open_checkpoint(packed).config == open_checkpoint(FIXTURE).config
    with pyhades.LLM(FIXTURE, progress=False) as one, pyhades.LLM(packed, progress=False) as two:
        np.testing.assert_array_equal(one.logits(tokens), two.logits(tokens))


def test_formats_are_chosen_by_measured_errors():
    with pyhades.LLM(FIXTURE, precision="auto", progress=False, error_budget=0.02) as llm:
        report = llm.precision_report
        assert report is not None and 0 < report.error <= 0.02
        assert {
            "head",
            "layers.0.qkv.weight",
            "layers.2.gate_up.weight",
            "layers.2.down.weight",
        } <= (report.formats.keys())


def test_random_weights_of_it_run():
    config = open_checkpoint(FIXTURE).config
    with pyhades.LLM.from_weights(config, random_weights(config)) as llm:
        assert np.isfinite(llm.logits([1, 2, 3])).all()


def test_traces_count_the_rows_in_use_and_no_biases():
    config = open_checkpoint(FIXTURE).config
    weights = random_weights(config)
    layer, tokens = weights.layers[0], 3
    with closing(Runner(config, weights, 64, 1, 1)) as runner:
        trace = runner.trace([Piece(runner.cache.sequence(), list(range(tokens)), 1)])
        used = sum(len(np.unique(experts)) for experts in runner.chosen_experts)

    def total(what: str, op: str) -> float:
        return sum(getattr(line, what) for line in trace.lines if line.line.op == op)

    heads = config.query_size + config.key_value_size
    assert total("flops", "rms_norm_heads") == 4 * tokens * config.num_hidden_layers * heads
    of_expert = sum(part.weight.nbytes // 8 for part in (layer.gate_up, layer.down))
    rows = total("bytes", "moe") - used * of_expert
    assert 0 < rows < 16 * tokens * config.num_hidden_layers * config.hidden_size


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"model_type": "llama"}, "'llama'; pyhades runs 'gpt_oss', 'qwen3_moe'"),
        ({"norm_topk_prob": False}, "norm_topk_prob is False"),
        ({"norm_topk_prob": None}, "norm_topk_prob is missing"),
        ({"mlp_only_layers": [0]}, "mlp_only_layers"),
        ({"use_sliding_window": True}, "use_sliding_window"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"quantization_config": {"quant_method": "fp8"}}, "quantised by 'fp8'"),
        ({"num_experts": 9}, "mlp.gate.weight"),
    ],
)
def test_refuses_what_it_does_not_compute(tmp_path, change, complaint):
    shutil.copytree(FIXTURE, tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(ModelError, match=complaint):
        open_checkpoint(tmp_path / "model")


def test_an_expert_that_is_missing_is_named(tmp_path):
    shutil.copytree(FIXTURE, tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    missing = "model.layers.1.mlp.experts.3.up_proj.weight"
    other = missing.replace("up_proj", "uq_proj")
    path.write_bytes(path.read_bytes().replace(missing.encode(), other.encode()))
    with pytest.raises(ModelError, match=f"{missing}' is missing"):
        open_checkpoint(tmp_path / "model")


class TestLayout:
    """What the house promises: an architecture is one folder."""

    def test_no_other_room_knows_it(self):
        folder = PACKAGE / "llm" / "models" / "qwen3_moe"
        others = [path for path in PACKAGE.rglob("*.py") if folder not in path.parents]
        for path in others:
            assert not re.search("qwen3|chatml", path.read_text(encoding="utf-8").lower()), path

    def test_no_other_room_knows_gpt_oss(self):
        """But for what measures its published sizes, and what trains the toy model."""
        known = {"bench/llm_subject.py", "llm/models/gpt_oss"}
        for path in (PACKAGE / "llm").rglob("*.py"):
            name = path.relative_to(PACKAGE).as_posix()
            text = path.read_text(encoding="utf-8")
            imports = re.findall(r"^(?:from|import) pyhades\.llm\.models\.gpt_oss.*", text, re.M)
            assert not imports or any(name.startswith(k) for k in known), name

    def test_it_imports_the_vocabulary_only(self):
        rooms = set()
        for path in (PACKAGE / "llm" / "models" / "qwen3_moe").glob("*.py"):
            found = re.findall(r"^from pyhades\.llm\.(\w+)", path.read_text(), re.MULTILINE)
            rooms |= set(found)
        assert rooms == {"checkpoint", "grammar", "models", "text"}

    def test_the_native_half_knows_activations_not_models(self):
        native = (PACKAGE.parent / "csrc" / "kernels" / "moe").glob("*")
        assert not [path.name for path in native if "qwen" in path.read_text().lower()]


class TestChat:
    tokenizer = Tokenizer.from_json(tokenizer_json(SPECIALS))

    def text(self, tokens: list[int]) -> str:
        names = {index: name for name, index in self.tokenizer.specials.items()}
        return "".join(names.get(token) or self.tokenizer.decode([token]) for token in tokens)

    def test_prompt(self):
        said = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi <|im_end|>"},
            {"role": "assistant", "content": "Hello", "reasoning": "greet"},
            {"role": "user", "content": "Bye"},
        ]
        prompt = render_chat(said, self.tokenizer)
        ends = self.tokenizer.specials["<|im_end|>"]
        assert prompt.count(ends) == 4
        assert self.text(prompt) == (
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi <|im_end|><|im_end|>\n"
            "<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n"
            "<|im_start|>assistant\n"
        )

    @pytest.mark.parametrize(
        ("begun", "end"),
        [
            ({"content": "It is "}, "<think>\n\n</think>\n\nIt is "),
            ({"content": "It", "reasoning": "Hm."}, "<think>\nHm.\n</think>\n\nIt"),
            ({"content": None, "reasoning": "Hm"}, "<think>\nHm"),
        ],
    )
    def test_an_answer_goes_on(self, begun, end):
        messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", **begun}]
        prompt = render_chat(messages, self.tokenizer, continue_final_message=True)
        assert self.text(prompt).endswith(f"Hi<|im_end|>\n<|im_start|>assistant\n{end}")
        with pytest.raises(ArgumentError, match="by 'user'"):
            render_chat(messages[:1], self.tokenizer, continue_final_message=True)

    def test_reasoning_ends_with_its_budget(self):
        prompt = chatml_prompt(
            [{"role": "user", "content": "Hi"}], self.tokenizer, ChatOptions(reasoning_budget=3)
        )
        guide, specials = prompt.guide(), self.tokenizer.specials
        thought = [specials["<think>"], *self.tokenizer.encode("\nHm, it is so, and so, and so")]
        forced = [list(guide.after(token)) for token in thought]
        end = [specials["</think>"], *self.tokenizer.encode("\n\n")]
        first = next(number for number, tokens in enumerate(forced) if tokens)
        assert forced[first] == end and 2 <= first <= 5
        none = render_chat([{"role": "user", "content": "Hi"}], self.tokenizer, reasoning_budget=0)
        assert self.text(none).endswith("<think>\n\n</think>\n\n")

    def test_prompt_without_reasoning(self):
        prompt = render_chat(
            [{"role": "user", "content": "Hi"}], self.tokenizer, reasoning_effort="low"
        )
        assert self.text(prompt).endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")

    @pytest.mark.parametrize(
        ("message", "keywords", "complaint"),
        [
            ({"role": "robot", "content": "1"}, {}, "role 'robot'"),
            ({"role": "user", "content": [{"type": "image"}]}, {}, "part of type 'image'"),
            ({"role": "user", "content": "x"}, {"tools": [{}]}, "tools"),
            ({"role": "user", "content": "x"}, {"builtin_tools": ["python"]}, "builtin_tools"),
            ({"role": "user", "content": "x"}, {"reasoning_effort": "much"}, "'none', 'minimal'"),
        ],
    )
    def test_refusals(self, message, keywords, complaint):
        with pytest.raises(ArgumentError, match=complaint):
            render_chat([message], self.tokenizer, **keywords)

    def test_tools_need_their_markers(self):
        for message, keywords in (
            ({"role": "tool", "content": "1"}, {}),
            ({"role": "user", "content": "1"}, {"tools": [{"name": "f"}]}),
        ):
            with pytest.raises(ModelError, match=r"<tool_call>.*cannot call tools"):
                render_chat([message], self.tokenizer, **keywords)

    def answer(self, *pieces: str) -> ChatAnswer:
        parser, deltas = ChatmlParser(self.tokenizer), []
        for piece in pieces:
            special = self.tokenizer.specials.get(piece)
            for token in [special] if special is not None else self.tokenizer.encode(piece):
                deltas += parser.push(token)
        return ChatAnswer.collect([*deltas, *parser.finish()])

    def test_answer_with_reasoning(self):
        answer = self.answer("<think>", "\nHm,  é.\n", "</think>", "\n\nFour.\n", "<|im_end|>")
        assert (answer.reasoning, answer.content) == ("Hm,  é.", "Four.\n")
        assert answer.finish_reason == "stop"

    def test_answer_that_was_cut_off(self):
        answer = self.answer("<think>", "Hm")
        assert (answer.reasoning, answer.content, answer.finish_reason) == ("Hm", "", "length")

    def test_a_model_without_markers_cannot_chat(self):
        plain = Tokenizer.from_json(tokenizer_json(()))
        with pytest.raises(ModelError, match=r"<\|im_start\|>.*cannot chat"):
            render_chat([{"role": "user", "content": "Hi"}], plain)


def test_conversation_through_the_model():
    """An untrained model answers nonsense, but by the format of its architecture."""
    tokenizer = Tokenizer.from_json(tokenizer_json(SPECIALS))
    config = Qwen3MoeConfig(
        2, 64, 64, 4, 2, 32, tokenizer.vocab_size, 4, 2, 0, ("full_attention",) * 2, 512, 1e4, None,
        eos_token_ids=(tokenizer.specials["<|im_end|>"],),
    )  # fmt: skip
    with pyhades.LLM.from_weights(config, random_weights(config), tokenizer) as llm:
        answer = llm.chat([{"role": "user", "content": "Hi"}], temperature=0, max_tokens=8)
        assert isinstance(answer, ChatAnswer) and answer.finish_reason in ("stop", "length")
        assert answer.usage.completion_tokens == len(answer.token_ids) == 8
        several = llm.chat(
            [{"role": "user", "content": "Hi"}], n=2, logprobs=1, max_tokens=5, seed=1,
            reasoning_budget=2,
        )  # fmt: skip
        assert [len(choice.all_logprobs) for choice in several.choices] == [5, 5]
        with pytest.raises(ArgumentError, match="tools"):
            llm.chat([{"role": "user", "content": "Hi"}], tools=[{"type": "function"}])
        with pytest.raises(ModelError, match="<tool_call>"):
            llm.chat([{"role": "user", "content": "Hi"}], tools=[{"name": "f"}])
