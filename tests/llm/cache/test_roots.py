"""Whatever changes what is computed changes the names of what is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pyhades.llm.cache import roots
from pyhades.llm.cache.roots import facts_of, weights_digest
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models.config import RopeScaling
from pyhades.llm.models.gpt_oss.sizes import tiny_config
from pyhades.llm.models.weights import Linear
from pyhades.llm.text.tokenizer import Tokenizer
from tests.support.toy_tokenizer import SPECIALS, tokenizer_json, toy_tokenizer

CONFIG = tiny_config()


@pytest.fixture
def weights():
    """For every test anew: some of them change them."""
    return random_weights(CONFIG)


def facts(weights, config=CONFIG, tokenizer=None, **others):
    settings = {"kv_format": "bf16", "tier": "avx2", "digest": "0", **others}
    return facts_of(config, weights, tokenizer or toy_tokenizer(), **settings)


def test_equal_weights_have_equal_digests(weights):
    told = []
    digest = weights_digest(weights, told=told.append)
    assert digest == weights_digest(random_weights(CONFIG), threads=3)
    assert sum(told) == weights.nbytes


def test_one_bit_of_any_array_changes_the_digest(weights):
    digests = {weights_digest(weights)}
    for array in weights.arrays():
        flat = array.reshape(-1).view("u1")
        flat[len(flat) // 2] ^= 1
        digests.add(weights_digest(weights))
    assert len(digests) == 1 + len(weights.arrays())


def test_parts_that_changed_places_change_the_digest(weights):
    first, second, *others = weights.layers
    turned = replace(weights, layers=(second, first, *others))
    assert weights_digest(turned) != weights_digest(weights)


def test_the_shape_belongs_to_the_digest(weights):
    norm = weights.norm.reshape(2, -1)
    assert weights_digest(replace(weights, norm=norm)) != weights_digest(weights)
    head = replace(weights.head.weight, row_order="gate_up")
    turned = replace(weights, head=Linear(head, weights.head.bias))
    assert weights_digest(turned) != weights_digest(weights)


def test_large_arrays_are_summed_in_pieces(weights, monkeypatch):
    monkeypatch.setattr(roots, "PIECE_BYTES", 1000)
    told = []
    assert weights_digest(weights, told=told.append) == weights_digest(weights, threads=2)
    assert max(told) == 1000 and sum(told) == weights.nbytes


@pytest.mark.parametrize(
    "change",
    [
        lambda w: facts(w, digest="1"),
        lambda w: facts(w, kv_format="int8"),
        lambda w: facts(w, tier="avx512"),
        lambda w: facts(replace(w, precision="fast")),
        lambda w: facts(replace(w, activations="q8" if w.activations == "bf16" else "bf16")),
        lambda w: facts(w, replace(CONFIG, rope_theta=1.0)),
        lambda w: facts(w, replace(CONFIG, rope_scaling=RopeScaling(factor=3.0))),
        lambda w: facts(w, replace(CONFIG, sliding_window=CONFIG.sliding_window * 2)),
        lambda w: facts(w, replace(CONFIG, rms_norm_eps=1e-6)),
        lambda w: facts(w, tokenizer=Tokenizer.from_json(tokenizer_json((*SPECIALS, "<|new|>")))),
    ],
    ids=[
        "weights", "kv_format", "tier", "precision", "activations", "rope_theta", "rope_scaling",
        "window", "eps", "tokenizer",
    ],
)  # fmt: skip
def test_every_fact_counts(weights, change):
    assert change(weights) != facts(weights)


@pytest.mark.parametrize("name", ["LAYOUT", "RECORDS", "CACHE_BLOCK"])
def test_layouts_and_sizes_count(weights, monkeypatch, name):
    before = facts(weights)
    monkeypatch.setattr(roots, name, 99)
    assert facts(weights) != before


def test_the_version_counts(weights, monkeypatch):
    before = facts(weights)
    monkeypatch.setattr(roots.pyhades, "__version__", "99.0")
    assert facts(weights) != before


def test_equal_tokenizers_have_equal_digests():
    assert Tokenizer.from_json(tokenizer_json()).digest == toy_tokenizer().digest
