"""The model to measure: a checkpoint, or random weights of a real size."""

from __future__ import annotations

from typing import cast

from pyhades.bench.llm import Subject
from pyhades.errors import ArgumentError
from pyhades.kernels.paged_attention import KvFormat
from pyhades.llm.checkpoint.locating import toy_model
from pyhades.llm.measure.synthetic import FixedPrecision, random_weights
from pyhades.llm.models import open_checkpoint
from pyhades.llm.models.gpt_oss.sizes import gpt_oss_config
from pyhades.llm.precision.loading import load_weights
from pyhades.llm.precision.recipe import DEFAULT_PRECISION
from pyhades.options import EngineOptions, engine_options


def open_subject(
    model: str | None,
    synthetic: str | None,
    options: EngineOptions | None = None,
    *,
    kv_format: KvFormat = "bf16",
) -> Subject:
    """Load ``model``, or make ``synthetic``; the toy model if both are None.

    Raises
    ------
    ArgumentError
        Both are given, or there is no such size.
    """
    chosen = engine_options(options)
    if model is not None and synthetic is not None:
        raise ArgumentError("give either a model or synthetic, not both")
    if synthetic is not None:
        config = gpt_oss_config(synthetic)
        precision = cast(FixedPrecision, chosen.precision or DEFAULT_PRECISION)  # checked there
        weights = random_weights(config, precision, progress=True)
        return Subject(synthetic, config, weights, None, kv_format, chosen.isa)
    checkpoint = open_checkpoint(toy_model() if model is None else model)
    weights = load_weights(checkpoint, chosen.precision)
    name = checkpoint.source.name
    return Subject(name, checkpoint.config, weights, checkpoint.tokenizer(), kv_format, chosen.isa)
