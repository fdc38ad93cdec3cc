"""What a language model says of itself, in a line and in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyhades.llm.cache.opening import told_of
from pyhades.llm.cache.options import CacheOptions
from pyhades.llm.text.level_counts import LevelCounts
from pyhades.tables import as_facts

if TYPE_CHECKING:
    from pyhades.llm.llm import LLM


def in_a_line(llm: LLM, levels: str, is_open: bool) -> str:
    """Its size, and what it runs on.

    Parameters
    ----------
    llm
        Which model.
    levels
        What :func:`levels_in_words` says of its cache.
    is_open
        Whether it still answers.
    """
    config, cache = llm.config, f", cache: {levels}" if levels else ""
    return (
        f"LLM({llm.name}: {config.num_hidden_layers} layers, {config.num_local_experts} experts, "
        f"{llm.precision}, {llm.weight_bytes / 1e9:.2f} GB, context {llm.context_length}, "
        f"{llm.threads} threads, {llm.isa}{cache}{'' if is_open else ', closed'})"
    )


def in_a_notebook(llm: LLM, levels: str, is_open: bool) -> str:
    """The same, a row each; the parameters are those of :func:`in_a_line`."""
    facts = {
        "model": llm.name,
        "layers": str(llm.config.num_hidden_layers),
        "experts": str(llm.config.num_local_experts),
        "precision": llm.precision,
        "weights": f"{llm.weight_bytes / 1e9:.2f} GB",
        "context": f"{llm.context_length} tokens",
        "threads": str(llm.threads),
        "isa": llm.isa,
    }
    if levels:
        facts["cache"] = levels
    if not is_open:
        facts["state"] = "closed"
    return as_facts("pyhades.LLM", facts)


def levels_in_words(levels: Sequence[LevelCounts], options: CacheOptions) -> str:
    """Where what was read is kept below the blocks in memory; empty where it is not."""
    return told_of(levels, options).removeprefix(", cache: ") if levels else ""
