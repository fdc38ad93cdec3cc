"""Weight formats: codecs in NumPy, the specification of the native ones."""

from pyhades.quant.bf16 import from_bf16, to_bf16
from pyhades.quant.codecs import dequantize, from_mxfp4, quantize
from pyhades.quant.conversion import convert
from pyhades.quant.formats import (
    BLOCK,
    FORMATS,
    LAYOUT,
    TILE,
    Format,
    FormatName,
    RowOrder,
    format_named,
)
from pyhades.quant.rows import from_q8, q8_row_bytes, to_q8
from pyhades.quant.tensor import PackedWeight, QuantizedTensor

__all__ = [
    "BLOCK",
    "FORMATS",
    "LAYOUT",
    "TILE",
    "Format",
    "FormatName",
    "PackedWeight",
    "QuantizedTensor",
    "RowOrder",
    "convert",
    "dequantize",
    "format_named",
    "from_bf16",
    "from_mxfp4",
    "from_q8",
    "q8_row_bytes",
    "quantize",
    "to_bf16",
    "to_q8",
]
