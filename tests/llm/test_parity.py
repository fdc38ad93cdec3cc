"""The engine computes what transformers computes, and would be caught if it did not.

Errors are in deviations of the reference's logits. ``exact`` rounds what enters a matrix product
to bfloat16, which costs about 0.03 on the golden fixtures; transformers' own bfloat16 up to 0.12.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pyhades.llm.engine.runner import Piece, Runner
from pyhades.llm.models import open_checkpoint
from pyhades.llm.models.gpt_oss.config import GptOssConfig
from pyhades.llm.models.weights import LayerWeights, ModelWeights
from pyhades.llm.precision.loading import load_weights

FIXTURES = sorted((Path(__file__).parent / "golden").iterdir())
TOLERANCE = 0.1

Logits = NDArray[np.float32]
Model = tuple[GptOssConfig, ModelWeights]
per_fixture = pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.name)


@dataclasses.dataclass(frozen=True)
class Expected:
    """What transformers says, see make_golden.py."""

    tokens: list[int]
    rows: NDArray[np.int64]
    logits: Logits

    @classmethod
    def of(cls, folder: Path) -> Expected:
        with np.load(folder / "expected.npz") as content:
            return cls(content["tokens"].tolist(), content["rows"], content["logits"])

    def error(self, logits: Logits) -> float:
        return float(np.abs(logits[self.rows] - self.logits).max() / self.logits.std())


def load(folder: Path) -> Model:
    checkpoint = open_checkpoint(folder)
    return checkpoint.config, load_weights(checkpoint, "exact", progress=False)


@contextmanager
def runner_of(model: Model, **settings: Any) -> Iterator[Runner]:
    runner = Runner(*model, **{"context_length": 512, "max_sequences": 4, "threads": 1} | settings)
    yield runner
    runner.close()


def logits_of(model: Model, tokens: list[int], chunk: int = 64, **settings: Any) -> Logits:
    with runner_of(model, **settings) as runner:
        sequence = runner.cache.sequence()
        parts = [tokens[first : first + chunk] for first in range(0, len(tokens), chunk)]
        runs = (runner.run([Piece(sequence, part, len(part))])[0].copy() for part in parts)
        return np.concatenate(list(runs))


@per_fixture
def test_agrees_with_transformers(folder: Path, isa: str) -> None:
    expected = Expected.of(folder)
    assert expected.error(logits_of(load(folder), expected.tokens, isa=isa)) < TOLERANCE


def _layers(model: Model, change: Callable[[LayerWeights], LayerWeights]) -> Model:
    config, weights = model
    return config, dataclasses.replace(weights, layers=tuple(map(change, weights.layers)))


def _without_sinks(model: Model) -> Model:
    return _layers(
        model, lambda layer: dataclasses.replace(layer, sinks=np.full_like(layer.sinks, -1e9))
    )


def _without_bias(name: str) -> Callable[[Model], Model]:
    def change(layer: LayerWeights) -> LayerWeights:
        part = getattr(layer, name)
        without = dataclasses.replace(part, bias=np.zeros_like(part.bias))
        return dataclasses.replace(layer, **{name: without})

    return lambda model: _layers(model, change)


def _without_one(model: Model) -> Model:
    """An up projection that is one less undoes the +1 of the clamped SwiGLU."""

    def change(layer: LayerWeights) -> LayerWeights:
        bias = layer.gate_up.bias.copy()
        is_up = np.arange(bias.shape[1]) % 32 >= 16
        bias[:, is_up] -= 1
        gate_up = dataclasses.replace(layer.gate_up, bias=bias)
        return dataclasses.replace(layer, gate_up=gate_up)

    return _layers(model, change)


def _with_config(**settings: Any) -> Callable[[Model], Model]:
    return lambda model: (dataclasses.replace(model[0], **settings), model[1])


def _with_rounded_bounds(model: Model) -> Model:
    scaling = dataclasses.replace(model[0].rope_scaling, truncate=True)
    return _with_config(rope_scaling=scaling)(model)


def _with_smaller_window(model: Model) -> Model:
    return _with_config(sliding_window=model[0].sliding_window - 1)(model)


MUTATIONS = {
    "no sinks": _without_sinks,
    "no qkv bias": _without_bias("qkv"),
    "no output bias": _without_bias("attention_output"),
    "no router bias": _without_bias("router"),
    "no gate and up bias": _without_bias("gate_up"),
    "no down bias": _without_bias("down"),
    "no +1": _without_one,
    "window one too small": _with_smaller_window,
    "all layers full": _with_config(layer_types=("full_attention",) * 9),
    "limit of the SwiGLU": _with_config(swiglu_limit=1.0),
    "rounded YaRN bounds": _with_rounded_bounds,
}


@pytest.mark.parametrize(
    ("folder", "mutation"),
    [
        pytest.param(folder, mutation, id=f"{folder.name}-{mutation}")
        for folder in FIXTURES
        for mutation in MUTATIONS
        if mutation != "rounded YaRN bounds" or "yarn" in folder.name  # elsewhere it matters less
    ],
)
def test_a_mistake_would_be_noticed(folder: Path, mutation: str) -> None:
    config, weights = MUTATIONS[mutation](load(folder))
    config = dataclasses.replace(config, layer_types=config.layer_types[: len(weights.layers)])
    expected = Expected.of(folder)
    assert expected.error(logits_of((config, weights), expected.tokens)) > 1.5 * TOLERANCE


@pytest.mark.parametrize("chunk", [1, 7, 16, 50])
@per_fixture
def test_chunks_of_the_prompt_do_not_matter(folder: Path, chunk: int) -> None:
    tokens = Expected.of(folder).tokens[:150]
    model = load(folder)
    assert np.array_equal(logits_of(model, tokens, chunk), logits_of(model, tokens, 64))


@per_fixture
def test_a_long_chunk_is_like_short_ones(folder: Path) -> None:
    tokens = Expected.of(folder).tokens
    model = load(folder)
    short = logits_of(model, tokens)
    with runner_of(model) as runner:
        long = runner.run([Piece(runner.cache.sequence(), tokens, 64)])[0]
        assert np.array_equal(long, short[-64:])


@per_fixture
def test_company_in_the_batch_does_not_matter(folder: Path) -> None:
    tokens = Expected.of(folder).tokens[:60]
    model = load(folder)
    alone = logits_of(model, tokens)
    with runner_of(model) as runner:
        first, second, third = (runner.cache.sequence() for _ in range(3))
        together = runner.run(
            [Piece(first, tokens[:1], 1), Piece(second, tokens, 30), Piece(third, tokens[:3], 0)]
        )
        assert np.array_equal(together[0], alone[:1])
        assert np.array_equal(together[1], alone[-30:])


@per_fixture
def test_threads_do_not_matter(folder: Path) -> None:
    tokens = Expected.of(folder).tokens
    model = load(folder)
    assert np.array_equal(logits_of(model, tokens), logits_of(model, tokens, threads=2))


@pytest.mark.parametrize("dtype", ["bf16", "float16"])
def test_agrees_past_the_original_context(dtype: str, tmp_path: Path) -> None:
    """Positions past 4096, live: all experts are chosen, so that rounding cannot choose others."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.GptOssConfig(
        vocab_size=64, hidden_size=64, intermediate_size=32, num_hidden_layers=2, head_dim=32,
        num_attention_heads=2, num_key_value_heads=1, num_local_experts=2, num_experts_per_tok=2,
        attn_implementation="eager", initializer_range=0.1,
    )  # fmt: skip
    torch.manual_seed(0)
    stored = torch.bfloat16 if dtype == "bf16" else torch.float16
    theirs = transformers.GptOssForCausalLM(config).eval()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if name.endswith(("sinks", "bias")):
                parameter.normal_(0, 0.5)
    theirs.to(stored).save_pretrained(tmp_path)
    tokens = torch.randint(64, (1, 4200))
    with torch.no_grad():
        logits = theirs.float()(tokens).logits[0].numpy()
    ours = logits_of(load(tmp_path), tokens[0].tolist(), context_length=4224)
    assert np.abs(ours - logits).max() < TOLERANCE * logits.std()
