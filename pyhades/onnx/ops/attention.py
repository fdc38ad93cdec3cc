"""Attention, rotary positions, caches, recurrences."""

from __future__ import annotations

from pyhades.onnx.translate import same

same("Attention", "RotaryEmbedding", since=23)
same("TensorScatter", since=24)
same("CausalConvWithState", "LinearAttention", since=27)
