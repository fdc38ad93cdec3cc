"""The model to measure: a checkpoint, or random weights of a real size."""

from __future__ import annotations

from pyhades.bench.llm import Subject
from pyhades.errors import ArgumentError
from pyhades.llm.checkpoint.locating import toy_model
from pyhades.llm.measure.synthetic import random_weights
from pyhades.llm.models import open_checkpoint
from pyhades.llm.models.gpt_oss.sizes import gpt_oss_config
from pyhades.llm.precision.loading import load_weights


def open_subject(
    model: str | None,
    synthetic: str | None,
    precision: str | None = None,
    *,
    kv_format: str = "bf16",
    isa: str | None = None,
) -> Subject:
    """Load ``model``, or make ``synthetic``; the toy model if both are None.

    Raises
    ------
    ArgumentError
        Both are given, or there is no such size.
    """
    if model is not None and synthetic is not None:
        raise ArgumentError("give either a model or synthetic, not both")
    if synthetic is not None:
        config = gpt_oss_config(synthetic)
        weights = random_weights(config, precision or "balanced", progress=True)
        return Subject(synthetic, config, weights, None, kv_format, isa)
    checkpoint = open_checkpoint(toy_model() if model is None else model)
    weights = load_weights(checkpoint, precision)
    name = checkpoint.source.name
    return Subject(name, checkpoint.config, weights, checkpoint.tokenizer(), kv_format, isa)
