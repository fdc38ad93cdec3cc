"""The formats of ggml, which GGUF files store weights in, decoded to our own without loss."""

from pyhades.quant.ggml.decoding import decode
from pyhades.quant.ggml.types import OTHER_NAMES, TYPES, TYPES_BY_NAME, GgmlType

__all__ = ["OTHER_NAMES", "TYPES", "TYPES_BY_NAME", "GgmlType", "decode"]
