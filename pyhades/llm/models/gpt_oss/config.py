"""What a gpt-oss checkpoint says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pyhades.llm.models.config import ModelConfig


@dataclass(frozen=True)
class GptOssConfig(ModelConfig):
    """Hyperparameters of gpt-oss."""

    model_type: ClassVar[str] = "gpt_oss"

    attention_bias: bool = True
    swiglu_limit: float = 7.0
    swiglu_alpha: float = 1.702
