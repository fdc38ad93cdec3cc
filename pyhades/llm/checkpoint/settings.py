"""Configurations: JSON and GGUF metadata become a :class:`GptOssConfig`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from pyhades.errors import ModelError
from pyhades.llm.models.gpt_oss.config import GptOssConfig, RopeScaling
from pyhades.quant import BLOCK

STOP_TOKENS = ("<|endoftext|>", "<|return|>", "<|call|>")
"""Tokens that end an answer; the first uploads of gpt-oss forgot to list the last."""
MESSAGE_END = "<|end|>"
"""Ends a message, after which the answer goes on."""
_HARMONY_VOCABULARY = 201088
_HARMONY_IDS = {
    "<|endoftext|>": 199999,
    "<|return|>": 200002,
    "<|end|>": 200007,
    "<|call|>": 200012,
}

MOST_LAYERS = 1024
"""More are a sign of damage: a table of them would fill the memory."""
_MOST = 2**31 - 1

Json = Mapping[str, Any]


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises
    ------
    ModelError
        The file is missing or is no JSON object.
    """
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        raise ModelError(
            f"{path}: {error.strerror}; a checkpoint needs this file beside its weights"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is no JSON: {error}; download it again") from None
    if not isinstance(values, dict):
        raise ModelError(f"{path} holds no JSON object; download it again")
    return values


class Settings:
    """Named values of a file, fetched with a check of their type.

    Parameters
    ----------
    values
        As read.
    source
        What to call the file in errors.
    prefix
        Of all names.
    """

    def __init__(self, values: Json, source: str, prefix: str = "") -> None:
        self.values = values
        self.source = source
        self.prefix = prefix

    def get(self, *names: str) -> Any:
        """The value of the first of these names that has one, or None."""
        found = (self.values.get(self.prefix + name) for name in names)
        return next((value for value in found if value is not None), None)

    def integer(self, *names: str, default: int | None = None, most: int = _MOST) -> int:
        """An integer from 1 to ``most``; ModelError where it is not, or missing without default."""
        value = self._required(names, default)
        is_integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not is_integer or not 1 <= value <= most:
            self.fail(f"{self.prefix}{names[0]} is {value!r}, not an integer from 1 to {most}")
        return int(value)

    def number(self, *names: str, default: float | None = None) -> float:
        """A positive number; ModelError where it is something else, or missing without default."""
        value = self._required(names, default)
        kinds = (int, float, np.integer, np.floating)
        if isinstance(value, bool) or not isinstance(value, kinds):
            self.fail(f"{self.prefix}{names[0]} is {value!r}, not a number")
        if not (0 < value < math.inf):
            self.fail(f"{self.prefix}{names[0]} is {value!r}, not a positive number")
        return float(value)

    def token_ids(self, *names: str) -> list[int]:
        """A token id or several; none where the name has no value."""
        value = self.get(*names)
        value = value.tolist() if isinstance(value, np.ndarray) else value
        ids = value if isinstance(value, list) else [] if value is None else [value]
        if any(type(item) is not int or item < 0 for item in ids):
            self.fail(f"{self.prefix}{names[0]} is {value!r}, not token ids")
        return ids

    def text(self, *names: str, default: str) -> str:
        """A text; ModelError where it is something else."""
        value = self._required(names, default)
        if not isinstance(value, str):
            self.fail(f"{self.prefix}{names[0]} is {value!r}, not a text")
        return str(value)

    def fail(self, problem: str) -> NoReturn:
        """Raise a ModelError about the file."""
        raise ModelError(f"{self.source}: {problem}")

    def _required(self, names: Iterable[str], default: Any) -> Any:
        value = self.get(*names)
        if value is None and default is None:
            spelled = " or ".join(self.prefix + name for name in names)
            self.fail(f"{spelled} is missing; the checkpoint's own configuration has it")
        return default if value is None else value


def from_huggingface(
    values: Json, source: str, generation: Json, specials: Mapping[str, int]
) -> GptOssConfig:
    """Read a ``config.json`` of Hugging Face.

    Parameters
    ----------
    values
        The object in the file.
    source
        Name of the file.
    generation
        The object in ``generation_config.json``, or an empty one.
    specials
        Ids of the special tokens, as far as known.

    Raises
    ------
    ModelError
        A value is missing or has no meaning, or the model is of another family.
    """
    settings = Settings(values, source)
    _check_family(settings)
    rope = settings.get("rope_parameters", "rope_scaling") or {}
    if not isinstance(rope, dict):
        settings.fail(f"rope_parameters are {rope!r}, not named values")
    theta = rope.get("rope_theta") or settings.get("rope_theta")
    eos = Settings(generation, source).token_ids("eos_token_id")
    pad = settings.token_ids("pad_token_id")
    config = GptOssConfig(
        **_dimensions(settings),
        max_position_embeddings=settings.integer("max_position_embeddings", default=131072),
        rope_theta=Settings({"rope_theta": theta}, source).number("rope_theta", default=150000.0),
        rope_scaling=_rope_scaling(Settings(rope, source, "")),
        rms_norm_eps=settings.number("rms_norm_eps", default=1e-5),
        eos_token_ids=stop_ids(
            [*eos, *settings.token_ids("eos_token_id")], specials, settings.integer("vocab_size")
        ),
        pad_token_id=pad[0] if pad else None,
        attention_bias=bool(values.get("attention_bias", True)),
    )
    return checked(config, settings)


def to_huggingface(config: GptOssConfig) -> dict[str, Any]:
    """What :func:`from_huggingface` reads as ``config``."""
    values = {"model_type": "gpt_oss", **vars(config)}
    values["eos_token_id"] = list(values.pop("eos_token_ids"))
    values["layer_types"] = list(config.layer_types)
    if config.rope_scaling is not None:
        values["rope_scaling"] = {"rope_type": "yarn", **vars(config.rope_scaling)}
    return values


def from_original(values: Json, source: str, specials: Mapping[str, int]) -> GptOssConfig:
    """Read the ``config.json`` of OpenAI's original layout; as :func:`from_huggingface`."""
    settings = Settings(values, source)
    original = settings.integer("initial_context_length", default=4096)
    factor = settings.number("rope_scaling_factor", default=32.0)
    scaling = RopeScaling(
        factor=factor,
        beta_fast=settings.number("rope_ntk_beta", default=32.0),
        beta_slow=settings.number("rope_ntk_alpha", default=1.0),
        original_max_position_embeddings=original,
    )
    config = GptOssConfig(
        **_dimensions(settings),
        max_position_embeddings=settings.integer(
            "max_position_embeddings", default=round(original * factor)
        ),
        rope_theta=settings.number("rope_theta", default=150000.0),
        rope_scaling=scaling if factor > 1.0 else None,
        eos_token_ids=stop_ids((), specials, settings.integer("vocab_size")),
    )
    return checked(config, settings)


def stop_ids(
    listed: Iterable[int], specials: Mapping[str, int], vocab_size: int
) -> tuple[int, ...]:
    """Ids that end an answer: those that a checkpoint lists and those of :data:`STOP_TOKENS`.

    The end of a message is never one, whatever a checkpoint lists.
    """
    if not specials and vocab_size == _HARMONY_VOCABULARY:
        specials = _HARMONY_IDS
    ids = {*listed, *(specials[name] for name in STOP_TOKENS if name in specials)}
    return tuple(sorted(ids - {specials.get(MESSAGE_END, -1)}))


def _dimensions(settings: Settings) -> dict[str, Any]:
    """What both configurations have, the experts under one name or the other."""
    layers = settings.integer("num_hidden_layers", most=MOST_LAYERS)
    return {
        "num_hidden_layers": layers,
        "hidden_size": settings.integer("hidden_size"),
        "intermediate_size": settings.integer("intermediate_size"),
        "num_attention_heads": settings.integer("num_attention_heads"),
        "num_key_value_heads": settings.integer("num_key_value_heads"),
        "head_dim": settings.integer("head_dim", default=64),
        "vocab_size": settings.integer("vocab_size"),
        "num_local_experts": settings.integer("num_local_experts", "num_experts"),
        "num_experts_per_tok": settings.integer(
            "num_experts_per_tok", "experts_per_token", default=4
        ),
        "sliding_window": settings.integer("sliding_window", default=128),
        "layer_types": layer_types(settings, layers),
        "swiglu_limit": settings.number("swiglu_limit", default=7.0),
        "swiglu_alpha": settings.number("swiglu_alpha", default=1.702),
    }


def _check_family(settings: Settings) -> None:
    family = settings.text("model_type", default="gpt_oss")
    if family != "gpt_oss":
        settings.fail(f"the model is of the family {family!r}; pyhades runs 'gpt_oss'")
    quantization = settings.get("quantization_config")
    method = quantization.get("quant_method") if isinstance(quantization, dict) else None
    if method not in (None, "mxfp4"):
        settings.fail(
            f"the weights are quantised by {method!r}; pyhades reads MXFP4, bf16 and fp16 weights"
        )


def layer_types(settings: Settings, layers: int) -> tuple[str, ...]:
    """The kind of every layer; where a file does not list them, they take turns."""
    kinds = ("sliding_attention", "full_attention")
    given = settings.get("layer_types")
    if given is None:
        return tuple(kinds[index % 2] for index in range(layers))
    if (
        not isinstance(given, list)
        or len(given) != layers
        or any(kind not in kinds for kind in given)
    ):
        settings.fail(f"layer_types must be {layers} times one of {', '.join(kinds)}")
    return tuple(given)


def _rope_scaling(rope: Settings) -> RopeScaling | None:
    kind = rope.text("rope_type", "type", default="default")
    if kind == "default":
        return None
    if kind != "yarn":
        rope.fail(f"rope_type is {kind!r}; pyhades knows 'yarn' and 'default'")
    scaling = RopeScaling(
        factor=rope.number("factor", default=32.0),
        beta_fast=rope.number("beta_fast", default=32.0),
        beta_slow=rope.number("beta_slow", default=1.0),
        original_max_position_embeddings=rope.integer(
            "original_max_position_embeddings", default=4096
        ),
        # Other models round; the default of transformers is not that of gpt-oss.
        truncate=bool(rope.values.get("truncate", False)),
    )
    attention = rope.number("attention_factor", default=1.0)
    usual = 0.1 * math.log(scaling.factor) + 1.0 if scaling.factor > 1 else 1.0
    if rope.get("attention_factor") is not None and not math.isclose(attention, usual):
        rope.fail(f"attention_factor is {attention}; with this factor pyhades knows {usual:.6f}")
    return scaling


def checked(config: GptOssConfig, settings: Settings) -> GptOssConfig:
    """``config``; ModelError where its numbers do not fit together."""
    widths = {
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_attention_heads * head_dim": config.query_size,
    }
    for name, width in widths.items():
        if width % BLOCK:
            settings.fail(f"{name} is {width}, no multiple of {BLOCK}, which pyhades needs")
    if config.head_dim % 2:
        settings.fail(f"head_dim is {config.head_dim}; rotary embeddings need pairs")
    if config.num_attention_heads % config.num_key_value_heads:
        settings.fail(
            f"num_attention_heads {config.num_attention_heads} is no multiple of "
            f"num_key_value_heads {config.num_key_value_heads}"
        )
    if config.num_experts_per_tok > config.num_local_experts:
        settings.fail(
            f"num_experts_per_tok {config.num_experts_per_tok} of only "
            f"{config.num_local_experts} experts"
        )
    return config
